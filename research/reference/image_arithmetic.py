"""A writer of JPEG in arithmetic coding, which Pillow reads but does not write (ITU-T T.81, annexes D and F to G)."""

import struct

# Table D.3: the chance of the less likely outcome, the next state after it and after the likelier one, and whether it
# becomes the likelier one. The last is that of equal chances.
CHANCES = (
    "5a1d 2586 1114 080b 03d8 01da 00e5 006f 0036 001a 000d 0006 0003 0001 5a7f 3f25 2cf2 207c 17b9 1182 0cef 09a1 072f 055c "
    "0406 0303 0240 01b1 0144 00f5 00b7 008a 0068 004e 003b 002c 5ae1 484c 3a0d 2ef1 261f 1f33 19a8 1518 1177 0e74 0bfb 09f8 "
    "0861 0706 05cd 04de 040f 0363 02d4 025c 01f8 01a4 0160 0125 00f6 00cb 00ab 008f 5b12 4d04 412c 37d8 2fe8 293c 2379 1edf "
    "1aa9 174e 1424 119c 0f6b 0d51 0bb6 0a40 5832 4d1c 438e 3bdd 34ee 2eae 299a 2516 5570 4ca9 44d9 3e22 3824 32b4 2e17 56a8 "
    "4f46 47e5 41cf 3c3d 375e 5231 4c0f 4639 415e 5627 50e7 4b85 5597 504f 5a10 5522 59eb 5a1d"
)
CHANCES = [int(chance, 16) for chance in CHANCES.split()]
AFTER_LESS = (
    "1 14 16 18 20 23 25 28 30 33 35 9 10 12 15 36 38 39 40 42 43 45 46 48 49 51 52 54 56 57 59 60 62 63 32 33 37 64 65 67 "
    "68 69 70 72 73 74 75 77 78 79 48 50 50 51 52 53 54 55 56 57 58 59 61 61 65 80 81 82 83 84 86 87 87 72 72 74 74 75 77 77 "
    "80 88 89 90 91 92 93 86 88 95 96 97 99 99 93 95 101 102 103 104 99 105 106 107 103 105 108 109 110 111 110 112 112 113"
)
AFTER_LESS = [int(state) for state in AFTER_LESS.split()]
AFTER_MORE = list(range(1, 114)) + [113]
for state, following in {13: 13, 35: 9, 63: 32, 79: 48, 87: 71, 94: 86, 100: 93, 104: 99, 107: 103, 109: 107, 112: 111}.items():
    AFTER_MORE[state] = following
AFTER_MORE[111] = 109
SWITCHES = {0, 14, 36, 64, 80, 88, 95, 105, 110, 112}

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))


class Encoder:
    """Figures D.1 to D.15."""

    def __init__(self):
        self.base, self.size, self.shift = 0, 0x10000, 11
        self.held, self.stack, self.zeros, self.out = -1, 0, 0, bytearray()
        self.states = {}

    def put(self, key, bit):
        state, likelier = self.states.get(key, (0, 0)) if key is not None else (113, 0)
        chance = CHANCES[state]
        self.size -= chance
        if bit != likelier:
            if self.size >= chance:
                self.base += self.size
                self.size = chance
            if state in SWITCHES:
                likelier = 1 - likelier
            state = AFTER_LESS[state]
        else:
            if self.size >= 0x8000:
                return
            if self.size < chance:
                self.base += self.size
                self.size = chance
            state = AFTER_MORE[state]
        if key is not None:
            self.states[key] = (state, likelier)
        while self.size < 0x8000:
            self.size <<= 1
            self.base <<= 1
            self.shift -= 1
            if self.shift == 0:
                self.byte()
                self.shift = 8

    def emit(self, value):
        self.out.append(value)
        if value == 0xFF:
            self.out.append(0)

    def byte(self):
        value = self.base >> 19
        if value > 0xFF:
            if self.held >= 0:
                self.out += bytes(self.zeros)
                self.zeros = 0
                self.emit(self.held + 1)
            self.zeros += self.stack
            self.stack = 0
            self.held = value & 0xFF
        elif value == 0xFF:
            self.stack += 1
        else:
            self.settle()
            self.held = value
        self.base &= 0x7FFFF

    def settle(self):
        if self.held == 0:
            self.zeros += 1
        elif self.held > 0:
            self.out += bytes(self.zeros)
            self.zeros = 0
            self.emit(self.held)
        if self.stack:
            self.out += bytes(self.zeros)
            self.zeros = 0
            for _ in range(self.stack):
                self.emit(0xFF)
            self.stack = 0

    def finish(self):
        """The value in the interval with most zeros at its end, without them."""
        top = (self.size - 1 + self.base) & 0xFFFF0000
        self.base = (top + 0x8000 if top < self.base else top) << self.shift
        if self.base & 0xF8000000:
            if self.held >= 0:
                self.out += bytes(self.zeros)
                self.zeros = 0
                self.emit(self.held + 1)
            self.zeros += self.stack
            self.stack = 0
        else:
            self.settle()
        ending = bytes([self.base >> 19 & 0xFF, self.base >> 11 & 0xFF]).rstrip(b"\0")
        if ending:
            self.out += bytes(self.zeros)
        for value in ending:
            self.emit(value)
        return bytes(self.out)


