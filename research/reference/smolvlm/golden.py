"""Makes the committed goldens: ext/captioner/tests/fixtures/smolvlm, all of it.

    python -m smolvlm.golden [--only CASE]

A case is refused if a choice was closer than rounding, or if its ids do not depend on the picture.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.numpy import save_file

from golden import CLOSE, SAMPLES, STEP, WHOLE, dump, images, sample

from . import cases, pixels, seeded, strings, tokenizer
from .cleanup import plain
from .reference import Reference

FIXTURES = pixels.FIXTURES


def write_checkpoint(name: str, out: Path) -> Path:
    point, folder = cases.CHECKPOINTS[name], out / "checkpoints" / name
    seeded.write(point.config(), point.seed, folder, point.dtype, point.shards, cases.END)
    files = {
        "config.json": point.config(), "preprocessor_config.json": point.preprocessor(),
        "processor_config.json": {"image_seq_len": point.tokens(), "processor_class": point.preprocessor()["processor_class"]},
        "generation_config.json": {"bos_token_id": 0, "eos_token_id": point.ends, "pad_token_id": 2},
    }  # fmt: skip
    for file, content in files.items():
        (folder / file).write_text(dump(content))
    return folder


def load(folder: Path, work: Path) -> Reference:
    """The tokenizer lies beside the checkpoints, once for all of them."""
    shutil.copytree(folder, work / folder.name)
    shutil.copy(folder.parents[1] / "tokenizer.json", work / folder.name)
    return Reference(work / folder.name)


def run_lengths(ids: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in ids:
        if runs and runs[-1][0] == number:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs


def case_entry(name: str, case: cases.Case, reference: Reference, pictures: dict[str, Image.Image], out: Path) -> dict[str, Any]:
    grid, values = reference.pixels(pictures[case.image])
    prompt = reference.prompt(grid, case.question)
    stages = reference.stages(values, prompt)
    ids, margin = reference.generate(values, prompt, cases.NEW_TOKENS)
    wrong = [f"a choice by {margin}"] if margin < CLOSE else []
    other, _ = reference.generate(-values, prompt, cases.NEW_TOKENS)
    if other == ids:
        wrong.append("the same ids for the negative")
    golden = f"golden/{name}.safetensors"
    (out / "golden").mkdir(exist_ok=True)
    save_file({stage: np.ascontiguousarray(sample(tensor)) for stage, tensor in stages.items()}, out / golden)
    tensors = {stage: {"shape": list(tensor.shape), "norm": float(np.linalg.norm(tensor.astype(np.float64)))} for stage, tensor in stages.items()}
    answer = reference.decode(ids)
    return {
        "name": name, "checkpoint": case.checkpoint, "image": f"{case.image}.png", "question": case.question,
        "rows": grid[0], "columns": grid[1], "prompt_run_lengths": run_lengths(prompt), "max_new_tokens": cases.NEW_TOKENS,
        "ids": ids, "ended": ids[-1] in reference.ends, "answer": answer, "text": plain(answer), "margin": round(margin, 5),
        "golden": golden, "tensors": tensors, "wrong": wrong,
    }  # fmt: skip


def prompts(reference: Reference) -> list[dict[str, Any]]:
    """The whole prompt for every grid that the family's tokens can name, and for a picture that is not cut."""
    grids = [(0, 0), *((rows, columns) for rows in range(1, 7) for columns in range(1, 7))]
    return [
        {"rows": rows, "columns": columns, "question": question, "run_lengths": run_lengths(reference.prompt((rows, columns), question))}
        for rows, columns in grids
        for question in ((cases.DESCRIBE, cases.READ) if rows == columns else (cases.DESCRIBE,))
    ]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="run the cases whose name has this, and write nothing")
    args = parser.parse_args()
    pictures = {name: Image.fromarray(value.astype(np.uint8)) for name, value in images().items()}
    with tempfile.TemporaryDirectory() as temporary:
        work, out = Path(temporary) / "work", Path(temporary) / "fixtures"
        out.mkdir()
        text = json.dumps(tokenizer.build(), ensure_ascii=False, separators=(",", ":"))
        (out / "tokenizer.json").write_text(text + "\n")
        for name, picture in pictures.items():
            picture.save(out / f"{name}.png", optimize=True)
        loaded = {name: load(write_checkpoint(name, out), work) for name in cases.CHECKPOINTS}
        entries, refused = [], []
        for name, case in cases.CASES.items():
            if args.only and args.only not in name:
                continue
            last = case_entry(name, case, loaded[case.checkpoint], pictures, out)
            print(f"{name}: {last['rows']}x{last['columns']}, {len(last['ids'])} ids, margin {last['margin']}, {last['text']!r}")
            refused += [f"{name}: {reason}" for reason in last.pop("wrong")]
            entries.append(last)
        if refused:
            raise SystemExit("refused:\n" + "\n".join(refused))
        if args.only:
            return
        index = {"sampling": {"whole": WHOLE, "samples": SAMPLES, "step": STEP}, "cases": entries}
        (out / "cases.json").write_text(dump(index))
        (out / "prompts.jsonl").write_text(lines(prompts(loaded["standard"])))
        (out / "cleanup.jsonl").write_text(lines(strings.rows()))
        (out / "pixels.jsonl").write_text(lines(pixels.rows()))
        shutil.rmtree(FIXTURES, ignore_errors=True)
        shutil.copytree(out, FIXTURES, copy_function=shutil.copyfile)


if __name__ == "__main__":
    main()
