"""A tokenizer shaped like the family's: byte-level BPE with merges, its special tokens at both ends, digits apart."""

from __future__ import annotations

from typing import Any

from tokenizer import byte_letters

FIRST = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LAST = (
    "<global-img>", *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
    "<fake_token_around_image>", "<image>", "<end_of_utterance>",
)  # fmt: skip
# "Ċ Ċ" makes one token of two line ends, as in the family; the rest are words of the questions and parts of them.
MERGES = (
    "Ċ Ċ", "U s", "e r", "Us er", "A s", "s i", "s t", "a n", "an t", "As si", "st ant", "Assi stant", "C an", "Ġ y", "o u",
    "Ġy ou", "Ġ t", "Ġ i", "h i", "Ġt hi", "Ġthi s", "Ġt h", "Ġth e",
)  # fmt: skip


def build() -> dict[str, Any]:
    entries = [*FIRST, *byte_letters(), *(merge.replace(" ", "") for merge in MERGES), *LAST]
    assert len(set(entries)) == len(entries)
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": entries.index(token), "content": token, **flags} for token in (*FIRST, *LAST)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]},
        "post_processor": None, "decoder": {**level, "add_prefix_space": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {entry: number for number, entry in enumerate(entries)}, "merges": list(MERGES),
        },
    }  # fmt: skip
