"""The TIFF inputs of the image fixtures."""

import struct

import numpy as np
from PIL import Image, TiffImagePlugin

from image_inputs import drawing, noise, saved, with_alpha


def tiff(tags, chunks, big=False):
    """A file of one picture from {tag: numbers} and its strips or tiles, as Pillow writes none: big-endian, tiled, in planes."""
    order = ">" if big else "<"
    start = 8 + sum(map(len, chunks))
    offsets = [8 + sum(map(len, chunks[:i])) for i in range(len(chunks))]
    tiled = 322 in tags
    tags = tags | {324 if tiled else 273: offsets, 325 if tiled else 279: list(map(len, chunks))}
    entries, extra = b"", b""
    after = start + 2 + 12 * len(tags) + 4
    for tag, numbers in sorted(tags.items()):
        kind, letter = (4, "I") if tag in (273, 279, 324, 325) else (3, "H")
        data = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(data) > 4:
            place = struct.pack(f"{order}I", after + len(extra))
            extra += data
        else:
            place = data.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + place
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(f"{order}I", start)
    return head + b"".join(chunks) + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + extra


def tiles(samples, size, planar=False):
    """The tiles of rows x columns x channels, padded."""
    height, width, channels = samples.shape
    padded = np.pad(samples, ((0, -height % size), (0, -width % size), (0, 0)))
    for plane in [padded[..., i : i + 1] for i in range(channels)] if planar else [padded]:
        for y in range(0, height, size):
            for x in range(0, width, size):
                yield np.ascontiguousarray(plane[y : y + size, x : x + size])


def everything():
    picture = drawing(53, 37, 41)
    kinds = {
        "rgb": picture,
        "rgba": with_alpha(picture),
        "grey": picture.convert("L"),
        "grey_alpha": with_alpha(picture).convert("LA"),
        "palette": picture.quantize(64),
        "one_bit": picture.convert("1"),
        "cmyk": picture.convert("CMYK"),
        "grey16": Image.fromarray(noise(53, 37, 1, 42, 65536)[..., 0].astype(np.uint16)),
    }
    for name, image in kinds.items():
        yield f"{name}.tif", saved(image, "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        for name in ("rgb", "one_bit"):
            yield f"{name}_{compression.removeprefix('tiff_')}.tif", saved(kinds[name], "TIFF", compression=compression)
    for name in ("rgb", "grey16"):
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[317] = 2
        yield f"{name}_differences.tif", saved(kinds[name], "TIFF", compression="tiff_lzw", tiffinfo=info)
    for value in (3, 6):
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[274] = value
        yield f"oriented{value}.tif", saved(picture, "TIFF", tiffinfo=info)

    pixels = np.array(picture)
    base = {256: [53], 257: [37], 259: [1], 277: [3], 258: [8, 8, 8], 262: [2]}
    yield "tiles_big.tif", tiff(base | {322: [16], 323: [16]}, [t.tobytes() for t in tiles(pixels, 16)], True)
    yield "strips_planes.tif", tiff(
        base | {278: [10], 284: [2]},
        [pixels[y : y + 10, :, i].tobytes() for i in range(3) for y in range(0, 37, 10)],
    )
    deep = noise(21, 15, 3, 43, 65536)
    tags = {256: [21], 257: [15], 259: [1], 277: [3], 258: [16] * 3, 262: [2], 278: [15]}
    yield "rgb16_big.tif", tiff(tags, [deep.astype(">u2").tobytes()], True)
    yield "rgb16.tif", tiff(tags, [deep.astype("<u2").tobytes()])
    grey = {256: [22], 257: [15], 259: [1], 277: [1], 278: [15]}
    nibbles = noise(11, 15, 1, 44, 256).astype(np.uint8).tobytes()
    yield "white_is_zero4.tif", tiff(grey | {258: [4], 262: [0]}, [nibbles])
    yield "grey4.tif", tiff(grey | {258: [4], 262: [1]}, [nibbles])
    yield "grey2.tif", tiff(grey | {258: [2], 262: [1]}, [noise(6, 15, 1, 45, 256).astype(np.uint8).tobytes()])
    palette = noise(16, 3, 1, 46, 65536).reshape(-1).tolist()
    yield "palette4.tif", tiff(grey | {258: [4], 262: [3], 320: palette}, [nibbles])
    yield "white_is_zero8.tif", tiff(grey | {258: [8], 262: [0]}, [noise(22, 15, 1, 47).astype(np.uint8).tobytes()])
    reversed_bits = noise(3, 15, 1, 48).astype(np.uint8).tobytes()
    yield "reversed_bits.tif", tiff(grey | {258: [1], 262: [1], 266: [2]}, [reversed_bits])
