"""Training batches: worker processes draw memes straight into shared memory, a thread moves them on."""

import ctypes
import multiprocessing
import queue
import random
import threading
from collections import deque

import numpy as np


class Feed:
    """Batches in order of their numbers, drawn ahead by `workers` processes.

    `fields` names every array of a sample with its (shape, type); `draw(number, row, out)` fills the arrays of
    one sample of batch `number`.
    """

    def __init__(self, fields, draw, batch, workers, slots=5, chunk=8):
        self.draw, self.batch, self.slots, self.chunk, self.asked = draw, batch, slots, chunk, 0
        context = multiprocessing.get_context("fork")
        self.buffers = {}
        for name, (shape, kind) in fields.items():
            count = int(np.prod(shape, dtype=int)) * slots * batch * np.dtype(kind).itemsize
            memory = np.frombuffer(context.RawArray(ctypes.c_uint8, count), kind)
            self.buffers[name] = memory.reshape(slots, batch, *shape)
        self.tasks, self.done = context.Queue(), context.Queue()
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
            self.serve()
        except BaseException as error:  # a silent worker would leave the trainer waiting for ever
            self.done.put(repr(error))
            raise

    def serve(self):
        while True:
            number, start = self.tasks.get()
            for row in range(start, min(start + self.chunk, self.batch)):
                self.draw(number, row, {name: buffer[number % self.slots, row] for name, buffer in self.buffers.items()})
            self.done.put(number)

    def __iter__(self):
        """Yield each (number, batch), a dictionary of views; a view is valid until the next one is asked for."""
        finished, chunks = {}, -(-self.batch // self.chunk)
        for number in range(2**62):
            while finished.get(number, 0) < chunks:
                done = self.done.get(timeout=120)
                if isinstance(done, str):
                    raise RuntimeError(f"a worker failed: {done}")
                finished[done] = finished.get(done, 0) + 1
            del finished[number]
            yield number, {name: buffer[number % self.slots] for name, buffer in self.buffers.items()}
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
            for number, batch in batches:
                self.ready.put((number, move(batch)))
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