class Blocks:
    """Blocks of one component in conditioning as by default (L = 0, U = 1, K = 5)."""

    def __init__(self, encoder):
        self.coder, self.last, self.kind = encoder, 0, 0

    def magnitude(self, key, value, high, asks_twice):
        """What follows a sign: the category and the bits of the size less one. AC asks twice at the first place."""
        size = abs(value) - 1
        self.coder.put(key, int(size > 0))
        if not size:
            return 0
        category, at, rest = 1, high, size >> 1
        if asks_twice:
            self.coder.put(key, int(rest > 0))
            if not rest:
                at = key
            else:
                category, rest = 2, rest >> 1
        if at == high:
            while rest:
                self.coder.put(at, 1)
                category, at, rest = category << 1, (at[0], at[1] + 1), rest >> 1
            self.coder.put(at, 0)
        pattern = (at[0], at[1] + 14)
        mask = category >> 1
        while mask:
            self.coder.put(pattern, int(bool(mask & size)))
            mask >>= 1
        return category

    def dc(self, value):
        difference = value - self.last
        key = ("dc", self.kind)
        if not difference:
            self.coder.put(key, 0)
            self.kind = 0
            return
        self.last = value
        self.coder.put(key, 1)
        negative = int(difference < 0)
        self.coder.put(("dc", self.kind + 1), negative)
        category = self.magnitude(("dc", self.kind + 2 + negative), difference, ("dc", 20), False)
        self.kind = (12 if category > 1 else 4) + 4 * negative

    def ac(self, block, first=1, last=63):
        values = [block[ZIGZAG[k]] for k in range(64)]
        end = max((k for k in range(first, last + 1) if values[k]), default=0)
        k = first
        while k <= end:
            self.coder.put(("ac", 3 * (k - 1)), 0)
            while not values[k]:
                self.coder.put(("ac", 3 * (k - 1) + 1), 0)
                k += 1
            self.coder.put(("ac", 3 * (k - 1) + 1), 1)
            self.coder.put(None, int(values[k] < 0))
            self.magnitude(("ac", 3 * (k - 1) + 2), values[k], ("ac", 189 if k <= 5 else 217), True)
            k += 1
        if k <= last:
            self.coder.put(("ac", 3 * (k - 1)), 1)

    def ac_refined(self, block, first, last, low):
        """One more bit of coefficients whose bits above `low` are sent."""
        cut = lambda value: abs(value) >> low
        values = [block[ZIGZAG[k]] for k in range(64)]
        end = max((k for k in range(first, last + 1) if cut(values[k])), default=0)
        before = max((k for k in range(first, last + 1) if cut(values[k]) >> 1), default=0)
        k = first
        while k <= end:
            if k > before:
                self.coder.put(("ac", 3 * (k - 1)), 0)
            while not cut(values[k]):
                self.coder.put(("ac", 3 * (k - 1) + 1), 0)
                k += 1
            if cut(values[k]) >> 1:
                self.coder.put(("ac", 3 * (k - 1) + 2), cut(values[k]) & 1)
            else:
                self.coder.put(("ac", 3 * (k - 1) + 1), 1)
                self.coder.put(None, int(values[k] < 0))
            k += 1
        if k <= last:
            self.coder.put(("ac", 3 * (k - 1)), 1)


def segment(kind, data):
    return bytes([0xFF, kind]) + struct.pack(">H", len(data) + 2) + data


def jpeg(blocks, columns, progressive=False, restart=0, step=8):
    """A grey picture of blocks of 64 coefficients in natural order, row by row."""
    rows = len(blocks) // columns
    head = b"\xff\xd8" + segment(0xDB, bytes([0] + [step] * 64))
    head += segment(0xCA if progressive else 0xC9, struct.pack(">BHHBBBB", 8, rows * 8, columns * 8, 1, 1, 0x11, 0))
    if restart:
        head += segment(0xDD, struct.pack(">H", restart))
    cut = lambda value, low: value >> low if value >= 0 else -(-value >> low)

    def scan(first, last, high, low, work):
        out = segment(0xDA, bytes([1, 1, 0, first, last, high << 4 | low]))
        group = restart or len(blocks)
        for number, start in enumerate(range(0, len(blocks), group)):
            encoder = Encoder()
            coder = Blocks(encoder)
            for block in blocks[start : start + group]:
                work(coder, block)
            out += (bytes([0xFF, 0xD0 + (number - 1) % 8]) if number else b"") + encoder.finish()
        return out

    if not progressive:
        return head + scan(0, 63, 0, 0, lambda coder, block: (coder.dc(block[0]), coder.ac(block))) + b"\xff\xd9"
    body = scan(0, 0, 0, 1, lambda coder, block: coder.dc(block[0] >> 1))
    body += scan(1, 5, 0, 1, lambda coder, block: coder.ac([cut(value, 1) for value in block], 1, 5))
    body += scan(6, 63, 0, 1, lambda coder, block: coder.ac([cut(value, 1) for value in block], 6, 63))
    body += scan(0, 0, 1, 0, lambda coder, block: coder.coder.put(None, block[0] & 1))
    body += scan(1, 63, 1, 0, lambda coder, block: coder.ac_refined(block, 1, 63, 0))
    return head + body + b"\xff\xd9"
