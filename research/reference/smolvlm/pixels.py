"""What the image processor makes of pictures of many shapes and kinds: sizes, grids, sha256 of tiles and pixel values.

A picture without a file is w x h, u8 RGB, in integers: red (7x + 3y + xy/64) mod 256; green 255 where ((x/8) xor (y/8)) is
odd, else 0; blue (xx + yy)/16 mod 256. Files are those of tests/fixtures/images.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Iterator

import numpy as np
from image_compare import to_rgb
from PIL import Image

from .reference import image_processor

TESTS = Path(__file__).resolve().parents[3] / "ext/captioner/tests"
FIXTURES = TESTS / "fixtures/smolvlm"
SETTINGS = {  # tile, longest edge, whether pictures are cut
    "published": (512, 2048, True), "small": (192, 384, True), "small-whole": (192, 384, False), "published-whole": (512, 2048, False),
}  # fmt: skip
PUBLISHED = (
    (1, 1), (1, 5), (5, 1), (2, 3), (1, 4000), (4000, 1), (3, 1000), (1000, 3), (32, 32), (33, 2500), (2500, 33), (511, 513),
    (513, 511), (512, 512), (512, 1), (640, 480), (480, 640), (1280, 720), (720, 1280), (2048, 2048), (2048, 1024), (1024, 2048),
    (2049, 2047), (1000, 300), (300, 1000), (1365, 1024), (1366, 768), (1200, 630), (600, 315), (4096, 2731), (628, 628), (97, 41),
    (100, 67), (777, 333), (1023, 1025), (2047, 511), (2048, 513), (640, 160), (640, 161),
)  # fmt: skip
SMALL = ((384, 384), (1, 1), (7, 900), (900, 7), (385, 192), (384, 190), (640, 321), (500, 333), (193, 191), (60, 80))
FILES = (
    "rgba.png", "palette.png", "palette_transparent.png", "grey.png", "la.png", "grey_transparent.png",
    "animated.gif", "animated.webp", "animated.png", "small_frame_transparent.gif", "lossy_alpha.webp", "one_bit.png", "rgb16.png",
)  # fmt: skip


def picture(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    red = (7 * x + 3 * y + x * y // 64) % 256
    green = ((x // 8) ^ (y // 8)) % 2 * 255
    blue = (x * x + y * y) // 16 % 256
    return Image.fromarray(np.stack([red, green, blue], -1).astype(np.uint8))


def digest(values: np.ndarray, digits: int = 64) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:digits]


def row(settings: str, image: Image.Image, **what: Any) -> dict[str, Any]:
    tile, edge, cut = SETTINGS[settings]
    processor = image_processor({
        "do_image_splitting": cut, "max_image_size": {"longest_edge": tile}, "size": {"longest_edge": edge}, "resample": 1,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    })  # fmt: skip
    found = processor(images=[[image]], return_tensors="np", return_row_col_info=True)
    values = np.asarray(found["pixel_values"][0], dtype="<f4")
    tiles = np.rint((values + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    return {
        "settings": settings, **what, "width": image.width, "height": image.height, "rows": found["rows"][0][0],
        "columns": found["cols"][0][0], "tiles_sha256": [digest(part, 16) for part in tiles], "pixel_values_sha256": digest(values),
    }  # fmt: skip


def rows() -> Iterator[dict[str, Any]]:
    for settings, sizes in (("published", PUBLISHED), ("published-whole", ((640, 480), (31, 700))), ("small", SMALL), ("small-whole", SMALL[-4:])):
        for size in sizes:
            yield row(settings, picture(*size))
    for name in FILES:
        with Image.open(TESTS / "fixtures/images" / name) as image:
            yield row("small", to_rgb(image), file=name)
