"""Base and large at full size in their packed form, against transformers over the same weights after bitsandbytes.

    python quantized_full_size.py --out DIR [--sizes base,large] [--recipe compact] [--tokenizer tokenizer.json]
    python compare.py DIR

As full_size.py, but the core loads a packed file and the reference's weights go through `quantized.py` once they are
loaded, which its seconds to load and its peak of memory include. Both start from the same folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import full_size


def dump(folder: Path, image: Path, out: Path, new_tokens: int, recipe: str) -> None:
    """One caption by the reference over quantized weights."""
    import functools

    import quantized
    import reference

    reference.Reference = functools.partial(quantized.Quantized, recipe=recipe)  # type: ignore[misc, assignment]
    full_size.dump(folder, image, out, new_tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", default="base,large")
    parser.add_argument("--recipe", default="compact")
    parser.add_argument("--tokenizer", type=Path, default=full_size.SMALL_TOKENIZER)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dump", nargs=2, type=Path, metavar=("MODEL", "IMAGE"), help="one reference dump to --out")
    args = parser.parse_args()
    if args.dump:
        return dump(args.dump[0], args.dump[1], args.out, args.new_tokens, args.recipe)
    args.out.mkdir(parents=True, exist_ok=True)
    images = full_size.make_images(args.out)
    for size in args.sizes.split(","):
        folder, packed = args.out / f"{size}-microsoft", args.out / f"{size}.{args.recipe}"
        if not (folder / "model.safetensors").exists():
            made = ("--config", size, "--layout", "microsoft", "--seed", args.seed, "--tokenizer", args.tokenizer)
            full_size.run(full_size.EXAMPLES / "seeded_checkpoint", *made, "--out", folder)
        if not packed.exists():
            full_size.run(full_size.EXAMPLES / "pack", folder, packed, args.recipe)
        for name, image in images.items():
            theirs, ours = (args.out / f"{size}-{name}-{side}.safetensors" for side in ("reference", "ours"))
            settings = ("--new-tokens", args.new_tokens, "--recipe", args.recipe)
            one = (sys.executable, __file__, "--out", theirs, *settings, "--dump", folder, image)
            full_size.measured(theirs, *one)
            dumped = (packed, image, ours, args.new_tokens, full_size.TASK)
            full_size.measured(ours, full_size.EXAMPLES / "dump_stages", *dumped)


if __name__ == "__main__":
    main()
