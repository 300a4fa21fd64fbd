"""Makes the committed goldens: ext/captioner/tests/fixtures/florence2, all of it.

    python golden.py [--work DIR] [--only CASE]

Checkpoints are seeded and not kept. For each case: the stage tensors (whole if small, else a fixed sample and the norm),
the ids and the text. A case is refused if the two beam searches differ, if a choice was closer than rounding, or if a
setting that it claims to test changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.numpy import save_file

import cases
import seeded
import tokenizer
from beam import Search, beam_search
from reference import DEFAULTS, Reference, native_config

FIXTURES = Path(__file__).resolve().parents[2] / "ext/captioner/tests/fixtures/florence2"
WHOLE, SAMPLES, STEP = 2048, 2048, 7919
CLOSE = 1e-3  # log-probabilities nearer than this are too near to decide a golden


def images() -> dict[str, np.ndarray]:
    """Three pictures, computed."""
    y, x = np.mgrid[0:64, 0:80]
    gradient = np.stack([x * 3, y * 4, 255 - x - y], -1)
    y, x = np.mgrid[0:90, 0:120]
    disc = ((x - 70) ** 2 + (y - 40) ** 2 < 900)[..., None] * np.array([200, 40, 60])
    shapes = np.where(disc > 0, disc, (((x // 12 + y // 9) % 2) * 180 + 40)[..., None])
    noise = (seeded.finalize(np.arange(97 * 41 * 3, dtype=np.uint64)) >> np.uint64(56)).reshape(97, 41, 3)
    return {"gradient": gradient, "shapes": shapes, "noise": noise}


def sample(tensor: np.ndarray) -> np.ndarray:
    """The tensor if small; else the elements at (k * STEP) mod its size."""
    flat = tensor.reshape(-1)
    if flat.size <= WHOLE:
        return tensor
    return flat[(np.arange(SAMPLES, dtype=np.int64) * STEP) % flat.size]


def dump(value: Any) -> str:
    """JSON with lists of plain values on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    line = lambda found: re.sub(r"\s*\n\s*", " ", found[0]).replace("[ ", "[").replace(" ]", "]")  # noqa: E731
    return re.sub(r"\[[^\[\]{}]*\]", line, text) + "\n"


def write_folder(folder: Path, point: cases.Checkpoint) -> None:
    """What of a checkpoint is committed: its configurations."""
    folder.mkdir(parents=True, exist_ok=True)
    config, (height, width) = point.config(), point.size
    if point.layout == "native":
        text = config["text_config"]
        settings = {key: text[key] for key in DEFAULTS if key in text}
        if point.generation:
            (folder / "generation_config.json").write_text(dump(settings))
        config = native_config(config) | {"image_token_id": cases.VOCABULARY}
    (folder / "config.json").write_text(dump(config))
    preprocessor = {
        "image_processor_type": "CLIPImageProcessor", "do_convert_rgb": None, "do_resize": True, "do_rescale": True,
        "do_normalize": True, "do_center_crop": False, "resample": 3, "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225], "size": {"height": height, "width": width},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(dump(preprocessor))


def load(name: str, out: Path, work: Path) -> tuple[Reference, dict[str, Any]]:
    """Writes the checkpoint's fixtures, makes its weights in `work`, loads it."""
    point, source, folder = cases.CHECKPOINTS[name], out / "checkpoints" / name, work / name
    write_folder(source, point)
    config = json.loads((source / "config.json").read_text())
    seeded.write(config, point.layout, point.seed, folder, list(point.tied), point.logits_bias)
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "tokenizer.json").write_bytes((out / point.tokenizer).read_bytes())
    entry = {
        "folder": f"checkpoints/{name}", "tokenizer": point.tokenizer, "layout": point.layout, "seed": point.seed,
        "tied": list(point.tied), "logits_bias": point.logits_bias,
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
    }  # fmt: skip
    return Reference(folder), entry


