"""Train SmolVLM-tiny in legs: `python -m smolvlm.train --seconds 480 --span 0 0.5 --out out/leg1`.

A leg starts from random weights or from the f16 weights of the one before (`--weights`), with a fresh
optimizer; `--span` says which part of the learning-rate schedule it covers.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from common import legs
from common.feed import Feed, Prefetch
from common.heads import Heads, weighted
from memes import assets

from . import data, tiles, vocabulary
from . import model as shape


class Trainer:
    def __init__(self, options, device):
        torch.manual_seed(options.leg)
        self.options, self.device = options, device
        self.model = shape.build()
        shape.initialise(self.model)
        self.heads = Heads(shape.TEXT["hidden_size"], data.ROWS, data.COLUMNS, len(data.CLASSES) + 1)
        if options.weights:
            self.load(options.weights)
        self.model.to(device).train()
        self.heads.to(device)
        compiled = [part if options.no_compile else torch.compile(part, dynamic=False) for part in (shape.vision_layer, shape.text_layer)]
        self.layers = {grid: compiled if grid == data.SQUARE else (shape.vision_layer, shape.text_layer) for grid in data.KINDS}
        numbers = vocabulary.table()
        self.questions = [torch.tensor(vocabulary.ids(vocabulary.question(text)), device=device) for text in data.LIMITS]
        lengths = [len(question) - 1 + limit for question, limit in zip(self.questions, data.LIMITS.values())]
        self.plans = {grid: shape.Plan(grid, lengths, device) for grid in data.KINDS}
        self.reduce = {size: torch.from_numpy(tiles.lanczos(size, tiles.TILE)).to(device) for size in (tiles.TILE, tiles.EDGE)}
        self.smooth = torch.full((len(numbers),), 1.0, device=device)
        self.smooth[numbers[vocabulary.END]] = 0
        self.smooth /= self.smooth.sum()
        self.parameters = [*self.model.parameters(), *self.heads.parameters()]
        self.optimizer = legs.optimizer(self.parameters, options, device)

    def load(self, path):
        saved = {name: value.float() for name, value in load_file(path).items()}
        self.heads.load_state_dict({k[6:]: v for k, v in saved.items() if k.startswith("heads.")})
        self.model.load_state_dict({k: v for k, v in saved.items() if not k.startswith("heads.")})

    def named(self):
        return {**dict(self.model.named_parameters()), **{f"heads.{name}": value for name, value in self.heads.named_parameters()}}

    def pixels(self, batch):
        """Fitted pictures -> tiles [batch, tiles, 3, side, side] in -1..1, the whole picture last."""
        pixels = legs.lit(batch["pixels"].permute(0, 3, 1, 2).float() / 255)
        rows, columns = (self.reduce[size] for size in pixels.shape[2:])
        whole = (rows @ pixels @ columns.T).clamp(0, 1)
        cut = pixels.unflatten(3, (-1, tiles.TILE)).unflatten(2, (-1, tiles.TILE)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
        return torch.cat([cut, whole[:, None]], dim=1) * 2 - 1

    def step(self, number, batch, helper):
        grid = data.grid_of(number)
        if self.device == "cuda":
            for tensor in batch.values():
                tensor.record_stream(torch.cuda.current_stream())
        batch = data.view(batch, grid)
        with torch.autocast(self.device, torch.bfloat16):
            pixels = self.pixels(batch)
            image = shape.see(self.model, pixels.flatten(0, 1), self.layers[grid][0]).unflatten(0, pixels.shape[:2])
            losses, letters = self.of_image(image, grid, batch)
            caption, pointing, right, count = self.caption(image.flatten(1, 2), self.plans[grid], self.layers[grid][1], batch)
            losses["pointing"] = pointing / count
            loss = caption / count + helper * sum(losses.values())
        legs.descend(self.optimizer, self.parameters, loss)
        numbers = {"caption": caption / count, "token": right / count, "letter": letters, **{f"h_{k}": v for k, v in losses.items()}}
        return {name: value.detach() for name, value in numbers.items()}

    def of_image(self, image, grid, batch):
        """The helper heads on tiles joined to a picture, and on the whole picture's own tile."""
        cells, (rows, columns) = tiles.CELLS, grid
        joined = image[:, :-1].unflatten(2, (cells, cells)).unflatten(1, grid).transpose(2, 3).flatten(1, 4)
        losses, letters = self.heads.of_image(joined, image[:, -1].mean(1), batch)
        coarse = batch["things"][:, rows // 2 :: rows, columns // 2 :: columns]
        losses["coarse"] = weighted(self.heads.thing(image[:, -1]), coarse, 0.15)
        return losses, letters

    def caption(self, image, plan, layer, batch):
        """Sums over the tokens of both answers: loss, pointing loss, hits, and how many tokens."""
        answers = [batch["tokens"][:, place, :limit].long() for place, limit in enumerate(data.LIMITS.values())]
        asked = [torch.cat([question.expand(len(goal), -1), self.told(goal)], dim=1) for question, goal in zip(self.questions, answers)]
        sums = [0.0, 0.0, 0.0, 0.0]
        for place, hidden in enumerate(plan.read(self.model, image, torch.cat(asked, dim=1), layer)):
            goal = answers[place]
            hidden, wanted = hidden[:, -goal.shape[1] :], goal >= 0
            goal = goal.clamp(min=0)
            logs = F.log_softmax(self.model.lm_head(hidden).float(), dim=-1)
            loss = -logs.gather(2, goal[..., None])[..., 0]
            if self.options.smoothing:
                loss = (1 - self.options.smoothing) * loss - self.options.smoothing * (logs @ self.smooth)
            pointing = self.heads.of_decoder(hidden, batch["spots"][:, place, : goal.shape[1]].long())
            parts = (loss * wanted).sum(), pointing, ((logs.argmax(-1) == goal) & wanted).sum(), wanted.sum()
            sums = [total + part for total, part in zip(sums, parts)]
        return sums

    def told(self, goal):
        """Decoder inputs after the question: the answer but its last token, some of it wrong."""
        inputs = goal[:, :-1].clamp(min=0)
        if self.options.corrupt:
            wrong = torch.rand(inputs.shape, device=self.device) < self.options.corrupt
            inputs = torch.where(wrong, torch.randint_like(inputs, 3, len(vocabulary.table())), inputs)
        return inputs


def main():
    options = legs.arguments(__doc__)
    assets.verify()
    device = "cuda" if torch.cuda.is_available() else "cpu"  # asks the driver only; the workers fork first
    options.out.mkdir(parents=True, exist_ok=True)
    draw = data.drawer(options.batch, legs.first_seed(options), tuple(options.smallest))
    feed = Feed(data.FIELDS, draw, options.batch, options.workers)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    trainer = Trainer(options, device)
    print(f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters on {device}", flush=True)
    legs.run(options, Prefetch(iter(feed), legs.mover(device)), trainer)
    if device == "cuda":
        print(f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of device memory", flush=True)


if __name__ == "__main__":
    main()
