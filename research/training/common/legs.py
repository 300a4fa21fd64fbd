"""A leg of training: from random weights or the f16 weights of the leg before, by the clock."""

import argparse
import json
import math
import os
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

FIRST_SEED = 2**40  # the evaluation's seeds lie far below
STOPS = ((700, "letter", 0.05), (1200, "letter", 0.4))  # (step, what, the least it must be by then)


def arguments(description, **defaults):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--steps", type=int, default=10**9, help="stop after so many, for a trial")
    parser.add_argument("--span", type=float, nargs=2, default=(0, 0.5))
    parser.add_argument("--weights", type=Path, help="native f16 weights to go on from")
    parser.add_argument("--leg", type=int, default=1, help="every leg draws its own memes")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--smoothing", type=float, default=0.0, help="label smoothing over all tokens but the end")
    parser.add_argument("--corrupt", type=float, default=0.0, help="share of wrong decoder inputs")
    parser.add_argument("--smallest", type=float, nargs=2, default=(8, 11), help="pixels: the narrowest, the lowest letters")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--no-compile", action="store_true")
    parser.set_defaults(**defaults)
    return parser.parse_args()


def first_seed(options):
    return FIRST_SEED * options.leg


def optimizer(parameters, options, device):
    """AdamW that lets only matrices decay."""
    parameters = list(parameters)
    decayed, plain = ([p for p in parameters if (p.ndim > 1) == matrix] for matrix in (True, False))
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98), fused=device == "cuda")


def descend(optimizer, parameters, loss):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


def mover(device):
    """What copies a batch to the device, in the prefetching thread and on a stream of its own."""
    if device == "cpu":
        return lambda batch: {name: torch.from_numpy(value.copy()) for name, value in batch.items()}
    copies = torch.cuda.Stream()

    def move(batch):
        with torch.cuda.stream(copies):
            moved = {name: torch.from_numpy(value).to(device) for name, value in batch.items()}
        copies.synchronize()
        return moved

    return move


def lit(pixels):
    """Pixels [batch, 3, height, width] of 0..1 with other light and sensor noise now and then."""
    count, device = len(pixels), pixels.device
    gain = 1 + 0.12 * torch.randn(count, 3, 1, 1, device=device) * (torch.rand(count, 1, 1, 1, device=device) < 0.4)
    grain = 0.05 * torch.rand(count, 1, 1, 1, device=device) * (torch.rand(count, 1, 1, 1, device=device) < 0.3)
    return (pixels * gain + grain * torch.randn_like(pixels)).clamp_(0, 1)


def save(path, named):
    """Weights in f16."""
    save_file({name: value.detach().half().cpu().contiguous() for name, value in named.items()}, str(path) + ".part")
    os.replace(str(path) + ".part", path)


def run(options, batches, trainer):
    """Steps until the time is up; `trainer` has optimizer, step(number, batch, helper) and named()."""
    began = warm = saved = time.time()
    steps, (first, last) = -1, options.span
    while True:
        number, batch = next(batches)
        steps += 1
        if steps == 3:
            warm = time.time()
        spent = time.time() - began
        progress = first + (last - first) * min(1.0, spent / options.seconds)
        wave = 0.5 * (1 + math.cos(math.pi * progress))
        for group in trainer.optimizer.param_groups:
            group["lr"] = max(1e-5, options.rate * min(1.0, (steps + 1) / options.warmup) * wave)
        numbers = trainer.step(number, batch, max(0.05, 0.5 * wave))
        if steps % 50 == 0 or steps < 3:
            numbers = {name: round(float(value), 4) for name, value in numbers.items()}
            speed = options.batch * max(0, steps - 3) / max(1e-9, time.time() - warm)
            row = {"step": steps, "seconds": round(spent, 1), "images_per_s": round(speed), "drawn": batches.fresh, **numbers}
            print(json.dumps(row), flush=True)
            with open(options.out / "log.jsonl", "a") as log:
                log.write(json.dumps(row) + "\n")
            if not options.weights and any(steps == at and numbers[what] < least for at, what, least in STOPS):
                raise SystemExit("the helper heads do not learn: stopped")
        if time.time() - saved > 60:
            save(options.out / "native.safetensors", trainer.named())
            saved = time.time()
        if spent > options.seconds or steps + 1 >= options.steps:
            break
    save(options.out / "native.safetensors", trainer.named())
    print(f"{steps + 1} steps of {options.batch}, {batches.fresh * options.batch} memes drawn, {time.time() - began:.0f} s", flush=True)
