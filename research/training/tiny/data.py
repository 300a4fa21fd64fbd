"""Samples of Florence-2-tiny: pixels, token ids of captions, what the helper heads are asked."""

import numpy as np
from PIL import Image

from common import targets
from memes import render

from . import vocabulary
from .model import GRID, SIDE

# A meme is asked for a caption, one of these: (its share of a batch, the longest in tokens, both ends included),
CAPTIONS = {"<DETAILED_CAPTION>": (0.7, 128), "<MORE_DETAILED_CAPTION>": (0.18, 136), "<CAPTION>": (0.12, 36)}
# and for its text; the tower looks at it once for both.
TEXT = {"<OCR>": (1.0, 80)}
ASKED = (CAPTIONS, TEXT)
LONGEST = max(length for tasks in ASKED for _, length in tasks.values())
FIELDS = {
    "pixels": ((SIDE, SIDE, 3), np.uint8), "tokens": ((len(ASKED), LONGEST), np.int16),
    "spots": ((len(ASKED), LONGEST), np.int16),
    "letters": ((GRID, 2 * GRID), np.uint8), "things": ((GRID, GRID), np.uint8), "colors": ((GRID, GRID), np.uint8),
    "background": ((1,), np.uint8),
}


def split(batch, tasks):
    """How many rows of a batch go to each task: [(task, rows, length)]."""
    rows = [[task, int(batch * share), length] for task, (share, length) in tasks.items()]
    rows[0][1] += batch - sum(row[1] for row in rows)
    return [row for row in rows if row[1]]


def parts(batch):
    """The tasks of a batch: (which question, rows, task, the longest answer in tokens)."""
    for question, tasks in enumerate(ASKED):
        start = 0
        for task, rows, limit in split(batch, tasks):
            yield question, slice(start, start + rows), task, limit
            start += rows


def square(image):
    return image if image.size == (SIDE, SIDE) else image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def fill(meme, asked, out):
    """Write one sample: pixels, what the helper heads are asked, and token ids (-1 beyond the end) for each (task, limit)."""
    out["pixels"][:] = np.asarray(square(meme.image))
    targets.fill_scene(meme, out)
    out["letters"][:] = 0
    captions = meme.captions()
    classes = vocabulary.table()
    spots = [targets.letter_spots(block, meme.canvas, out["letters"], classes, 2 * GRID) for block in meme.blocks]
    for question, (task, limit) in enumerate(asked):
        pieces = vocabulary.pieces(captions[task], spelled=task == "<OCR>")
        ids = [vocabulary.BOS, *(classes[piece] for piece in pieces), vocabulary.EOS][:limit]
        out["tokens"][question] = -1
        out["tokens"][question, : len(ids)] = ids
        out["spots"][question] = -1
        if task != "<CAPTION>":
            between = [-1] if task == "<OCR>" else []  # the space between two blocks
            where = [spot for place, block in enumerate(spots) for spot in [*(between if place else []), *block]]
            inside = [place + 1 for place, yes in enumerate(vocabulary.quoted(pieces)) if yes and place + 1 < limit]
            for place, spot in zip(inside, where):
                out["spots"][question, place] = spot


def drawer(batch, seed, smallest):
    """What fills one sample of a batch (see common.feed.Feed): memes in order of their seeds."""
    plans = [[(task, limit) for task, rows, limit in split(batch, tasks) for _ in range(rows)] for tasks in ASKED]
    plan = list(zip(*plans))

    def draw(number, row, out):
        fill(render(seed + number * batch + row, smallest=smallest), plan[row], out)

    return draw
