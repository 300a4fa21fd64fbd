"""The reference at full size: stages and ids in f32, and the peer that speed is measured against, in bf16.

    python checkpoints.py --config config.json --out DIR      # {"model_type": "moondream1", "config": {}}: 3.6 GiB
    python full_size.py stages DIR OUT.safetensors            # compare.py says how far we are from them
    python full_size.py time DIR [--threads 2]
    python full_size.py picture OUT.png

The picture is the formula of crops.py at 600 x 600: ten crops. `seeded_checkpoint --config moondream2 --seed 1 --out DIR`
(ext/captioner-testing) writes the same checkpoint faster.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file

import model
from crops import picture


def stages(moondream: model.Moondream, images: list, tiling: tuple[int, int], most: int, out: Path) -> None:
    features, image = moondream.image(images, tiling)
    prompt = moondream.config.tokenizer.templates["caption"]["short"]
    ids, logits, margin = moondream.write(image, prompt, most)
    metadata = {"ids": json.dumps(ids), "margin": f"{margin:.6f}", "tiling": json.dumps(tiling)}
    save_file({"vision": features.contiguous(), "image_features": image, "logits": logits}, out, metadata=metadata)
    print(json.dumps({"ids": ids, "margin": margin}))


def timed(moondream: model.Moondream, images: list, tiling: tuple[int, int], most: int) -> dict[str, float]:
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        now = time.perf_counter()
        seconds[name] = seconds.get(name, 0.0) + now - started
        started = now

    with torch.inference_mode():
        features = torch.cat([moondream.tower(moondream.pixels([image])) for image in images])
        lap("vision")
        image = moondream.project(features, tiling)
        lap("projector")
        cache: list = [None] * moondream.config.text.n_layers
        prefix = torch.cat([moondream.embed([moondream.config.tokenizer.bos_id]), image])
        moondream.decoder(prefix, cache, 0)
        prompt = moondream.config.tokenizer.templates["caption"]["short"]
        logits = moondream.logits(moondream.decoder(moondream.embed(prompt), cache, len(prefix)))
        lap("prefill")
        for written in range(most - 1):
            token = int(logits.argmax())
            logits = moondream.logits(moondream.decoder(moondream.embed([token]), cache, len(prefix) + len(prompt) + written))
        lap("tokens")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["stages", "time", "picture"])
    parser.add_argument("folder", type=Path, help="the checkpoint, or the file to write a picture to")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--side", type=int, default=600)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--int8", action="store_true", help="stages with bitsandbytes' weights")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.what == "picture":
        return Image.fromarray(picture(args.side, args.side)).save(args.folder)
    exact = args.what == "stages"
    dtype = torch.float32 if exact else torch.bfloat16
    moondream = model.Moondream(args.folder, dtype, model.int8 if args.int8 else None)
    tiling, images = model.crops_of(moondream.config, picture(args.side, args.side))
    if exact:
        if not args.out:
            parser.error("where to?")
        return stages(moondream, images, tiling, args.tokens, args.out)
    for _ in range(args.repeat):
        seconds = timed(moondream, images, tiling, args.tokens)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"total": sum(seconds.values()), **seconds, "crops": len(images), "peak_gib": peak}))


if __name__ == "__main__":
    main()
