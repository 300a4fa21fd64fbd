"""The reference: transformers' own Florence-2 in f32 with eager attention, loaded from a checkpoint folder of either layout.

What is asked of it is what the remote code of the Microsoft checkpoints does; README.md says where the two differ and
what is done about it here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import AddedToken, Tokenizer
from transformers import CLIPImageProcessorPil, Florence2Config, Florence2ForConditionalGeneration

import seeded
from tokenizer import APPENDED

PROMPTS = {
    "<CAPTION>": "What does the image describe?",
    "<DETAILED_CAPTION>": "Describe in detail what is shown in the image.",
    "<MORE_DETAILED_CAPTION>": "Describe with a paragraph what is shown in the image.",
    "<OCR>": "What is the text in the image?",
}
# What a generation does where a checkpoint says nothing: the defaults of transformers' configurations.
DEFAULTS = {
    "num_beams": 1, "no_repeat_ngram_size": 0, "early_stopping": False, "length_penalty": 1.0, "bos_token_id": 0,
    "eos_token_id": 2, "pad_token_id": 1, "decoder_start_token_id": 2, "forced_bos_token_id": None,
    "forced_eos_token_id": None, "max_new_tokens": 1024,
}  # fmt: skip
SOURCES = ["spatial_avg_pool", "temporal_avg_pool"]
PLACEHOLDER = 3  # `<unk>` stands for the image in the prompt; its embedding is overwritten

torch.set_num_threads(2)


def is_microsoft(config: dict[str, Any]) -> bool:
    return "dim_embed" in config["vision_config"]


def native_config(config: dict[str, Any]) -> dict[str, Any]:
    """A Microsoft config.json as the native layout writes it, without the settings of generation."""
    v, text = config["vision_config"], dict(config["text_config"])
    for key in DEFAULTS:
        if key.startswith(("num_", "no_", "early", "length", "forced", "max_new")):
            text.pop(key, None)
    text["model_type"] = "bart"
    kept = ("patch_size", "patch_stride", "patch_padding", "patch_prenorm", "num_heads", "num_groups", "depths")
    vision = {key: v[key] for key in (*kept, "window_size", "projection_dim")}
    positions, frames = seeded.position_sizes(v)
    vision |= {"model_type": "florence_vision", "embed_dim": v["dim_embed"]}
    vision |= {"max_position_embeddings": positions, "max_temporal_embeddings": frames}
    return {
        "architectures": ["Florence2ForConditionalGeneration"], "model_type": "florence2", "dtype": "float16",
        "image_token_id": 51289, "is_encoder_decoder": True, "tie_word_embeddings": True,
        "vision_config": vision, "text_config": text,
    }  # fmt: skip


class Reference:
    """One checkpoint, ready: image in, stage tensors, token ids and text out."""

    def __init__(self, folder: Path):
        self.config = json.loads((folder / "config.json").read_text())
        self.microsoft = is_microsoft(self.config)
        generation = folder / "generation_config.json"
        self.generation = self.config["text_config"] if self.microsoft else {}
        if not self.microsoft and generation.exists():
            self.generation = json.loads(generation.read_text())
        self.processor = CLIPImageProcessorPil(**json.loads((folder / "preprocessor_config.json").read_text()))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in APPENDED])
        self.model = self._load(folder)
        self.sources = self.config["vision_config"].get("image_feature_source", SOURCES)
        if self.sources != SOURCES:
            self.model.model.multi_modal_projector.forward = self._project

    def _load(self, folder: Path) -> Florence2ForConditionalGeneration:
        native = native_config(self.config) if self.microsoft else dict(self.config)
        native["image_token_id"] = PLACEHOLDER
        config = Florence2Config.from_dict(native)
        if not self.microsoft:
            settings = {"config": config, "dtype": torch.float32, "attn_implementation": "eager"}
            return Florence2ForConditionalGeneration.from_pretrained(folder, **settings).eval()
        with torch.device("meta"):
            model = Florence2ForConditionalGeneration._from_config(config, attn_implementation="eager")
        weights = load_file(folder / "model.safetensors")
        bias = weights.pop("language_model.final_logits_bias", None)
        stored = [weights.pop(name) for name in seeded.TIED["microsoft"].values() if name in weights]
        renamed: dict[str, torch.Tensor] = {}
        for name, tensor in weights.items():
            tensor = tensor.T.contiguous() if name == "image_projection" else tensor
            renamed[str(seeded.native_name(name))] = tensor.float()
        model.load_state_dict(renamed, strict=False, assign=True)
        language = model.model.language_model
        shared = torch.nn.Parameter(stored[0].float(), requires_grad=False)
        for module in (language.shared, language.encoder.embed_tokens, language.decoder.embed_tokens, model.lm_head):
            module.weight = shared
        left = [name for name, p in [*model.named_parameters(), *model.named_buffers()] if p.is_meta]
        assert not left, f"not in the checkpoint: {left}"
        if bias is not None and bool(bias.any()):  # transformers' own Florence-2 has no such buffer
            model.lm_head.register_forward_hook(lambda _m, _i, logits: logits + bias.float())
        return model.eval()

    def _project(self, features: torch.Tensor) -> torch.Tensor:
        """The projector with the feature sources of the configuration, as the remote code has it."""
        p = self.model.model.multi_modal_projector
        x = (features + p.image_position_embed(features)).flatten(2).transpose(1, 2)
        x = (x + p.visual_temporal_embed(x[:, :1])).unsqueeze(1)  # batch, one frame, tokens, channels
        pools = {"spatial_avg_pool": x.mean(dim=2), "temporal_avg_pool": x.mean(dim=1), "last_frame": x[:, -1]}
        x = torch.cat([pools[source] for source in self.sources], dim=1)
        return p.image_proj_norm(p.image_projection(x))

    def settings(self, overrides: dict[str, Any]) -> dict[str, Any]:
        """The effective settings: the caller's, else the checkpoint's, else the defaults."""
        out = {key: self.generation.get(key, value) for key, value in DEFAULTS.items()}
        if self.microsoft and "forced_eos_token_id" not in self.generation:
            out["forced_eos_token_id"] = 2  # the default of the remote code's text configuration
        out["max_new_tokens"] = DEFAULTS["max_new_tokens"]
        out |= overrides
        out["max_new_tokens"] = min(out["max_new_tokens"], self.config["text_config"]["max_position_embeddings"])
        return out

    def pixels(self, image: Path) -> torch.Tensor:
        return self.processor(images=Image.open(image).convert("RGB"), return_tensors="pt")["pixel_values"]

    def prompt(self, task: str) -> list[int]:
        return self.tokenizer.encode(PROMPTS[task]).ids

    def inputs(self, pixels: torch.Tensor, task: str, image_tokens: int) -> dict[str, torch.Tensor]:
        ids = torch.tensor([[PLACEHOLDER] * image_tokens + self.prompt(task)])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}

    @torch.inference_mode()
    def stages(self, pixels: torch.Tensor, task: str) -> dict[str, np.ndarray]:
        """The tensors on the way; grids as [1, height * width, channels]."""
        core, out = self.model.model, {"pixel_values": pixels}
        x = pixels
        for stage, (conv, blocks) in enumerate(zip(core.vision_tower.convs, core.vision_tower.blocks)):
            x = conv(x)
            out[f"patch_embed.{stage}"] = x.flatten(2).transpose(1, 2)
            for block in blocks:
                x = block(x)
            out[f"stage.{stage}"] = x.flatten(2).transpose(1, 2)
        out["image_features"] = core.multi_modal_projector(x)
        prompt = core.language_model.shared(torch.tensor([self.prompt(task)]))
        embeds = torch.cat([out["image_features"], prompt], dim=1)
        out["encoder"] = core.language_model.encoder(inputs_embeds=embeds).last_hidden_state
        start = torch.tensor([[self.settings({})["decoder_start_token_id"]]])
        hidden = core.language_model.decoder(input_ids=start, encoder_hidden_states=out["encoder"])
        out["logits"] = self.model.lm_head(hidden.last_hidden_state[:, -1])
        return {name: tensor.contiguous().numpy() for name, tensor in out.items()}

    @torch.inference_mode()
    def generate(self, pixels: torch.Tensor, task: str, settings: dict[str, Any], image_tokens: int) -> list[int]:
        """The generated ids without the decoder's start token."""
        out = self.model.generate(**self.inputs(pixels, task, image_tokens), do_sample=False, **settings)
        return out[0].tolist()[1:]

    def text(self, ids: list[int]) -> str:
        """`pure_text` of the layout's own processor."""
        text = self.tokenizer.decode(ids, skip_special_tokens=False).replace("<s>", "").replace("</s>", "")
        return text if self.microsoft else text.strip()
