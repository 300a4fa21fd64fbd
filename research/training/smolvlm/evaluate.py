"""Held-out scores with transformers, greedy, in f32: `python -m smolvlm.evaluate WEIGHTS --count 512`.

WEIGHTS is a file of native weights or a checkpoint folder. The memes' seeds start at 5e9 and are never trained on;
"seen" ones use the training's dictionary without invented words, "unseen" ones only English words that it never
contains. `--expect MEMES FILE` writes the answers for the sample memes instead.
"""

import argparse
import json
from multiprocessing import Pool
from pathlib import Path

from common.scores import score
from memes import assets, render

FIRST_SEED = 5_000_000_000
SOURCES = ("seen", "unseen")


def draw(job):
    seed, source = job
    meme = render(seed, source)
    return meme.image, meme.captions()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="'seen' or 'unseen'")
    parser.add_argument("--out", type=Path, help="write scores and wrong answers here")
    parser.add_argument("--expect", type=Path, nargs=2, metavar=("MEMES", "FILE"))
    options = parser.parse_args()
    if options.expect:
        from . import captioner

        captioner.write_expected(captioner.load(options.weights), *options.expect)
        return
    assets.verify()
    sources = [source for source in SOURCES if options.only in ("", source)]
    with Pool(options.workers) as pool:  # forks before torch starts
        sets = {source: pool.map(draw, [(FIRST_SEED + k, source) for k in range(options.count)], chunksize=8) for source in sources}

    import torch

    from . import captioner, vocabulary

    model = captioner.load(options.weights, "cuda" if torch.cuda.is_available() else "cpu")
    report = []
    for source in sources:
        for question, task in ((vocabulary.DESCRIBE, "<DETAILED_CAPTION>"), (vocabulary.READ, "<OCR>")):
            pairs = []
            for start in range(0, options.count, options.batch):
                some = sets[source][start : start + options.batch]
                ours = captioner.answer(model, [image for image, _ in some], question)
                pairs += zip((text for _, text in ours), (truth[task] or vocabulary.NO_TEXT for _, truth in some))
            row = {"words_from": source, "question": question, **score(task, pairs)}
            print(json.dumps(row), flush=True)
            wrong = [(FIRST_SEED + k, *pair) for k, pair in enumerate(pairs) if pair[0] != pair[1]]
            report.append({**row, "wrong": wrong[:60]})
            if options.out:
                options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
