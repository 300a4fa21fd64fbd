"""Lettering: fonts, styles, line breaking, and where every letter ends up."""

from dataclasses import dataclass, field
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from . import assets

# file: (weight of the choice, capitals only)
FONTS = {
    "OpenSans-CondBold.ttf": (10, False), "LiberationSansNarrow-Bold.ttf": (9, False),
    "RobotoCondensed-Bold.ttf": (9, False), "BebasNeue-Bold.otf": (8, True), "BebasNeue-Regular.otf": (3, True),
    "LeagueSpartan-Black.otf": (5, False), "Lato-Black.ttf": (6, False), "Roboto-Black.ttf": (6, False),
    "OpenSans-ExtraBold.ttf": (6, False), "DejaVuSansCondensed-Bold.ttf": (4, False), "Roboto-Bold.ttf": (4, False),
    "LiberationSans-Bold.ttf": (6, False), "OpenSans-Bold.ttf": (3, False), "Lato-Bold.ttf": (3, False),
    "DejaVuSans-Bold.ttf": (3, False), "LeagueSpartan-Bold.otf": (2, False), "ComicNeue-Bold.otf": (4, False),
    "TomsonTalks.ttf": (2, True), "RobotoCondensed-Medium.ttf": (3, False), "LiberationSerif-Bold.ttf": (2, False),
    "DejaVuSerif-Bold.ttf": (2, False), "LiberationSans-Regular.ttf": (3, False), "Roboto-Regular.ttf": (2, False),
    "DejaVuSans.ttf": (2, False), "OpenSans-Regular.ttf": (2, False), "Lato-Regular.ttf": (2, False),
}
COLORED = {
    "yellow": (255, 232, 40), "red": (228, 30, 36), "green": (70, 220, 70), "blue": (40, 96, 232),
    "pink": (255, 110, 190), "orange": (255, 150, 30),
}
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
REFERENCE = 100  # the size at which advances are measured


@dataclass
class Style:
    font: str
    fill: tuple
    outline: tuple | None  # colour of the outline
    weight: float  # width of the outline, as a part of the size
    band: bool  # letters on a band of their own
    color: str  # the name of the letters' colour, for captions

    @property
    def capitals_only(self):
        return FONTS[self.font][1]


def pick_style(rng):
    font = rng.choices(list(FONTS), [weight for weight, _ in FONTS.values()])[0]
    kind = rng.random()
    if kind < 0.62:
        return Style(font, WHITE, BLACK, rng.uniform(0.05, 0.11), False, "white")
    if kind < 0.77:
        dark = rng.random() < 0.85
        return Style(font, BLACK if dark else WHITE, None, 0, True, "black" if dark else "white")
    if kind < 0.87:
        name = rng.choice(list(COLORED))
        outline = WHITE if name in ("red", "blue") else BLACK
        return Style(font, COLORED[name], outline, rng.uniform(0.05, 0.1), False, name)
    if kind < 0.94:
        return Style(font, BLACK, WHITE, rng.uniform(0.06, 0.11), False, "black")
    return Style(font, WHITE, None, 0, False, "white")  # a soft shadow alone


@lru_cache(maxsize=2000)
def load(font, size):
    return ImageFont.truetype(assets.path(font), size, layout_engine=ImageFont.Layout.BASIC)


@cache
def advances(font):
    measure = load(font, REFERENCE)
    return {chr(code): measure.getlength(chr(code)) for code in range(32, 127)}


def length(font, text):
    """The width of `text` at the reference size."""
    table = advances(font)
    return sum(table[letter] for letter in text)


def wrap(words, lines):
    """Break into `lines` lines of about equal numbers of letters."""
    total, rows, row = sum(len(word) + 1 for word in words), [], []
    for place, word in enumerate(words):
        row.append(word)
        done = sum(len(w) + 1 for r in rows for w in r) + sum(len(w) + 1 for w in row)
        if len(rows) < lines - 1 and done >= total * (len(rows) + 1) / lines - 2 and place < len(words) - 1:
            rows.append(row)
            row = []
    return [" ".join(r) for r in [*rows, row] if r]


@dataclass
class Block:
    """Lines of text at a place, with the centre of every letter: (letter, x, y), a space has none."""

    lines: list
    style: Style
    size: int
    place: str  # "top" or "bottom"
    box: tuple = None  # left, top, right, bottom
    align: str = "center"
    letters: list = field(default_factory=list)

    @property
    def text(self):
        return " ".join(self.lines)

    @property
    def step(self):
        return round(self.size * 1.16)

    def measure(self):
        margin = self.size * self.style.weight
        wide = max(length(self.style.font, line) for line in self.lines) * self.size / REFERENCE
        return round(wide + 2 * margin), round(self.step * len(self.lines) + 2 * margin)


def draw(rng, image, block):
    """Draw the block into its box and note where the letters are."""
    style, size = block.style, block.size
    pen, font = ImageDraw.Draw(image), load(style.font, size)
    left, top, right, bottom = block.box
    stroke = max(1, round(size * style.weight)) if style.outline else 0
    if style.band:
        back = WHITE if style.fill == BLACK else BLACK
        pen.rectangle((0, max(0, top - 3), image.width, bottom + 3), fill=back)
    ascent = font.getbbox("H", anchor="ls")[1]  # negative: capitals reach this far above the baseline
    for row, line in enumerate(block.lines):
        wide = length(style.font, line) * size / REFERENCE
        x = {"center": (left + right - wide) / 2, "left": left + stroke, "right": right - wide - stroke}[block.align]
        baseline = top + stroke + row * block.step + round(size * 0.14) - ascent
        if not style.band and not style.outline:
            shadow(image, (x, baseline), line, font, size)
        pen.text((x, baseline), line, font=font, fill=style.fill, anchor="ls", stroke_width=stroke, stroke_fill=style.outline)
        note(block, line, x, baseline + ascent / 2)


def note(block, line, x, y):
    table = advances(block.style.font)
    if block.letters:
        block.letters.append((" ", 0, 0))  # the line break is read as a space
    for letter in line:
        wide = table[letter] * block.size / REFERENCE
        block.letters.append((letter, x + wide / 2, y))
        x += wide


def shadow(image, place, line, font, size):
    """A soft dark rim, without which thin white letters are lost on a light ground."""
    box = font.getbbox(line, anchor="ls")
    pad = max(4, size // 4)
    mask = Image.new("L", (box[2] - box[0] + 2 * pad, box[3] - box[1] + 2 * pad))
    pen = ImageDraw.Draw(mask)
    pen.text((pad - box[0], pad - box[1]), line, font=font, fill=255, anchor="ls", stroke_width=max(1, size // 16))
    mask = mask.filter(ImageFilter.BoxBlur(max(1, size // 14)))
    image.paste(BLACK, (round(place[0]) + box[0] - pad, round(place[1]) + box[1] - pad), mask)
