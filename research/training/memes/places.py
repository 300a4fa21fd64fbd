"""Photo-like backgrounds: each a function (rng, size) -> RGB picture."""

from PIL import Image, ImageDraw, ImageFilter

from . import names
from .objects import jitter
from .textures import cut, ramp, slope


def tone(rng, *colors, amount=14):
    return [jitter(rng, color, amount) for color in colors]


def blend(under, over, mask):
    under.paste(over, (0, 0), mask)
    return under


def bricks(rng, size):
    brick, dark, mortar = tone(rng, (172, 78, 58), (128, 52, 40), (204, 194, 182))
    image = ramp(cut(rng, size, 5, 24), dark, brick, jitter(rng, brick, 20))
    pen = ImageDraw.Draw(image)
    height = rng.randint(20, 46)
    width, gap = round(height * rng.uniform(2, 2.6)), max(2, height // 9)
    for row in range(size[1] // height + 1):
        pen.rectangle((0, row * height, size[0], row * height + gap), fill=mortar)
        for x in range((row % 2) * width // 2, size[0], width):
            pen.rectangle((x, row * height, x + gap, (row + 1) * height), fill=mortar)
    return image


def grass(rng, size):
    return ramp(cut(rng, size, 5, 40, (1, 3)), *tone(rng, (18, 62, 14), (62, 138, 34), (148, 202, 74)))


def sand(rng, size):
    return ramp(cut(rng, size, 6, 10, (2, 1)), *tone(rng, (186, 150, 98), (222, 192, 142), (244, 222, 180)))


def clouds(rng, size):
    return ramp(cut(rng, size, 5, 3, (1.6, 1)), *tone(rng, (70, 138, 214), (120, 176, 232), (226, 236, 246), (252, 252, 254)))


def stars(rng, size):
    image = ramp(cut(rng, size, 4, 2), *tone(rng, (6, 6, 22), (16, 18, 58), (48, 36, 96), amount=6))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.randint(60, 140)):
        x, y, radius = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(0.3, 1.6)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(rng.randint(190, 255),) * 3)
    return image


def sunset(rng, size):
    sky = slope().resize(size, Image.Resampling.BILINEAR)
    image = ramp(sky, *tone(rng, (66, 40, 110), (186, 70, 110), (246, 130, 60), (254, 206, 96)))
    streaks = cut(rng, size, 4, 3, (4, 1)).point(lambda value: max(0, value - 130))
    image = blend(image, Image.new("RGB", size, jitter(rng, (96, 44, 96), 20)), streaks)
    horizon = round(size[1] * rng.uniform(0.8, 0.95))
    ImageDraw.Draw(image).rectangle((0, horizon, *size), fill=jitter(rng, (38, 24, 44), 10))
    return image


def water(rng, size):
    return ramp(cut(rng, size, 4, 12, (4, 1)), *tone(rng, (8, 50, 110), (24, 104, 168), (60, 152, 204), (196, 230, 242)))


def wood(rng, size):
    dark, middle, light = tone(rng, (92, 54, 26), (150, 96, 52), (194, 142, 90))
    upright = rng.random() < 0.5
    image = ramp(cut(rng, size, 5, 16, (1, 9) if upright else (9, 1)), dark, middle, light)
    pen, step = ImageDraw.Draw(image), rng.randint(44, 96)
    for edge in range(rng.randint(0, step), max(size), step):
        box = (edge, 0, edge + 2, size[1]) if upright else (0, edge, size[0], edge + 2)
        pen.rectangle(box, fill=(58, 34, 18))
    return image


def mountains(rng, size):
    image = ramp(slope().resize(size), *tone(rng, (104, 160, 220), (202, 224, 240)))
    pen = ImageDraw.Draw(image)
    for layer, color in enumerate(tone(rng, (142, 150, 172), (98, 108, 132), (58, 70, 84))):
        points, x = [(0, size[1])], -rng.uniform(0, 60)
        base = size[1] * (0.42 + 0.18 * layer)
        while x < size[0] + 80:
            points += [(x, base + rng.uniform(20, 70)), (x + 40, base - rng.uniform(10, size[1] * 0.26))]
            x += rng.uniform(70, 120)
        pen.polygon([*points, (size[0] + 80, size[1])], fill=color)
    return image


def lights(rng, size):
    image = ramp(cut(rng, size, 2, 3), *tone(rng, (14, 12, 26), (42, 34, 58)))
    for _ in range(rng.randint(12, 24)):
        radius = rng.randint(10, 34)
        spot = Image.new("L", (radius * 2 + 1,) * 2)
        ImageDraw.Draw(spot).ellipse((1, 1, radius * 2 - 1, radius * 2 - 1), fill=rng.randint(90, 200))
        color = rng.choice(((255, 190, 90), (255, 120, 80), (120, 200, 255), (250, 240, 200), (190, 255, 150), (255, 120, 200)))
        image.paste(color, (rng.randint(-radius, size[0]), rng.randint(-radius, size[1])), spot)
    return image


def blur(rng, size):
    """Large soft patches of arbitrary colours, like a photo out of focus, with the grain of a camera."""
    colors = [tuple(rng.randint(0, 255) for _ in range(3)) for _ in range(3)]
    if rng.random() < 0.6:  # photos are mostly muted
        colors = [tuple(round(part * 0.4 + 0.6 * sum(color) / 3) for part in color) for color in colors]
    image = ramp(cut(rng, size, rng.randint(1, 2), rng.randint(2, 5)), colors[0], colors[1])
    image = blend(image, Image.new("RGB", size, colors[2]), cut(rng, size, 2, rng.randint(2, 4)))
    if rng.random() < 0.5:
        grain = cut(rng, size, 2, 200)
        image = Image.blend(image, Image.merge("RGB", (grain,) * 3), rng.uniform(0.03, 0.12))
    return image


def clutter(rng, size):
    """Overlapping blots and strokes with hard edges: whatever a drawing or a crowded photo may hold."""
    image = ramp(cut(rng, size, 3, 3), *(tuple(rng.randint(0, 255) for _ in range(3)) for _ in range(2)))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.randint(9, 22)):
        color = tuple(rng.randint(0, 255) for _ in range(3))
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        points = [(x + rng.uniform(-110, 110), y + rng.uniform(-110, 110)) for _ in range(rng.randint(2, 5))]
        if len(points) == 2:
            pen.line(points, fill=color, width=rng.randint(1, 14))
        elif len(points) == 3:
            (left, right), (top, bottom) = (sorted(pair) for pair in zip(*points[:2]))
            pen.ellipse((left, top, right, bottom), fill=color, outline=rng.choice((color, (0, 0, 0))), width=3)
        else:
            pen.polygon(points, fill=color)
    return image.filter(ImageFilter.BoxBlur(rng.uniform(1, 3))) if rng.random() < 0.3 else image


