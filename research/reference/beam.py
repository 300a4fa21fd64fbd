"""Beam search as a page of Python: what a caption's search does, step by step, and how narrowly each choice was made.

golden.py runs it beside transformers' own generate and refuses a case where the two differ or where a choice was so
close that rounding could decide it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

import torch

Scores = Callable[[list[list[int]]], torch.Tensor]  # sequences of equal length -> logits of the next token


@dataclass
class Search:
    ids: list[int]
    steps: int
    margins: list[float] = field(default_factory=list)

    @property
    def margin(self) -> float:
        return min(self.margins, default=float("inf"))


def banned(sequence: list[int], size: int) -> set[int]:
    """Tokens that would repeat an n-gram of the sequence, start token included."""
    if size <= 0 or len(sequence) + 1 < size:
        return set()
    tail = sequence[len(sequence) - size + 1 :]
    return {sequence[i + size - 1] for i in range(len(sequence) - size + 1) if sequence[i : i + size - 1] == tail}


def processed(logits: torch.Tensor, sequence: list[int], s: dict[str, Any]) -> torch.Tensor:
    """Log-probabilities after the processors: n-gram blocking, forced first token, forced last token."""
    scores = torch.log_softmax(logits.float(), dim=-1) if s["num_beams"] > 1 else logits.float().clone()
    for token in banned(sequence, s["no_repeat_ngram_size"]):
        scores[token] = -torch.inf
    for forced, at in ((s["forced_bos_token_id"], 1), (s["forced_eos_token_id"], s["max_new_tokens"])):
        if forced is not None and len(sequence) == at:
            scores[:] = -torch.inf
            scores[forced] = 0.0
    return scores


def greedy(next_logits: Scores, s: dict[str, Any]) -> Search:
    sequence, margins = [s["decoder_start_token_id"]], []
    while len(sequence) <= s["max_new_tokens"] and (len(sequence) == 1 or sequence[-1] != s["eos_token_id"]):
        scores = processed(next_logits([sequence])[0], sequence, s)
        best = torch.topk(scores, 2)
        margins.append(float(best.values[0] - best.values[1]))
        sequence = [*sequence, int(best.indices[0])]
    return Search(sequence[1:], len(sequence) - 1, margins)


def beam_search(next_logits: Scores, s: dict[str, Any]) -> Search:
    if s["num_beams"] == 1:
        return greedy(next_logits, s)
    beams, penalty, eos = s["num_beams"], s["length_penalty"], s["eos_token_id"]
    running = [(0.0 if beam == 0 else -1e9, [s["decoder_start_token_id"]]) for beam in range(beams)]
    finished: list[tuple[float, list[int]]] = []
    margins: list[float] = []
    improvable = True
    length = 1  # of every running sequence, the start token included
    while True:
        logits = next_logits([sequence for _, sequence in running])
        table = torch.stack([processed(row, seq, s) + score for row, (score, seq) in zip(logits, running)])
        best = torch.topk(table.flatten(), 2 * beams + 1)
        vocabulary = table.shape[1]
        found = [
            (float(value), [*running[index // vocabulary][1], index % vocabulary])
            for value, index in zip(best.values.tolist(), best.indices.tolist())
        ]
        candidates = found[: 2 * beams]
        last_step = length == s["max_new_tokens"]
        ends = [sequence[-1] == eos or last_step for _, sequence in candidates]
        # Only those among the first `beams` may finish; a hypothesis is its mean log-probability per generated token.
        full = len(finished) == beams and s["early_stopping"] is True
        if improvable and not full:
            new = [(score / length**penalty, seq) for (score, seq), end in zip(candidates[:beams], ends) if end]
            margins.append(boundary(candidates, ends, beams))
            finished = sorted(finished + new, key=lambda pair: -pair[0])[:beams]
        alive = [candidate for candidate, end in zip(candidates, ends) if not end]
        if not last_step:
            after = alive[beams][0] if len(alive) > beams else found[-1][0]
            margins.append(alive[beams - 1][0] - after)
            running = alive[:beams]
        length += 1
        worst = finished[-1][0] if len(finished) == beams else -1e9
        reach = s["max_new_tokens"] if s["early_stopping"] == "never" and penalty > 0 else length - 1
        if not last_step:
            hope = running[0][0] / reach**penalty
            improvable = improvable and hope > worst
            if len(finished) == beams and s["early_stopping"] is not True:
                margins.append(abs(hope - worst) * reach**penalty)
        if last_step or not improvable or (len(finished) == beams and s["early_stopping"] is True):
            break
    if len(finished) > 1:
        margins.append((finished[0][0] - finished[1][0]) * len(finished[0][1][1:]) ** penalty)
    # Scores near -1e9 belong to the duplicates of the first step: which of them is kept changes nothing.
    margins = [margin for margin in margins if 0 <= margin < 1e8]
    return Search(finished[0][1][1:], length - 1, margins)


def boundary(candidates: list[tuple[float, list[int]]], ends: list[bool], beams: int) -> float:
    """How far the ended candidate next to the line between the first `beams` and the rest is from crossing it."""
    inside, outside = candidates[beams - 1][0], candidates[beams][0]
    gaps = [score - outside for (score, _), end in zip(candidates[:beams], ends) if end]
    gaps += [inside - score for (score, _), end in zip(candidates[beams:], ends[beams:]) if end]
    return min(gaps, default=float("inf"))
