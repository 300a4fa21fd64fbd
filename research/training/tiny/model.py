"""The shape of Florence-2-tiny and its initial weights."""

import math

import torch
from torch import nn
from transformers import Florence2Config, Florence2ForConditionalGeneration

from . import vocabulary

SIDE = 384
GRID = 24  # the last stage keeps the resolution of the third: a cell is 16 pixels
IMAGE_TOKENS = GRID * GRID + 1
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VISION = {
    "depths": [1, 1, 3, 1], "embed_dim": [64, 128, 192, 192], "num_heads": [2, 4, 6, 6], "num_groups": [2, 4, 6, 6],
    "patch_size": [7, 3, 3, 3], "patch_stride": [4, 2, 2, 1], "patch_padding": [3, 1, 1, 1],
    "patch_prenorm": [False, True, True, True], "window_size": 12, "projection_dim": 192, "drop_path_rate": 0.0,
    "max_temporal_embeddings": 100, "max_position_embeddings": 50,
}
TEXT = {
    "d_model": 192, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 3, "decoder_attention_heads": 3,
    "encoder_ffn_dim": 512, "decoder_ffn_dim": 512, "max_position_embeddings": 640, "activation_function": "gelu",
    "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "scale_embedding": False,
}
TOKENS = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
# What `generate` must be told. No n-gram is forbidden: a spelled text repeats its trigrams of letters.
GENERATION = {
    **TOKENS, "num_beams": 3, "early_stopping": False, "no_repeat_ngram_size": 0, "length_penalty": 1.0,
    "forced_bos_token_id": 0, "forced_eos_token_id": 2,
}


def build():
    size = len(vocabulary.table())
    config = Florence2Config(
        vision_config=VISION, text_config={"model_type": "bart", "vocab_size": size, **TEXT, **TOKENS},
        image_token_id=size - 1, **TOKENS,
    )
    return Florence2ForConditionalGeneration._from_config(config, attn_implementation="sdpa")


@torch.no_grad()
def initialise(model):
    """Larger than the library's 0.02: at these widths that leaves attention uniform and positions invisible."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and "lm_head" not in name:
            nn.init.xavier_uniform_(module.weight)
            if name.endswith(("out_proj", "fc2", ".proj")) and "encoder_attn" not in name:
                module.weight.mul_(0.5)  # residual branches start half as strong
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=0.1 if module.groups > 1 else 1 / math.sqrt(fan_in))
            module.bias.zero_()
        elif isinstance(module, nn.Embedding) and "image_position" not in name:
            nn.init.normal_(module.weight, std=0.07)
    place = model.model.multi_modal_projector.image_position_embed
    for table in (place.row_embeddings.weight, place.column_embeddings.weight):
        half = table.shape[1] // 2
        waves = torch.logspace(math.log10(2.5), math.log10(60), half)
        angles = torch.arange(table.shape[0])[:, None] * (2 * math.pi / waves)[None, :]
        table.copy_(0.7 * torch.cat([angles.sin(), angles.cos()], dim=1))


def see(model, pixels):
    """Pixels -> the 1 + 576 projected image tokens (the tower's own forward, without its output recording)."""
    tower = model.model.vision_tower
    hidden = pixels
    for embed, blocks in zip(tower.convs, tower.blocks):
        hidden = embed(hidden)
        for block in blocks:
            hidden = block(hidden)
    return hidden


def read_out(model, image, prompt, decoder_ids):
    """Image tokens, one prompt for all, decoder inputs -> decoder hidden states."""
    language = model.model.language_model
    prompts = model.get_input_embeddings()(prompt).to(image.dtype).expand(len(image), -1, -1)
    memory = language.encoder(inputs_embeds=torch.cat([image, prompts], dim=1)).last_hidden_state
    return language.decoder(input_ids=decoder_ids, encoder_hidden_states=memory, use_cache=False).last_hidden_state


def prompt_ids(task, device):
    ids = [vocabulary.BOS, *vocabulary.encode(vocabulary.PROMPTS[task]), vocabulary.EOS]
    return torch.tensor([ids], device=device)
