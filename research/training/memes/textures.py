"""Smooth random grey textures: what every background that is not a plain pattern is made of.

The bank is fixed; a picture takes a random cut of one texture, mirrored or not, stretched or not.
"""

from functools import cache

import numpy as np
from PIL import Image

SIDE = 640  # every canvas fits into a texture
FIELDS = 10


@cache
def field(index, octaves, first):
    """Smooth noise, 0..255: `octaves` layers from `first` cells a side, each twice as fine and half as strong."""
    random = np.random.Generator(np.random.PCG64(7919 * index + 31 * octaves + first))
    total = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(octaves):
        cells = min(SIDE, first << octave)
        layer = Image.fromarray(random.integers(0, 256, (cells, cells), np.uint8))
        total += np.asarray(layer.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / (1 << octave)
    low, high = np.percentile(total, (1, 99))
    return Image.fromarray(np.clip((total - low) * (255 / (high - low)), 0, 255).astype(np.uint8))


def cut(rng, size, octaves, first, stretch=(1, 1)):
    """A random cut of a random field; `stretch` (2, 1) makes its features twice as wide."""
    image = field(rng.randrange(FIELDS), octaves, first)
    width, height = max(8, round(size[0] / stretch[0])), max(8, round(size[1] / stretch[1]))
    x, y = rng.randint(0, max(0, SIDE - width)), rng.randint(0, max(0, SIDE - height))
    image = image.crop((x, y, x + width, y + height))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)


def ramp(image, *stops):
    """Colour a grey picture: its values run through the colours `stops`."""
    positions = np.linspace(0, 255, len(stops))
    values = np.arange(256)
    table = np.concatenate([np.interp(values, positions, [stop[part] for stop in stops]) for part in range(3)])
    return Image.merge("RGB", (image,) * 3).point(table.astype(np.uint8).tolist())


@cache
def slope():
    return Image.linear_gradient("L")
