"""The inputs of the image fixtures that are damaged, unfinished, or meant to be seen otherwise than they are stored."""

import io
import struct

import numpy as np
from PIL import Image

import image_arithmetic
import image_makers as make
from image_inputs import drawing, noise, random, saved


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def oriented():
    picture = drawing(46, 30, 21)
    for value in range(2, 9):
        yield f"oriented{value}.jpg", saved(picture, "JPEG", quality=80, exif=exif(value))
    yield "oriented6.png", saved(picture, "PNG", exif=exif(6))
    yield "oriented5.webp", saved(picture, "WEBP", quality=60, exif=exif(5))
    whole = saved(picture, "PNG", exif=exif(8))
    at = whole.index(b"eXIf") - 4
    chunk = whole[at : at + 12 + struct.unpack(">I", whole[at : at + 4])[0]]
    # Some writers put it behind the pixels.
    yield "oriented8_late.png", whole.replace(chunk, b"").replace(whole[-12:], chunk + whole[-12:])


def segments(data):
    """(position, marker, whole segment with the data that follows a scan header) of a JPEG."""
    at = 2
    while data[at + 1] != 0xD9:
        end = at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        if data[at + 1] == 0xDA:
            while data[end] != 0xFF or data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7:
                end += 1
        yield at, data[at + 1], data[at:end]
        at = end


def scans(data):
    return [at for at, kind, _ in segments(data) if kind == 0xDA]


def unfinished():
    """Progressive files that end before all is sent, at a scan or within one."""
    for name, picture, subsampling in (
        ("", drawing(83, 61, 22), 2),
        ("grey_", drawing(61, 83, 23).convert("L"), 0),
        ("tall_", drawing(40, 200, 24), 1),
    ):
        whole = saved(picture, "JPEG", quality=75, progressive=True, subsampling=subsampling)
        starts = [*scans(whole), len(whole) - 2]
        for count in (1, 3, len(starts) - 2):
            yield f"unfinished_{name}{count}.jpg", whole[: starts[count]] + b"\xff\xd9"
        middle = (starts[2] + starts[3] * 2) // 3
        yield f"unfinished_{name}within.jpg", whole[:middle] + b"\xff\xd9"


def sequential_scans(planes, order):
    """A baseline JPEG of several scans, each of one component of full size: `order` names the plane and the component."""
    files = [saved(Image.fromarray(plane), "JPEG", quality=80) for plane in planes]
    pieces = {kind: piece for _, kind, piece in segments(files[0]) if kind in (0xDB, 0xC0)}
    tables = [piece for _, kind, piece in segments(files[0]) if kind == 0xC4]
    height, width = planes[0].shape
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    out = b"\xff\xd8" + pieces[0xDB] + image_arithmetic.segment(0xC0, frame) + b"".join(tables)
    for plane, component in order:
        scan = next(piece for _, kind, piece in segments(files[plane]) if kind == 0xDA)
        out += scan[:5] + bytes([component]) + scan[6:]
    return out + b"\xff\xd9"


