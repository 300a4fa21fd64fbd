"""Seeded Florence-2 checkpoints: random weights of any configuration, from a seed, bit for bit the same in Python and Rust.

Every element is a pure function of (seed, canonical tensor name, element index), so a checkpoint is never stored: whoever
needs it makes it again. `ext/captioner/src/weights/seeded.rs` is the other half of this file; change them together.

    python seeded.py --config config.json --layout microsoft --seed 1 --out DIR
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import numpy as np

GAMMA = 0x9E3779B97F4A7C15
MASK = 0xFFFFFFFFFFFFFFFF
CHUNK = 1 << 22

EMBEDDING = "language_model.model.shared.weight"
TIED = {  # every name under which the token embedding may be stored, per layout
    "microsoft": {
        "shared": EMBEDDING,
        "encoder": "language_model.model.encoder.embed_tokens.weight",
        "decoder": "language_model.model.decoder.embed_tokens.weight",
        "lm_head": "language_model.lm_head.weight",
    },
    "native": {
        "shared": "model.language_model.shared.weight",
        "encoder": "model.language_model.encoder.embed_tokens.weight",
        "decoder": "model.language_model.decoder.embed_tokens.weight",
        "lm_head": "lm_head.weight",
    },
}


class Tensor(NamedTuple):
    """One tensor of the Microsoft layout: value = offset + bound * uniform(-1, 1)."""

    name: str
    shape: tuple[int, ...]
    offset: float
    bound: float


# By the end of a layer's name. Attention logits need spread to look at something, the image must reach the decoder, and
# a decoder whose residual stream still is the last token repeats that token for ever. Channel attention sums over every
# token of the picture: wider logits would be an arg-max there, and the tower would amplify rounding from block to block.
GAINS = {
    "q_proj": 1.5, "k_proj": 1.5, "encoder_attn.v_proj": 1.5, "fc2": 2.0, "fn.dw": 0.3, "window_attn.fn.qkv": 1.5,
    "channel_attn.fn.qkv": 0.5, "channel_attn.fn.proj": 2.0,
}  # fmt: skip
BIAS, NORM, POSITION, EMBEDDING_BOUND, EOS_GAIN = 0.1, 0.1, 1.0, 1.0, 3.0


def gain(name: str) -> float:
    return next((g for end, g in GAINS.items() if name.endswith(end)), 1.0)


def linear(name: str, out: int, into: int, bias: bool = True) -> Iterator[Tensor]:
    yield Tensor(f"{name}.weight", (out, into), 0.0, math.sqrt(3.0 / into) * gain(name))
    if bias:
        yield Tensor(f"{name}.bias", (out,), 0.0, BIAS)


def norm(name: str, dim: int) -> Iterator[Tensor]:
    yield Tensor(f"{name}.weight", (dim,), 1.0, NORM)
    yield Tensor(f"{name}.bias", (dim,), 0.0, NORM)


def convolution(name: str, out: int, into: int, kernel: int) -> Iterator[Tensor]:
    bound = math.sqrt(3.0 / (into * kernel * kernel)) * gain(name)
    yield Tensor(f"{name}.weight", (out, into, kernel, kernel), 0.0, bound)
    yield Tensor(f"{name}.bias", (out,), 0.0, BIAS)


def vision(config: dict[str, Any]) -> Iterator[Tensor]:
    v = config["vision_config"]
    dims = v["dim_embed"] if "dim_embed" in v else v["embed_dim"]
    ratio = v.get("mlp_ratio", 4.0)
    previous = v.get("in_channels", 3)
    for stage, dim in enumerate(dims):
        conv = f"vision_tower.convs.{stage}"
        yield from convolution(f"{conv}.proj", dim, previous, v["patch_size"][stage])
        yield from norm(f"{conv}.norm", previous if v["patch_prenorm"][stage] else dim)
        hidden = int(dim * ratio)
        for block in range(v["depths"][stage]):
            for kind, attention in (("spatial_block", "window_attn"), ("channel_block", "channel_attn")):
                base = f"vision_tower.blocks.{stage}.{block}.{kind}"
                yield from convolution(f"{base}.conv1.fn.dw", dim, 1, 3)
                yield from norm(f"{base}.{attention}.norm", dim)
                yield from linear(f"{base}.{attention}.fn.qkv", 3 * dim, dim)
                yield from linear(f"{base}.{attention}.fn.proj", dim, dim)
                yield from convolution(f"{base}.conv2.fn.dw", dim, 1, 3)
                yield from norm(f"{base}.ffn.norm", dim)
                yield from linear(f"{base}.ffn.fn.net.fc1", hidden, dim)
                yield from linear(f"{base}.ffn.fn.net.fc2", dim, hidden)
        previous = dim


def projector(config: dict[str, Any]) -> Iterator[Tensor]:
    v = config["vision_config"]
    dim = (v["dim_embed"] if "dim_embed" in v else v["embed_dim"])[-1]
    positions, frames = position_sizes(v)
    yield Tensor("image_projection", (dim, v["projection_dim"]), 0.0, math.sqrt(3.0 / dim))
    yield from norm("image_proj_norm", v["projection_dim"])
    yield Tensor("image_pos_embed.row_embeddings.weight", (positions, dim // 2), 0.0, 1.0)
    yield Tensor("image_pos_embed.column_embeddings.weight", (positions, dim - dim // 2), 0.0, 1.0)
    yield Tensor("visual_temporal_embed.pos_idx_to_embed", (frames, dim), 0.0, 0.0)


def position_sizes(v: dict[str, Any]) -> tuple[int, int]:
    """Sizes of the 2-D position tables and of the temporal table, from either flavour of configuration."""
    if "image_pos_embed" in v:
        return v["image_pos_embed"]["max_pos_embeddings"], v["visual_temporal_embedding"]["max_temporal_embeddings"]
    return v["max_position_embeddings"], v["max_temporal_embeddings"]


def language(config: dict[str, Any], logits_bias: float) -> Iterator[Tensor]:
    t = config["text_config"]
    d, positions = t["d_model"], t["max_position_embeddings"]
    yield Tensor(EMBEDDING, (t["vocab_size"], d), 0.0, EMBEDDING_BOUND)
    yield Tensor("language_model.final_logits_bias", (1, t["vocab_size"]), 0.0, logits_bias)
    for side in ("encoder", "decoder"):
        base = f"language_model.model.{side}"
        yield Tensor(f"{base}.embed_positions.weight", (positions + 2, d), 0.0, POSITION)
        yield from norm(f"{base}.layernorm_embedding", d)
        for index in range(t[f"{side}_layers"]):
            layer = f"{base}.layers.{index}"
            attentions = ["self_attn"] + (["encoder_attn"] if side == "decoder" else [])
            for attention in attentions:
                for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    yield from linear(f"{layer}.{attention}.{projection}", d, d)
                yield from norm(f"{layer}.{attention}_layer_norm", d)
            yield from linear(f"{layer}.fc1", t[f"{side}_ffn_dim"], d)
            yield from linear(f"{layer}.fc2", d, t[f"{side}_ffn_dim"])
            yield from norm(f"{layer}.final_layer_norm", d)


def tensors(config: dict[str, Any], logits_bias: float = 0.0) -> Iterator[Tensor]:
    """Every tensor of a checkpoint, under the names of the Microsoft layout, the embedding once."""
    yield from vision(config)
    yield from projector(config)
    yield from language(config, logits_bias)


def fnv1a(name: str) -> int:
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def finalize(z: np.ndarray) -> np.ndarray:
    """The finalizer of splitmix64, on an array of u64 that wrap."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def values(tensor: Tensor, seed: int, eos: int) -> np.ndarray:
    """The tensor's elements as f16."""
    if tensor.name.endswith("pos_idx_to_embed"):
        return cosine_table(*tensor.shape)
    count = math.prod(tensor.shape)
    out = np.empty(count, dtype=np.float16)
    start = finalize(np.array([(seed ^ fnv1a(tensor.name)) & MASK], dtype=np.uint64))
    offset, bound = np.float32(tensor.offset), np.float32(tensor.bound)
    for begin in range(0, count, CHUNK):
        index = np.arange(begin + 1, min(count, begin + CHUNK) + 1, dtype=np.uint64)
        random = finalize(start + index * np.uint64(GAMMA)) >> np.uint64(40)
        uniform = random.astype(np.float32) / np.float32(1 << 23) - np.float32(1.0)
        factor: Any = bound
        if tensor.name == EMBEDDING:  # the end of a caption is a token like any other unless its row is longer
            rows = (index - np.uint64(1)) // np.uint64(tensor.shape[1])
            factor = np.where(rows == np.uint64(eos), np.float32(tensor.bound * EOS_GAIN), bound)
        out[begin : begin + len(index)] = (offset + factor * uniform).astype(np.float16)
    return out.reshape(tensor.shape)


