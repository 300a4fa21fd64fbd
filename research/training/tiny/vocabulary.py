"""The tokenizer: the words of the captions whole, and single characters for whatever is quoted.

Written as a byte-level BPE without merges (`ignore_merges`): a piece that is in the table is one token,
anything else falls into characters. Inside quotes a pre-tokenizer splits every character off, so that
the text of a meme is always spelled.
"""

import json
import re
import string
from functools import cache

from memes import captions, names, words
from memes.lettering import COLORED

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
BOS, PAD, EOS, UNK = range(4)
PROMPTS = {
    "<CAPTION>": "What does the image describe?",
    "<DETAILED_CAPTION>": "Describe in detail what is shown in the image.",
    "<MORE_DETAILED_CAPTION>": "Describe with a paragraph what is shown in the image.",
    "<OCR>": "What is the text in the image?",
}
# A character that an odd number of quotes follows is quoted; the opening quote counts as such.
QUOTED = r'[\s\S](?=[^"]*"(?:[^"]*"[^"]*")*[^"]*$)'
PIECES = re.compile(r" ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+")
CHARACTERS = string.ascii_letters + string.digits + words.PUNCTUATION + ' "'
SPACE = "Ġ"  # how byte-level tokenizers write a space


def sentences():
    """Text that holds every whole-word token once."""
    yield from PROMPTS.values()
    for thing, (_, plural) in names.EMOJI.items():
        yield f"x {captions.with_article(thing)} {plural}"
    for shape in names.SHAPES:
        yield f"a {shape} {shape}s"
    for color in (*names.COLORS, *COLORED):
        yield f"x an {color} a {color}"
    for background in names.BACKGROUNDS:
        alone = captions.alone(background)
        yield f"x {captions.behind(background)} {alone}"
        yield alone[0].upper() + alone[1:]
    for number in names.NUMBERS.values():
        yield f"{number.capitalize()} {number}"
    yield 'The image shows, next to and an a. The text at the top says bottom". The letters are. There is no text.'
    yield from ("A", "An", "Fire", "Ice")  # how a short caption may begin


@cache
def table():
    """token -> id, the size a multiple of 64."""
    tokens = dict.fromkeys([*SPECIAL, *(SPACE if c == " " else c for c in CHARACTERS)])
    for sentence in sentences():
        for piece in PIECES.findall(sentence):
            tokens.setdefault(piece.replace(" ", SPACE))
    size = -(-(len(tokens) + 1) // 64) * 64
    fill = [f"<unused{number}>" for number in range(size - len(tokens) - 1)] + ["<image>"]
    return {token: number for number, token in enumerate([*tokens, *fill])}


def spell(text):
    return [SPACE if letter == " " else letter for letter in text]


def pieces(caption, spelled=False):
    """The tokens of a caption; `spelled`: all of it is the text of a meme."""
    if spelled:
        return spell(caption)
    result = []
    for place, part in enumerate(caption.split('"')):
        if place % 2:
            result += ['"', *spell(part)]
            continue
        part = '"' + part if place else part  # the closing quote belongs to what follows it
        result += [piece.replace(" ", SPACE) for piece in PIECES.findall(part)]
    return result


def encode(caption, spelled=False):
    """Token ids without the outer specials."""
    ids = table()
    return [ids[piece] for piece in pieces(caption, spelled)]


def quoted(tokens):
    """Which of the tokens stand for characters of quoted text (or of a spelled caption without quotes)."""
    inside, result = '"' not in tokens, []
    for token in tokens:
        if token in ('"', '".'):
            inside = token == '"' and not inside
            result.append(False)
        else:
            result.append(inside)
    return result


def tokenizer_json():
    ids = table()
    special = [*SPECIAL, *(token for token in ids if token == "<image>" or token.startswith("<unused"))]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": ids[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True} for token in special
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": QUOTED}, "behavior": "Isolated", "invert": False}, byte_level,
        ]},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", EOS], "cls": ["<s>", BOS],
                           "trim_offsets": True, "add_prefix_space": False},
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                  "vocab": ids, "merges": []},
    }


@cache
def tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(tokenizer_json(), ensure_ascii=False))
