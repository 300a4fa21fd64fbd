"""Pictures into tiles, as Idefics3's image processor makes them, and the prompt that goes with them."""

import math

import numpy as np
from PIL import Image

from . import vocabulary as words

TILE, EDGE = 192, 384  # the side of a tile, the longest edge of a picture
CELLS = 12  # image tokens along a side of a tile: patches of 8 pixels, 2 x 2 of them in a token


def first_size(width, height):
    """The longest edge becomes EDGE, the other one even."""
    ratio = width / height
    if width >= height:
        return EDGE, max(1, even(int(EDGE / ratio)))
    return max(1, even(int(EDGE * ratio))), EDGE


def even(value):
    return value + value % 2


def grid_of(width, height):
    """(rows, columns) of tiles."""
    width, height = first_size(width, height)
    ratio = width / height
    if width >= height:
        columns = math.ceil(width / TILE)
        return math.ceil(int(columns * TILE / ratio) / TILE), columns
    rows = math.ceil(height / TILE)
    return rows, math.ceil(int(rows * TILE * ratio) / TILE)


def fit(image, grid=None):
    """The picture as it is cut into tiles: `grid` (rows, columns) of them, its own by default."""
    rows, columns = grid or grid_of(*image.size)
    image = image.convert("RGB").resize(first_size(*image.size), Image.Resampling.LANCZOS)
    return image.resize((columns * TILE, rows * TILE), Image.Resampling.LANCZOS)


def tiles(image):
    """(grid, float32 pixels [tiles, 3, TILE, TILE]): row by row, then the whole picture."""
    rows, columns = grid_of(*image.size)
    fitted = fit(image)
    cut = [fitted.crop((x * TILE, y * TILE, (x + 1) * TILE, (y + 1) * TILE)) for y in range(rows) for x in range(columns)]
    cut.append(fitted.resize((TILE, TILE), Image.Resampling.LANCZOS))
    pixels = np.stack([np.asarray(tile, np.float32) for tile in cut]).transpose(0, 3, 1, 2)
    return (rows, columns), pixels / np.float32(127.5) - np.float32(1)


def lanczos(size, to):
    """What reduces `size` pixels to `to`: a matrix [to, size] of weights, Pillow's without its rounding to bytes."""
    if size == to:
        return np.eye(size, dtype=np.float32)
    scale = size / to
    centres = (np.arange(to)[:, None] + 0.5) * scale
    away = (np.arange(size)[None, :] + 0.5 - centres) / scale
    weights = np.where(abs(away) < 3, np.sinc(away) * np.sinc(away / 3), 0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def prompt(grid):
    """The tokens before the question for (rows, columns) tiles."""
    rows, columns = grid
    holders = [words.IMAGE] * (CELLS * CELLS)
    tokens = [words.BOS, "User", ":"]
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            tokens += [words.FAKE, f"<row_{row}_col_{column}>", *holders]
        tokens.append("ĊĊ" if row == rows else "Ċ")
    return [*tokens, words.FAKE, words.GLOBAL, *holders, words.FAKE]
