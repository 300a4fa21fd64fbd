"""The things in a meme: colour emoji and coloured shapes, as small RGBA pictures."""

import math
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from . import assets, names


@dataclass(frozen=True)
class Thing:
    name: str  # key of names.EMOJI, or a shape
    color: str = ""  # of a shape

    @property
    def label(self):
        return f"{self.color} {self.name}".strip()

    @property
    def plural(self):
        return names.EMOJI[self.name][1] if self.name in names.EMOJI else f"{self.label}s"


def pick(rng, background):
    """One thing; a shape never has the colour of its background."""
    if rng.random() < 0.8:
        return Thing(rng.choice(list(names.EMOJI)))
    colors = [color for color in names.COLORS if color not in background]
    return Thing(rng.choice(names.SHAPES), rng.choice(colors))


def draw(rng, thing, size):
    """The thing as an RGBA picture whose longer side is `size`."""
    if thing.name in names.EMOJI:
        image = emoji(names.EMOJI[thing.name][0])
    else:
        image = shape(thing.name, jitter(rng, names.COLORS[thing.color], 14))
    if rng.random() < 0.25:
        image = image.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR, expand=True)
    scale = size / max(image.size)
    width, height = (max(8, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.5)


def jitter(rng, color, amount):
    return tuple(min(255, max(0, round(part + rng.uniform(-amount, amount)))) for part in color)


@cache
def emoji(character):
    # The colour bitmaps of Noto Color Emoji come in this one size.
    font = ImageFont.truetype(assets.path("NotoColorEmoji.ttf"), 109, layout_engine=ImageFont.Layout.BASIC)
    image = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(image).text((10, 10), character, font=font, embedded_color=True)
    return image.crop(image.getbbox())


@cache
def mask(name):
    side = 256
    image = Image.new("L", (side, side))
    draw_ = ImageDraw.Draw(image)
    if name == "circle":
        draw_.ellipse((4, 4, 251, 251), fill=255)
    elif name == "heart":
        curve = [(math.sin(t) ** 3 * 16, 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
                 for t in (step * math.tau / 90 for step in range(90))]
        draw_.polygon([(128 + x * 7.6, 118 - y * 7.6) for x, y in curve], fill=255)
    else:
        draw_.polygon(corners(name), fill=255)
    return image.resize((128, 128), Image.Resampling.BOX)


def corners(name):
    if name == "square":
        return [(14, 14), (242, 14), (242, 242), (14, 242)]
    if name == "triangle":
        return [(128, 14), (250, 240), (6, 240)]
    if name == "diamond":
        return [(128, 2), (222, 128), (128, 254), (34, 128)]
    points = []
    for step in range(10):  # a star
        radius = 126 if step % 2 == 0 else 50
        angle = step * math.pi / 5 - math.pi / 2
        points.append((128 + radius * math.cos(angle), 132 + radius * math.sin(angle)))
    return points


def shape(name, color):
    image = Image.new("RGBA", (128, 128), (*color, 0))
    image.putalpha(mask(name))
    return image
