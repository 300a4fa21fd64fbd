"""A byte-level BPE tokenizer of a few hundred entries, shaped like Florence-2's: specials 0 to 3, `<mask>` last.

    python tokenizer.py > ../../ext/captioner/tests/fixtures/florence2/tokenizer.json
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

PROMPTS = [
    "What does the image describe?",
    "Describe in detail what is shown in the image.",
    "Describe with a paragraph what is shown in the image.",
    "What is the text in the image?",
]
WORDS = PROMPTS + [
    "The image shows a cat and a dog. A man in a red shirt is standing on the left side.",
    "There is a white text at the top of the meme, and the background is blue.",
    "She is looking at the camera with her eyes open. They don't know what the sign says.",
    "Two people are sitting together near a window, smiling happily while holding yellow flowers.",
    "Above them someone wrote: WHEN YOU FINALLY UNDERSTAND THE JOKE, 100% sure, 2025!",
]
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
LOCATIONS = [f"<loc_{n}>" for n in range(1000)]
# What the processor of Florence-2 appends to its tokenizer, in its order.
APPENDED = ["<od>", "</od>", "<ocr>", "</ocr>", *LOCATIONS]
APPENDED += ["<cap>", "</cap>", "<ncap>", "</ncap>", "<dcap>", "</dcap>", "<grounding>", "</grounding>", "<seg>", "</seg>"]
APPENDED += ["<sep>", "<region_cap>", "</region_cap>", "<region_to_desciption>", "</region_to_desciption>"]
APPENDED += ["<proposal>", "</proposal>", "<poly>", "</poly>", "<and>"]


def byte_letters() -> list[str]:
    """The 256 letters that byte-level BPE writes bytes with."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {b: chr(b) for b in printable}
    others = (b for b in range(256) if b not in letters)
    letters.update({b: chr(256 + n) for n, b in enumerate(others)})
    return [letters[b] for b in range(256)]


def merges(count: int) -> list[tuple[str, str]]:
    """The most frequent pairs of the sample text, one after another; ties by spelling."""
    from tokenizers import pre_tokenizers

    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    words = Counter(tuple(word) for line in WORDS for word, _ in split(line))
    found: list[tuple[str, str]] = []
    while len(found) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        found.append(best)
        words = Counter({joined(word, best): times for word, times in words.items()})
    return found


def joined(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for letter in word:
        if out and (out[-1], letter) == pair:
            out[-1] += letter
        else:
            out.append(letter)
    return tuple(out)


def build(size: int = 400, appended: bool = False) -> dict[str, Any]:
    """The tokenizer.json of `size` entries; with `appended`, also the specials that a converted checkpoint carries."""
    letters = byte_letters()
    pairs = merges(size - len(SPECIALS) - len(letters) - 1)
    entries = SPECIALS + letters + [a + b for a, b in pairs] + ["<mask>"]
    assert len(set(entries)) == size, "two merges give the same entry"
    extra = [*APPENDED, "<image>"] if appended else []
    specials = {token: entries.index(token) for token in [*SPECIALS, "<mask>"]}
    specials |= {token: size + n for n, token in enumerate(extra)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(token, index) for token, index in specials.items()],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": {
            "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True,
            "add_prefix_space": False,
        },
        "decoder": {**level, "add_prefix_space": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "vocab": {e: n for n, e in enumerate(entries)},
            "merges": [f"{a} {b}" for a, b in pairs],
        },
    }  # fmt: skip


def added(token: str, index: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": token == "<mask>", "rstrip": False, "normalized": index < 400}
    return {"id": index, "content": token, **flags, "special": True}


if __name__ == "__main__":
    print(json.dumps(build(), ensure_ascii=False))
