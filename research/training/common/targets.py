"""What the helper heads are asked about a meme, for a grid of cells over the picture."""

from memes import names

THINGS = {name: number + 1 for number, name in enumerate(names.OBJECTS)}
COLORS = {name: number + 1 for number, name in enumerate(names.COLORS)}
BACKGROUNDS = {name: number for number, name in enumerate(names.BACKGROUNDS)}


def fill_scene(meme, out):
    """Mark things and their colours in the cells of `out["things"]`, `out["colors"]` [rows, columns], and the background."""
    out["background"][:] = BACKGROUNDS[meme.background]
    height, width = meme.canvas[1], meme.canvas[0]
    for name in ("things", "colors"):
        out[name][:] = 0
    rows, columns = out["things"].shape
    for thing, (left, top, right, bottom) in meme.things:
        place = slice(*cells(top / height, bottom / height, rows)), slice(*cells(left / width, right / width, columns))
        out["things"][place] = THINGS[thing.name]
        out["colors"][place] = COLORS.get(thing.color, 0)


def letter_spots(block, canvas, letters, classes, stride):
    """Mark the block's letters in the half cells [rows, half columns]; where each is, -1 for a space.

    `classes` numbers the letters; a spot is row * `stride` + half column.
    """
    spots, (rows, halves) = [], letters.shape
    for letter, x, y in block.letters:
        spot = -1
        if letter != " ":
            row = min(rows - 1, max(0, int(y / canvas[1] * rows)))
            column = min(halves - 1, max(0, int(x / canvas[0] * halves)))
            letters[row, column] = classes[letter]
            spot = row * stride + column
        spots.append(spot)
    return spots


def cells(start, end, count):
    """The cells whose centres lie within; at least one."""
    first = min(count - 1, max(0, round(start * count + 0.2)))
    return first, max(first + 1, min(count, round(end * count - 0.2)))
