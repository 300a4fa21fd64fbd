"""transformers' own SmolVLM: f32 or bf16, with sdpa or (bf16-eager, what the application asks for) plain attention."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image

from transformers_engine import Clock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "reference"))
from smolvlm.reference import Reference  # noqa: E402

QUESTION = "Can you describe this image?"

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class SmolVlm:
    def __init__(self, folder: Path, variant: str, threads: int):
        torch.set_num_threads(threads)
        self.folder = folder
        self.dtype = torch.float32 if variant == "f32" else torch.bfloat16
        self.attention = "eager" if variant.endswith("-eager") else "sdpa"
        self.seconds = {"vision": 0.0}

    def load(self) -> dict[str, Any]:
        started = time.perf_counter()
        self.reference = Reference(self.folder, self.dtype, self.attention)
        tower = self.reference.model.model.vision_model
        began = 0.0

        def before(*_: Any) -> None:
            nonlocal began
            began = time.perf_counter()

        def after(*_: Any) -> None:
            self.seconds["vision"] = time.perf_counter() - began

        tower.register_forward_pre_hook(before)
        tower.register_forward_hook(after)
        return {"seconds": time.perf_counter() - started, "threads": torch.get_num_threads()}

    def vision(self, image: str) -> dict[str, Any]:
        """The vision tower: a caption of one token, of which the tower's part is taken."""
        return {"vision": self.caption(image, 1)["vision"]}

    @torch.inference_mode()
    def caption(self, image: str, new_tokens: int) -> dict[str, Any]:
        """From the file to the text, greedy."""
        clock, model = Clock(), self.reference.model
        started = time.perf_counter()
        grid, pixels = self.reference.pixels(Image.open(image).convert("RGB"))
        ids = torch.tensor([self.reference.prompt(grid, QUESTION)])
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels[None].to(model.dtype), do_sample=False,
            max_new_tokens=new_tokens, eos_token_id=self.reference.ends, pad_token_id=2, logits_processor=[clock],
        )[0, ids.shape[1] :].tolist()  # fmt: skip
        text = self.reference.decode(out)
        total = time.perf_counter() - started
        steps = sorted(after - before for before, after in zip(clock.times, clock.times[1:]))
        step = steps[len(steps) // 2] if steps else None
        first = clock.times[0] - started
        return {"caption": total, **self.seconds, "first": first, "step": step, "tokens": len(out), "text": text, "ids": out}
