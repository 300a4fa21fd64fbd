"""The checkpoints and the cases of the committed goldens."""

from __future__ import annotations

from typing import Any, NamedTuple

from tokenizer import APPENDED

SMALL_VOCABULARY = 400
VOCABULARY = SMALL_VOCABULARY + len(APPENDED)  # 1424: every token of the processor has a row
PADDED_VOCABULARY = 1472  # a converted checkpoint: `<image>` and rows up to a multiple of 64

VISION: dict[str, Any] = {
    "model_type": "davit", "drop_path_rate": 0.1, "patch_size": [7, 3, 3, 3], "patch_stride": [4, 2, 2, 2],
    "patch_padding": [3, 1, 1, 1], "patch_prenorm": [False, True, True, True], "enable_checkpoint": False,
    "dim_embed": [16, 32, 48, 64], "num_heads": [2, 4, 4, 8], "num_groups": [2, 4, 4, 8], "depths": [1, 1, 2, 1],
    "window_size": 4, "projection_dim": 64, "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
    "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 100},
    "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 50},
}  # fmt: skip
TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY, "activation_function": "gelu", "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128,
    "max_position_embeddings": 128, "scale_embedding": False, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
    "decoder_start_token_id": 2, "forced_bos_token_id": 0, "forced_eos_token_id": 2, "num_beams": 3,
    "no_repeat_ngram_size": 3, "early_stopping": True, "is_encoder_decoder": True,
}  # fmt: skip


class Checkpoint(NamedTuple):
    seed: int
    layout: str = "microsoft"
    tied: tuple[str, ...] = ("shared",)
    logits_bias: float = 0.0
    size: tuple[int, int] = (96, 96)  # height, width
    vision: dict[str, Any] = {}
    text: dict[str, Any] = {}
    tokenizer: str = "tokenizer.json"
    generation: bool = True  # whether a native checkpoint has its generation_config.json

    def config(self) -> dict[str, Any]:
        """The configuration, in the Microsoft flavour."""
        text = {key: value for key, value in {**TEXT, **self.text}.items() if value is not None}
        ids = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
        vision = {**VISION, "projection_dim": text["d_model"], **self.vision}
        return {
            "architectures": ["Florence2ForConditionalGeneration"], "model_type": "florence2", **ids,
            "projection_dim": text["d_model"], "vision_config": vision, "text_config": text,
            "vocab_size": text["vocab_size"], "torch_dtype": "float16", "is_encoder_decoder": True,
        }  # fmt: skip


NATIVE = {"layout": "native", "tokenizer": "tokenizer-native.json"}
ROWS = {"vocab_size": PADDED_VOCABULARY}
CHECKPOINTS = {
    # grids of 24, 12, 6 and 3 under windows of 4: the last two stages are padded
    "standard": Checkpoint(seed=39),
    "standard-native": Checkpoint(seed=39, text=ROWS, **NATIVE),
    "three-stages": Checkpoint(
        seed=4, tied=("lm_head",), size=(64, 64),
        vision={
            "patch_size": [4, 3, 3], "patch_stride": [4, 2, 2], "patch_padding": [0, 1, 1], "depths": [1, 2, 1],
            "patch_prenorm": [False, False, False], "dim_embed": [16, 24, 40], "num_heads": [4, 3, 5],
            "num_groups": [2, 6, 4], "window_size": 3,
        },
        text={
            "d_model": 32, "encoder_layers": 1, "decoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 96,
            "decoder_attention_heads": 8, "decoder_ffn_dim": 160, "activation_function": "relu",
        },
    ),
    "five-stages": Checkpoint(
        seed=8, tied=("encoder", "decoder"), size=(128, 128), **NATIVE,
        vision={
            "patch_size": [3, 3, 3, 3, 3], "patch_stride": [2, 2, 2, 2, 2], "patch_padding": [1, 1, 1, 1, 1],
            "patch_prenorm": [True, True, False, True, False], "dim_embed": [8, 16, 24, 32, 48], "window_size": 5,
            "num_heads": [1, 2, 3, 4, 6], "num_groups": [2, 2, 2, 2, 2], "depths": [1, 1, 1, 1, 1],
        },
        text={
            **ROWS, "d_model": 48, "encoder_layers": 3, "decoder_layers": 1, "no_repeat_ngram_size": 2,
            "scale_embedding": True,
        },
    ),
    # the vocabulary ends before the tokens that the processor appends; the position table ends before the caption
    "short": Checkpoint(
        seed=7, tied=("shared", "lm_head"), size=(64, 64),
        vision={"image_feature_source": ["temporal_avg_pool", "spatial_avg_pool"], "window_size": 2},
        text={"vocab_size": SMALL_VOCABULARY, "max_position_embeddings": 32},
    ),
    "sources": Checkpoint(
        seed=1, tied=("decoder",), logits_bias=2.0, size=(64, 64),
        vision={
            "image_feature_source": ["last_frame", "spatial_avg_pool"], "window_size": 7,
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 3},
            "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 2},
        },
        text={
            "early_stopping": None, "forced_bos_token_id": None, "forced_eos_token_id": None, "num_beams": 4,
            "length_penalty": 2.0,
        },
    ),
    "oblong": Checkpoint(seed=3, size=(64, 112), text=ROWS, **NATIVE),
    "bare": Checkpoint(seed=5, size=(64, 64), text=ROWS, generation=False, **NATIVE),
}  # fmt: skip


