"""The true sentences about a meme, one for each task."""

from . import names

TASKS = ("<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>", "<OCR>")


def write(meme):
    scene = scene_of(meme)
    read = reading(meme)
    detailed = f"The image shows {scene}." + (f" {read}" if read else "")
    if meme.blocks:
        more = f"{detailed} The letters are {meme.blocks[0].style.color}."
    else:
        more = f"{detailed} There is no text."
    return {
        "<CAPTION>": scene[0].upper() + scene[1:] + ".",
        "<DETAILED_CAPTION>": detailed,
        "<MORE_DETAILED_CAPTION>": more,
        "<OCR>": " ".join(block.text for block in meme.blocks),
    }


def scene_of(meme):
    things = [thing for thing, _ in meme.things]
    if not things:
        return alone(meme.background)
    return f"{list_of(things)} {behind(meme.background)}"


def list_of(things):
    if len(things) > 1 and len(set(things)) == 1:
        return f"{names.NUMBERS[len(things)]} {things[0].plural}"
    labels = [with_article(thing.label) for thing in things]
    if len(labels) == 1:
        return labels[0]
    if len(labels) == 2:
        return f"{labels[0]} next to {labels[1]}"
    return ", ".join(labels[:-1]) + f" and {labels[-1]}"


def with_article(label):
    if label in names.NO_ARTICLE:
        return label
    return ("an " if label[0] in "aeiou" and not label.startswith("unicorn") else "a ") + label


def behind(background):
    if background in names.PLACES:
        return names.PLACES[background]
    return f"on {with_article(surface(background))}"


def surface(background):
    pattern, color = background.split(" ")
    if pattern == "gradient":
        return f"{color} gradient background"
    return f"{pattern} {color} background"


def alone(background):
    """A background with nothing on it is named without its preposition."""
    if background not in names.PLACES:
        return with_article(surface(background))
    place = names.PLACES[background].split(" ")
    for lead in (["in", "front", "of"], ["under"], ["on"]):
        if place[: len(lead)] == lead:
            return " ".join(place[len(lead):])
    return " ".join(place)


def reading(meme):
    """The sentence that quotes the text, if there is any."""
    quotes = [f'at the {block.place} says "{block.text}"' for block in meme.blocks]
    if not quotes:
        return ""
    return "The text " + " and the text ".join(quotes) + "."
