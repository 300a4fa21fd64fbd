"""A whole meme from one seed: text blocks first, then the things in the room that they leave."""

import io
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

from . import backgrounds, captions, lettering, objects, words

INPUT = 384  # the side of the square that the model sees; legibility is judged there
SMALLEST = (11.5, 17)  # pixels there that a letter takes, on average, and that a capital is high
SHAPES = (1, 1, 0.7, 0.75, 0.8, 1.2, 1.33, 1.33, 1.5, 1.6, 1.78, 1.9)
LETTERS = 76  # the longest text of a meme


@dataclass
class Meme:
    seed: int
    image: Image.Image
    canvas: tuple  # the size that boxes and letters refer to
    background: str
    things: list  # (Thing, box), left to right
    blocks: list  # top to bottom

    def captions(self):
        return captions.write(self)


def render(seed, source="train", smallest=SMALLEST, shapes=SHAPES):
    """The meme of this seed. `source` "unseen": every word is one that training never shows; "seen": none is invented.

    `shapes`: the ratios of width to height to choose from.
    """
    rng = random.Random(f"{source}-{seed}")
    shape = rng.choice(shapes) * rng.uniform(0.93, 1.07)
    area = rng.uniform(330, 480) ** 2
    size = (min(640, round((area * shape) ** 0.5)), min(640, round((area / shape) ** 0.5)))
    background = backgrounds.pick(rng)
    image = backgrounds.draw(rng, background, size)
    blocks = place_text(rng, size, source, smallest)
    things = place_things(rng, image, background, blocks)
    for block in blocks:
        lettering.draw(rng, image, block)
    if rng.random() < 0.1:
        watermark(rng, image)
    return Meme(seed, degrade(rng, image), size, background, things, blocks)


def place_text(rng, size, source, smallest):
    kind = rng.random()
    if source != "train":
        kind = 0.08 + 0.92 * kind  # the evaluation of words needs words
    if kind < 0.08:
        places = []
    elif kind < 0.42:
        places = ["top", "bottom"]
    elif kind < 0.72:
        places = ["bottom"]
    else:
        places = ["top"]
    if not places:
        return []
    style = lettering.pick_style(rng)
    capitals = style.capitals_only or rng.random() < 0.6
    blocks = []
    for place in places:
        block = make_block(rng, size, style, capitals, LETTERS // len(places), place, source, smallest)
        settle(rng, block, size)
        blocks.append(block)
    return blocks


def make_block(rng, size, style, capitals, room, place, source, smallest):
    """Words that fit, in letters that the model has pixels for."""
    count = rng.choices((1, 2, 3, 4, 5, 6, 7, 8), (8, 10, 14, 16, 16, 13, 8, 5))[0]
    parts = words.phrase(rng, count, source)
    while len(" ".join(parts)) > room - 1:
        parts.pop()
    parts = words.cased(rng, parts or ["ok"], capitals)
    squeeze = INPUT / size[0], INPUT / size[1]
    tallest = rng.uniform(0.06, 0.2) * size[1]
    while True:
        lines = lettering.wrap(parts, 1 if len(parts) < 3 else rng.choice((1, 1, 2, 2, 3)))
        widest = max(lettering.length(style.font, line) for line in lines) / lettering.REFERENCE
        most = 0.95 * size[0] / (widest + 2 * style.weight)
        letters = sum(lettering.length(style.font, line) for line in lines) / sum(len(line) for line in lines)
        wide, high = letters / lettering.REFERENCE * squeeze[0], 0.7 * squeeze[1]  # of a letter, for each point of size
        least = max(smallest[0] / wide, smallest[1] / high) + 1
        pixels = int(min(most, max(tallest, least), 0.33 * size[1] / len(lines)))
        if len(parts) == 1 or (wide * pixels >= smallest[0] and high * pixels >= smallest[1]):
            return lettering.Block(lines, style, pixels, place)
        parts.pop(rng.randrange(len(parts)))  # a single word always fits


def settle(rng, block, size):
    """Find the block's box: at the edge mostly, now and then a good way in or to one side."""
    wide, high = block.measure()
    free = max(0, size[0] - wide)
    block.align = rng.choices(("center", "left", "right"), (78, 14, 8))[0]
    sides = {"center": free / 2 + rng.uniform(-0.06, 0.06) * free, "left": rng.uniform(0, 0.3) * free,
             "right": free - rng.uniform(0, 0.3) * free}
    left = round(sides[block.align])
    inset = round(rng.choice((0.01, 0.02, 0.03, 0.05, 0.1 * rng.random())) * size[1])
    top = inset if block.place == "top" else size[1] - high - inset
    block.box = (left, top, left + wide, top + high)


def place_things(rng, image, background, blocks):
    width, height = image.size
    top = max((block.box[3] for block in blocks if block.box[1] < height / 2), default=0)
    bottom = min((block.box[1] for block in blocks if block.box[1] >= height / 2), default=height)
    if rng.random() < 0.2:  # letters may cover the things a little
        top, bottom = max(0, top - 0.06 * height), min(height, bottom + 0.06 * height)
    count = rng.choices((0, 1, 2, 3, 4), (7, 35, 31, 18, 9))[0]
    slot = width / max(1, count)
    largest = min(slot * 0.96, bottom - top)
    if count == 0 or min(largest * 384 / width, largest * 384 / height) < 52:
        return []
    if count > 1 and rng.random() < 0.2:
        cast = [objects.pick(rng, background)] * count
    else:
        cast = []
        while len(cast) < count:
            thing = objects.pick(rng, background)
            if thing not in cast:
                cast.append(thing)
    smallest = 50 * max(width, height) / 384
    placed = []
    for place, thing in enumerate(cast):
        side = rng.uniform(max(smallest, 0.55 * largest), max(smallest, largest))
        picture = objects.draw(rng, thing, min(side, largest))
        x = place * slot + rng.uniform(0, max(0, slot - picture.width))
        y = top + rng.uniform(0, max(0, bottom - top - picture.height))
        if rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if thing.name not in ("open book", "alarm clock") else picture
        image.paste(picture, (round(x), round(y)), picture)
        placed.append((thing, (x, y, x + picture.width, y + picture.height)))
    return placed


def watermark(rng, image):
    """A line too small to read, which is no part of the text."""
    font = lettering.load("LiberationSans-Regular.ttf", max(6, round(image.height * 0.02)))
    place = (rng.choice((3, image.width - 80)), image.height - round(image.height * 0.027))
    ImageDraw.Draw(image).text(place, words.invented(rng) + ".com", font=font, fill=(rng.randint(150, 240),) * 3)


def degrade(rng, image):
    """What happens to a meme on its way: scaling, blur, other light, JPEG."""
    if rng.random() < 0.15:
        scale = rng.uniform(0.72, 0.95)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    if rng.random() < 0.12:
        image = image.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 0.7)))
    if rng.random() < 0.2:
        gain, lift = rng.uniform(0.85, 1.1), rng.uniform(-12, 12)
        image = image.point([min(255, max(0, round(value * gain + lift))) for value in range(256)] * 3)
    if rng.random() < 0.4:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=rng.randint(40, 92))
        image = Image.open(file).convert("RGB")
    return image