class Case(NamedTuple):
    """`bites` names settings that matter: with each of them instead, the ids must come out different."""

    checkpoint: str
    image: str
    task: str = "<DETAILED_CAPTION>"
    overrides: dict[str, Any] = {}
    bites: dict[str, Any] = {}


NO_BLOCKING = {"no_repeat_ngram_size": 0}
CASES: dict[str, Case] = {
    "defaults": Case("standard", "shapes", bites=NO_BLOCKING),
    "greedy": Case("standard", "shapes", overrides={"num_beams": 1}, bites=NO_BLOCKING),
    "native-defaults": Case("standard-native", "gradient", bites=NO_BLOCKING),
    "four-beams": Case("standard", "shapes", "<OCR>", {"num_beams": 4}),
    "length-limit": Case("standard", "gradient", overrides={"max_new_tokens": 6}, bites={"forced_eos_token_id": None}),
    "three-stages": Case("three-stages", "gradient", bites=NO_BLOCKING),
    "three-stages-four-beams": Case("three-stages", "gradient", overrides={"num_beams": 4}, bites={"num_beams": 3}),
    "five-stages": Case("five-stages", "shapes", overrides={"max_new_tokens": 48}, bites={"no_repeat_ngram_size": 3}),
    "five-stages-greedy": Case("five-stages", "shapes", overrides={"num_beams": 1}, bites={"num_beams": 3}),
    "position-table-limit": Case("short", "gradient", bites={"forced_eos_token_id": None}),
    "sources": Case(
        "sources", "noise", overrides={"max_new_tokens": 48},
        bites={"length_penalty": 1.0, "forced_eos_token_id": None, "no_repeat_ngram_size": 0},
    ),
    "oblong": Case("oblong", "shapes", bites=NO_BLOCKING),
    "oblong-long": Case("oblong", "gradient", overrides={"length_penalty": 2.0}, bites={"length_penalty": 1.0}),
    "bare": Case("bare", "shapes", overrides={"max_new_tokens": 24}, bites={"forced_bos_token_id": 0, "num_beams": 2}),
    "no-forced-bos": Case("standard", "shapes", overrides={"forced_bos_token_id": None}, bites={"forced_bos_token_id": 0}),
    "length-penalty-zero": Case("standard", "gradient", overrides={"length_penalty": 0.0}, bites={"length_penalty": 1.0}),
    "stop-early": Case(
        "standard", "gradient", overrides={"length_penalty": 1.5, "max_new_tokens": 40}, bites={"early_stopping": False}
    ),
    "stop-by-hope": Case(
        "standard", "gradient", overrides={"length_penalty": 1.5, "max_new_tokens": 40, "early_stopping": False},
        bites={"early_stopping": "never"},
    ),
    "stop-never": Case(
        "standard", "gradient", overrides={"length_penalty": 1.5, "max_new_tokens": 40, "early_stopping": "never"},
        bites={"early_stopping": True},
    ),
}  # fmt: skip
