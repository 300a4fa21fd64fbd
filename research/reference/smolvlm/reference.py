"""transformers' Idefics3 or SmolVLM from a folder: pixels, prompt, stage tensors, greedy ids with their margins, text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

TURN = "<|im_start|>User:{image}{question}<end_of_utterance>\nAssistant:"


def image_processor(settings: dict[str, Any]) -> Idefics3ImageProcessorPil:
    names = ("do_image_splitting", "max_image_size", "size", "image_mean", "image_std", "resample", "rescale_factor")
    return Idefics3ImageProcessorPil(**{name: settings[name] for name in names if name in settings})


def image_text(rows: int, columns: int, tokens: int) -> str:
    """What stands for the picture in the prompt."""
    fake, held = "<fake_token_around_image>", "<image>" * tokens
    whole = f"{fake}<global-img>{held}{fake}"
    if rows == 0:
        return whole
    lines = ["".join(f"{fake}<row_{row}_col_{column}>{held}" for column in range(1, columns + 1)) for row in range(1, rows + 1)]
    return "".join(line + "\n" for line in lines) + "\n" + whole


class Reference:
    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32, attention: str = "eager", device: str = "cpu"):
        read = lambda name: json.loads((folder / name).read_text())  # noqa: E731
        settings = {"dtype": dtype, "attn_implementation": attention}
        self.model = transformers.AutoModelForImageTextToText.from_pretrained(folder, **settings).to(device).eval()
        self.images = image_processor(read("preprocessor_config.json"))
        self.tokens = read("processor_config.json")["image_seq_len"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        ends = read("generation_config.json")["eos_token_id"]
        self.ends = ends if isinstance(ends, list) else [ends]

    def pixels(self, image: Image.Image) -> tuple[tuple[int, int], torch.Tensor]:
        """((rows, columns), pixel values [tiles, 3, side, side])."""
        found = self.images(images=[[image]], return_tensors="pt", return_row_col_info=True)
        return (found["rows"][0][0], found["cols"][0][0]), found["pixel_values"][0]

    def prompt(self, grid: tuple[int, int], question: str) -> list[int]:
        text = TURN.format(image=image_text(*grid, self.tokens), question=question)
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    @torch.inference_mode()
    def stages(self, pixels: torch.Tensor, prompt: list[int]) -> dict[str, np.ndarray]:
        """`vision` [tiles, patches, width], `connector` [tiles, tokens, width], `logits` [vocabulary] of the first new token."""
        side = pixels.shape[-1] // self.model.config.vision_config.patch_size
        patches = torch.ones(len(pixels), side, side, dtype=torch.bool)
        tower = self.model.model.vision_model(pixel_values=pixels.to(self.model.dtype), patch_attention_mask=patches).last_hidden_state
        ids = torch.tensor([prompt])
        logits = self.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels[None].to(self.model.dtype), logits_to_keep=1
        ).logits[0, -1]
        found = {"pixel_values": pixels, "vision": tower, "connector": self.model.model.connector(tower), "logits": logits}
        return {name: value.float().numpy() for name, value in found.items()}

    @torch.inference_mode()
    def generate(self, pixels: torch.Tensor, prompt: list[int], new_tokens: int) -> tuple[list[int], float]:
        """Greedy ids, the end token among them, and the narrowest choice: the gap of the two best logits."""
        ids = torch.tensor([prompt], device=self.model.device)
        values = pixels[None].to(self.model.device, self.model.dtype)
        out = self.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=values, do_sample=False,
            max_new_tokens=new_tokens, eos_token_id=self.ends, pad_token_id=2, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
        gaps = [float(-np.subtract(*logits[0].float().topk(2).values.cpu().numpy()[::-1])) for logits in out.logits]
        return out.sequences[0, len(prompt) :].tolist(), abs(min(gaps, key=abs))

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)
