"""moondream2's crops (revision 2025-01-09), by libvips itself: tilings, windows, digests.

    python crops.py --fixtures ../../../ext/captioner/tests/fixtures/moondream2
    python crops.py --compare 300 --example ../../../target/release/examples/moondream2_crops

The first makes the tables that the tests read; the second compares random sizes with what the Rust example prints.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

class Cropping(NamedTuple):
    """How a picture is cut; the published model's sizes unless others are given."""

    crop: int = 378
    patch: int = 14
    margin: int = 4
    most: int = 12

    @property
    def margins(self) -> int:
        return 2 * self.margin * self.patch

    @property
    def step(self) -> int:
        return self.crop - self.margins

    def tiling(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of windows. Python's floats decide, so they do in Rust."""
        height, width = height - self.margins, width - self.margins
        if height <= self.step or width <= self.step:
            return 1, 1
        rows, columns = math.ceil(height / self.step), math.ceil(width / self.step)
        if rows * columns > self.most:
            ratio = math.sqrt(self.most / (rows * columns))
            return max(1, math.floor(rows * ratio)), max(1, math.floor(columns * ratio))
        rows = max(math.floor(math.sqrt(self.most * height / width)), rows)
        columns = max(math.floor(math.sqrt(self.most * width / height)), columns)
        if rows * columns > self.most:
            if columns > rows:
                columns = math.floor(self.most / rows)
            else:
                rows = math.floor(self.most / columns)
        return max(1, rows), max(1, columns)

    def crops(self, picture: np.ndarray) -> tuple[tuple[int, int], list[np.ndarray]]:
        """The whole picture, then the windows row by row; a single window is the whole picture again and left out."""
        rows, columns = self.tiling(*picture.shape[:2])
        out = [resize(picture, self.crop, self.crop)]
        if rows * columns > 1:
            large = resize(picture, rows * self.step + self.margins, columns * self.step + self.margins)
            for y in range(rows):
                for x in range(columns):
                    top, left = y * self.step, x * self.step
                    out.append(large[top : top + self.crop, left : left + self.crop])
        return (rows, columns), out


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    import pyvips

    image = pyvips.Image.new_from_array(picture)
    return image.resize(width / image.width, vscale=height / image.height).numpy()


def picture(width: int, height: int) -> np.ndarray:
    """Slopes in red, a chequerboard in green, circles in blue: the same as in the Rust tests."""
    x, y = np.meshgrid(np.arange(width, dtype=np.int64), np.arange(height, dtype=np.int64))
    red = 7 * x + 3 * y + x * y // 64
    green = np.where(((x // 8) ^ (y // 8)) & 1, 255, 0)
    blue = (x * x + y * y) // 16
    return (np.stack([red, green, blue], axis=-1) & 255).astype(np.uint8)


def line(width: int, height: int) -> str:
    (rows, columns), images = Cropping().crops(picture(width, height))
    digests = [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images]
    return "\t".join([str(width), str(height), str(rows), str(columns), *digests])


SIZES = [
    (1, 1), (1, 300), (1, 5000), (3, 3), (20, 1500), (32, 32), (100, 378), (113, 113), (300, 1), (300, 5000),
    (301, 97), (377, 379), (378, 378), (378, 500), (379, 378), (379, 379), (379, 2000), (400, 400), (400, 2000),
    (460, 332), (480, 360), (480, 640), (500, 378), (500, 500), (565, 486), (600, 600), (639, 480), (640, 427),
    (640, 480), (644, 644), (645, 379), (700, 525), (756, 756), (768, 1366), (800, 600), (910, 910), (1000, 400),
    (1000, 1000), (1000, 1500), (1080, 1080), (1080, 1920), (1134, 1134), (1200, 630), (1280, 720), (1366, 768),
    (1442, 378), (1500, 20), (1512, 1511), (1920, 1080), (2000, 379), (2000, 400), (2048, 1536), (2500, 1800),
    (2999, 1999), (3000, 2000), (3024, 4032), (4032, 3024), (5000, 1), (5000, 300), (6000, 500),
]  # fmt: skip


def fixtures(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    sides = range(1, 3001, 37)
    table = ["".join("%x%x" % Cropping().tiling(height, width) for width in sides) for height in sides]
    (out / "tilings.txt").write_text("\n".join(table) + "\n")
    (out / "crops.tsv").write_text("\n".join(line(*size) for size in SIZES) + "\n")


def compare(count: int, example: Path, seed: int) -> bool:
    draw = random.Random(seed)
    # Half of the sizes small, as what is enlarged and what is shrunk by a box differ most.
    sizes = [(draw.randint(1, most), draw.randint(1, most)) for most in (draw.choice([600, 3200]) for _ in range(count))]
    text = "".join(f"{width} {height}\n" for width, height in sizes)
    ours = subprocess.run([example], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = [size for size, mine in zip(sizes, ours, strict=True) if mine != line(*size)]
    images = sum(len(mine.split("\t")) - 4 for mine in ours)
    print(f"{len(sizes) - len(wrong)} of {len(sizes)} sizes equal, {images} crops; different: {wrong}")
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=Path, help="write tilings.txt and crops.tsv there")
    parser.add_argument("--compare", type=int, metavar="SIZES")
    parser.add_argument("--example", type=Path, default=Path("target/release/examples/moondream2_crops"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.fixtures:
        fixtures(args.fixtures)
    if args.compare and not compare(args.compare, args.example, args.seed):
        sys.exit(1)


if __name__ == "__main__":
    main()
