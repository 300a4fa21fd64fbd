"""Backgrounds without a single photo: patterns of one colour here, photo-like places in `places`."""

from PIL import Image, ImageDraw

from . import names
from .objects import jitter
from .places import PLACES
from .textures import ramp, slope


def pick(rng):
    return rng.choice(list(names.PLACES)) if rng.random() < 0.6 else rng.choice(names.BACKGROUNDS)


def draw(rng, background, size):
    """An RGB picture of `size` (width, height)."""
    if background in names.PLACES:
        return PLACES[background](rng, size).convert("RGB")
    pattern, color = background.split(" ")
    return PATTERNS[pattern](rng, size, jitter(rng, names.COLORS[color], 16))


def shade(rng, color):
    """A clearly different tone of the same colour."""
    light = sum(color) < 380 if rng.random() < 0.8 else sum(color) < 560
    amount = rng.uniform(0.25, 0.45)
    return tuple(round(part + ((255 if light else 0) - part) * amount) for part in color)


def plain(rng, size, color):
    return Image.new("RGB", size, color)


def gradient(rng, size, color):
    image = slope().rotate(rng.choice((0, 90, 180, 270))).resize(size, Image.Resampling.BILINEAR)
    dark, light = (tuple(round(p * 0.45) for p in color), tuple(round(p + (255 - p) * 0.4) for p in color))
    return ramp(image, dark, color, light)


def striped(rng, size, color):
    image = Image.new("RGB", size, color)
    pen, other = ImageDraw.Draw(image), shade(rng, color)
    step, lean = rng.randint(22, 70), rng.choice((0, 0, 1, -1))
    upright = rng.random() < 0.5
    for start in range(-size[1] - step, size[0] + size[1] + step, step):
        half = step / 2
        if upright or lean:
            far = start + lean * size[1]
            pen.polygon([(start, 0), (start + half, 0), (far + half, size[1]), (far, size[1])], fill=other)
        else:
            pen.rectangle((0, start, size[0], start + half), fill=other)
    return image


def checkered(rng, size, color):
    image = Image.new("RGB", size, color)
    pen, other, step = ImageDraw.Draw(image), shade(rng, color), rng.randint(22, 64)
    for row in range(size[1] // step + 1):
        for column in range(row % 2, size[0] // step + 1, 2):
            pen.rectangle((column * step, row * step, (column + 1) * step - 1, (row + 1) * step - 1), fill=other)
    return image


def dotted(rng, size, color):
    image = Image.new("RGB", size, color)
    pen, other, step = ImageDraw.Draw(image), shade(rng, color), rng.randint(26, 64)
    radius = step * rng.uniform(0.18, 0.3)
    for row in range(size[1] // step + 2):
        for column in range(size[0] // step + 2):
            x, y = (column + (row % 2) / 2) * step, row * step
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=other)
    return image


PATTERNS = {"plain": plain, "gradient": gradient, "striped": striped, "checkered": checkered, "dotted": dotted}
