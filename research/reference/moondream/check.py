"""Is the PyTorch of model.py the published model? Compares with values recorded from the published code.

    python check.py GOLDENS

GOLDENS holds `images`, and `moondream` with `micro`, `captions.jsonl`, `captions-int8.jsonl`, `stages.jsonl`, `stages.safetensors`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from tokenizers import Tokenizer

import model


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def error(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("goldens", type=Path)
    parser.add_argument("--tokenizer", type=Path, help="the model's tokenizer.json, to compare texts too")
    args = parser.parse_args()
    own = args.goldens / "moondream"
    tokenizer = Tokenizer.from_file(str(args.tokenizer)) if args.tokenizer else None
    stored = load_file(own / "stages.safetensors")
    stages = {line["image"]: (str(at), line) for at, line in enumerate(lines(own / "stages.jsonl"))}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(own / "micro/config.json", folder)
        with gzip.open(own / "micro/model.safetensors.gz") as packed:
            (folder / "model.safetensors").write_bytes(packed.read())
        for name, change in (("captions.jsonl", None), ("captions-int8.jsonl", model.int8)):
            moondream, worst, same = model.Moondream(folder, change=change), 0.0, 0
            prompt = moondream.config.tokenizer.templates["caption"]["short"]
            for line in lines(own / name):
                picture = np.asarray(Image.open(args.goldens / line["image"]).convert("RGB"))
                tiling, images = model.crops_of(moondream.config, picture)
                assert list(tiling) == line["tiling"], line["image"]
                features, image = moondream.image(images, tiling)
                ids, logits, margin = moondream.write(image, prompt, 40)
                same += ids == line["ids"] and (not tokenizer or tokenizer.decode(ids).strip() == line["text"])
                if change is None and line["image"] in stages:
                    key, _ = stages[line["image"]]
                    if len(features) == 1:
                        features = features.expand(2, -1, -1)
                    found = {"vision": features[:, ::29], "image": image[::5], "logits": logits[::7]}
                    for stage, ours in found.items():
                        theirs = stored[f"{key}.{stage}"]
                        worst = max(worst, error(ours.numpy().reshape(theirs.shape), theirs))
            print(f"{name}: ids and texts equal for {same} of {len(lines(own / name))}, worst error of a stage {worst:.1e}")


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
