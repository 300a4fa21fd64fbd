"""The shape of SmolVLM-tiny, its initial weights, and its forward pass as the training runs it."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Idefics3Config, Idefics3ForConditionalGeneration

from . import tiles, vocabulary

SCALE = 2  # patches along a side of an image token
VISION = {
    "hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 3, "num_channels": 3,
    "image_size": tiles.TILE, "patch_size": tiles.TILE // tiles.CELLS // SCALE, "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6, "attention_dropout": 0.0,
}
TEXT = {
    "hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 6, "num_attention_heads": 6, "num_key_value_heads": 2,
    "head_dim": 32, "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 2048, "attention_bias": False,
    "mlp_bias": False,
}
THETA = 100_000.0
ANSWER = 160  # the most new tokens an evaluation asks for


def token_ids():
    numbers = vocabulary.table()
    return {"bos_token_id": numbers[vocabulary.BOS], "pad_token_id": numbers[vocabulary.PAD], "eos_token_id": numbers[vocabulary.END]}


def build():
    size = len(vocabulary.table())
    text = {"model_type": "llama", "vocab_size": size, "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
            "rope_theta": THETA, **TEXT, **token_ids()}
    config = Idefics3Config(
        vision_config=VISION, text_config=text, image_token_id=vocabulary.table()[vocabulary.IMAGE], scale_factor=SCALE,
        tie_word_embeddings=False, pad_token_id=token_ids()["pad_token_id"],
    )
    return Idefics3ForConditionalGeneration._from_config(config, attn_implementation="sdpa")


@torch.no_grad()
def initialise(model):
    """Larger than the library's 0.02: at these widths that leaves attention uniform and positions invisible."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if name.endswith(("out_proj", "o_proj", "fc2", "down_proj")):
                module.weight.mul_(0.5)  # residual branches start half as strong
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=1 / math.sqrt(module.weight[0].numel()))
            module.bias.zero_()
    nn.init.normal_(model.model.text_model.embed_tokens.weight, std=0.5)
    table = model.model.vision_model.embeddings.position_embedding.weight
    side, quarter = math.isqrt(len(table)), table.shape[1] // 4
    waves = torch.logspace(math.log10(2.5), math.log10(60), quarter)
    angles = torch.arange(side)[:, None] * (2 * math.pi / waves)[None, :]
    line = 0.7 * torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = line.repeat_interleave(side, 0), line.repeat(side, 1)
    table.copy_(torch.cat([rows, columns], dim=1))


def heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def vision_layer(x, weights):
    """One layer on [tiles, patches, width]; `weights` are `vision_weights` of it."""
    kw, kb, vw, vb, qw, qb, ow, ob, n1w, n1b, f1w, f1b, f2w, f2b, n2w, n2b = weights
    width, eps = x.shape[-1], VISION["layer_norm_eps"]
    normed = F.layer_norm(x, (width,), n1w, n1b, eps)
    q, k, v = (heads(F.linear(normed, w, b), VISION["num_attention_heads"]) for w, b in ((qw, qb), (kw, kb), (vw, vb)))
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + F.linear(mixed, ow, ob)
    normed = F.layer_norm(x, (width,), n2w, n2b, eps)
    return x + F.linear(F.gelu(F.linear(normed, f1w, f1b), approximate="tanh"), f2w, f2b)


def vision_weights(layer):
    a, m = layer.self_attn, layer.mlp
    modules = (a.k_proj, a.v_proj, a.q_proj, a.out_proj, layer.layer_norm1, m.fc1, m.fc2, layer.layer_norm2)
    return [value for module in modules for value in (module.weight, module.bias)]


def see(model, pixels, layer=vision_layer):
    """Pixels [tiles, 3, side, side] -> image tokens [tiles, cells * cells, text width]."""
    tower = model.model.vision_model
    x = tower.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2) + tower.embeddings.position_embedding.weight
    for block in tower.encoder.layers:
        x = layer(x, vision_weights(block))
    return model.model.connector(tower.post_layernorm(x))


def rms_norm(x, weight):
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + TEXT["rms_norm_eps"]) * weight


def turn(x, cosine, sine):
    """Rotary positions, halves rotated."""
    low, high = x.float().chunk(2, dim=-1)
    return torch.cat([low * cosine - high * sine, high * cosine + low * sine], dim=-1)


def text_layer(x, weights, cosine, sine, mask, prefix: int):
    """One layer on [batch, tokens, width]: the first `prefix` tokens are causal, `mask` [others, tokens] says what the others see."""
    qw, kw, vw, ow, gate, up, down, n1, n2 = weights
    normed = rms_norm(x, n1)
    q, k, v = heads(F.linear(normed, qw), TEXT["num_attention_heads"]), *(heads(F.linear(normed, w), TEXT["num_key_value_heads"]) for w in (kw, vw))
    q, k = turn(q, cosine, sine).to(v.dtype), turn(k, cosine, sine).to(v.dtype)
    k, v = (part.repeat_interleave(q.shape[1] // part.shape[1], dim=1) for part in (k, v))
    ahead = F.scaled_dot_product_attention(q[:, :, :prefix], k[:, :, :prefix], v[:, :, :prefix], is_causal=True)
    after = F.scaled_dot_product_attention(q[:, :, prefix:], k, v, attn_mask=mask)
    x = x + F.linear(torch.cat([ahead, after], dim=2).transpose(1, 2).flatten(2), ow)
    normed = rms_norm(x, n2)
    return x + F.linear(F.silu(F.linear(normed, gate)) * F.linear(normed, up), down)


def text_weights(layer):
    a, m = layer.self_attn, layer.mlp
    modules = (a.q_proj, a.k_proj, a.v_proj, a.o_proj, m.gate_proj, m.up_proj, m.down_proj, layer.input_layernorm, layer.post_attention_layernorm)
    return [module.weight for module in modules]


class Plan:
    """One prefix with a picture and several questions, each of which sees the prefix and itself alone.

    `lengths`: tokens of each question with its answer.
    """

    def __init__(self, grid, lengths, device):
        numbers = vocabulary.table()
        self.grid, self.lengths = grid, lengths
        self.prompt = torch.tensor(vocabulary.ids(tiles.prompt(grid)), device=device)
        self.holders = torch.nonzero(self.prompt == numbers[vocabulary.IMAGE])[:, 0]
        self.prefix = len(self.prompt)
        positions = torch.cat([torch.arange(self.prefix), *(self.prefix + torch.arange(length) for length in lengths)])
        part = torch.cat([torch.zeros(self.prefix), *(torch.full((length,), 1 + place) for place, length in enumerate(lengths))])
        sees = (part[None] == 0) | ((part[None] == part[:, None]) & (positions[None] <= positions[:, None]))
        half = TEXT["head_dim"] // 2
        angles = positions[:, None] / THETA ** (torch.arange(half) / half)[None]
        self.cosine, self.sine, self.mask = angles.cos().to(device), angles.sin().to(device), sees[self.prefix:].to(device)

    def read(self, model, image, asked, layer=text_layer):
        """Image tokens [batch, all cells, width], ids [batch, sum(lengths)] -> their hidden states, for each question."""
        text = model.model.text_model
        x = text.embed_tokens(torch.cat([self.prompt.expand(len(asked), -1), asked], dim=1))
        x = x.index_copy(1, self.holders, image.to(x.dtype))
        for block in text.layers:
            x = layer(x, text_weights(block), self.cosine, self.sine, self.mask, self.prefix)
        return rms_norm(x[:, self.prefix:], text.norm.weight).split(self.lengths, dim=1)
