"""SmolVLM-256M and 500M in full size with random weights: the checkpoints, and transformers' ids for two pictures each.

    python -m smolvlm.full_size --files FOLDER --out DIR [--sizes 256m,500m] [--new-tokens 16] [--write-only]

FOLDER/smolvlm-256m and FOLDER/smolvlm-500m hold the published config.json, FOLDER/smolvlm-256m the tokenizer and the
processor's files, which both share. DIR/smolvlm-SIZE is then a checkpoint (bf16) and DIR/SIZE.jsonl has a line for each picture:
grid, ids, the narrowest choice (the gap of the two best logits), seconds, and the sha256 of the weights. With random weights a gap below 1e-3 is a tie:
where ids differ there, neither side is wrong. The end token's row is like any other, so answers are as long as they may be.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from pathlib import Path

import torch
import transformers
from PIL import Image

from . import cases, pixels, seeded
from .reference import Reference

SEEDS = {"256m": 256, "500m": 500}
SHARED = ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json", "generation_config.json",
          "chat_template.json", "special_tokens_map.json", "added_tokens.json")  # fmt: skip
SHAPES = ((628, 628), (640, 200))  # 4x4 tiles and the whole picture; 2x4 and the whole picture


def checkpoint(size: str, files: Path, out: Path) -> Path:
    """The checkpoint's folder, made where it is not there."""
    folder = out / f"smolvlm-{size}"
    if not (folder / "model.safetensors").exists():
        config = json.loads((files / f"smolvlm-{size}/config.json").read_text())
        seeded.write(config, SEEDS[size], folder)
        for name in SHARED:
            if (files / "smolvlm-256m" / name).exists():
                shutil.copyfile(files / "smolvlm-256m" / name, folder / name)
    return folder


def pictures(out: Path) -> list[Path]:
    paths = [out / f"{width}x{height}.png" for width, height in SHAPES]
    for path, shape in zip(paths, SHAPES):
        pixels.picture(*shape).save(path)
    return paths


def main() -> None:
    transformers.logging.set_verbosity_error()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("tmp/smolvlm"))
    parser.add_argument("--sizes", default="256m,500m")
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write-only", action="store_true", help="make the checkpoints and the pictures, compute nothing")
    args = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # f32 means f32 on a GPU too
    args.out.mkdir(parents=True, exist_ok=True)
    paths = pictures(args.out)
    for size in args.sizes.split(","):
        folder = checkpoint(size, args.files, args.out)
        if args.write_only:
            continue
        reference = Reference(folder, torch.float32, "sdpa", args.device)
        with open(folder / "model.safetensors", "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with open(args.out / f"{size}.jsonl", "w") as lines:
            for path in paths:
                grid, values = reference.pixels(Image.open(path).convert("RGB"))
                prompt, began = reference.prompt(grid, cases.DESCRIBE), time.perf_counter()
                ids, margin = reference.generate(values, prompt, args.new_tokens)
                row = {"size": size, "image": path.name, "rows": grid[0], "columns": grid[1], "prompt_tokens": len(prompt), "ids": ids,
                       "margin": round(margin, 5), "seconds": round(time.perf_counter() - began, 1), "weights_sha256": digest}  # fmt: skip
                print(json.dumps(row), flush=True)
                lines.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
