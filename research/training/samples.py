"""Write the sample memes of the repository: `python samples.py ../../data/memes`.

Consecutive seeds that training and evaluation never use, everyday words, in three file formats.
"""

import io
import json
import sys
from pathlib import Path

from memes import assets, render

FIRST_SEED, COUNT, LARGEST = 6_000_000_000, 24, 40_000
FORMATS = (("png", {"optimize": True}), ("webp", {"quality": 85, "method": 6}), ("jpg", {"quality": 88}))


def encoded(image, wish):
    """The picture in the wished format, or in the first other one that is small enough."""
    for extension, settings in [FORMATS[wish], FORMATS[2], ("jpg", {"quality": 75}), ("jpg", {"quality": 60})]:
        file = io.BytesIO()
        image.save(file, {"jpg": "JPEG"}.get(extension, extension), **settings)
        if file.tell() < LARGEST:
            return extension, file.getvalue()
    raise ValueError("no format makes it small enough")


def main(folder):
    assets.verify()
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(COUNT):
        meme = render(FIRST_SEED + number, "seen")
        extension, content = encoded(meme.image, number % 3)
        file = f"meme-{number + 1:02d}.{extension}"
        (folder / file).write_bytes(content)
        rows.append({"file": file, "seed": meme.seed, "captions": meme.captions()})
    (folder / "captions.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
