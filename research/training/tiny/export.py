"""From the native layout of transformers to the Microsoft layout: `python -m tiny.export WEIGHTS FOLDER`."""

import argparse
import json
import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from . import model as shape
from . import vocabulary

PROJECTION = "model.multi_modal_projector.image_projection.weight"
RENAMES = (  # (native, Microsoft), first match wins, both ways
    (r"model\.multi_modal_projector\.image_proj_norm", "image_proj_norm"),
    (r"model\.multi_modal_projector\.image_position_embed", "image_pos_embed"),
    (r"model\.multi_modal_projector\.visual_temporal_embed", "visual_temporal_embed"),
    (r"model\.language_model\.", "language_model.model."),
)
BLOCK = r"model\.vision_tower\.blocks\.(\d+)\.(\d+)\.(spatial_block|channel_block)\.(.+)"


def microsoft_name(name):
    if match := re.fullmatch(r"model\.vision_tower\.convs\.(\d+)\.(conv|norm)\.(.+)", name):
        stage, part, rest = match.groups()
        return f"vision_tower.convs.{stage}.{'proj' if part == 'conv' else 'norm'}.{rest}"
    if match := re.fullmatch(BLOCK, name):
        stage, number, kind, rest = match.groups()
        attention = "window_attn" if kind == "spatial_block" else "channel_attn"
        rest = re.sub(r"^(conv\d)\.", r"\1.fn.dw.", rest)
        rest = re.sub(r"^norm1\.", f"{attention}.norm.", rest)
        rest = re.sub(rf"^{attention}\.(qkv|proj)\.", rf"{attention}.fn.\1.", rest)
        rest = re.sub(r"^norm2\.", "ffn.norm.", rest)
        rest = re.sub(r"^ffn\.(fc\d)\.", r"ffn.fn.net.\1.", rest)
        return f"vision_tower.blocks.{stage}.{number}.{kind}.{rest}"
    if name == PROJECTION:
        return "image_projection"
    for native, microsoft in RENAMES:
        if re.match(native, name):
            return re.sub("^" + native, microsoft, name)
    raise ValueError(f"no Microsoft name for {name}")


def tied(name):
    """Copies of the token table, which the file holds once as `shared`."""
    return name.endswith("embed_tokens.weight") or name == "lm_head.weight"


def to_microsoft(weights):
    result = {}
    for name, value in weights.items():
        if not tied(name) and not name.startswith("heads."):
            result[microsoft_name(name)] = (value.t() if name == PROJECTION else value).contiguous()
    return result


def to_native(weights):
    names = {microsoft_name(name): name for name in shape.build().state_dict() if not tied(name)}
    result = {names[name]: value for name, value in weights.items()}
    result[PROJECTION] = result[PROJECTION].t().contiguous()
    return result


def config_json():
    vision = shape.VISION
    keep = ("depths", "num_heads", "num_groups", "patch_size", "patch_stride", "patch_padding", "patch_prenorm",
            "window_size", "projection_dim", "drop_path_rate")
    size = len(vocabulary.table())
    text = {**shape.TEXT, **shape.GENERATION, "vocab_size": size, "num_hidden_layers": shape.TEXT["encoder_layers"],
            "is_encoder_decoder": True, "add_bias_logits": False, "add_final_layer_norm": False, "normalize_before": False}
    return {
        "architectures": ["Florence2ForConditionalGeneration"], "model_type": "florence2",
        "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "ignore_index": -100, "is_encoder_decoder": True,
        "vocab_size": size, "projection_dim": vision["projection_dim"], "torch_dtype": "float16", "text_config": text,
        "vision_config": {
            "model_type": "davit", "dim_embed": vision["embed_dim"], **{name: vision[name] for name in keep},
            "enable_checkpoint": False, "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
            "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": vision["max_position_embeddings"]},
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": vision["max_temporal_embeddings"]},
        },
    }


def preprocessor_json():
    side = {"height": shape.SIDE, "width": shape.SIDE}
    return {
        "image_processor_type": "CLIPImageProcessor", "processor_class": "Florence2Processor", "do_convert_rgb": None,
        "do_resize": True, "size": side, "resample": 3, "do_center_crop": False, "crop_size": side, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": shape.MEAN, "image_std": shape.STD,
        "image_seq_length": shape.IMAGE_TOKENS,
    }


def tokenizer_config_json():
    return {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": shape.TEXT["max_position_embeddings"],
        "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
        "cls_token": "<s>", "sep_token": "</s>", "clean_up_tokenization_spaces": False,
    }


def write(weights, folder):
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: value.to(torch.float16) for name, value in to_microsoft(weights).items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    files = {
        "config.json": config_json(), "preprocessor_config.json": preprocessor_json(),
        "generation_config.json": shape.GENERATION, "tokenizer.json": vocabulary.tokenizer_json(),
        "tokenizer_config.json": tokenizer_config_json(),
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    write(load_file(options.weights), options.folder)
