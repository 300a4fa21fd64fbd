"""The reference over quantized weights: transformers' Florence-2 in f32, its matrices replaced by what bitsandbytes gives
back of them.

The recipes are those of packed files: `compact` has every matrix in NF4 (blocksize 64, double quantization; linears, the
token table once for all its uses, patch convolutions, position tables, and the projection as [out, in]), `balanced` the
token table as int8 rows and patch convolutions as they are. `linears` is what `load_in_4bit` makes: linear layers only.
bitsandbytes has no int8 rows with f16 scales, so those follow the formula of ext/captioner/src/quant/int8.rs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch
from torch import nn

import quant
from reference import Reference

RECIPES = ("compact", "balanced", "linears")


class Quantized(Reference):
    """A reference whose weights went through a recipe."""

    def __init__(self, folder: Path, recipe: str = "compact", double: bool = True, projection: bool = True):
        super().__init__(folder)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # bitsandbytes' mean of the scales depends on it
        with torch.inference_mode():
            for name, weight, kind in matrices(self.model):
                if name.endswith("image_projection.weight") and not projection:
                    continue
                weight.data = through(weight.data, form(recipe, kind), double)
        torch.set_num_threads(threads)


def matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, str]]:
    """Every matrix once, and what it is for: the token table, positions, patches or a linear layer."""
    token_table = model.model.language_model.shared.weight
    seen: set[int] = set()
    for path, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if weight is None or id(weight) in seen:
            continue
        if weight is token_table:
            kind = "embedding"
        elif isinstance(module, nn.Linear):
            kind = "linear"
        elif isinstance(module, nn.Embedding):
            kind = "positions"
        elif isinstance(module, nn.Conv2d) and module.groups == 1:
            kind = "convolution"
        else:
            continue  # norms and depthwise kernels
        seen.add(id(weight))
        yield f"{path}.weight", weight, kind


def form(recipe: str, kind: str) -> str:
    if recipe == "linears":
        return "nf4" if kind == "linear" else "kept"
    if recipe == "balanced" and kind in ("embedding", "convolution"):
        return "int8" if kind == "embedding" else "kept"
    return "nf4"


def through(weight: torch.Tensor, into: str, double: bool = True) -> torch.Tensor:
    """The f32 values that are left of a weight."""
    if into == "kept":
        return weight
    if into == "int8":
        return rows(weight)
    return quant.quantize(weight.half().contiguous(), "nf4", 64, double)["values"].reshape(weight.shape).clone()


def rows(weight: torch.Tensor) -> torch.Tensor:
    """Int8 rows: a row's scale is its largest magnitude in f16, its values code * scale / 127."""
    values = weight.numpy()
    scale = np.abs(values).max(axis=1, keepdims=True).astype(np.float16).astype(np.float32)
    factor = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0) * np.float32(127)
    codes = np.clip(np.rint(values * factor), -127, 127).astype(np.float32)
    return torch.from_numpy(codes * scale * np.float32(1 / 127))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())
