"""Helper heads: they teach the image tokens what they show and the decoder where it reads. Not exported.

Caption loss alone leaves the vision tower of a small model untrained for thousands of steps. The generator
knows which thing covers a cell and which letter is centred in which half of it, so linear heads ask for that.
"""

import torch
import torch.nn.functional as F
from torch import nn

from . import vocabulary
from .data import BACKGROUNDS, COLORS, THINGS
from .model import GRID, TEXT

LETTERS = len(vocabulary.SPECIAL) + len(vocabulary.CHARACTERS)


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        width = TEXT["d_model"]
        self.thing = nn.Linear(width, len(THINGS) + 1)
        self.color = nn.Linear(width, len(COLORS) + 1)
        self.letter = nn.Linear(width, 2 * LETTERS)
        self.background = nn.Linear(width, len(BACKGROUNDS))
        self.row = nn.Linear(width, GRID)
        self.column = nn.Linear(width, 2 * GRID)

    def of_image(self, image, batch):
        """Losses from the projected image tokens, and the share of letters named right."""
        grid = image[:, 1:]
        letters = self.letter(grid).view(len(image), GRID, 2 * GRID, LETTERS)
        goal = batch["letters"].long()
        losses = {
            "thing": weighted(self.thing(grid), batch["things"], 0.15),
            "color": weighted(self.color(grid), batch["colors"], 0.05),
            "letter": weighted(letters, goal, 0.04),
            "background": F.cross_entropy(self.background(image[:, 0]).float(), batch["background"][:, 0].long()),
        }
        with torch.no_grad():
            some = goal > 0
            right = ((letters.argmax(-1) == goal) & some).sum() / some.sum().clamp(min=1)
        return losses, right

    def of_decoder(self, hidden, spots):
        """Where the next letter is, from the state that predicts it."""
        wanted = spots >= 0
        row = torch.where(wanted, spots // (2 * GRID), -100).flatten()
        column = torch.where(wanted, spots % (2 * GRID), -100).flatten()
        hidden = hidden.flatten(0, 1)
        return (F.cross_entropy(self.row(hidden).float(), row, reduction="sum")
                + F.cross_entropy(self.column(hidden).float(), column, reduction="sum"))


def weighted(logits, goal, nothing):
    """Cross entropy in which the class 0, nothing, counts little."""
    weight = torch.ones(logits.shape[-1], device=logits.device)
    weight[0] = nothing
    return F.cross_entropy(logits.flatten(0, -2).float(), goal.flatten().long(), weight=weight)
