"""Random SmolVLM checkpoints of any configuration, from a seed: every element is a function of (seed, name, index).

    python -m smolvlm.seeded --config config.json --seed 1 --out DIR [--dtype bf16] [--shards 1]

The numbers are drawn as `seeded.py` draws Florence-2's: value = offset + bound * uniform(-1, 1).
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch
from safetensors.torch import save_file

from seeded import CHUNK, GAMMA, MASK, Tensor, finalize, fnv1a

DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
# By the end of a name: attention needs spread to look at something, the picture must reach the answer, and a residual
# stream that stays the last token repeats that token for ever.
GAINS = {
    "q_proj": 1.5, "k_proj": 1.5, "out_proj": 1.5, "o_proj": 2.0, "fc2": 2.0, "down_proj": 2.0, "modality_projection.proj": 2.0,
}  # fmt: skip
BIAS, NORM, POSITION, EMBEDDING, END_GAIN = 0.1, 0.1, 1.0, 1.0, 1.6


def linear(name: str, out: int, into: int, bias: bool = True) -> Iterator[Tensor]:
    gain = next((value for end, value in GAINS.items() if name.endswith(end)), 1.0)
    yield Tensor(f"{name}.weight", (out, into), 0.0, math.sqrt(3.0 / into) * gain)
    if bias:
        yield Tensor(f"{name}.bias", (out,), 0.0, BIAS)


def norm(name: str, width: int) -> Iterator[Tensor]:
    yield Tensor(f"{name}.weight", (width,), 1.0, NORM)
    yield Tensor(f"{name}.bias", (width,), 0.0, NORM)


def vision(config: dict[str, Any]) -> Iterator[Tensor]:
    v, base = config["vision_config"], "model.vision_model"
    width, patch = v["hidden_size"], v["patch_size"]
    yield Tensor(f"{base}.embeddings.patch_embedding.weight", (width, 3, patch, patch), 0.0, math.sqrt(3.0 / (3 * patch * patch)))
    yield Tensor(f"{base}.embeddings.patch_embedding.bias", (width,), 0.0, BIAS)
    yield Tensor(f"{base}.embeddings.position_embedding.weight", ((v["image_size"] // patch) ** 2, width), 0.0, POSITION)
    for index in range(v["num_hidden_layers"]):
        layer = f"{base}.encoder.layers.{index}"
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(f"{layer}.self_attn.{projection}", width, width)
        yield from linear(f"{layer}.mlp.fc1", v["intermediate_size"], width)
        yield from linear(f"{layer}.mlp.fc2", width, v["intermediate_size"])
        yield from norm(f"{layer}.layer_norm1", width)
        yield from norm(f"{layer}.layer_norm2", width)
    yield from norm(f"{base}.post_layernorm", width)
    into = width * config["scale_factor"] ** 2
    yield from linear("model.connector.modality_projection.proj", config["text_config"]["hidden_size"], into, bias=False)


def text(config: dict[str, Any]) -> Iterator[Tensor]:
    t, base = config["text_config"], "model.text_model"
    width, heads = t["hidden_size"], t["num_attention_heads"]
    size = t.get("head_dim") or width // heads
    keys = t.get("num_key_value_heads", heads)
    yield Tensor(f"{base}.embed_tokens.weight", (t["vocab_size"], width), 0.0, EMBEDDING)
    for index in range(t["num_hidden_layers"]):
        layer = f"{base}.layers.{index}"
        yield from linear(f"{layer}.self_attn.q_proj", heads * size, width, bias=False)
        yield from linear(f"{layer}.self_attn.k_proj", keys * size, width, bias=False)
        yield from linear(f"{layer}.self_attn.v_proj", keys * size, width, bias=False)
        yield from linear(f"{layer}.self_attn.o_proj", width, heads * size, bias=False)
        yield from linear(f"{layer}.mlp.gate_proj", t["intermediate_size"], width, bias=False)
        yield from linear(f"{layer}.mlp.up_proj", t["intermediate_size"], width, bias=False)
        yield from linear(f"{layer}.mlp.down_proj", width, t["intermediate_size"], bias=False)
        yield Tensor(f"{layer}.input_layernorm.weight", (width,), 1.0, NORM)
        yield Tensor(f"{layer}.post_attention_layernorm.weight", (width,), 1.0, NORM)
    yield Tensor(f"{base}.norm.weight", (width,), 1.0, NORM)
    if not config.get("tie_word_embeddings", False):
        yield Tensor("lm_head.weight", (t["vocab_size"], width), 0.0, math.sqrt(3.0 / width) * 2.0)


def values(tensor: Tensor, seed: int, end: int | None) -> torch.Tensor:
    """The tensor in f32; the row of the end token in the head is longer, so that answers end (`end` None: they do not)."""
    count = math.prod(tensor.shape)
    out = np.empty(count, dtype=np.float32)
    start = finalize(np.array([(seed ^ fnv1a(tensor.name)) & MASK], dtype=np.uint64))
    for begin in range(0, count, CHUNK):
        index = np.arange(begin + 1, min(count, begin + CHUNK) + 1, dtype=np.uint64)
        random = finalize(start + index * np.uint64(GAMMA)) >> np.uint64(40)
        uniform = random.astype(np.float32) / np.float32(1 << 23) - np.float32(1.0)
        out[begin : begin + len(index)] = np.float32(tensor.offset) + np.float32(tensor.bound) * uniform
    out = out.reshape(tensor.shape)
    if end is not None and tensor.name == "lm_head.weight":
        out[end] *= np.float32(END_GAIN)
    return torch.from_numpy(out)


def write(config: dict[str, Any], seed: int, out: Path, dtype: str = "bf16", shards: int = 1, end: int | None = None) -> None:
    """config.json and the weights, in one file or in shards with their index."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {t.name: values(t, seed, end).to(DTYPES[dtype]) for t in [*vision(config), *text(config)]}
    if shards == 1:
        save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
        return
    names, index = sorted(weights), {}
    for number in range(shards):
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: weights[name] for name in names[number::shards]}
        index |= dict.fromkeys(part, file)
        save_file(part, out / file, metadata={"format": "pt"})
    total = sum(value.numel() * value.element_size() for value in weights.values())
    content = {"metadata": {"total_size": total}, "weight_map": dict(sorted(index.items()))}
    (out / "model.safetensors.index.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--shards", type=int, default=1)
    args = parser.parse_args()
    write(json.loads(args.config.read_text()), args.seed, args.out, args.dtype, args.shards)
