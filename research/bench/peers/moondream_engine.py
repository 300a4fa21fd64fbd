"""moondream2 in PyTorch, f32 or bf16 with sdpa: the reference of research/reference/moondream, as no library has this revision."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "reference/moondream"))
import model as reference  # noqa: E402


class Moondream:
    def __init__(self, folder: Path, variant: str, threads: int):
        torch.set_num_threads(threads)
        self.folder = folder
        self.dtype = torch.float32 if variant == "f32" else torch.bfloat16

    def load(self) -> dict[str, Any]:
        started = time.perf_counter()
        self.model = reference.Moondream(self.folder, self.dtype)
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        return {"seconds": time.perf_counter() - started, "threads": torch.get_num_threads()}

    def vision(self, image: str) -> dict[str, Any]:
        """The vision tower: a caption of one token, of which the tower's part is taken."""
        return {"vision": self.caption(image, 1)["vision"]}

    @torch.inference_mode()
    def caption(self, image: str, new_tokens: int) -> dict[str, Any]:
        """From the file to the text, greedy: a short caption."""
        model, config = self.model, self.model.config
        started = time.perf_counter()
        tiling, crops = reference.crops_of(config, np.asarray(Image.open(image).convert("RGB")))
        features = torch.cat([model.tower(model.pixels([crop])) for crop in crops])
        vision = time.perf_counter() - started
        cache: list[Any] = [None] * config.text.n_layers
        prefix = torch.cat([model.embed([config.tokenizer.bos_id]), model.project(features, tiling)])
        model.decoder(prefix, cache, 0)
        prompt = config.tokenizer.templates["caption"]["short"]
        logits = model.logits(model.decoder(model.embed(prompt), cache, len(prefix)))
        times, ids, position = [time.perf_counter()], [int(logits.argmax())], len(prefix) + len(prompt)
        while len(ids) < new_tokens and ids[-1] != config.tokenizer.eos_id:
            logits = model.logits(model.decoder(model.embed(ids[-1:]), cache, position))
            ids.append(int(logits.argmax()))
            times.append(time.perf_counter())
            position += 1
        text = self.tokenizer.decode(ids)
        total = time.perf_counter() - started
        steps = sorted(after - before for before, after in zip(times, times[1:]))
        step = steps[len(steps) // 2] if steps else None
        return {"caption": total, "vision": vision, "first": times[0] - started, "step": step, "tokens": len(ids), "text": text, "ids": ids}