def city(rng, size):
    image = ramp(slope().resize(size), *tone(rng, (10, 14, 40), (62, 50, 96)))
    pen, x = ImageDraw.Draw(image), -rng.randint(0, 30)
    while x < size[0]:
        width, top = rng.randint(36, 84), round(size[1] * rng.uniform(0.15, 0.6))
        pen.rectangle((x, top, x + width, size[1]), fill=jitter(rng, (24, 24, 36), 10))
        for y in range(top + 8, size[1], 16):
            for column in range(x + 6, x + width - 8, 13):
                if rng.random() < 0.45:
                    pen.rectangle((column, y, column + 5, y + 7), fill=(250, 214, 120))
        x += width + rng.randint(-4, 10)
    return image


def marble(rng, size):
    veins = cut(rng, size, 5, 4, (1.5, 1)).point(lambda value: min(255, abs(value - 128) * 6))
    return ramp(veins, *tone(rng, (140, 144, 152), (214, 216, 220), (240, 240, 242), amount=8))


def forest(rng, size):
    image = ramp(cut(rng, size, 5, 14), *tone(rng, (12, 36, 16), (34, 84, 36), (96, 142, 70)))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.randint(5, 11)):
        x, width = rng.uniform(-10, size[0]), rng.uniform(10, 30)
        bark = jitter(rng, (62, 44, 30), 14)
        pen.polygon([(x, size[1]), (x + width * 0.2, 0), (x + width * 0.7, 0), (x + width, size[1])], fill=bark)
    return image


PLACES = {name: globals()[name] for name in names.PLACES}
