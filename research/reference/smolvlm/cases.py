"""The checkpoints and the cases of the committed goldens."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import tokenizer

SIZE = len(tokenizer.build()["model"]["vocab"])
END = SIZE - 1
DESCRIBE, READ = "Can you describe this image?", "What does the text say?"
NEW_TOKENS = 24
VISION = {
    "model_type": "idefics3", "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_channels": 3, "image_size": 32, "patch_size": 4, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
}  # fmt: skip
TEXT = {
    "model_type": "llama", "vocab_size": SIZE, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "hidden_act": "silu", "rms_norm_eps": 1e-5,
    "rope_theta": 100000, "max_position_embeddings": 2048, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
}  # fmt: skip


class Checkpoint(NamedTuple):
    seed: int
    dtype: str = "bf16"
    shards: int = 1
    family: str = "idefics3"
    splitting: bool = True
    edge: int = 4  # the longest edge of a picture, in tiles
    scale: int = 2
    tied: bool = False
    vision: dict[str, Any] = {}
    text: dict[str, Any] = {}
    ends: list[int] | int = END

    def config(self) -> dict[str, Any]:
        text = {key: value for key, value in {**TEXT, **self.text}.items() if value is not None}
        smol = self.family == "smolvlm"
        return {
            "architectures": ["SmolVLMForConditionalGeneration" if smol else "Idefics3ForConditionalGeneration"],
            "model_type": self.family, "image_token_id": SIZE - 2, "scale_factor": self.scale, "tie_word_embeddings": self.tied,
            "vocab_size": SIZE, "pad_token_id": 2, "text_config": text,
            "vision_config": {**VISION, **({"model_type": "smolvlm_vision"} if smol else {}), **self.vision},
        }  # fmt: skip

    @property
    def tile(self) -> int:
        return {**VISION, **self.vision}["image_size"]

    def preprocessor(self) -> dict[str, Any]:
        kind = "SmolVLM" if self.family == "smolvlm" else "Idefics3"
        return {
            "do_convert_rgb": True, "do_image_splitting": self.splitting, "do_normalize": True, "do_pad": True,
            "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
            "image_processor_type": f"{kind}ImageProcessor", "processor_class": f"{kind}Processor", "resample": 1,
            "rescale_factor": 0.00392156862745098, "max_image_size": {"longest_edge": self.tile},
            "size": {"longest_edge": self.edge * self.tile},
        }  # fmt: skip

    def tokens(self) -> int:
        """Image tokens of a tile."""
        return (self.tile // {**VISION, **self.vision}["patch_size"] // self.scale) ** 2


CHECKPOINTS = {
    "standard": Checkpoint(seed=1),
    # no lm_head, no head_dim, every head its own keys; the end may be two tokens
    "tied": Checkpoint(
        seed=2, dtype="f16", scale=4, tied=True, edge=2, ends=[END, 2],
        text={"head_dim": None, "num_key_value_heads": 4, "rope_theta": 10000},
    ),
    # 9 x 9 patches; heads wider than hidden / heads
    "sharded": Checkpoint(
        seed=3, dtype="f32", shards=3, family="smolvlm", scale=3, edge=3, vision={"image_size": 36},
        text={"hidden_size": 24, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16},
    ),
    "whole": Checkpoint(seed=4, splitting=False),
}  # fmt: skip


class Case(NamedTuple):
    checkpoint: str
    image: str
    question: str = DESCRIBE


CASES = {
    "standard-gradient": Case("standard", "gradient"),
    "standard-shapes": Case("standard", "shapes"),
    "standard-noise": Case("standard", "noise"),
    "standard-question": Case("standard", "shapes", READ),
    "tied-shapes": Case("tied", "shapes"),
    "tied-noise": Case("tied", "noise"),
    "sharded-noise": Case("sharded", "noise"),
    "sharded-gradient": Case("sharded", "gradient"),
    "whole-shapes": Case("whole", "shapes"),
    "whole-question": Case("whole", "noise", READ),
}
