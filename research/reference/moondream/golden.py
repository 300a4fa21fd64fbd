"""Makes the committed goldens of ext/captioner/tests/fixtures/moondream2: cases.json, goldens.safetensors, tokenizer.json.

    python golden.py [--out DIR]

Checkpoints are seeded and not kept; pictures are a formula. Each case has the sampled tensors of every stage, the ids and the
text, exact and with the int8 weights of bitsandbytes. A case whose narrowest choice is closer than rounding is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer

import checkpoints
import model
import vocabulary
from crops import picture

FIXTURES = Path(__file__).resolve().parents[3] / "ext/captioner/tests/fixtures/moondream2"
WHOLE, SAMPLES, STEP = 2048, 2048, 7919
CLOSE = 1e-3  # standard deviations of the logits
MOST = 40

SHORT, NORMAL = [198, 198, 50, 71, 78], [198, 198, 34, 64, 79, 83]
REGION = {"dim": 8, "coord_feat_dim": 8, "coord_out_dim": 8, "size_feat_dim": 8, "size_out_dim": 8, "inner_dim": 8}
OWN = {
    "bos_id": vocabulary.END, "eos_id": vocabulary.END,
    "templates": {
        "caption": {"short": SHORT, "normal": NORMAL}, "query": {"prefix": [198, 198, 48, 25], "suffix": [198, 198, 32, 25]},
    },
}  # fmt: skip


class Checkpoint(NamedTuple):
    seed: int
    text: dict[str, int]
    vision: dict[str, int]

    def config(self) -> dict[str, Any]:
        text = {"vocab_size": 448, "max_context": 256, **self.text}
        vision = {"proj_out_dim": text["dim"], **self.vision}
        return {"model_type": "moondream1", "config": {"text": text, "vision": vision, "region": REGION, "tokenizer": OWN}}


CHECKPOINTS = {
    # Heads of 18 channels in the tower; a quarter of a text head is 4 pairs.
    "small": Checkpoint(
        19, {"dim": 48, "n_layers": 3, "n_heads": 3, "prefix_attn": 50},
        {
            "enc_dim": 36, "enc_n_layers": 3, "enc_ff_dim": 76, "enc_n_heads": 2, "crop_size": 98, "overlap_margin": 1,
            "max_crops": 6, "proj_inner_dim": 80,
        },
    ),
    # Even grids, wide margins, other patches.
    "even": Checkpoint(
        14, {"dim": 64, "n_layers": 2, "n_heads": 2, "prefix_attn": 65},
        {
            "enc_dim": 32, "enc_n_layers": 2, "enc_ff_dim": 48, "enc_n_heads": 4, "enc_patch_size": 10, "crop_size": 80,
            "overlap_margin": 3, "max_crops": 9, "proj_inner_dim": 64,
        },
    ),
    # The published sizes of crops, and of the prefix.
    "large-grid": Checkpoint(
        9, {"dim": 32, "n_layers": 2, "n_heads": 1, "prefix_attn": 730, "max_context": 800},
        {"enc_dim": 32, "enc_n_layers": 1, "enc_ff_dim": 40, "enc_n_heads": 2, "proj_inner_dim": 48},
    ),
}  # fmt: skip


class Case(NamedTuple):
    checkpoint: str
    width: int
    height: int
    task: str = "short"
    prompt: str | None = None


CASES = [
    Case("small", 60, 40), Case("small", 300, 200), Case("small", 150, 420, "normal"),
    Case("small", 333, 128, prompt="What is the text in the image?"), Case("even", 90, 90),
    Case("even", 400, 300, "normal"), Case("even", 100, 77, prompt="What? "), Case("large-grid", 600, 480),
]  # fmt: skip


def sample(tensor: np.ndarray) -> np.ndarray:
    """The tensor if small; else the elements at (k * STEP) mod its size."""
    flat = tensor.reshape(-1)
    return flat if flat.size <= WHOLE else flat[(np.arange(SAMPLES, dtype=np.int64) * STEP) % flat.size]


def answer(moondream: model.Moondream, case: Case, tokenizer: Tokenizer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    tiling, images = model.crops_of(moondream.config, picture(case.width, case.height))
    features, image = moondream.image(images, tiling)
    templates = moondream.config.tokenizer.templates
    prompt = templates["caption"][case.task]
    if case.prompt is not None:
        query = templates["query"]
        prompt = query["prefix"] + tokenizer.encode(" " + case.prompt).ids + query["suffix"]
    ids, logits, margin = moondream.write(image, prompt, MOST)
    text = tokenizer.decode(ids).strip()
    found = {"tiling": list(tiling), "prompt_ids": prompt, "ids": ids, "text": text, "margin": round(margin, 5)}
    stages = {"vision": features, "image_features": image, "logits": logits}
    return found, {name: np.ascontiguousarray(sample(stage.numpy())) for name, stage in stages.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FIXTURES)
    args = parser.parse_args()
    text = json.dumps(vocabulary.build(), ensure_ascii=False, separators=(",", ":"))
    tokenizer, tensors, entries, points = Tokenizer.from_str(text), {}, [], {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, point in CHECKPOINTS.items():
            folder = Path(temporary) / name
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps(point.config()))
            checkpoints.write(folder, point.seed)
            sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
            points[name] = {"seed": point.seed, "sha256": sha256, "config": point.config()}
            for change in (None, model.int8):
                moondream = model.Moondream(folder, change=change)
                for case in (case for case in CASES if case.checkpoint == name):
                    found, stages = answer(moondream, case, tokenizer)
                    weights = "int8" if change else "f16"
                    key = f"{name}-{case.width}x{case.height}-{weights}"
                    tensors |= {f"{key}.{stage}": tensor for stage, tensor in stages.items()}
                    entries.append({"name": key, "weights": weights, **case._asdict(), **found})
                    print(f"{key}: {len(found['ids'])} ids, margin {found['margin']}, {found['text']!r}")
    if close := [entry["name"] for entry in entries if entry["margin"] < CLOSE]:
        raise SystemExit(f"refused, a choice was too close: {close}")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "tokenizer.json").write_text(text + "\n")
    sampling = {"whole": WHOLE, "samples": SAMPLES, "step": STEP, "max_new_tokens": MOST}
    # Broken characters, the end, runs of white space, ids without a token.
    texts = [[138, 97], [138], [vocabulary.END, 39], [vocabulary.END + 1, 64, vocabulary.END + 5, 220], [447, 39, 1000], []]
    decoding = [{"ids": ids, "text": tokenizer.decode(ids)} for ids in texts]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    head = f'"sampling": {json.dumps(sampling)},\n"checkpoints": {json.dumps(points)},\n"decoding": {json.dumps(decoding)}'
    (args.out / "cases.json").write_text(f'{{{head},\n"cases": [\n{lines}\n]}}\n')
    save_file(tensors, args.out / "goldens.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
