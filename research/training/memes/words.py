"""What a meme says: everyday words, words of a dictionary, and strings that are no words at all.

One word in twelve of the larger lists is held out: the training data never contains it, and the
evaluation asks for it as an "unseen word".
"""

import re
import zlib
from functools import cache

from . import assets

LONGEST = 11
PUNCTUATION = ".,!?'-:&%$#/"
# Small words carry most of a sentence; they come up as often as they do in real memes.
SMALL = (
    "the you to a i and of in is it me my when that be for on your are with at this have no not so all do but if "
    "just we they he she what who why how was be like get got one out up go can now day time too from by an or as"
).split()
OPENERS = (
    "when you|when your|me when|nobody:|that moment when|one does not simply|did you just|what if i told you|"
    "not sure if|i don't always|why not both?|brace yourselves|the face you make when|so you|tell me more about|"
    "i used to be|they told me|this is|such|y u no|is this|i should|you had one|hold my|it's free|never gonna"
).split("|")
CONTRACTIONS = (
    "i'm don't can't it's you're that's won't didn't isn't i'll let's what's he's she's we're they're i've doesn't "
    "aren't wasn't you'll there's who's couldn't"
).split()
BLOCKED = re.compile(r"nigg|fag|cunt|fuck|shit|rape|slut|whore|nazi|bitch|kike|spic|retard|coon|dyke|porn|cock|penis|tits")


def held_out(word):
    return len(word) > 2 and word not in SMALL and zlib.crc32(word.encode()) % 12 == 0


@cache
def lists():
    """(everyday, common, rare, unseen): the first three for training, the last for the evaluation."""
    everyday, common, rare = (read(level) for level in (("english", 10), ("english", 20), ("english", 35)))
    everyday = sorted(set(everyday) | set(read(("american", 10))))
    common = sorted((set(common) | set(read(("american", 20)))) - set(everyday))
    rare = sorted(set(rare) - set(everyday) - set(common))
    unseen = [word for word in common + rare if held_out(word)]
    return everyday, [w for w in common if not held_out(w)], [w for w in rare if not held_out(w)], unseen


def read(level):
    language, size = level
    with open(assets.path(f"{language}-words.{size}"), encoding="latin-1") as lines:
        words = [line.strip() for line in lines]
    return [word for word in words if re.fullmatch(r"[a-z]+", word) and len(word) <= LONGEST and not BLOCKED.search(word)]


@cache
def followers():
    """For every pair of letters, the letters that follow it in the dictionary, for inventing words."""
    table = {}
    for word in lists()[1]:
        padded = "  " + word + " "
        for place in range(2, len(padded)):
            table.setdefault(padded[place - 2:place], []).append(padded[place])
    return table


def invented(rng):
    """A pronounceable string that is no word, or now and then letters and digits at random."""
    if rng.random() < 0.3:
        letters = "abcdefghijklmnopqrstuvwxyz" + ("23456789" if rng.random() < 0.2 else "")
        return "".join(rng.choice(letters) for _ in range(rng.randint(2, 8)))
    while True:
        word = "  "
        while len(word) < 2 + LONGEST:
            letter = rng.choice(followers()[word[-2:]])
            if letter == " ":
                break
            word += letter
        word = word.strip()
        if len(word) > 2 and not held_out(word) and not BLOCKED.search(word):
            return word


def number(rng):
    kind = rng.random()
    if kind < 0.4:
        return str(rng.randint(0, 100))
    if kind < 0.6:
        return str(rng.randint(1900, 2100))
    if kind < 0.7:
        return f"{rng.randint(1, 100)}%"
    if kind < 0.8:
        return f"${rng.randint(1, 9999)}"
    if kind < 0.88:
        return f"{rng.randint(1, 12)}:{rng.randint(0, 59):02d}"
    if kind < 0.94:
        return f"#{rng.randint(1, 10)}"
    return f"{rng.randint(2, 9)}/{rng.randint(2, 12)}"


def word(rng, strange):
    """One word; `strange` is the chance of an invented one."""
    everyday, common, rare, _ = lists()
    if rng.random() < strange:
        return invented(rng)
    kind = rng.random()
    if kind < 0.32:
        return rng.choice(SMALL)
    if kind < 0.68:
        return rng.choice(everyday)
    if kind < 0.82:
        return rng.choice(common)
    if kind < 0.91:
        return rng.choice(rare)
    return number(rng) if kind < 0.96 else rng.choice(CONTRACTIONS)


def phrase(rng, count, source="train"):
    """`count` words with their punctuation, lower case. `source` "unseen" takes held-out words alone."""
    if source == "unseen":
        return [rng.choice(lists()[3]) for _ in range(count)]
    strange = 0.0
    if source == "train" and rng.random() < 0.3:
        strange = rng.choice((0.3, 0.6, 1.0))
    words = []
    if strange < 0.5 and count > 3 and rng.random() < 0.25:
        words = rng.choice(OPENERS).split()[:count]
    while len(words) < count:
        candidate = word(rng, strange)
        if not words or candidate != words[-1]:
            words.append(candidate)
    for place in range(len(words) - 1):
        chance = rng.random()
        if chance < 0.05 and words[place][-1].isalnum():
            words[place] += rng.choice((",", ",", ":", "."))
        elif chance < 0.07 and count > 3 and words[place].isalpha():
            words[place] += rng.choice(("-", "'s"))
        elif chance < 0.075:
            words[place] = "&"
    if words[-1][-1].isalnum() and rng.random() < 0.4:
        words[-1] += rng.choice((".", "!", "?", "!", "?", "...", "!!", "?!"))
    return words


def cased(rng, words, capitals):
    """The words in one style of capitals: all, none, the first letter, or each word's first."""
    if capitals:
        return [word.upper() for word in words]
    style = rng.random()
    if style < 0.25:
        return words
    if style < 0.4:
        return [word[:1].upper() + word[1:] for word in words]
    words = ["I" + word[1:] if word == "i" or word.startswith("i'") else word for word in words]
    return [words[0][:1].upper() + words[0][1:], *words[1:]]
