"""What becomes of answers when inputs are rounded to int8 in different ways, LLM.int8()'s columns apart among them:

    python -m smolvlm.outliers ../../data/SmolVLM-tiny ../../tmp/quality/memes-5000000000 --count 512

Weights are int8 as bitsandbytes has them, in every linear layer but the output layer (the recipe `linears`); arithmetic is
f32, so rounding is all that differs. A row is compared with the checkpoint as it is. Columns are apart for all rows of a call:
an image's tiles in the tower, its prompt, or a token; a batch holds such calls side by side.
"""

import argparse
import json
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from . import captioner, tiles, vocabulary
from .vocabulary import DESCRIBE

THRESHOLD = 6.0  # LLM.int8()'s
BLOCK = 64


class Call:
    """How a batch is made of calls, and what was apart in it."""

    batch = 1
    real = None  # [batch, tokens]: which rows are no padding; nil where all are
    columns = apart = 0


def by_token(x, _):
    scale = (x.abs().amax(-1, keepdim=True) / 127).clamp_min(1e-30)
    return (x / scale).round() * scale


def in_blocks(x, call):
    return by_token(x.unflatten(-1, (-1, BLOCK)), call).flatten(-2)


def columns_apart(x, call):
    """Outliers' columns stay as they are; the other values of such a column still count in the scale of their row."""
    rows = x.half().float().reshape(call.batch, -1, x.shape[-1])
    large = rows.abs() >= THRESHOLD
    if call.real is not None and call.real.shape == rows.shape[:2]:
        large &= call.real[..., None]
    apart = large.any(1, keepdim=True)
    scale = (rows.masked_fill(large, 0).abs().amax(-1, keepdim=True) / 127).clamp_min(1e-30)
    call.columns += apart.numel()
    call.apart += int(apart.sum())
    return torch.where(apart, rows, (rows / scale).round() * scale).reshape(x.shape)


ROWS = {
    "16 bits": None, "weights only": lambda x, _: x, "one scale a token": by_token, "columns of 6 and more apart": columns_apart,
    "blocks of 64": in_blocks,
}  # fmt: skip


def quantize(model, rounding, call):
    """Weights to int8 and back; inputs rounded on their way in."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name != "lm_head":
            weight = module.weight.data.half().float()
            scale = weight.abs().amax(1, keepdim=True)
            module.weight.data = (weight * (127 / scale)).round() * scale / 127
            module.register_forward_pre_hook(lambda _, inputs: (rounding(inputs[0], call), *inputs[1:]))


def batches(images, size):
    """Places of pictures of one grid, `size` at a time."""
    grids = [tiles.grid_of(*image.size) for image in images]
    for grid in dict.fromkeys(grids):
        places = [place for place, other in enumerate(grids) if other == grid]
        yield from ((grid, places[start : start + size]) for start in range(0, len(places), size))


@torch.inference_mode()
def forced(model, call, images, grid, answers):
    """For every token of every answer its log-probability and the likeliest one in its place."""
    prompt = vocabulary.ids([*tiles.prompt(grid), *vocabulary.question(DESCRIBE)])
    longest = max(map(len, answers))
    ids = torch.tensor([[*prompt, *answer, *[0] * (longest - len(answer))] for answer in answers], device=model.device)
    lengths = torch.tensor([[len(prompt) + len(answer)] for answer in answers], device=model.device)
    call.real = torch.arange(ids.shape[1], device=model.device)[None] < lengths
    pixels = torch.stack([torch.from_numpy(tiles.tiles(image)[1]) for image in images]).to(model.device)
    logits = model(input_ids=ids, attention_mask=call.real.long(), pixel_values=pixels).logits[:, len(prompt) - 1 : -1].float()
    call.real = None
    given, best = ids[:, len(prompt) :], logits.argmax(-1)
    said = logits.log_softmax(-1).gather(-1, given[..., None])[..., 0]
    return [list(zip(one[: len(answer)].tolist(), top[: len(answer)].tolist())) for one, top, answer in zip(said, best, answers)]


def wilson(hits, count, z=1.959964):
    share, slack = hits / count, z * z / count
    middle, half = share + slack / 2, z * ((share * (1 - share) + slack / 4) / count) ** 0.5
    return 100 * (middle - half) / (1 + slack), 100 * (middle + half) / (1 + slack)


def share(hits, count):
    low, high = wilson(hits, count)
    return f"{100 * hits / count:.1f} % ({low:.1f} to {high:.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("memes", type=Path)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    lines = (options.memes / "captions.jsonl").read_text(encoding="utf-8").splitlines()[: options.count]
    memes = [json.loads(line) for line in lines]
    images = [Image.open(options.memes / meme["file"]).convert("RGB") for meme in memes]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    full = {}
    print("| inputs | memes | identical to 16 bits | right | next token agrees | loss, nats a token | columns apart |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, rounding in ROWS.items():
        model, call = captioner.load(options.checkpoint, device), Call()
        if rounding:
            quantize(model, rounding, call)
        found = {}
        for grid, places in batches(images, options.batch):
            some = [images[place] for place in places]
            call.batch = len(places)
            answers = captioner.answer(model, some, DESCRIBE)
            apart = call.columns, call.apart
            scored = [full[place][0][0] if full and rounding else answers[number][0] for number, place in enumerate(places)]
            scores = forced(model, call, some, grid, scored)
            call.columns, call.apart = apart  # of the answers themselves
            found |= dict(zip(places, zip(answers, scores)))
        full = full or found
        same = sum(found[place][0][0] == full[place][0][0] for place in found)
        right = sum(found[place][0][1] == memes[place]["captions"]["<DETAILED_CAPTION>"] for place in found)
        pairs = [pair for place in found for pair in zip(full[place][1], found[place][1])]
        agrees = sum(before[1] == after[1] for before, after in pairs) / len(pairs)
        loss = sum(before[0] - after[0] for before, after in pairs) / len(pairs)
        apart = f"{100 * call.apart / call.columns:.2f} %" if call.columns else ""
        cells = (name, len(memes), share(same, len(memes)), share(right, len(memes)), f"{100 * agrees:.2f} %", f"{loss:.4f}", apart)
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
