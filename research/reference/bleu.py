"""Corpus BLEU of 200 pairs of captions as sacrebleu computes it: makes spec/fixtures/bleu.json.

Half of the pairs are captions of the sample memes with words lost, doubled, exchanged or misspelt; the other half is made of
pieces that tokenizers are known to disagree about.

    pip install sacrebleu==2.6.0 && python research/reference/bleu.py
"""

import json
import random
from pathlib import Path

import sacrebleu

ROOT = Path(__file__).resolve().parents[2]
PIECES = [
    "U.S.A.", "3.14", "1,000.5", "x,y", "a-b", "12-15", "1990-", "-7", "rock'n'roll", "don't", '"quoted"', "(round)", "[square]",
    "{curly}", "a/b", "50%", "#1", "$5", "&amp;", "&quot;so&quot;", "&lt;b&gt;", "<skipped>", "naïve", "東京", "…", "–", "¿qué?",
    "e-\nmail", "two\nlines", "tab\there", "nbsp\u00a0here", "semi;colon", "co:lon", "a~b", "`tick`", "^", "_x_", "@you", "*", "+1",
    "=", "?!", "...", "A", "the", "the", "cat", "cat", "sat", "mat", "on",
]


def damaged(caption: str, draw: random.Random) -> str:
    words = caption.split()
    for _ in range(draw.randrange(4)):
        at = draw.randrange(len(words))
        match draw.randrange(4):
            case 0:
                words = words[:at] + words[at + 1 :] or ["A"]
            case 1:
                words.insert(at, words[at])
            case 2:
                words[at] = draw.choice(PIECES)
            case 3:
                words[at] = words[at].swapcase()
    return " ".join(words)


def pairs() -> list[tuple[str, str]]:
    draw = random.Random(1)
    samples = json.loads((ROOT / "data/memes/captions.json").read_text())
    captions = [caption for meme in samples for caption in meme["captions"].values() if caption]
    real = [(caption, damaged(caption, draw)) for caption in draw.sample(captions, 80)]
    made = []
    for _ in range(120):
        reference = [draw.choice(PIECES) for _ in range(draw.randrange(1, 14))]
        other = [draw.choice(PIECES) for _ in range(draw.randrange(0, 5))]
        made.append((" ".join(reference), " ".join(reference[draw.randrange(3) :] + other)))
    return real + made


def bleu(pairs: list[tuple[str, str]]) -> float:
    references, captions = zip(*pairs, strict=True)
    return sacrebleu.corpus_bleu(list(captions), [list(references)]).score


def main() -> None:
    made = pairs()
    groups = [(start, start + 20) for start in range(0, 200, 20)] + [(0, 80), (80, 200), (0, 200)]
    content = {
        "made_by": f"research/reference/bleu.py with sacrebleu {sacrebleu.__version__}",
        "pairs": made,
        "groups": [[start, end, bleu(made[start:end])] for start, end in groups],
        "single": [bleu([pair]) for pair in made],
    }
    path = ROOT / "spec/fixtures/bleu.json"
    path.write_text(json.dumps(content, ensure_ascii=True, indent=0) + "\n")
    print(f"{path.relative_to(ROOT)}: {len(made)} pairs, BLEU {content['groups'][-1][2]:.2f}")


if __name__ == "__main__":
    main()
