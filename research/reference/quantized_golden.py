"""Makes tests/fixtures/quantized/{cases.json,goldens}: the cases of tests/fixtures/florence2, over quantized weights.

    python quantized_golden.py [--only CASE]

Ids and text of every case under `compact`, of a few under `balanced`, and stage tensors of some (sampled as in
golden.py). Where a choice was closer than rounding, the caption's limit is halved until none is.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

import golden
import seeded
from quantized import Quantized, read

FIXTURES = golden.FIXTURES.parent / "quantized"
BALANCED = ("defaults", "native-defaults", "three-stages", "five-stages", "sources", "oblong")
# Cases of different checkpoints whose stages are kept, under each recipe.
STAGES = {"compact": ("defaults", "three-stages", "five-stages", "sources", "oblong"), "balanced": ("three-stages",)}


def folder(name: str, entry: dict[str, Any], work: Path) -> Path:
    """The seeded checkpoint of an entry of cases.json, made in `work`."""
    out, source = work / name, golden.FIXTURES / entry["folder"]
    if not out.exists():
        seeded.write(read(source / "config.json"), entry["layout"], entry["seed"], out, entry["tied"], entry["logits_bias"])
        for file in source.iterdir():
            (out / file.name).write_bytes(file.read_bytes())
        (out / "tokenizer.json").write_bytes((golden.FIXTURES / entry["tokenizer"]).read_bytes())
    return out


def case_entry(case: dict[str, Any], recipe: str, reference: Quantized, out: Path) -> dict[str, Any]:
    pixels = reference.pixels(golden.FIXTURES / case["image"])
    stages = reference.stages(pixels, case["task"])
    settings, found = dict(case["settings"]), None
    while found is None or found.margin < golden.CLOSE:
        if found is not None:
            settings["max_new_tokens"] //= 2
        found = golden.search(reference, stages["encoder"], settings)
        if settings["max_new_tokens"] < 4:
            raise SystemExit(f"{case['name']}: a choice by {found.margin}")
    ids = reference.generate(pixels, case["task"], settings, stages["image_features"].shape[1])
    if found.ids != ids:
        raise SystemExit(f"{case['name']}: {found.ids} but transformers {ids}")
    entry = {"name": case["name"], "recipe": recipe, "max_new_tokens": settings["max_new_tokens"], "ids": ids}
    entry |= {"text": reference.text(ids), "margin": round(found.margin, 5), "golden": None}
    if case["name"] in STAGES[recipe]:
        entry["golden"] = f"goldens/{recipe}-{case['name']}.safetensors"
        (out / "goldens").mkdir(parents=True, exist_ok=True)
        stages.pop("pixel_values")
        tensors = {key: np.ascontiguousarray(golden.sample(tensor)) for key, tensor in stages.items()}
        save_file(tensors, out / entry["golden"])
    return entry


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="run one case and write nothing")
    only = parser.parse_args().only
    index = read(golden.FIXTURES / "cases.json")
    with tempfile.TemporaryDirectory() as temporary:
        work, out = Path(temporary) / "work", Path(temporary) / "fixtures"
        out.mkdir()
        loaded: dict[tuple[str, str], Quantized] = {}
        entries = []
        for recipe in STAGES:
            for case in index["cases"]:
                if only not in (None, case["name"]) or recipe == "balanced" and case["name"] not in BALANCED:
                    continue
                key = (recipe, case["checkpoint"])
                if key not in loaded:
                    checkpoint = folder(case["checkpoint"], index["checkpoints"][case["checkpoint"]], work)
                    loaded[key] = Quantized(checkpoint, recipe)
                entry = case_entry(case, recipe, loaded[key], out)
                print(f"{recipe} {case['name']}: {len(entry['ids'])} ids, margin {entry['margin']}", flush=True)
                entries.append(entry)
        if only:
            return
        (out / "cases.json").write_text(golden.dump({"cases": entries}))
        FIXTURES.mkdir(exist_ok=True)
        shutil.rmtree(FIXTURES / "goldens", ignore_errors=True)
        shutil.copytree(out, FIXTURES, copy_function=shutil.copyfile, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