def crafted_jpegs():
    rng = random(25)
    planes = [np.clip(noise(40, 24, 1, seed)[..., 0] // 3 + 64 * seed, 0, 255).astype(np.uint8) for seed in range(4)]
    yield "scans.jpg", sequential_scans(planes, [(0, 1), (1, 2), (2, 3)])
    yield "scans_repeated.jpg", sequential_scans(planes, [(0, 1), (1, 2), (3, 1), (2, 3), (3, 2)])
    yield "scans_missing.jpg", sequential_scans(planes, [(0, 1), (1, 3)])

    stripes = Image.fromarray(np.repeat(rng.integers(0, 2, (1, 64)) * 255, 40, 0).astype(np.uint8))
    whole = bytearray(saved(stripes, "JPEG", quality=95))
    at = bytes(whole).index(b"\xff\xdb") + 5
    # Steps so large that products leave 16 bits.
    whole[at : at + 64] = bytes([255 - 3 * (i % 7) for i in range(64)])
    yield "wide_steps.jpg", bytes(whole)

    progressive = saved(drawing(50, 40, 26), "JPEG", quality=75, progressive=True)
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    second = scans(progressive)[1]
    plain = progressive[:2] + progressive[20:]
    second -= 18
    yield "adobe_late.jpg", plain[:second] + adobe + plain[second:]

    rgb = saved(drawing(50, 40, 27), "JPEG", quality=80, keep_rgb=True)
    start = rgb.index(b"\xff\xdb")
    yield "jfif_short.jpg", b"\xff\xd8\xff\xe0\x00\x0eJFIF\0\1\1\0\0\1\0\1" + rgb[start:]

    blocks = []
    for _ in range(77):
        block = [0] * 64
        block[0] = int(rng.integers(-60, 60))
        for k in range(1, 64):
            if rng.random() < 0.5 * 0.93**k:
                block[image_arithmetic.ZIGZAG[k]] = int(rng.integers(-40, 41) * 0.92**k)
        blocks.append(block)
    yield "arithmetic.jpg", image_arithmetic.jpeg(blocks, 11)
    yield "arithmetic_restarts.jpg", image_arithmetic.jpeg(blocks, 11, restart=5)
    yield "arithmetic_progressive.jpg", image_arithmetic.jpeg(blocks, 11, progressive=True)
    unfinished = image_arithmetic.jpeg(blocks, 11, progressive=True)
    yield "arithmetic_unfinished.jpg", unfinished[: scans(unfinished)[2]] + b"\xff\xd9"


def lettering(size, colour, ground):
    """Marks of one colour on a ground, with soft edges, as RGBA."""
    marks = drawing(*size, 28).convert("L").point(lambda value: 255 if value % 97 > 60 else 0)
    alpha = np.array(marks.resize((size[0] // 2, size[1] // 2)).resize(size, Image.Resampling.BILINEAR))
    out = np.empty((size[1], size[0], 4), np.uint8)
    out[..., :3] = colour
    out[..., 3] = alpha
    return Image.alpha_composite(Image.new("RGBA", size, ground), Image.fromarray(out)) if ground else Image.fromarray(out)


def white_art():
    size = (60, 40)
    white, black = lettering(size, (255, 250, 245), None), lettering(size, (0, 0, 0), None)
    yield "white_on_clear.png", saved(white, "PNG")
    yield "white_on_clear_la.png", saved(white.convert("LA"), "PNG")
    yield "white_on_clear.webp", saved(white, "WEBP", lossless=True)
    yield "black_on_clear.png", saved(black, "PNG")
    indices = (np.array(white)[..., 3] > 127).astype(np.uint8)
    yield "white_on_clear.gif", make.gif(size, [{"left": 0, "top": 0, "indices": indices, "transparent": 0}], [(9, 9, 9), (255, 255, 255)])
    plte = [(b"PLTE", bytes([9, 9, 9, 255, 255, 255])), (b"tRNS", b"\0")]
    yield "white_on_clear_palette.png", make.png(indices[..., None], 1, 3, plte)
    pixels = np.array(white)[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    yield "white_on_clear.bmp", make.bmp(*size, 32, pixels, compression=3, masks=masks)


def blank_beginnings():
    size = (48, 32)
    picture = drawing(*size, 29)
    quantized = picture.quantize(16)
    palette = np.array(quantized.getpalette()[:48]).reshape(16, 3)
    indices = np.array(quantized)
    flat = np.zeros_like(indices)
    whole = {"left": 0, "top": 0}
    yield "fades_in.gif", make.gif(size, [whole | {"indices": flat}, whole | {"indices": indices}], palette)
    small = {"left": 9, "top": 5, "indices": indices[:20, :30]}
    clear = whole | {"indices": flat, "transparent": 0}
    yield "appears.gif", make.gif(size, [clear, small | {"transparent": 3}], palette)
    # Frames so faint that the strongest of them is taken.
    faint = [(100 + i, 100, 100) for i in range(16)] + [(100 + 2 * i, 100, 100) for i in range(16)]
    yield "faint.gif", make.gif(size, [whole | {"indices": flat}, whole | {"indices": indices}, whole | {"indices": indices + 16}], faint)
    flat_picture = Image.new("RGB", size, (7, 80, 120))
    stills = [saved(flat_picture, "WEBP", quality=70), saved(picture, "WEBP", quality=70)]
    yield "fades_in.webp", make.animated_webp(size, [(0, 0, *size, still) for still in stills], alpha=False)
    white = lettering(size, (255, 255, 255), None)
    stills = [saved(Image.new("RGBA", size, (0, 0, 0, 0)), "WEBP", lossless=True), saved(white, "WEBP", lossless=True)]
    yield "appears_white.webp", make.animated_webp(size, [(0, 0, *size, still) for still in stills])
    out = io.BytesIO()
    flat_picture.save(out, "PNG", save_all=True, append_images=[picture, picture.rotate(180)], duration=50)
    yield "fades_in.png", out.getvalue()
    out = io.BytesIO()
    flat_picture.save(out, "GIF", save_all=True, append_images=[flat_picture.point(lambda value: value)], duration=50)
    yield "stays_flat.gif", make.gif(size, [whole | {"indices": flat}, whole | {"indices": flat}], palette)


def depths():
    grey = noise(45, 33, 1, 30, 65536)
    yield "grey16_full.png", make.png(grey, 16, 0)
    yield "grey16_interlaced.png", make.png(grey, 16, 0, interlaced=True)
    yield "no_palette.png", make.png(noise(20, 14, 1, 31, 200), 8, 3)
    for bits, values in ((1, 2), (4, 16), (8, 256)):
        rows = make.bmp_rows(noise(21, 15, 1, 32, values)[..., 0], bits)
        yield f"one_black{bits}.bmp", make.bmp(21, 15, bits, rows, bytes(4))


def everything():
    for kind in (oriented, unfinished, crafted_jpegs, white_art, blank_beginnings, depths):
        yield from kind()
