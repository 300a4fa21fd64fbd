"""A byte-level BPE tokenizer of a few hundred entries, shaped like moondream2's, which is GPT-2's and white space.

GPT-2's order of the 256 letters, so that a line feed is token 198; merges; `<|endoftext|>`; then runs of spaces and tabs,
which are added tokens but not special.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from tokenizer import byte_letters, merges  # noqa: E402

SIZE = 400
ADDED = ["<|endoftext|>", "    ", "   ", "  ", "\t\t\t", "\t\t"]
END = SIZE - len(ADDED)


def build() -> dict[str, Any]:
    letters = byte_letters()
    letters = sorted(letters, key=lambda letter: (ord(letter) > 255, ord(letter)))
    pairs = merges(END - len(letters))
    entries = letters + [a + b for a, b in pairs]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {
                "id": END + n, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": n > 0, "special": n == 0,
            }
            for n, token in enumerate(ADDED)
        ],
        "normalizer": None, "pre_tokenizer": level,
        "post_processor": {**level, "add_prefix_space": True, "trim_offsets": False},
        "decoder": {**level, "add_prefix_space": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "vocab": {entry: n for n, entry in enumerate([*entries, ADDED[0]])},
            "merges": [f"{a} {b}" for a, b in pairs],
        },
    }  # fmt: skip
