"""Draw memes: `python -m memes --seed 1 --count 24 --out out/memes`."""

import argparse
import hashlib
import json
from pathlib import Path

from . import assets, render


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=5_000_000_000, help="of the first meme; the next has the next one")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("out/memes"))
    parser.add_argument("--words", choices=("train", "seen", "unseen"), default="train", help="which words appear")
    parser.add_argument("--format", choices=("png", "jpg"), default="png")
    options = parser.parse_args()
    assets.verify()
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "captions.jsonl", "w", encoding="utf-8") as lines:
        for seed in range(options.seed, options.seed + options.count):
            meme = render(seed, options.words)
            file = f"meme-{seed}.{options.format}"
            meme.image.save(options.out / file, **({"quality": 90} if options.format == "jpg" else {}))
            pixels = hashlib.sha256(meme.image.tobytes()).hexdigest()
            row = {"file": file, "seed": seed, "words": options.words, "pixels_sha256": pixels, "captions": meme.captions()}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
