"""Writers of image files of kinds that Pillow reads but does not write. Each returns the bytes of a file."""

import struct
import zlib

import numpy as np

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png(samples, bits, colour, chunks=(), interlaced=False):
    """samples: rows x columns x channels. colour: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA. Every filter type
    is used in turn."""
    samples = np.asarray(samples)
    height, width, channels = samples.shape
    size = max(1, channels * bits // 8)

    def packed(part):
        if bits == 16:
            rows = part.astype(">u2").reshape(part.shape[0], -1).view(np.uint8)
        elif bits == 8:
            rows = part.astype(np.uint8).reshape(part.shape[0], -1)
        else:
            unpacked = np.unpackbits(part.astype(np.uint8).reshape(*part.shape[:2], 1), axis=2)[:, :, 8 - bits :]
            rows = np.packbits(unpacked.reshape(part.shape[0], -1), axis=1)
        out, above = b"", np.zeros(rows.shape[1], int)
        for y, row in enumerate(rows.astype(int)):
            left = np.concatenate([np.zeros(size, int), row[:-size] if len(row) > size else row[:0]])[: len(row)]
            corner = np.concatenate([np.zeros(size, int), above[:-size] if len(row) > size else above[:0]])[: len(row)]
            guess = left + above - corner
            pa, pb, pc = abs(guess - left), abs(guess - above), abs(guess - corner)
            paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
            kind = y % 5
            predicted = (0, left, above, (left + above) // 2, paeth)[kind]
            out += bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
            above = row
        return out

    if interlaced:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        raw = b"".join(packed(part) for part in parts if part.size)
    else:
        raw = packed(samples)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    body = b"".join(chunk(name, data) for name, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def lzw(indices, bits):
    """GIF's LZW, in blocks."""
    clear, out, held, count = 1 << bits, bytearray(), 0, 0

    def emit(code):
        nonlocal held, count
        held |= code << count
        count += size
        while count >= 8:
            out.append(held & 255)
            held >>= 8
            count -= 8

    size = bits + 1
    emit(clear)
    table, following, prefix = {(i,): i for i in range(clear)}, clear + 2, ()
    for index in map(int, indices):
        if prefix + (index,) in table:
            prefix += (index,)
            continue
        emit(table[prefix])
        if following < 4096:
            table[prefix + (index,)] = following
            if following == 1 << size and size < 12:
                size += 1
            following += 1
        else:
            emit(clear)
            size, table, following = bits + 1, {(i,): i for i in range(clear)}, clear + 2
        prefix = (index,)
    emit(table[prefix])
    emit(clear + 1)
    if count:
        out.append(held & 255)
    blocks = [bytes(out[i : i + 255]) for i in range(0, len(out), 255)]
    return bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def gif(canvas, frames, palette=None):
    """frames: dictionaries of left, top, indices (rows x columns) and optionally palette, transparent, interlaced."""

    def table(colours):
        bits = max(1, (len(colours) - 1).bit_length())
        return bits - 1, bytes(np.asarray(colours, np.uint8)) + bytes(3 * ((1 << bits) - len(colours)))

    flags, colours = (0x80 | table(palette)[0], table(palette)[1]) if palette is not None else (0, b"")
    out = b"GIF89a" + struct.pack("<HHBBB", *canvas, flags, 0, 0) + colours
    for frame in frames:
        indices = np.asarray(frame["indices"])
        height, width = indices.shape
        transparent = frame.get("transparent")
        out += b"!\xf9\x04" + struct.pack("<BHB", int(transparent is not None), 5, transparent or 0) + b"\0"
        flags, colours = 0, b""
        if "palette" in frame:
            size, colours = table(frame["palette"])
            flags = 0x80 | size
        if frame.get("interlaced"):
            flags |= 0x40
            order = [y for start, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(start, height, step)]
            indices = indices[order]
        out += b"," + struct.pack("<HHHHB", frame["left"], frame["top"], width, height, flags) + colours
        out += lzw(indices.reshape(-1), max(2, int(indices.max()).bit_length()))
    return out + b";"


def animated_webp(canvas, frames, alpha=True):
    """frames: (left, top, width, height, bytes of a still WebP). left and top are even."""

    def chunk(name, data):
        return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    def three(value):
        return struct.pack("<I", value)[:3]

    header = bytes([2 | (0x10 if alpha else 0), 0, 0, 0]) + three(canvas[0] - 1) + three(canvas[1] - 1)
    body = chunk(b"VP8X", header) + chunk(b"ANIM", b"\x20\x40\x60\xff" + b"\0\0")
    for left, top, width, height, still in frames:
        picture = still[12:]
        if picture.startswith(b"VP8X"):
            picture = picture[18:]
        place = three(left // 2) + three(top // 2) + three(width - 1) + three(height - 1) + three(100) + b"\0"
        body += chunk(b"ANMF", place + picture)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def bmp(width, height, bits, pixels, palette=b"", compression=0, masks=b"", top_down=False, core=False):
    """pixels: the bytes as they lie in the file, padding included."""
    if core:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        rows = -height if top_down else height
        colours = len(palette) // 4 if bits <= 8 else 0
        size = 40 if len(masks) != 16 else 56
        header = struct.pack("<IiiHHIIiiII", size, width, rows, 1, bits, compression, len(pixels), 2835, 2835, colours, 0)
    start = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + masks + palette + pixels


def bmp_rows(indices, bits):
    """Rows of samples of up to 16 bits, from the bottom, padded to four bytes."""
    indices = np.asarray(indices)[::-1]
    if bits == 16:
        rows = indices.astype("<u2").view(np.uint8).reshape(indices.shape[0], -1)
    elif bits == 8:
        rows = indices.astype(np.uint8)
    else:
        unpacked = np.unpackbits(indices.astype(np.uint8)[..., None], axis=2)[:, :, 8 - bits :]
        rows = np.packbits(unpacked.reshape(indices.shape[0], -1), axis=1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
