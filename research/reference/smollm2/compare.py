"""How far another computation of SmolLM2 is from the reference: `python -m smollm2.compare REFERENCE OURS [OURS ...]`.

Error: the norm of the difference of the reference's 64 best logits over the norm of those logits, both without their means.
KL: of the reference's distribution from ours, over the 64 best tokens and all others as one. Agreement: the same best token.
Loss: of the token that does follow.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


def centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(-1, keepdims=True)


def buckets(found: dict[str, np.ndarray]) -> np.ndarray:
    """log-probabilities of the 64 tokens and of the rest."""
    best = found["top_logits"].astype(np.float64) - found["logsumexp"].astype(np.float64)[:, None]
    rest = np.maximum(1 - np.exp(best).sum(-1, keepdims=True), 1e-12)
    return np.concatenate([best, np.log(rest)], -1)


def figures(reference: dict[str, np.ndarray], ours: dict[str, np.ndarray]) -> dict[str, float]:
    for name in ("input_ids", "starts"):
        if not np.array_equal(reference[name], ours[name]):
            raise SystemExit(f"{name} differ: other sentences or another tokenizer")
    theirs, mine = centred(reference["top_logits"]), centred(ours["top_logits"])
    p, q = buckets(reference), buckets(ours)
    inner = np.ones(len(reference["input_ids"]), dtype=bool)
    inner[reference["starts"][1:] - 1] = False  # nothing follows the last token of a sentence
    loss = {name: float((found["logsumexp"] - found["next_logit"])[inner].mean()) for name, found in (("f32", reference), ("ours", ours))}
    return {
        "positions": len(p), "error": float(np.linalg.norm(mine - theirs) / np.linalg.norm(theirs)), "kl": float((np.exp(p) * (p - q)).sum(-1).mean()),
        "agreement": float((ours["argmax"] == reference["top_ids"][:, 0]).mean()), "loss_f32": loss["f32"], "loss": loss["ours"],
    }  # fmt: skip


if __name__ == "__main__":
    reference = load_file(sys.argv[1])
    for path in map(Path, sys.argv[2:]):
        row = figures(reference, load_file(path))
        print(path.stem, " ".join(f"{name} {value:.5g}" for name, value in row.items()))
