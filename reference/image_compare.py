"""Compares our decoding with Pillow's, file by file.

    python reference/image_compare.py corpus DIR      every image below DIR: which ones differ, and how
    python reference/image_compare.py jpeg DIR...     JPEG by kind of subsampling, as the table of docs/parity-images.md

Builds and runs the example image_ppm of ext/captioner; IMAGE_PPM names another binary of it.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")


def to_rgb(image):
    """What the captioning service that this gem replaces does with an opened image."""
    image.seek(0)
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def pillow(path):
    """RGB by Pillow, or the error; and the kind of image."""
    kind = "?"
    try:
        with Image.open(path, formats=FORMATS) as image:
            kind = f"{image.format} {image.mode}"
            return np.array(to_rgb(image)), kind
    except Exception as error:
        return f"{type(error).__name__}: {error}", kind


def ours(paths):
    """RGB by the core, or the message, for each path."""
    binary = os.environ.get("IMAGE_PPM")
    if binary is None:
        build = ["cargo", "build", "--release", "--quiet", "-p", "captioner", "--example", "image_ppm"]
        subprocess.run(build, cwd=ROOT, check=True)
        binary = ROOT / "target/release/examples/image_ppm"
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([binary, out, *paths], check=True, stderr=subprocess.DEVNULL)
        for i, _ in enumerate(paths):
            ppm = Path(out, f"{i}.ppm")
            if ppm.exists():
                with Image.open(ppm, formats=("PPM",)) as image:
                    yield np.array(image)
            else:
                yield Path(out, f"{i}.err").read_text()


def difference(a, b):
    """Share of equal bytes, mean and largest absolute difference."""
    delta = np.abs(a.astype(np.int16) - b.astype(np.int16))
    return (delta == 0).mean(), delta.mean(), int(delta.max())


def files(folders):
    return sorted(str(p) for folder in folders for p in Path(folder).rglob("*") if p.is_file())


def corpus(folder):
    paths = files([folder])
    counts = {}
    for path, mine in zip(paths, ours(paths)):
        theirs, kind = pillow(path)
        read = (not isinstance(theirs, str), not isinstance(mine, str))
        verdict = {(False, False): "refused by both", (True, False): "only Pillow reads", (False, True): "only we read"}
        if read != (True, True):
            verdict, note = verdict[read], (mine if read[0] else theirs)
            shown = read[0] != read[1]
        elif theirs.shape != mine.shape:
            verdict, note, shown = "sizes differ", f"{theirs.shape} {mine.shape}", True
        else:
            same, mean, largest = difference(theirs, mine)
            verdict = "equal" if largest == 0 else "differs"
            note, shown = f"{same:.4%} equal, mean {mean:.4f}, max {largest}", largest > 0
        key = (kind.split()[0] if read[0] else "-", verdict)
        counts[key] = counts.get(key, 0) + 1
        if shown:
            print(f"{verdict}: {Path(path).name} ({kind}): {note}")
    for (kind, verdict), count in sorted(counts.items()):
        print(f"{kind:5} {verdict:18} {count}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    command, *arguments = sys.argv[1:] or ["help"]
    if command == "corpus" and len(arguments) == 1:
        corpus(arguments[0])
    else:
        sys.exit(__doc__)
