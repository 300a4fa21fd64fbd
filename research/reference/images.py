"""Golden values of image loading, resizing and normalization, from Pillow and transformers.

    python research/reference/images.py            writes ext/captioner/tests/fixtures/images
    python research/reference/images.py --check    only compares the committed values with what the installed versions give

Where a picture is meant to be seen otherwise than Pillow gives it (see docs/parity-images.md), image_compare.to_rgb says how.

Each line of expected.tsv is: file, what was done to it, width, height, sha256 of the bytes. `rgb` is the decoded image
(transparency over white), `768x768:3` that image resized with Pillow's filter 3, `pixels` the little-endian f32 planes of
transformers' CLIPImageProcessor on its PIL backend with the settings of Florence-2.
"""

import hashlib
import sys
import warnings
from pathlib import Path

import numpy as np
from PIL import Image
import image_avifs
import image_inputs
import image_odd_inputs
import image_tiffs
from image_compare import to_rgb

FOLDER = Path(__file__).resolve().parents[2] / "ext/captioner/tests/fixtures/images"
# Resized in every way: enlarged and reduced in one or both directions, both orders of the passes, all filters.
THOROUGH = ("rgb_reduced.png", "rgb_tall.png", "rgb_enlarged.png", "noise.png", "one_pixel.png", "1x4000.png", "4000x1.png")
SIZES = [(512, 512, 1), (37, 1001, 1), (1000, 5, 1), (333, 77, 2), (224, 224, 2), (64, 64, 0), (1, 1, 3), (130, 31, 3)]
# Only decoded.
ODD = dict((*image_odd_inputs.everything(), *image_tiffs.everything(), *image_avifs.everything()))
# Kept whole as well, to see what differs when something does.
WHOLE = ("rgba.png", "palette_transparent.png", "small_frame_transparent.gif", "lossy_alpha.webp", "420.jpg", "ycck.jpg")


def processor():
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil(
        do_resize=True,
        size={"height": 768, "width": 768},
        resample=3,
        do_center_crop=False,
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
        do_convert_rgb=None,
    )


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def values(path):
    """(what, width, height, sha256) for one input."""
    with Image.open(path) as image:
        rgb = to_rgb(image)
    yield "rgb", *rgb.size, digest(np.array(rgb))
    if path.name in ODD or path.suffix == ".avif":
        return
    for width, height, code in [(768, 768, 3)] + (SIZES if path.name in THOROUGH else []):
        yield f"{width}x{height}:{code}", width, height, digest(np.array(rgb.resize((width, height), code)))
    pixels = np.array(processor()(rgb, return_tensors="np")["pixel_values"][0])
    assert pixels.dtype == np.float32 and pixels.shape == (3, 768, 768)
    yield "pixels", 768, 768, digest(pixels.astype("<f4"))


def lines():
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".png", ".gif", ".webp", ".bmp", ".jpg", ".tif", ".avif"):
            yield from ("\t".join(map(str, (path.name, *value))) for value in values(path))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    table = FOLDER / "expected.tsv"
    if sys.argv[1:] == ["--check"]:
        wrong = set(table.read_text().splitlines()) ^ set(lines())
        sys.exit("\n".join(sorted(wrong)) if wrong else None)
    elif sys.argv[1:]:
        sys.exit(__doc__)
    (FOLDER / "whole").mkdir(parents=True, exist_ok=True)
    for name, data in (*image_inputs.everything(), *ODD.items()):
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_bytes(data)
    table.write_text("\n".join(lines()) + "\n")
    for name in WHOLE:
        with Image.open(FOLDER / name) as image:
            to_rgb(image).save(FOLDER / "whole" / f"{name}.png", optimize=True)
