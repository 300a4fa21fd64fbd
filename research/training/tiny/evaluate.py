"""Held-out scores with transformers: `python -m tiny.evaluate WEIGHTS --count 512`.

WEIGHTS is a file of native weights or a checkpoint folder. The memes' seeds start at 5e9 and are never
trained on; "mixed" memes are drawn like the training's, "seen" ones use its dictionary without invented
words, "unseen" ones only English words that it never contains.

`python -m tiny.evaluate --memes out/seen --captions out/seen.jsonl --task "<OCR>"` scores captions that something else
made of memes that `python -m memes` drew: the lines that `meme_captioner caption --json` prints.
"""

import argparse
import json
from multiprocessing import Pool
from pathlib import Path

from common.scores import score
from memes import assets, render

FIRST_SEED = 5_000_000_000
JOBS = (  # (words, task)
    ("seen", "<DETAILED_CAPTION>"), ("seen", "<OCR>"), ("unseen", "<DETAILED_CAPTION>"), ("unseen", "<OCR>"),
    ("mixed", "<DETAILED_CAPTION>"), ("mixed", "<CAPTION>"), ("mixed", "<MORE_DETAILED_CAPTION>"), ("mixed", "<OCR>"),
)


def draw(job):
    seed, source = job
    meme = render(seed, "train" if source == "mixed" else source)
    return meme.image, meme.captions()


def of_files(memes, captions, task, without_text=""):
    """The score of captions in a file, for memes in a folder; `without_text` is right for a meme whose caption is empty."""
    truths = {row["file"]: row["captions"] for row in map(json.loads, open(memes / "captions.jsonl", encoding="utf-8"))}
    rows = [json.loads(line) for line in open(captions, encoding="utf-8")]
    return {"task": task, **score(task, [(row["caption"], truths[Path(row["image"]).name][task] or without_text) for row in rows])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs="?")
    parser.add_argument("--memes", type=Path, help="a folder that `python -m memes` made")
    parser.add_argument("--captions", type=Path, help="captions of its pictures, a JSON object on each line")
    parser.add_argument("--task", default="<DETAILED_CAPTION>", help="that the captions are for")
    parser.add_argument("--without-text", default="", help="what is right of a meme whose caption for the task is empty")
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--jobs", default="", help="only those whose 'words task' contains this")
    parser.add_argument("--out", type=Path, help="write scores and wrong captions here")
    parser.add_argument("--settings", type=json.loads, default={}, help='generation settings, such as {"num_beams": 1}')
    options = parser.parse_args()
    if options.captions:
        print(json.dumps(of_files(options.memes, options.captions, options.task, options.without_text)))
        return
    assets.verify()
    pool = Pool(options.workers)  # forks before torch starts
    sets = {}
    for source in dict.fromkeys(source for source, task in JOBS if options.jobs in f"{source} {task}"):
        sets[source] = pool.map(draw, [(FIRST_SEED + k, source) for k in range(options.count)], chunksize=8)

    import torch

    from . import captioner

    model = captioner.load(options.weights, "cuda" if torch.cuda.is_available() else "cpu")
    report = []
    for source, task in JOBS:
        if options.jobs not in f"{source} {task}":
            continue
        pairs = []
        for start in range(0, options.count, options.batch):
            some = sets[source][start : start + options.batch]
            ours = captioner.caption(model, [image for image, _ in some], task, **options.settings)
            pairs += zip(ours, (truth[task] for _, truth in some))
        row = {"words_from": source, "task": task, **score(task, pairs)}
        print(json.dumps(row), flush=True)
        report.append({**row, "wrong": [(FIRST_SEED + k, *pair) for k, pair in enumerate(pairs) if pair[0] != pair[1]][:60]})
        if options.out:
            options.out.write_text(json.dumps({"settings": options.settings, "scores": report}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
