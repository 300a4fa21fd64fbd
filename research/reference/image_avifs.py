"""The AVIF inputs of the image fixtures: by Pillow what it writes, by avifenc (libavif-bin 0.11) other depths, matrices and grids.
Where avifenc is missing, the files that need it stay as they are committed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from image_inputs import drawing, saved, with_alpha
from image_odd_inputs import exif, lettering


def pillows():
    picture = drawing(83, 61, 51)
    for name, subsampling in (("420", "4:2:0"), ("422", "4:2:2"), ("444", "4:4:4"), ("400", "4:0:0")):
        yield f"{name}.avif", saved(picture, "AVIF", quality=70, subsampling=subsampling)
        yield f"{name}_alpha.avif", saved(with_alpha(picture), "AVIF", quality=70, subsampling=subsampling)
    yield "limited.avif", saved(picture, "AVIF", quality=70, range="limited")
    yield "premultiplied.avif", saved(with_alpha(picture), "AVIF", quality=70, alpha_premultiplied=True)
    yield "one_pixel.avif", saved(drawing(1, 1, 52), "AVIF")
    yield "narrow.avif", saved(drawing(2, 41, 53), "AVIF")
    picture = drawing(46, 30, 21)
    for value in range(2, 9):
        yield f"oriented{value}.avif", saved(picture, "AVIF", quality=60, exif=exif(value))
    yield "white_on_clear.avif", saved(lettering((70, 40), (255, 255, 255), None), "AVIF", quality=90)
    frames = [drawing(46, 30, seed) for seed in (54, 55, 56)]
    yield "animated.avif", saved(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=50)
    frames = [with_alpha(frame) for frame in frames]
    yield "animated_alpha.avif", saved(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=50)
    # Other matrices: the same data with another number in the box that names them.
    whole = saved(drawing(40, 28, 57), "AVIF", quality=80, subsampling="4:4:4")
    at = whole.index(b"colrnclx") + 8
    for name, matrix, full in (
        ("bt709", 1, True), ("bt709_limited", 1, False), ("fcc", 4, True), ("smpte240", 7, False), ("ycgco", 8, True),
        ("bt2020", 9, True), ("bt2020_limited", 9, False), ("derived", 12, True), ("rgb", 0, True), ("rgb_limited", 0, False),
    ):
        yield f"{name}.avif", whole[: at + 4] + bytes([0, matrix, full << 7]) + whole[at + 7 :]
    subsampled = saved(drawing(41, 29, 58), "AVIF", quality=80)
    at = subsampled.index(b"colrnclx") + 8
    yield "fcc_420.avif", subsampled[: at + 4] + bytes([0, 4, 128]) + subsampled[at + 7 :]


def avifenc(picture, *options):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "picture.png"), Path(folder, "picture.avif")
        picture.save(source)
        # A quality in the middle, in which all filters of AV1 have something to do.
        quality = ("--min", "20", "--max", "30", "--minalpha", "20", "--maxalpha", "30")
        subprocess.run(["avifenc", "-s", "8", *quality, *options, source, target], check=True, capture_output=True)
        return target.read_bytes()


def avifencs():
    picture = drawing(83, 61, 59)
    for depth in (10, 12):
        for chroma in ("420", "422", "444", "400"):
            yield f"{chroma}_{depth}.avif", avifenc(picture, "-d", str(depth), "-y", chroma)
        for chroma in ("420", "444"):
            yield f"{chroma}_{depth}_alpha.avif", avifenc(with_alpha(picture), "-d", str(depth), "-y", chroma)
    yield "400_10_alpha.avif", avifenc(with_alpha(picture), "-d", "10", "-y", "400")
    yield "422_10_premultiplied.avif", avifenc(with_alpha(picture), "-d", "10", "-y", "422", "-p")
    yield "fcc_premultiplied.avif", avifenc(with_alpha(picture), "-y", "420", "--cicp", "1/13/4", "-p")
    yield "grain.avif", avifenc(picture, "-y", "420", "-a", "film-grain-test=1")
    yield "turned_mirrored.avif", avifenc(drawing(46, 30, 21), "--irot", "1", "--imir", "0")
    yield "cropped.avif", avifenc(drawing(46, 30, 21), "--crop", "2,4,30,20")
    yield "grid.avif", avifenc(drawing(256, 192, 60), "-g", "4x3", "-y", "420")
    yield "grid_alpha.avif", avifenc(with_alpha(drawing(128, 256, 61)), "-g", "2x2", "-y", "444")
    # Large, and next to nothing in it.
    yield "large/flat.avif", avifenc(Image.new("RGB", (4600, 4600), (90, 120, 30)), "-y", "420")


def everything():
    yield from pillows()
    if shutil.which("avifenc"):
        yield from avifencs()