def search(reference: Reference, encoder: np.ndarray, settings: dict[str, Any]) -> Search:
    """The page of Python over the reference's decoder, without a cache."""
    hidden = torch.from_numpy(encoder)

    @torch.inference_mode()
    def logits(sequences: list[list[int]]) -> torch.Tensor:
        ids, states = torch.tensor(sequences), hidden.expand(len(sequences), -1, -1)
        out = reference.model.model.language_model.decoder(input_ids=ids, encoder_hidden_states=states)
        return reference.model.lm_head(out.last_hidden_state[:, -1])

    return beam_search(logits, settings)


def case_entry(name: str, case: cases.Case, reference: Reference, out: Path) -> dict[str, Any]:
    pixels = reference.pixels(out / f"{case.image}.png")
    stages = reference.stages(pixels, case.task)
    tokens = stages["image_features"].shape[1]
    settings = reference.settings(case.overrides)
    ids = reference.generate(pixels, case.task, settings, tokens)
    found = search(reference, stages["encoder"], settings)
    wrong = [] if found.ids == ids else [f"{found.ids} but transformers {ids}"]
    if found.margin < CLOSE:
        wrong.append(f"a choice by {found.margin}")
    for key, value in case.bites.items():
        if reference.generate(pixels, case.task, settings | {key: value}, tokens) == ids:
            wrong.append(f"{key}={value} changes nothing")
    golden = f"goldens/{case.checkpoint}-{case.image}-{case.task.strip('<>').lower()}.safetensors"
    (out / "goldens").mkdir(exist_ok=True)
    save_file({key: np.ascontiguousarray(sample(tensor)) for key, tensor in stages.items()}, out / golden)
    tensors = {key: {"shape": list(t.shape), "norm": float(np.linalg.norm(t))} for key, t in stages.items()}
    tensors["pixel_values"]["sha256"] = hashlib.sha256(stages["pixel_values"].astype("<f4").tobytes()).hexdigest()
    return {
        "name": name, "checkpoint": case.checkpoint, "image": f"{case.image}.png", "task": case.task,
        "overrides": case.overrides, "settings": settings, "prompt_ids": reference.prompt(case.task), "ids": ids,
        "text": reference.text(ids), "steps": found.steps, "margin": round(found.margin, 5), "bites": case.bites,
        "golden": golden, "tensors": tensors, "wrong": wrong,
    }  # fmt: skip


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="where the checkpoints are made (default: a temporary folder)")
    parser.add_argument("--only", help="run one case and write nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work, out = args.work or Path(temporary) / "work", Path(temporary) / "fixtures"
        write_shared(out)
        entries, loaded, refused = [], {}, []
        for name, case in cases.CASES.items():
            if args.only and name != args.only:
                continue
            if case.checkpoint not in loaded:
                loaded[case.checkpoint] = load(case.checkpoint, out, work)
            last = case_entry(name, case, loaded[case.checkpoint][0], out)
            print(f"{name}: {len(last['ids'])} ids in {last['steps']} steps, margin {last['margin']}, {last['text']!r}")
            refused += [f"{name}: {reason}" for reason in last.pop("wrong")]
            entries.append(last)
        if refused:
            raise SystemExit("refused:\n" + "\n".join(refused))
        index = {
            "sampling": {"whole": WHOLE, "samples": SAMPLES, "step": STEP},
            "checkpoints": {name: entry for name, (_, entry) in loaded.items()},
            "cases": entries,
        }
        if not args.only:
            (out / "cases.json").write_text(dump(index))
            shutil.rmtree(FIXTURES, ignore_errors=True)
            shutil.copytree(out, FIXTURES, copy_function=shutil.copyfile)


def write_shared(out: Path) -> None:
    """The pictures and the two tokenizers."""
    out.mkdir(parents=True)
    for name, pixels in images().items():
        Image.fromarray(pixels.astype(np.uint8)).save(out / f"{name}.png", optimize=True)
    for name, appended in (("tokenizer.json", False), ("tokenizer-native.json", True)):
        text = json.dumps(tokenizer.build(appended=appended), ensure_ascii=False, separators=(",", ":"))
        (out / name).write_text(text + "\n")


if __name__ == "__main__":
    main()
