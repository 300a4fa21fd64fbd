"""Samples of SmolVLM-tiny: the fitted picture, token ids of the two answers, what the helper heads are asked."""

import numpy as np

from common import targets
from memes import compose, render
from memes.compose import SHAPES
from tiny.vocabulary import CHARACTERS

from . import tiles, vocabulary

LIMITS = {vocabulary.DESCRIBE: 128, vocabulary.READ: 80}  # the longest answers in tokens
LONGEST = max(LIMITS.values())
ROWS = COLUMNS = tiles.EDGE // tiles.TILE * tiles.CELLS  # cells of the largest grid
CLASSES = {letter: number + 1 for number, letter in enumerate(CHARACTERS)}
SQUARE, WIDE, TALL = (2, 2), (1, 2), (2, 1)
# (rows, columns) of tiles: shapes of the memes, and how small letters may be, in a picture squeezed to 384 x 384
KINDS = {SQUARE: (SHAPES, (1, 1)), WIDE: ((2.3, 2.5), (1, 2)), TALL: ((0.4, 0.45), (2, 1))}
FIELDS = {
    "pixels": ((tiles.EDGE * tiles.EDGE * 3,), np.uint8), "tokens": ((2, LONGEST), np.int16), "spots": ((2, LONGEST), np.int16),
    "letters": ((ROWS * 2 * COLUMNS,), np.uint8), "things": ((ROWS * COLUMNS,), np.uint8),
    "colors": ((ROWS * COLUMNS,), np.uint8), "background": ((1,), np.uint8),
}


def grid_of(number):
    """Every batch has one grid of tiles, most of them the square one."""
    if number % 20 == 19:
        return WIDE
    return TALL if number % 50 == 25 else SQUARE


def shapes(grid):
    """The arrays of a sample with this grid: {name: shape}; a sample fills the beginning of each field."""
    rows, columns = grid[0] * tiles.CELLS, grid[1] * tiles.CELLS
    return {"pixels": (grid[0] * tiles.TILE, grid[1] * tiles.TILE, 3), "letters": (rows, 2 * columns),
            "things": (rows, columns), "colors": (rows, columns)}


def draw(seed, grid, smallest=compose.SMALLEST):
    chosen, (wider, higher) = KINDS[grid]
    return render(seed, smallest=(smallest[0] * wider, smallest[1] * higher), shapes=chosen)


def view(batch, grid):
    """The arrays of a batch, cut to the grid's shapes."""
    wanted = shapes(grid)
    return {name: value[:, : int(np.prod(wanted[name]))].reshape(-1, *wanted[name]) if name in wanted else value
            for name, value in batch.items()}


def fill(meme, grid, out):
    out = {name: value[0] for name, value in view({name: value[None] for name, value in out.items()}, grid).items()}
    out["pixels"][:] = np.asarray(tiles.fit(meme.image, grid))
    targets.fill_scene(meme, out)
    out["letters"][:] = 0
    spots = [targets.letter_spots(block, meme.canvas, out["letters"], CLASSES, 2 * COLUMNS) for block in meme.blocks]
    out["tokens"][:], out["spots"][:] = -1, -1
    for number, (question, tokens) in enumerate(vocabulary.answers(meme.captions()).items()):
        limit, read = LIMITS[question], question == vocabulary.READ
        ids = vocabulary.ids(tokens)[:limit]
        out["tokens"][number, : len(ids)] = ids
        between = [-1] if read else []  # the space between two blocks
        where = [spot for place, block in enumerate(spots) for spot in [*(between if place else []), *block]]
        inside = [place for place, yes in enumerate(vocabulary.letters(tokens, read)) if yes]
        for place, spot in zip(inside, where):
            if place < limit:
                out["spots"][number, place] = spot


def drawer(batch, seed, smallest):
    """What fills one sample of a batch (see common.feed.Feed): memes in order of their seeds."""

    def one(number, row, out):
        grid = grid_of(number)
        fill(draw(seed + number * batch + row, grid, smallest), grid, out)

    return one
