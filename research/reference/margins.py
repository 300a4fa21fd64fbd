"""How narrowly the search over one picture was decided: the ids and, per choice, the gap in log-probability.

    python margins.py FOLDER IMAGE [--recipe compact] [--new-tokens 32]

For a pair of full_size.py or quantized_full_size.py whose ids differ: a gap of some 1e-5 is a tie that rounding breaks,
one of 1e-3 and more is an error on one of the two sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from golden import search
from quantized import RECIPES, Quantized
from reference import Reference

import full_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--recipe", choices=RECIPES)
    parser.add_argument("--new-tokens", type=int, default=32)
    args = parser.parse_args()
    reference = Quantized(args.folder, args.recipe) if args.recipe else Reference(args.folder)
    settings = reference.settings({"max_new_tokens": args.new_tokens})
    with torch.inference_mode():
        encoder = reference.stages(reference.pixels(args.image), full_size.TASK)["encoder"]
        found = search(reference, encoder, settings)
    print(*found.ids)
    for rank, (gap, choice) in enumerate(sorted((gap, choice) for choice, gap in enumerate(found.margins))[:5]):
        print(f"{'closest' if rank == 0 else 'then'}: {gap:.1e} at choice {choice}")


if __name__ == "__main__":
    main()
