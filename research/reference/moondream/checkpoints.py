"""Seeded moondream2 checkpoints: random weights of any configuration, bit for bit the same in Python and Rust.

`ext/captioner-testing/src/moondream2.rs` is the other half; change them together. Elements are drawn as in ../seeded.py.

    python checkpoints.py --config config.json --seed 1 --out DIR
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any, Iterator

sys.path.append(str(Path(__file__).resolve().parents[1]))
import seeded  # noqa: E402
from seeded import Tensor  # noqa: E402

# Attention must look at something, and a decoder whose residual stream still is the last token repeats it for ever.
GAINS = {"attn.qkv": 1.5, "mlp.fc2": 2.0, "proj_mlp.fc2": 2.0, "lm_head": 1.0}
BIAS, NORM = 0.1, 0.1


def linear(name: str, out: int, into: int) -> Iterator[Tensor]:
    gain = next((gain for end, gain in GAINS.items() if name.endswith(end)), 1.0)
    yield Tensor(f"{name}.bias", (out,), 0.0, BIAS)
    yield Tensor(f"{name}.weight", (out, into), 0.0, math.sqrt(3.0 / into) * gain)


def norm(name: str, dim: int) -> Iterator[Tensor]:
    yield Tensor(f"{name}.bias", (dim,), 0.0, NORM)
    yield Tensor(f"{name}.weight", (dim,), 1.0, NORM)


def mlp(name: str, into: int, hidden: int, out: int) -> Iterator[Tensor]:
    yield from linear(f"{name}.fc1", hidden, into)
    yield from linear(f"{name}.fc2", out, hidden)


def tensors(text: Any, vision: Any, region: Any) -> list[Tensor]:
    """All of a file for a configuration's dataclasses (model.py), sorted by name as files are."""
    return sorted([*text_tensors(text), *vision_tensors(vision), *region_tensors(region)])


def text_tensors(text: Any) -> Iterator[Tensor]:
    for layer in range(text.n_layers):
        block = f"model.text.blocks.{layer}"
        yield from norm(f"{block}.ln", text.dim)
        yield from linear(f"{block}.attn.qkv", 3 * text.dim, text.dim)
        yield from linear(f"{block}.attn.proj", text.dim, text.dim)
        yield from mlp(f"{block}.mlp", text.dim, 4 * text.dim, text.dim)
    yield from norm("model.text.post_ln", text.dim)
    yield from linear("model.text.lm_head", text.vocab_size, text.dim)
    yield Tensor("model.text.wte", (text.vocab_size, text.dim), 0.0, 1.0)


def vision_tensors(vision: Any) -> Iterator[Tensor]:
    dim, grid = vision.enc_dim, vision.crop_size // vision.enc_patch_size
    for layer in range(vision.enc_n_layers):
        block = f"model.vision.blocks.{layer}"
        yield from norm(f"{block}.ln1", dim)
        yield from norm(f"{block}.ln2", dim)
        yield from linear(f"{block}.attn.qkv", 3 * dim, dim)
        yield from linear(f"{block}.attn.proj", dim, dim)
        yield from mlp(f"{block}.mlp", dim, vision.enc_ff_dim, dim)
    yield from linear("model.vision.patch_emb", dim, vision.in_channels * vision.enc_patch_size**2)
    yield Tensor("model.vision.pos_emb", (1, grid * grid, dim), 0.0, 1.0)
    yield from norm("model.vision.post_ln", dim)
    yield from mlp("model.vision.proj_mlp", 2 * dim, vision.proj_inner_dim, vision.proj_out_dim)


def region_tensors(region: Any) -> Iterator[Tensor]:
    """What a caption does not need and a file has all the same."""
    dim, inner = region.dim, region.inner_dim
    yield from mlp("model.region.coord_decoder", dim, inner, region.coord_out_dim)
    yield from linear("model.region.coord_encoder", dim, region.coord_feat_dim)
    yield Tensor("model.region.coord_features", (1, region.coord_feat_dim // 2), 0.0, 1.0)
    yield from mlp("model.region.size_decoder", dim, inner, region.size_out_dim)
    yield from linear("model.region.size_encoder", dim, region.size_feat_dim)
    yield Tensor("model.region.size_features", (2, region.size_feat_dim // 2), 0.0, 1.0)


def write(folder: Path, seed: int) -> None:
    """Writes `model.safetensors` (f16) beside the `config.json` of `folder`, one tensor after the other."""
    from model import Config

    config = Config(folder)
    listed = tensors(config.text, config.vision, config.region)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in listed:
        start, end = end, end + 2 * math.prod(tensor.shape)
        header[tensor.name] = {"dtype": "F16", "shape": tensor.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in listed:
            file.write(seeded.values(tensor, seed, 0).tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(json.loads(args.config.read_text()), indent=2) + "\n")
    write(args.out, args.seed)


if __name__ == "__main__":
    main()
