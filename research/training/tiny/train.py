"""Train Florence-2-tiny in legs: `python -m tiny.train --seconds 480 --span 0 0.5 --out out/leg1`.

A leg starts from random weights or from the f16 weights of the one before (`--weights`), with a fresh
optimizer; `--span` says which part of the learning-rate schedule it covers.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from common.feed import Feed, Prefetch
from common.heads import Heads
from memes import assets

from . import model as shape
from . import vocabulary
from .data import FIELDS, drawer, parts

FIRST_SEED = 2**40  # the evaluation's seeds lie far below
STOPS = ((700, "letter", 0.05), (1200, "letter", 0.4))  # (step, what, the least it must be by then)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
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
    return parser.parse_args()


class Trainer:
    def __init__(self, options, device):
        torch.manual_seed(options.leg)
        self.options, self.device = options, device
        self.model = shape.build()
        shape.initialise(self.model)
        self.heads = Heads(shape.TEXT["d_model"], shape.GRID, shape.GRID, len(vocabulary.SPECIAL) + len(vocabulary.CHARACTERS))
        if options.weights:
            self.load(options.weights)
        self.model.to(device).train()
        self.heads.to(device)
        self.see = shape.see if options.no_compile else torch.compile(shape.see)
        self.smooth = torch.full((len(vocabulary.table()),), 1.0, device=device)
        self.smooth[vocabulary.EOS] = 0
        self.smooth /= self.smooth.sum()
        parameters = [*self.model.named_parameters(), *self.heads.named_parameters()]
        decayed = [p for _, p in parameters if p.ndim > 1]
        plain = [p for _, p in parameters if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98), fused=device == "cuda")
        self.copies = torch.cuda.Stream() if device == "cuda" else None
        self.mean, self.std = (torch.tensor(part, device=device).view(1, 3, 1, 1) for part in (shape.MEAN, shape.STD))
        self.prompts = {task: shape.prompt_ids(task, device) for task in vocabulary.PROMPTS}

    def load(self, path):
        saved = {name: value.float() for name, value in load_file(path).items()}
        self.heads.load_state_dict({k[6:]: v for k, v in saved.items() if k.startswith("heads.")})
        weights = {k: v for k, v in saved.items() if not k.startswith("heads.")}
        missing, extra = self.model.load_state_dict(weights, strict=False)
        assert not extra and all("embed_tokens" in name or "lm_head" in name for name in missing), (missing, extra)

    def save(self, path):
        """The native weights and the heads in f16, tied tables once."""
        named = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        named.update({f"heads.{name}": value for name, value in self.heads.named_parameters()})
        save_file({name: value.detach().half().cpu().contiguous() for name, value in named.items()}, str(path) + ".part")
        os.replace(str(path) + ".part", path)

    def move(self, batch):
        """Runs in the prefetching thread, on a stream of its own."""
        if self.device == "cpu":
            return {name: torch.from_numpy(value.copy()) for name, value in batch.items()}
        with torch.cuda.stream(self.copies):
            moved = {name: torch.from_numpy(value).to(self.device) for name, value in batch.items()}
        self.copies.synchronize()
        return moved

    def pixels(self, batch):
        """Normalise, with other light and sensor noise now and then."""
        count, device = len(batch["pixels"]), self.device
        pixels = batch["pixels"].permute(0, 3, 1, 2).float() / 255
        gain = 1 + 0.12 * torch.randn(count, 3, 1, 1, device=device) * (torch.rand(count, 1, 1, 1, device=device) < 0.4)
        grain = 0.05 * torch.rand(count, 1, 1, 1, device=device) * (torch.rand(count, 1, 1, 1, device=device) < 0.3)
        pixels = (pixels * gain + grain * torch.randn_like(pixels)).clamp_(0, 1)
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def step(self, batch, helper):
        if self.copies:
            for tensor in batch.values():
                tensor.record_stream(torch.cuda.current_stream())
        with torch.autocast(self.device, torch.bfloat16):
            seen = self.see(self.model, self.pixels(batch))
            image = self.model.model.multi_modal_projector(seen)
            losses, letters = self.heads.of_image(image[:, 1:], image[:, 0], batch)
            caption, pointing, right, count = 0.0, 0.0, 0.0, 0.0
            for question, rows, task, limit in parts(self.options.batch):
                tokens, spots = (batch[name][rows, question, :limit].long() for name in ("tokens", "spots"))
                loss, where, hit, number = self.caption(image[rows], task, tokens, spots)
                caption, pointing, right, count = caption + loss, pointing + where, right + hit, count + number
            losses["pointing"] = pointing / count
            loss = caption / count + helper * sum(losses.values())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.heads.parameters()], 1.0)
        self.optimizer.step()
        numbers = {"caption": caption / count, "token": right / count, "letter": letters, **{f"h_{k}": v for k, v in losses.items()}}
        return {name: value.detach() for name, value in numbers.items()}

    def caption(self, image, task, tokens, spots):
        """Sums over the tokens of one task: loss, pointing loss, hits, and how many tokens."""
        wanted = tokens >= 0
        goal = tokens.clamp(min=0)
        inputs = torch.where(wanted, tokens, vocabulary.PAD).roll(1, dims=1)
        inputs[:, 0] = vocabulary.EOS  # the decoder's start token
        if self.options.corrupt:
            wrong = torch.rand(inputs.shape, device=self.device) < self.options.corrupt
            wrong[:, :2] = False
            inputs = torch.where(wrong, torch.randint_like(inputs, 4, len(vocabulary.table())), inputs)
        hidden = shape.read_out(self.model, image, self.prompts[task], inputs)
        logs = F.log_softmax(self.model.lm_head(hidden).float(), dim=-1)
        loss = -logs.gather(2, goal[..., None])[..., 0]
        if self.options.smoothing:
            loss = (1 - self.options.smoothing) * loss - self.options.smoothing * (logs @ self.smooth)
        hits = ((logs.argmax(-1) == goal) & wanted).sum()
        return (loss * wanted).sum(), self.heads.of_decoder(hidden, spots), hits, wanted.sum()


def run(options):
    assets.verify()
    device = "cuda" if torch.cuda.is_available() else "cpu"  # asks the driver only; the workers fork first
    options.out.mkdir(parents=True, exist_ok=True)
    draw = drawer(options.batch, FIRST_SEED * options.leg, tuple(options.smallest))
    feed = Feed(FIELDS, draw, options.batch, options.workers)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    trainer = Trainer(options, device)
    print(f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters on {device}", flush=True)
    began = warm = saved = time.time()
    number = -1
    first, last = options.span
    batches = Prefetch(iter(feed), trainer.move)
    while True:
        (_, batch), number = next(batches), number + 1
        if number == 3:
            warm = time.time()
        spent = time.time() - began
        progress = first + (last - first) * min(1.0, spent / options.seconds)
        wave = 0.5 * (1 + math.cos(math.pi * progress))
        for group in trainer.optimizer.param_groups:
            group["lr"] = max(1e-5, options.rate * min(1.0, (number + 1) / options.warmup) * wave)
        numbers = trainer.step(batch, max(0.05, 0.5 * wave))
        if number % 50 == 0 or number < 3:
            numbers = {name: round(float(value), 4) for name, value in numbers.items()}
            speed = options.batch * max(0, number - 3) / max(1e-9, time.time() - warm)
            row = {"step": number, "seconds": round(spent, 1), "images_per_s": round(speed), "drawn": batches.fresh, **numbers}
            print(json.dumps(row), flush=True)
            with open(options.out / "log.jsonl", "a") as log:
                log.write(json.dumps(row) + "\n")
            if not options.weights and any(number == at and numbers[what] < least for at, what, least in STOPS):
                raise SystemExit("the helper heads do not learn: stopped")
        if time.time() - saved > 60:
            trainer.save(options.out / "native.safetensors")
            saved = time.time()
        if spent > options.seconds or number + 1 >= options.steps:
            break
    trainer.save(options.out / "native.safetensors")
    drawn = batches.fresh * options.batch
    print(f"{number + 1} steps of {options.batch}, {drawn} memes drawn, {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    run(arguments())
