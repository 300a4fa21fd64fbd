"""Base and large at full size, with seeded weights: the reference and the gem's core on the same pictures.

    python full_size.py --out DIR [--sizes base,large] [--tokenizer tokenizer.json] [--new-tokens 32]
    python compare.py DIR

The weights are the same on both sides by construction: the reference loads the native layout, as transformers itself
reads it, the core the Microsoft layout. Each dump is a process of its own, so that its peak of memory is its own.
Needs `cargo build --release --examples`. Dumps that are there are not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "target/release/examples"
SMALL_TOKENIZER = ROOT / "ext/captioner/tests/fixtures/florence2/tokenizer.json"
TASK = "<DETAILED_CAPTION>"


def peak_rss() -> int:
    """The high-water mark of this process's resident memory, in bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def make_images(folder: Path) -> dict[str, Path]:
    """Two pictures at sizes that photographs have, as PNG."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[0:683, 0:1024]
    rings = np.stack([np.hypot(x - 300 * (c + 1), y - 200 * (c + 1)) * 2 % 256 for c in range(3)], -1)
    y, x = np.mgrid[0:800, 0:500]
    stripes = np.stack([(x + y * c) // (7 + 3 * c) % 2 * 200 + (x * y // 997) % 56 for c in range(3)], -1)
    out = {}
    for name, pixels in (("rings", rings), ("stripes", stripes)):
        out[name] = folder / f"{name}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(out[name])
    return out


def dump(folder: Path, image: Path, out: Path, new_tokens: int) -> None:
    """One caption by the reference. The caption is timed and measured first, the stages come after."""
    import numpy as np
    import transformers
    from safetensors.numpy import save_file

    transformers.logging.set_verbosity_error()
    started = time.perf_counter()
    from reference import Reference

    imported = time.perf_counter()
    reference = Reference(folder)
    loaded = time.perf_counter()
    settings = reference.settings({"max_new_tokens": new_tokens})
    grid = reference.config["vision_config"]
    height, width = (reference.processor.size[side] for side in ("height", "width"))
    for stride in grid["patch_stride"]:  # every patch convolution of these checkpoints rounds up
        height, width = -(-height // stride), -(-width // stride)
    begin = time.perf_counter()
    pixels = reference.pixels(image)
    ids = reference.generate(pixels, TASK, settings, height * width + 1)
    caption = time.perf_counter() - begin
    memory = peak_rss()
    begin = time.perf_counter()
    stages = reference.stages(pixels, TASK)
    tensors: dict[str, Any] = {**stages, "ids": np.array(ids, dtype=np.int64)}
    metadata = {
        "seconds.import": imported - started, "seconds.load": loaded - imported, "seconds.caption": caption,
        "seconds.stages": time.perf_counter() - begin, "peak_rss_bytes": memory, "text": reference.text(ids),
        "steps": len(ids),
    }  # fmt: skip
    save_file(tensors, out, metadata={key: str(value) for key, value in metadata.items()})
    print(json.dumps(metadata))


def run(*command: object) -> None:
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True, env={**os.environ, "MEME_CAPTIONER_THREADS": "2"})


def measured(out: Path, *command: object) -> None:
    """Runs a dump and notes how busy the machine was meanwhile: seconds mean little beside other work."""
    if not out.exists():
        run(*command)
        out.with_suffix(".load").write_text(f"{os.getloadavg()[0]:.1f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", default="base,large")
    parser.add_argument("--tokenizer", type=Path, default=SMALL_TOKENIZER)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dump", nargs=2, type=Path, metavar=("MODEL", "IMAGE"), help="one reference dump to --out")
    args = parser.parse_args()
    if args.dump:
        return dump(args.dump[0], args.dump[1], args.out, args.new_tokens)
    args.out.mkdir(parents=True, exist_ok=True)
    images = make_images(args.out)
    for size in args.sizes.split(","):
        folders = {layout: args.out / f"{size}-{layout}" for layout in ("native", "microsoft")}
        for layout, folder in folders.items():
            if not (folder / "model.safetensors").exists():
                made = ("--config", size, "--layout", layout, "--seed", args.seed, "--tokenizer", args.tokenizer)
                run(EXAMPLES / "seeded_checkpoint", *made, "--out", folder)
        for name, image in images.items():
            theirs, ours = (args.out / f"{size}-{name}-{side}.safetensors" for side in ("reference", "ours"))
            tokens = ("--new-tokens", args.new_tokens)
            measured(theirs, sys.executable, __file__, "--out", theirs, *tokens, "--dump", folders["native"], image)
            measured(ours, EXAMPLES / "dump_stages", folders["microsoft"], image, ours, args.new_tokens, TASK)


if __name__ == "__main__":
    main()
