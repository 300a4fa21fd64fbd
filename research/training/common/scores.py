"""How good captions are: whole captions, scenes, words."""


def distance(ours, theirs):
    """Edit distance between two lists of words."""
    row = list(range(len(theirs) + 1))
    for place, word in enumerate(ours, 1):
        previous, row[0] = row[0], place
        for other, target in enumerate(theirs, 1):
            cost = min(row[other] + 1, row[other - 1] + 1, previous + (word != target))
            previous, row[other] = row[other], cost
    return row[-1]


def scene(text):
    return text.split(" The text at the ")[0]


def said(text, task):
    """The words of the meme that a caption quotes."""
    if task == "<OCR>":
        return text.split()
    return " ".join(text.split('"')[1::2]).split()


def score(task, pairs):
    """Of (caption, truth) pairs: exact captions, exact scenes, word accuracy."""
    count = len(pairs)
    result = {"n": count, "exact": sum(ours == truth for ours, truth in pairs) / count}
    if "DETAILED" in task:
        result["scene"] = sum(scene(ours) == scene(truth) for ours, truth in pairs) / count
    if task != "<CAPTION>":
        total = sum(len(said(truth, task)) for _, truth in pairs)
        errors = sum(distance(said(ours, task), said(truth, task)) for ours, truth in pairs)
        result |= {"words": total, "word_accuracy": 1 - errors / max(1, total)}
    return {name: round(value, 4) for name, value in result.items()}
