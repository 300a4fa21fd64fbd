"""Training batches: worker processes draw memes straight into shared memory, a thread moves them on."""

import ctypes
import multiprocessing
import queue
import random
import threading
from collections import deque

import numpy as np
from PIL import Image

from memes import names, render

from . import vocabulary
from .model import GRID, SIDE

# A meme is asked for a caption, one of these: (its share of a batch, the longest in tokens, both ends included),
CAPTIONS = {"<DETAILED_CAPTION>": (0.7, 128), "<MORE_DETAILED_CAPTION>": (0.18, 136), "<CAPTION>": (0.12, 36)}
# and for its text; the tower looks at it once for both.
TEXT = {"<OCR>": (1.0, 80)}
ASKED = (CAPTIONS, TEXT)
LONGEST = max(length for tasks in ASKED for _, length in tasks.values())
THINGS = {name: number + 1 for number, name in enumerate(names.OBJECTS)}
COLORS = {name: number + 1 for number, name in enumerate(names.COLORS)}
BACKGROUNDS = {name: number for number, name in enumerate(names.BACKGROUNDS)}
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
    out["background"][:] = BACKGROUNDS[meme.background]
    for name in ("letters", "things", "colors"):
        out[name][:] = 0
    width, height = meme.canvas
    for thing, (left, top, right, bottom) in meme.things:
        rows = slice(*cells(top / height, bottom / height))
        columns = slice(*cells(left / width, right / width))
        out["things"][rows, columns] = THINGS[thing.name]
        out["colors"][rows, columns] = COLORS.get(thing.color, 0)
    captions = meme.captions()
    spots = [letter_spots(block, meme.canvas, out["letters"]) for block in meme.blocks]
    for question, (task, limit) in enumerate(asked):
        ids = vocabulary.encode(captions[task], spelled=task == "<OCR>")
        ids = [vocabulary.BOS, *ids, vocabulary.EOS][:limit]
        out["tokens"][question] = -1
        out["tokens"][question, : len(ids)] = ids
        out["spots"][question] = -1
        if task != "<CAPTION>":
            between = [-1] if task == "<OCR>" else []  # the space between two blocks
            where = [spot for place, block in enumerate(spots) for spot in [*(between if place else []), *block]]
            written = ids[1:-1] if ids[-1] == vocabulary.EOS else ids[1:]
            inside = [place + 1 for place, yes in enumerate(vocabulary.quoted(written)) if yes]
            for place, spot in zip(inside, where):
                out["spots"][question, place] = spot


def letter_spots(block, canvas, letters):
    """Mark the block's letters in the grid of half cells; where each of them is, -1 for a space."""
    spots = []
    for letter, x, y in block.letters:
        spot = -1
        if letter != " ":
            row = min(GRID - 1, max(0, int(y / canvas[1] * GRID)))
            column = min(2 * GRID - 1, max(0, int(x / canvas[0] * 2 * GRID)))
            letters[row, column] = vocabulary.table()[letter]
            spot = row * 2 * GRID + column
        spots.append(spot)
    return spots


def cells(start, end):
    """The cells whose centres lie within; at least one."""
    first = min(GRID - 1, max(0, round(start * GRID + 0.2)))
    return first, max(first + 1, min(GRID, round(end * GRID - 0.2)))


class Feed:
    """Batches of memes in order of their seeds, drawn ahead by `workers` processes."""

    def __init__(self, batch, seed, workers, smallest, slots=5, chunk=8):
        self.batch, self.slots = batch, slots
        plans = [[(task, limit) for task, rows, limit in split(batch, tasks) for _ in range(rows)] for tasks in ASKED]
        self.plan = list(zip(*plans))
        context = multiprocessing.get_context("fork")
        self.buffers = {}
        for name, (shape, kind) in FIELDS.items():
            count = int(np.prod(shape, dtype=int)) * slots * batch * np.dtype(kind).itemsize
            memory = np.frombuffer(context.RawArray(ctypes.c_uint8, count), kind)
            self.buffers[name] = memory.reshape(slots, batch, *shape)
        self.tasks, self.done = context.Queue(), context.Queue()
        self.chunk, self.seed, self.smallest, self.asked = chunk, seed, smallest, 0
        self.workers = [context.Process(target=self.work, daemon=True) for _ in range(workers)]
        for worker in self.workers:
            worker.start()
        for _ in range(slots):
            self.ask()

    def ask(self):
        for start in range(0, self.batch, self.chunk):
            self.tasks.put((self.asked, start))
        self.asked += 1

    def work(self):
        try:
            self.draw()
        except BaseException as error:  # a silent worker would leave the trainer waiting for ever
            self.done.put(repr(error))
            raise

    def draw(self):
        while True:
            number, start = self.tasks.get()
            for row in range(start, min(start + self.chunk, self.batch)):
                meme = render(self.seed + number * self.batch + row, smallest=self.smallest)
                out = {name: buffer[number % self.slots, row] for name, buffer in self.buffers.items()}
                fill(meme, self.plan[row], out)
            self.done.put(number)

    def __iter__(self):
        """Yield each batch as a dictionary of views; a view is valid until the next one is asked for."""
        finished, chunks = {}, -(-self.batch // self.chunk)
        for number in range(2**62):
            while finished.get(number, 0) < chunks:
                done = self.done.get(timeout=120)
                if isinstance(done, str):
                    raise RuntimeError(f"a worker failed: {done}")
                finished[done] = finished.get(done, 0) + 1
            del finished[number]
            yield {name: buffer[number % self.slots] for name, buffer in self.buffers.items()}
            self.ask()


class Prefetch:
    """Runs `move` (copy to the device) on the batches in a thread, and keeps the last `kept` moved ones.

    Drawing is slower than training: when no new batch is ready, an earlier one is trained on again, with other noise.
    """

    def __init__(self, batches, move, depth=2, kept=96):
        self.ready, self.kept, self.fresh = queue.Queue(depth), deque(maxlen=kept), 0
        threading.Thread(target=self.run, args=(batches, move), daemon=True).start()

    def run(self, batches, move):
        try:
            for batch in batches:
                self.ready.put(move(batch))
        except BaseException as error:
            self.ready.put(error)

    def __next__(self):
        if self.ready.empty() and len(self.kept) > self.kept.maxlen // 4:
            return random.choice(self.kept)
        batch = self.ready.get()
        if isinstance(batch, BaseException):
            raise batch
        self.kept.append(batch)
        self.fresh += 1
        return batch
