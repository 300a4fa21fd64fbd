"""transformers' own Florence-2: f32, bf16, or bitsandbytes' NF4 with double quantization that computes in bf16."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer

PROMPT = "Describe in detail what is shown in the image."
IMAGE_TOKENS = 577
PLACEHOLDER = 3  # `<unk>` stands for the image in the prompt; its embedding is overwritten

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class Clock(transformers.LogitsProcessor):
    """Notes when each token is chosen."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.times.append(time.perf_counter())
        return scores


class Transformers:
    """A checkpoint of the native layout. Attention is whatever transformers takes by itself: sdpa."""

    def __init__(self, folder: Path, variant: str, threads: int):
        torch.set_num_threads(threads)
        self.folder, self.variant, self.threads = folder, variant, threads
        self.vision_seconds = 0.0

    def load(self) -> dict[str, Any]:
        started = time.perf_counter()
        config = transformers.Florence2Config.from_pretrained(self.folder)
        config.image_token_id = PLACEHOLDER
        settings: dict[str, Any] = {"config": config}
        settings["dtype"] = torch.float32 if self.variant == "f32" else torch.bfloat16
        if self.variant == "nf4":
            settings["quantization_config"] = transformers.BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=torch.bfloat16,
            )
        self.model = transformers.Florence2ForConditionalGeneration.from_pretrained(self.folder, **settings).eval()
        self.processor = transformers.CLIPImageProcessorPil(
            **json.loads((self.folder / "preprocessor_config.json").read_text())
        )
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self._time_the_tower()
        return {"seconds": time.perf_counter() - started, "threads": torch.get_num_threads()}

    def _time_the_tower(self) -> None:
        started = 0.0

        def before(*_: Any) -> None:
            nonlocal started
            started = time.perf_counter()

        def after(*_: Any) -> None:
            self.vision_seconds = time.perf_counter() - started

        self.model.model.vision_tower.register_forward_pre_hook(before)
        self.model.model.vision_tower.register_forward_hook(after)

    def _pixels(self, image: str) -> torch.Tensor:
        pixels = self.processor(images=Image.open(image).convert("RGB"), return_tensors="pt")["pixel_values"]
        return pixels.to(self.model.dtype)

    @torch.inference_mode()
    def vision(self, image: str) -> dict[str, Any]:
        """The vision tower alone, without reading the image."""
        self.model.model.vision_tower(self._pixels(image))
        return {"vision": self.vision_seconds}

    @torch.inference_mode()
    def caption(self, image: str, new_tokens: int) -> dict[str, Any]:
        """From the file to the text, with the search that the checkpoint asks for."""
        clock = Clock()
        started = time.perf_counter()
        ids = torch.tensor([[PLACEHOLDER] * IMAGE_TOKENS + self.tokenizer.encode(PROMPT).ids])
        out = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=self._pixels(image),
            do_sample=False,
            max_new_tokens=new_tokens,
            logits_processor=[clock],
        )[0].tolist()
        text = self.tokenizer.decode(out)
        total = time.perf_counter() - started
        steps = sorted(after - before for before, after in zip(clock.times, clock.times[1:]))
        step = steps[len(steps) // 2] if steps else None
        made = len(clock.times)
        return {"caption": total, "vision": self.vision_seconds, "step": step, "tokens": made, "text": text, "ids": out}
