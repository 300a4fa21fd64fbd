"""Train Florence-2-tiny in legs: `python -m tiny.train --seconds 480 --span 0 0.5 --out out/leg1`.

A leg starts from random weights or from the f16 weights of the one before (`--weights`), with a fresh
optimizer; `--span` says which part of the learning-rate schedule it covers.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from common import legs
from common.feed import Feed, Prefetch
from common.heads import Heads
from memes import assets

from . import model as shape
from . import vocabulary
from .data import FIELDS, drawer, parts


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
        self.parameters = [*self.model.parameters(), *self.heads.parameters()]
        self.optimizer = legs.optimizer(self.parameters, options, device)
        self.mean, self.std = (torch.tensor(part, device=device).view(1, 3, 1, 1) for part in (shape.MEAN, shape.STD))
        self.prompts = {task: shape.prompt_ids(task, device) for task in vocabulary.PROMPTS}

    def load(self, path):
        saved = {name: value.float() for name, value in load_file(path).items()}
        self.heads.load_state_dict({k[6:]: v for k, v in saved.items() if k.startswith("heads.")})
        weights = {k: v for k, v in saved.items() if not k.startswith("heads.")}
        missing, extra = self.model.load_state_dict(weights, strict=False)
        assert not extra and all("embed_tokens" in name or "lm_head" in name for name in missing), (missing, extra)

    def named(self):
        """The native weights and the heads, tied tables once."""
        own = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        return {**own, **{f"heads.{name}": value for name, value in self.heads.named_parameters()}}

    def pixels(self, batch):
        """Normalise, with other light and sensor noise now and then."""
        pixels = legs.lit(batch["pixels"].permute(0, 3, 1, 2).float() / 255)
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def step(self, number, batch, helper):
        if self.device == "cuda":
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
        legs.descend(self.optimizer, self.parameters, loss)
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


def main():
    options = legs.arguments(__doc__)
    assets.verify()
    device = "cuda" if torch.cuda.is_available() else "cpu"  # asks the driver only; the workers fork first
    options.out.mkdir(parents=True, exist_ok=True)
    draw = drawer(options.batch, legs.first_seed(options), tuple(options.smallest))
    feed = Feed(FIELDS, draw, options.batch, options.workers)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    trainer = Trainer(options, device)
    print(f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters on {device}", flush=True)
    legs.run(options, Prefetch(iter(feed), legs.mover(device)), trainer)


if __name__ == "__main__":
    main()
