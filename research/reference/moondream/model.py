"""moondream2, revision 2025-01-09, in PyTorch: written from its description, checked against recorded values (check.py).

The published code runs in f16 and token by token decodes; here everything runs in one type of choice, f32 for goldens and
bf16 for the peer that speed is measured against. Weights are read from a safetensors file by their names there.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open

import crops as cropping

EPS = 1e-5
THETA = 10000.0


@dataclasses.dataclass
class Text:
    dim: int = 2048
    n_layers: int = 24
    vocab_size: int = 51200
    max_context: int = 2048
    n_heads: int = 32
    prefix_attn: int = 730


@dataclasses.dataclass
class Vision:
    enc_dim: int = 1152
    enc_patch_size: int = 14
    enc_n_layers: int = 27
    enc_ff_dim: int = 4304
    enc_n_heads: int = 16
    proj_out_dim: int = 2048
    crop_size: int = 378
    in_channels: int = 3
    max_crops: int = 12
    overlap_margin: int = 4
    proj_inner_dim: int = 8192


@dataclasses.dataclass
class Region:
    """Points and boxes, which captions do without: only for the size of a file."""

    dim: int = 2048
    coord_feat_dim: int = 256
    coord_out_dim: int = 1024
    size_feat_dim: int = 512
    size_out_dim: int = 2048
    inner_dim: int = 8192


TEMPLATES = {
    "caption": {"short": [198, 198, 16438, 8305, 25], "normal": [198, 198, 24334, 1159, 25]},
    "query": {"prefix": [198, 198, 24361, 25], "suffix": [198, 198, 33706, 25]},
}


@dataclasses.dataclass
class Tokenizer:
    bos_id: int = 50256
    eos_id: int = 50256
    templates: dict[str, Any] = dataclasses.field(default_factory=lambda: TEMPLATES)


class Config:
    """What `config.json` says, with the defaults of the published code for what it leaves out."""

    def __init__(self, folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text()).get("config", {})

        def take(kind: Any, key: str) -> Any:
            names = {field.name for field in dataclasses.fields(kind)}
            return kind(**{name: value for name, value in values.get(key, {}).items() if name in names})

        self.text: Text = take(Text, "text")
        self.vision: Vision = take(Vision, "vision")
        self.region: Region = take(Region, "region")
        self.tokenizer: Tokenizer = take(Tokenizer, "tokenizer")

    @property
    def grid(self) -> int:
        return self.vision.crop_size // self.vision.enc_patch_size


Change = Callable[[str, torch.Tensor], torch.Tensor]


class Moondream:
    """`change(name, weight)` may replace weights as they are read, for instance by quantized ones."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32, change: Change | None = None) -> None:
        self.config, self.dtype = Config(folder), dtype
        self.weights: dict[str, torch.Tensor] = {}
        with safe_open(folder / "model.safetensors", "pt") as file:
            for name in file.keys():
                if not name.startswith("model.region."):
                    tensor = file.get_tensor(name)
                    tensor = change(name, tensor) if change else tensor
                    self.weights[name.removeprefix("model.")] = tensor.to(dtype)
        half = self.config.text.dim // self.config.text.n_heads // 2
        frequencies = 1.0 / THETA ** (torch.arange(0, half, 2, dtype=torch.float32) / half)
        self.angles = torch.outer(torch.arange(self.config.text.max_context, dtype=torch.float32), frequencies)

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], EPS)

    def mlp(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.linear(f"{name}.fc2", F.gelu(self.linear(f"{name}.fc1", x), approximate="tanh"))

    # Pixels to image embeddings.

    def pixels(self, images: list[np.ndarray]) -> torch.Tensor:
        values = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        return (values.to(torch.float32) / 127.5 - 1.0).to(self.dtype)

    def patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """[crops, 3, side, side] to [crops, patches, 3 * patch * patch], a patch in the order channel, row, column."""
        count, side, patch = pixels.shape[0], self.config.grid, self.config.vision.enc_patch_size
        parts = pixels.reshape(count, pixels.shape[1], side, patch, side, patch)
        return parts.permute(0, 2, 4, 1, 3, 5).reshape(count, side * side, -1)

    def tower(self, pixels: torch.Tensor) -> torch.Tensor:
        v = self.config.vision
        x = self.linear("vision.patch_emb", self.patches(pixels)) + self.weights["vision.pos_emb"]
        for layer in range(v.enc_n_layers):
            block = f"vision.blocks.{layer}"
            qkv = self.linear(f"{block}.attn.qkv", self.norm(f"{block}.ln1", x))
            q, k, v_ = (part.unflatten(-1, (v.enc_n_heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
            mixed = F.scaled_dot_product_attention(q, k, v_).transpose(1, 2).flatten(2)
            x = x + self.linear(f"{block}.attn.proj", mixed)
            x = x + self.mlp(f"{block}.mlp", self.norm(f"{block}.ln2", x))
        return self.norm("vision.post_ln", x)

    def stitch(self, windows: torch.Tensor, tiling: tuple[int, int]) -> torch.Tensor:
        """[windows, patches, dim] to one grid, without the margins where windows meet."""
        (rows, columns), side, margin = tiling, self.config.grid, self.config.vision.overlap_margin
        grids = windows.unflatten(1, (side, side)).unflatten(0, (rows, columns))
        lines = []
        for row in range(rows):
            top, bottom = (0 if row == 0 else margin), (side if row == rows - 1 else side - margin)
            parts = []
            for column in range(columns):
                left = 0 if column == 0 else margin
                right = side if column == columns - 1 else side - margin
                parts.append(grids[row, column, top:bottom, left:right])
            lines.append(torch.cat(parts, dim=1))
        return torch.cat(lines, dim=0)

    def project(self, features: torch.Tensor, tiling: tuple[int, int]) -> torch.Tensor:
        """Features of all crops, the whole image first, to [patches, dim]."""
        windows = features[1:] if len(features) > 1 else features
        grid, side = self.stitch(windows, tiling).permute(2, 0, 1), self.config.grid
        pooled = F.adaptive_avg_pool2d(grid[None].float(), (side, side))[0].flatten(1).T.to(self.dtype)
        return self.mlp("vision.proj_mlp", torch.cat([features[0], pooled], dim=-1))

    @torch.inference_mode()
    def image(self, images: list[np.ndarray], tiling: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of the crops and the image's embeddings."""
        features = torch.cat([self.tower(self.pixels([image])) for image in images])
        return features, self.project(features, tiling)

    # Embeddings to text.

    def turn(self, x: torch.Tensor, start: int) -> torch.Tensor:
        """Rotates the first half of every head, [heads, tokens, dim], in the pairs (i, i + a quarter)."""
        angles = self.angles[start : start + x.shape[1]]
        cos, sin, quarter = angles.cos(), angles.sin(), angles.shape[1]
        a, b, rest = x[..., :quarter].float(), x[..., quarter : 2 * quarter].float(), x[..., 2 * quarter :]
        return torch.cat([(a * cos - b * sin).to(x.dtype), (a * sin + b * cos).to(x.dtype), rest], dim=-1)

    def decoder(self, x: torch.Tensor, cache: list[Any], start: int) -> torch.Tensor:
        """[tokens, dim] that begin at position `start`; keys and values are appended to `cache`."""
        t = self.config.text
        end = start + len(x)
        positions = torch.arange(end)
        prefix = positions < t.prefix_attn
        mask = (positions[None] <= positions[start:, None]) | (prefix[None] & prefix[start:, None])
        for layer in range(t.n_layers):
            block = f"text.blocks.{layer}"
            normed = self.norm(f"{block}.ln", x)
            qkv = self.linear(f"{block}.attn.qkv", normed).unflatten(-1, (3, t.n_heads, -1)).permute(1, 2, 0, 3)
            q, k, v = self.turn(qkv[0], start), self.turn(qkv[1], start), qkv[2]
            if cache[layer] is not None:
                k, v = torch.cat([cache[layer][0], k], 1), torch.cat([cache[layer][1], v], 1)
            cache[layer] = (k, v)
            seen = None if mask.all() else mask
            mixed = F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=seen)[0]
            x = x + self.linear(f"{block}.attn.proj", mixed.transpose(0, 1).flatten(1)) + self.mlp(f"{block}.mlp", normed)
        return x

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear("text.lm_head", self.norm("text.post_ln", x[-1:])).float()[0]

    def embed(self, ids: list[int]) -> torch.Tensor:
        return self.weights["text.wte"][ids]

    @torch.inference_mode()
    def write(self, image: torch.Tensor, prompt: list[int], most: int) -> tuple[list[int], torch.Tensor, float]:
        """Greedy ids without the end, the first logits, and the smallest gap of the two best in standard deviations."""
        cache: list[Any] = [None] * self.config.text.n_layers
        prefix = torch.cat([self.embed([self.config.tokenizer.bos_id]), image])
        self.decoder(prefix, cache, 0)
        last = first = self.logits(self.decoder(self.embed(prompt), cache, len(prefix)))
        ids: list[int] = []
        margin, position = math.inf, len(prefix) + len(prompt)
        while True:
            best = last.topk(2).values
            margin = min(margin, float((best[0] - best[1]) / last.std()))
            token = int(last.argmax())
            if token == self.config.tokenizer.eos_id:
                return ids, first, margin
            ids.append(token)
            if len(ids) == most:
                return ids, first, margin
            last = self.logits(self.decoder(self.embed([token]), cache, position))
            position += 1


def crops_of(config: Config, picture: np.ndarray) -> tuple[tuple[int, int], list[np.ndarray]]:
    """The crops by the configuration's sizes."""
    v = config.vision
    return cropping.Cropping(v.crop_size, v.enc_patch_size, v.overlap_margin, v.max_crops).crops(picture)


# What int8 leaves as it is: bitsandbytes' own rule for a head, and the patches.
KEPT = ("text.lm_head.weight", "vision.patch_emb.weight")


def int8(name: str, weight: torch.Tensor) -> torch.Tensor:
    """LLM.int8()'s weights, dequantized: one scale a row, values rounded half to even."""
    if weight.dim() != 2 or not name.endswith(".weight") or name.endswith(KEPT):
        return weight
    rows = weight.to(torch.float16).float()
    absmax = rows.abs().amax(dim=1, keepdim=True)
    codes = torch.where(absmax > 0, torch.round(rows * (127.0 / absmax)), torch.zeros_like(rows))
    return codes * absmax * 7.874015718698502e-3
