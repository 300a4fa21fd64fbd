"""Compares our decoding with Pillow's, file by file.

    python research/reference/image_compare.py corpus DIR      every image below DIR: which ones differ, and how
    python research/reference/image_compare.py jpeg [DIR...]   JPEG by kind, as the table of docs/parity-images.md: files made here in
                                                      many sizes and qualities, and those of the folders
    python research/reference/image_compare.py speed           loading and resizing 12 megapixels, both sides in the same run

Builds and runs the example image_ppm of ext/captioner; IMAGE_PPM names another binary of it.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")


# Of what is nearly white, and what counts as flat, see ground.rs and frames.rs.
NEARLY_WHITE, FLAT, CLEARLY_VISIBLE = 232, 8, 64


def frame_to_rgb(image):
    """A frame as the captioning service that this gem replaces makes it, but white art without a background on black, and
    16-bit grey scaled."""
    if image.mode.startswith("I;16"):
        values = np.array(image)
        clear = values == image.info.get("transparency", -1)
        grey = Image.fromarray((values >> 8).astype(np.uint8))
        image = Image.merge("LA", (grey, Image.fromarray(np.where(clear, 0, 255).astype(np.uint8))))
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
        pixels = np.array(image)
        opaque = pixels[..., 3] >= 128
        hidden = opaque.any() and not opaque.all() and pixels[opaque][:, :3].min() >= NEARLY_WHITE
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255) if hidden else (255, 255, 255, 255))
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")


def to_rgb(image):
    """The picture that is expected of an opened image: upright, and of an animation the first frame with something in it."""
    image.seek(0)
    # Pillow turns TIFF itself.
    orientation = 1 if image.format == "TIFF" else image.getexif().get(0x0112)
    rgb = frame_to_rgb(image)
    spread = lambda picture: max(high - low for low, high in picture.getextrema())
    best = FLAT
    for frame in range(1, getattr(image, "n_frames", 1)) if spread(rgb) <= FLAT and image.format not in ("MPO", "AVIF") else ():
        image.seek(frame)
        later = frame_to_rgb(image)
        if spread(later) > best:
            rgb, best = later, spread(later)
        if best >= CLEARLY_VISIBLE:
            break
    holder = Image.Exif()
    holder[0x0112] = orientation or 1
    rgb.info["exif"] = holder.tobytes()
    return ImageOps.exif_transpose(rgb)


def pillow(path):
    """RGB by Pillow, or the error; and the kind of image."""
    kind = "?"
    try:
        with Image.open(path, formats=FORMATS) as image:
            kind = f"{image.format} {image.mode}"
            return np.array(to_rgb(image)), kind
    except Exception as error:
        return f"{type(error).__name__}: {error}", kind


def example():
    """The path of the built example."""
    if binary := os.environ.get("IMAGE_PPM"):
        return binary
    build = ["cargo", "build", "--release", "--quiet", "-p", "captioner", "--example", "image_ppm"]
    subprocess.run(build, cwd=ROOT, check=True)
    return ROOT / "target/release/examples/image_ppm"


def ours(paths):
    """RGB by the core, or the message, for each path."""
    binary = example()
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


def jpeg_set(folder):
    """JPEG of every kind that Pillow writes: drawings and noise, sizes that leave parts of blocks, several qualities."""
    import image_inputs

    rng = image_inputs.random(2)
    sizes = [(700, 390), (1, 1), (2, 2), (3, 3), (5, 9), (16, 16), (17, 33), (333, 77), (8, 1), (1, 8), (31, 32), (40, 1000)]
    for width, height in sizes:
        noisy = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for name, picture in (("drawing", image_inputs.drawing(width, height)), ("noise", noisy)):
            options = [
                {"quality": quality, "subsampling": subsampling, "progressive": progressive}
                for quality in (5, 50, 75, 95)
                for subsampling in (0, 1, 2)
                for progressive in (False, True)
            ]
            options += [{"quality": 75, "restart_marker_blocks": 3, "progressive": p} for p in (False, True)]
            jobs = [(picture, o) for o in options]
            jobs += [(picture.convert(mode), {"progressive": p}) for mode in ("L", "CMYK") for p in (False, True)]
            for i, (image, chosen) in enumerate(jobs):
                try:
                    image.save(Path(folder, f"{name}-{width}x{height}-{i}.jpg"), **chosen)
                except OSError:
                    # Pillow's writer has too small a buffer for some tiny noisy pictures.
                    Path(folder, f"{name}-{width}x{height}-{i}.jpg").unlink(missing_ok=True)


def jpeg_kind(path):
    with Image.open(path, formats=("JPEG",)) as image:
        factors = [(h, v) for _, h, v, _ in image.layer]
        ratio = tuple(f"{factors[0][i] / factors[-2][i]:g}" for i in (0, 1)) if len(factors) > 1 else ("1", "1")
        names = {"1x1": "4:4:4", "2x1": "4:2:2", "2x2": "4:2:0", "1x2": "4:4:0", "4x1": "4:1:1"}
        sampling = "" if image.mode != "RGB" else " " + names.get("x".join(ratio), "x".join(ratio))
        order = "progressive" if image.info.get("progressive") else "baseline"
        return f"{image.mode}{sampling}, {order}"


def jpeg(folders):
    with tempfile.TemporaryDirectory() as made:
        jpeg_set(made)
        fixtures = ROOT / "ext/captioner/tests/fixtures/images"
        paths = [p for p in files([made, fixtures, *folders]) if p.lower().endswith((".jpg", ".jpeg"))]
        kinds = {}
        for path, mine in zip(paths, ours(paths)):
            theirs, _ = pillow(path)
            if isinstance(theirs, str) or isinstance(mine, str):
                print(f"not compared: {path}: {theirs if isinstance(theirs, str) else mine}", file=sys.stderr)
                continue
            kinds.setdefault(jpeg_kind(path), []).append((theirs, mine))
    print("| kind | files | pixels | equal pixels | mean difference | largest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for kind, pairs in sorted(kinds.items()):
        delta = np.concatenate([np.abs(a.astype(np.int16) - b).reshape(-1, 3) for a, b in pairs])
        equal = (delta.max(axis=1) == 0).mean()
        print(f"| {kind} | {len(pairs)} | {len(delta)} | {equal:.4%} | {delta.mean():.4f} | {delta.max()} |")


def speed():
    import time

    import image_inputs

    def best(work):
        times = []
        for _ in range(7):
            began = time.perf_counter()
            work()
            times.append((time.perf_counter() - began) * 1e3)
        return min(times)

    def load(path):
        with Image.open(path) as image:
            return to_rgb(image)

    grain = image_inputs.random(3).integers(-9, 10, (3000, 4000, 3))
    photo = Image.fromarray(np.clip(np.array(image_inputs.drawing(4000, 3000)) + grain, 0, 255).astype(np.uint8))
    print("| 12 megapixels | Pillow ms | ours ms | ours / Pillow |")
    print("| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"baseline.jpg": {}, "progressive.jpg": {"progressive": True}, "rgb.png": {"compress_level": 6}}
        kinds |= {"lossy.webp": {"quality": 80, "method": 0}}
        for name, options in kinds.items():
            path = Path(folder, name)
            photo.save(path, **options)
            out = subprocess.run([example(), "--time", path], check=True, capture_output=True, text=True).stdout
            mine, resized = map(float, out.split())
            theirs = best(lambda: load(path))
            print(f"| load {name} | {theirs:.0f} | {mine:.0f} | {mine / theirs:.2f} |", flush=True)
    theirs = best(lambda: photo.resize((768, 768), Image.Resampling.BICUBIC))
    print(f"| resize to 768 x 768, bicubic | {theirs:.0f} | {resized:.0f} | {resized / theirs:.2f} |")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    command, *arguments = sys.argv[1:] or ["help"]
    if command == "corpus" and len(arguments) == 1:
        corpus(arguments[0])
    elif command == "jpeg":
        jpeg(arguments)
    elif command == "speed":
        speed()
    else:
        sys.exit(__doc__)
