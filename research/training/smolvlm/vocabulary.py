"""The tokenizer: the family's special tokens, every byte, and the words of questions and captions whole.

A byte-level BPE without merges (`ignore_merges`): a piece in the table is one token, anything else falls into
bytes. The pre-tokenizer is the family's. Answers are built by `pieces`, which spells whatever is quoted; encoding
an answer with the tokenizer would use whole words where the table has them.
"""

import json
from functools import cache

from tiny.vocabulary import PIECES, SPACE, pieces, quoted, sentences

BOS, PAD, END = "<|im_start|>", "<|im_end|>", "<end_of_utterance>"
IMAGE, FAKE, GLOBAL = "<image>", "<fake_token_around_image>", "<global-img>"
FIRST = ("<|endoftext|>", BOS, PAD)
ROWS = COLUMNS = 6  # how many tile tokens the family has
LAST = (GLOBAL, *(f"<row_{row}_col_{column}>" for row in range(1, ROWS + 1) for column in range(1, COLUMNS + 1)),
        FAKE, IMAGE, END)
NEWLINES = ("Ċ", "ĊĊ")  # "\n\n" is one token, as in the family
DESCRIBE, READ = "Can you describe this image?", "What does the text say?"  # the application's question, and one more
NO_TEXT = "There is no text."


def alphabet():
    """byte -> the character that byte-level tokenizers write for it."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + place) for place, byte in enumerate(others)}}


@cache
def table():
    """token -> id, the size a multiple of 64."""
    tokens = dict.fromkeys([*FIRST, *(character for _, character in sorted(alphabet().items())), *NEWLINES])
    for sentence in ("User:", "Assistant:", DESCRIBE, READ, f" {NO_TEXT}", *sentences()):
        for piece in PIECES.findall(sentence):
            tokens.setdefault(piece.replace(" ", SPACE))
    size = -(-(len(tokens) + len(LAST)) // 64) * 64
    spare = [f"<|reserved_special_token_{number}|>" for number in range(size - len(tokens) - len(LAST))]
    return {token: number for number, token in enumerate([*tokens, *spare, *LAST])}


def special():
    return [token for token in table() if token in FIRST or token in LAST or token.startswith("<|reserved")]


def question(text):
    """The tokens after the picture, up to where the answer begins."""
    return [*(piece.replace(" ", SPACE) for piece in PIECES.findall(text)), END, "Ċ", "Assistant", ":"]


def answers(captions):
    """The tokens of the two answers with their end: {question: tokens}."""
    described = pieces(" " + captions["<DETAILED_CAPTION>"])
    text = captions["<OCR>"]
    read = pieces(" " + text, spelled=True) if text else pieces(" " + NO_TEXT)
    return {DESCRIBE: [*described, END], READ: [*read, END]}


def letters(tokens, read):
    """Which tokens of an answer stand for letters of the meme (`read`: the answer to READ)."""
    if not read:
        return quoted(tokens)
    return [False] * len(tokens) if len(tokens) > 1 and tokens[1] == "Ġis" else [False, *[True] * (len(tokens) - 2), False]


def ids(tokens):
    numbers = table()
    return [numbers[token] for token in tokens]


def tokenizer_json():
    numbers = table()
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": numbers[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True} for token in special()
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                  "vocab": numbers, "merges": []},
    }


@cache
def tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(tokenizer_json(), ensure_ascii=False))
