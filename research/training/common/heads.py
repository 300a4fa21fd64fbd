"""Helper heads: they teach the image tokens what they show and the decoder where it reads. Not exported.

Caption loss alone leaves the vision tower of a small model untrained for thousands of steps. The generator
knows which thing covers a cell and which letter is centred in which half of it, so linear heads ask for that.
"""

import torch
import torch.nn.functional as F
from torch import nn

from . import targets


class Heads(nn.Module):
    """For image tokens of `width` values in at most `rows` x `columns` cells; letters are of `letters` classes, 0 is none."""

    def __init__(self, width, rows, columns, letters):
        super().__init__()
        self.halves, self.letters = 2 * columns, letters
        self.thing = nn.Linear(width, len(targets.THINGS) + 1)
        self.color = nn.Linear(width, len(targets.COLORS) + 1)
        self.letter = nn.Linear(width, 2 * letters)
        self.background = nn.Linear(width, len(targets.BACKGROUNDS))
        self.row = nn.Linear(width, rows)
        self.column = nn.Linear(width, self.halves)

    def of_image(self, grid, whole, goals):
        """Losses from the cells [batch, rows * columns, width] and from one vector of each picture, and the share of letters named right."""
        letters = self.letter(grid).view(len(grid), -1, self.letters)
        goal = goals["letters"].long().flatten(1)
        losses = {
            "thing": weighted(self.thing(grid), goals["things"], 0.15),
            "color": weighted(self.color(grid), goals["colors"], 0.05),
            "letter": weighted(letters, goal, 0.04),
            "background": F.cross_entropy(self.background(whole).float(), goals["background"][:, 0].long()),
        }
        with torch.no_grad():
            some = goal > 0
            right = ((letters.argmax(-1) == goal) & some).sum() / some.sum().clamp(min=1)
        return losses, right

    def of_decoder(self, hidden, spots):
        """Where the next letter is (row * half columns + half column, -1: nowhere), from the state that predicts it."""
        wanted = spots >= 0
        row = torch.where(wanted, spots // self.halves, -100).flatten()
        column = torch.where(wanted, spots % self.halves, -100).flatten()
        hidden = hidden.flatten(0, 1)
        return (F.cross_entropy(self.row(hidden).float(), row, reduction="sum")
                + F.cross_entropy(self.column(hidden).float(), column, reduction="sum"))


def weighted(logits, goal, nothing):
    """Cross entropy in which the class 0, nothing, counts little."""
    weight = torch.ones(logits.shape[-1], device=logits.device)
    weight[0] = nothing
    return F.cross_entropy(logits.flatten(0, -2).float(), goal.flatten().long(), weight=weight)
