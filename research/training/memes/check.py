"""The same seed, the same pixels: `python -m memes.check` compares a few memes with stored digests.

The digests hold for the pinned fonts (assets.json) and the pinned Pillow and numpy (requirements.txt): another
FreeType or libjpeg may draw a few pixels differently. `--pin` stores what this machine draws.
"""

import argparse
import hashlib
import json

from . import assets, render

DIGESTS = assets.ROOT / "digests.json"
SEEDS = [(source, 7_000_000_000 + number) for number in range(4) for source in ("train", "seen", "unseen")]


def draw():
    digests = {}
    for source, seed in SEEDS:
        meme = render(seed, source)
        content = meme.image.tobytes() + json.dumps(meme.captions()).encode()
        digests[f"{source}-{seed}"] = hashlib.sha256(content).hexdigest()
    return digests


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", action="store_true")
    options = parser.parse_args()
    assets.verify()
    digests = draw()
    assert digests == draw(), "two runs in one process differ"
    if options.pin:
        DIGESTS.write_text(json.dumps(digests, indent=2) + "\n")
    wrong = [name for name, digest in json.loads(DIGESTS.read_text()).items() if digests.get(name) != digest]
    if wrong:
        raise SystemExit(f"{len(wrong)} memes differ from digests.json: {', '.join(wrong)}")
    print(f"{len(digests)} memes are as stored")


if __name__ == "__main__":
    main()
