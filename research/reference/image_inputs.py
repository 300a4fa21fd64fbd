"""The inputs of the image fixtures: one small file for each kind of image, from fixed seeds.

Two more, 411.jpg and 440.jpg, are in the folder without being made here, because Pillow writes no such subsampling; they
come from the encoder of libjpeg-turbo.
"""

import io

import numpy as np
from PIL import Image, ImageDraw

import image_makers as make


def random(seed):
    return np.random.default_rng(seed)


def noise(width, height, channels, seed=0, values=256):
    return random(seed).integers(0, values, (height, width, channels))


def drawing(width, height, seed=0):
    """Something like a meme: a gradient, shapes and lettering."""
    rng = random(seed)
    y, x = np.mgrid[0:height, 0:width]
    image = Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = int(rng.integers(0, width)), int(rng.integers(0, height))
        box = [left, top, left + int(rng.integers(4, width // 2 + 5)), top + int(rng.integers(4, height // 2 + 5))]
        draw.ellipse(box, fill=tuple(map(int, rng.integers(0, 256, 3))), outline=(0, 0, 0))
    draw.text((width // 8, height // 3), "ONE DOES NOT SIMPLY", fill=(255, 255, 255))
    return image


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def colours(count, seed=9):
    return random(seed).integers(0, 256, (count, 3))


def with_alpha(image, seed=3):
    """The image with a gradient of alpha and a noisy patch of it."""
    alpha = np.linspace(0, 255, image.width).astype(np.uint8)[None].repeat(image.height, 0)
    alpha[: image.height // 2, : image.width // 2] = noise(image.width // 2, image.height // 2, 1, seed)[..., 0]
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(alpha))
    return image


def pngs():
    plte = [(b"PLTE", bytes(colours(200).astype(np.uint8)))]
    big = lambda *values: b"".join(value.to_bytes(2, "big") for value in values)
    index = noise(61, 47, 1, 4, 200)
    yield "rgb_reduced.png", saved(drawing(1100, 830), "PNG", optimize=True)
    yield "rgb_tall.png", saved(drawing(800, 1500, 1).quantize(64), "PNG", optimize=True)
    yield "rgb_enlarged.png", saved(drawing(97, 61), "PNG")
    yield "noise.png", saved(Image.fromarray(noise(130, 90, 3).astype(np.uint8)), "PNG")
    yield "one_pixel.png", make.png([[[12, 200, 77]]], 8, 2)
    yield "1x4000.png", make.png(noise(1, 4000, 3, 5), 8, 2)
    yield "4000x1.png", make.png(noise(4000, 1, 3, 6), 8, 2)
    yield "rgba.png", saved(with_alpha(drawing(200, 150)), "PNG")
    yield "la.png", make.png(noise(83, 59, 2, 7), 8, 4)
    yield "grey.png", saved(drawing(150, 100).convert("L"), "PNG")
    yield "grey_transparent.png", make.png(noise(40, 30, 1, 8, 8), 8, 0, [(b"tRNS", big(5))])
    yield "rgb_transparent.png", make.png(noise(40, 30, 3, 8, 2), 8, 2, [(b"tRNS", big(1, 0, 1))])
    yield "rgb16_transparent.png", make.png(noise(20, 30, 3, 8, 2) * 257, 16, 2, [(b"tRNS", big(257, 0, 257))])
    yield "one_bit.png", make.png(noise(45, 33, 1, 10, 2), 1, 0)
    yield "one_bit_transparent.png", make.png(noise(45, 33, 1, 10, 2), 1, 0, [(b"tRNS", big(0))])
    yield "grey2.png", make.png(noise(45, 33, 1, 11, 4), 2, 0)
    yield "grey4.png", make.png(noise(45, 33, 1, 12, 16), 4, 0, [(b"tRNS", big(51))])
    yield "grey16.png", make.png(noise(45, 33, 1, 13, 600), 16, 0)
    yield "grey16_transparent.png", make.png(noise(45, 33, 1, 13, 600), 16, 0, [(b"tRNS", big(300))])
    yield "la16.png", make.png(noise(45, 33, 2, 14, 65536), 16, 4)
    yield "rgb16.png", make.png(noise(45, 33, 3, 15, 65536), 16, 2)
    yield "rgba16.png", make.png(noise(45, 33, 4, 16, 65536), 16, 6)
    yield "palette.png", make.png(index, 8, 3, plte)
    yield "palette_transparent.png", make.png(index, 8, 3, plte + [(b"tRNS", bytes(range(0, 256, 2)))])
    yield "palette_one_clear.png", make.png(index, 8, 3, plte + [(b"tRNS", b"\xff" * 7 + b"\0")])
    yield "palette_short.png", make.png(index, 8, 3, [(b"PLTE", bytes(range(60)))])
    yield "palette1.png", make.png(noise(45, 33, 1, 17, 2), 1, 3, plte)
    yield "palette2.png", make.png(noise(45, 33, 1, 18, 4), 2, 3, plte)
    yield "palette4.png", make.png(noise(45, 33, 1, 19, 16), 4, 3, plte + [(b"tRNS", b"\x80\xff\0")])
    for name, samples, bits, kind in (
        ("interlaced_rgb", noise(37, 29, 3, 20), 8, 2),
        ("interlaced_rgba16", noise(13, 11, 4, 21, 65536), 16, 6),
        ("interlaced_grey2", noise(37, 29, 1, 22, 4), 2, 0),
        ("interlaced_one_bit", noise(3, 2, 1, 23, 2), 1, 0),
    ):
        yield f"{name}.png", make.png(samples, bits, kind, interlaced=True)
    frames = [drawing(60, 40, seed) for seed in (4, 5)]
    yield "animated.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:])


def gifs():
    index = lambda width, height, values, seed: noise(width, height, 1, seed, values)[..., 0]
    frames = [drawing(90, 70, seed).quantize(32) for seed in (6, 7)]
    yield "animated.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    small = {"left": 7, "top": 5, "indices": index(30, 20, 16, 30)}
    yield "small_frame.gif", make.gif((50, 40), [small, small | {"left": 0}], colours(16))
    yield "small_frame_transparent.gif", make.gif((50, 40), [small | {"transparent": 3}], colours(16))
    yield "local_palette.gif", make.gif((30, 20), [small | {"left": 0, "top": 0, "palette": colours(16, 31)}], colours(16))
    yield "interlaced.gif", make.gif((41, 39), [{"left": 0, "top": 0, "indices": index(41, 39, 200, 32), "interlaced": True}], colours(200))
    yield "beyond_screen.gif", make.gif((20, 10), [small | {"transparent": 0}], colours(16))
    yield "no_palette.gif", make.gif((37, 25), [small])
    yield "long_codes.gif", make.gif((130, 120), [{"left": 0, "top": 0, "indices": index(130, 120, 256, 33)}], colours(256))


def webps():
    picture = drawing(120, 90, 8)
    still = saved(picture, "WEBP", lossless=True)
    lossy = saved(with_alpha(drawing(64, 50, 9)), "WEBP", quality=60)
    yield "lossless.webp", still
    yield "lossless_alpha.webp", saved(with_alpha(drawing(77, 55)), "WEBP", lossless=True, exact=True)
    yield "lossy.webp", saved(picture, "WEBP", quality=70)
    yield "lossy_odd.webp", saved(drawing(33, 17, 2), "WEBP", quality=30)
    yield "lossy_alpha.webp", lossy
    yield "animated.webp", saved(picture, "WEBP", save_all=True, append_images=[drawing(120, 90, 10)], lossless=True)
    yield "small_frame.webp", make.animated_webp((150, 120), [(20, 10, 120, 90, still)])
    yield "small_frame_alpha.webp", make.animated_webp((100, 80), [(6, 4, 64, 50, lossy), (0, 0, 64, 50, lossy)])
    yield "small_frame_opaque.webp", make.animated_webp((150, 120), [(20, 10, 120, 90, still)], alpha=False)


def bmps():
    picture = drawing(53, 31, 11)
    table = lambda count: bytes(np.pad(colours(count), ((0, 0), (0, 1))).astype(np.uint8))
    rows = lambda values, bits, seed: make.bmp_rows(noise(53, 31, 1, seed, values)[..., 0], bits)
    masks = lambda *values: b"".join(value.to_bytes(4, "little") for value in values)
    yield "one_bit.bmp", saved(picture.convert("1"), "BMP")
    yield "palette1.bmp", make.bmp(53, 31, 1, rows(2, 1, 40), table(2))
    yield "palette4.bmp", make.bmp(53, 31, 4, rows(16, 4, 41), table(16))
    yield "palette8.bmp", saved(picture.quantize(100), "BMP")
    yield "grey8.bmp", saved(picture.convert("L"), "BMP")
    counting = bytes(np.pad(np.arange(40)[:, None].repeat(3, 1), ((0, 0), (0, 1))).astype(np.uint8))
    yield "grey_counting.bmp", make.bmp(53, 31, 8, rows(256, 8, 46), counting)
    yield "rgb15.bmp", make.bmp(53, 31, 16, rows(1 << 15, 16, 42))
    yield "rgb16.bmp", make.bmp(53, 31, 16, rows(1 << 16, 16, 43), compression=3, masks=masks(0xF800, 0x7E0, 0x1F))
    yield "rgb24.bmp", saved(picture, "BMP")
    yield "core.bmp", make.bmp(53, 31, 4, rows(16, 4, 44), bytes(colours(16).astype(np.uint8)), core=True)
    rgba = noise(53, 31, 4, 45).astype(np.uint8).tobytes()
    yield "rgbx32.bmp", make.bmp(53, 31, 32, rgba)
    yield "rgba32.bmp", make.bmp(
        53, 31, 32, rgba, compression=3, masks=masks(0xFF0000, 0xFF00, 0xFF, 0xFF000000), top_down=True
    )
    yield "xbgr32.bmp", make.bmp(53, 31, 32, rgba, compression=3, masks=masks(0xFF000000, 0xFF0000, 0xFF00))
    # Runs, a literal run with its padding, a short row, a jump of two rows, the end.
    rle8 = bytes([9, 3, 7, 5, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 11, 9, 0, 0, 0, 2, 4, 2, 12, 1, 0, 0]) + bytes([16, 8, 0, 0]) * 4
    yield "rle8.bmp", make.bmp(16, 8, 8, rle8 + bytes([0, 1]), table(16), compression=1)
    rle4 = bytes([9, 0x35, 7, 0x52, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 11, 0x9A, 0, 0]) + bytes([16, 0x81, 0, 0]) * 6
    yield "rle4.bmp", make.bmp(16, 8, 4, rle4 + bytes([0, 1]), table(16), compression=2)


def jpegs():
    picture = drawing(203, 117, 12)
    for name, options in (
        ("420", {"subsampling": 2}),
        ("422", {"subsampling": 1}),
        ("444", {"subsampling": 0}),
        ("progressive", {"subsampling": 2, "progressive": True}),
        ("restarts", {"subsampling": 2, "restart_marker_blocks": 3}),
    ):
        yield f"{name}.jpg", saved(picture, "JPEG", quality=80, **options)
    yield "420_narrow.jpg", saved(drawing(3, 50, 12), "JPEG", quality=80)
    yield "grey.jpg", saved(picture.convert("L"), "JPEG", quality=80)
    cmyk = saved(with_alpha(picture).convert("CMYK"), "JPEG", quality=80)
    yield "cmyk.jpg", cmyk
    # The same file as luma, chroma and black, by the transform byte of its Adobe segment.
    at = cmyk.index(b"Adobe") + 11
    yield "ycck.jpg", cmyk[:at] + b"\2" + cmyk[at + 1 :]
    rgb = saved(picture, "JPEG", quality=80, keep_rgb=True)
    yield "rgb.jpg", rgb


def everything():
    for kind in (pngs, gifs, webps, bmps, jpegs):
        yield from kind()
