"""Captions with transformers: the model as it was trained, with the checkpoint's generation settings."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from . import export, vocabulary
from . import model as shape
from .data import square


def load(path, device="cpu"):
    """From native weights (`native.safetensors`) or from a checkpoint folder in the Microsoft layout."""
    path = Path(path)
    saved = load_file(path / "model.safetensors" if path.is_dir() else path)
    saved = {name: value.float() for name, value in saved.items() if not name.startswith("heads.")}
    if path.is_dir():
        saved = export.to_native(saved)
    model = shape.build()
    missing, extra = model.load_state_dict(saved, strict=False)
    assert not extra and all("embed_tokens" in name or "lm_head" in name for name in missing), (missing, extra)
    return model.to(device).eval()


def pixels_of(images):
    pixels = np.stack([np.asarray(square(image.convert("RGB"))) for image in images]).astype(np.float32) / 255
    return torch.from_numpy(((pixels - shape.MEAN) / shape.STD).astype(np.float32).transpose(0, 3, 1, 2))


@torch.no_grad()
def caption(model, images, task, **settings):
    """One string for each image; `settings` override the generation settings."""
    device = model.device
    prompt = shape.prompt_ids(task, device)[0]
    holders = torch.full((shape.IMAGE_TOKENS,), model.config.image_token_id, device=device)
    ids = torch.cat([holders, prompt]).expand(len(images), -1)
    ids = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels_of(images).to(device),
        max_new_tokens=160, **{**shape.GENERATION, **settings},
    )
    texts = vocabulary.tokenizer().decode_batch(ids.tolist(), skip_special_tokens=False)
    return [text.replace("<s>", "").replace("</s>", "").replace("<pad>", "") for text in texts]