def cosine_table(frames: int, dim: int) -> np.ndarray:
    """The temporal table: sine on the even columns, cosine on the odd ones."""
    half = dim // 2
    table = np.empty((frames, dim), dtype=np.float32)
    for column in range(dim):
        frequency = math.exp(-(column // 2) * (math.log(10000.0) / half))
        wave = math.sin if column % 2 == 0 else math.cos
        for frame in range(frames):
            table[frame, column] = wave(frame * frequency)
    return table.astype(np.float16)


def native_name(name: str) -> str | None:
    """The name of the native transformers layout; None for what that layout leaves out."""
    if name == "language_model.final_logits_bias":
        return None
    if name.startswith("language_model.model."):
        return "model.language_model." + name.removeprefix("language_model.model.")
    for old, new in (
        ("image_projection", "model.multi_modal_projector.image_projection.weight"),
        ("image_proj_norm", "model.multi_modal_projector.image_proj_norm"),
        ("image_pos_embed", "model.multi_modal_projector.image_position_embed"),
        ("visual_temporal_embed", "model.multi_modal_projector.visual_temporal_embed"),
    ):
        if name.startswith(old):
            return new + name.removeprefix(old)
    for old, new in (
        (".proj.", ".conv.") if ".convs." in name else ("", ""),
        (".fn.dw.", "."),
        (".window_attn.norm.", ".norm1."),
        (".channel_attn.norm.", ".norm1."),
        (".ffn.norm.", ".norm2."),
        (".ffn.fn.net.", ".ffn."),
        ("_attn.fn.", "_attn."),
    ):
        name = name.replace(old, new) if old else name
    return f"model.{name}"


def checkpoint(
    config: dict[str, Any], layout: str, seed: int, tied: list[str], logits_bias: float = 0.0
) -> dict[str, np.ndarray]:
    """All tensors of one checkpoint in memory, named and laid out as `layout` has them."""
    eos = config["text_config"].get("eos_token_id", 2)
    out: dict[str, np.ndarray] = {}
    for tensor in tensors(config, logits_bias):
        data = values(tensor, seed, eos)
        if tensor.name == EMBEDDING:
            out.update({TIED[layout][name]: data for name in tied})
        elif layout == "microsoft":
            out[tensor.name] = data
        elif (name := native_name(tensor.name)) is not None:
            out[name] = np.ascontiguousarray(data.T) if tensor.name == "image_projection" else data
    return out


def write(
    config: dict[str, Any], layout: str, seed: int, out: Path, tied: list[str] | None = None, logits_bias: float = 0.0
) -> None:
    """Writes config.json and model.safetensors into `out`."""
    from safetensors.numpy import save_file

    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = checkpoint(config, layout, seed, tied or ["shared"], logits_bias)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--layout", choices=["microsoft", "native"], default="microsoft")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tied", default="shared", help="names under which the embedding is stored, comma-separated")
    parser.add_argument("--logits-bias", type=float, default=0.0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    config = json.loads(args.config.read_text())
    write(config, args.layout, args.seed, args.out, args.tied.split(","), args.logits_bias)


if __name__ == "__main__":
    main()
