"""What captioning with transformers takes in memory: each variant in a fresh process.

    python memory.py FOLDER IMAGE [--variants f32,bf16,nf4] [--new-tokens 64]

FOLDER is a checkpoint in the native layout. nf4 is `load_in_4bit` with double quantization and bf16 as the type to compute in.
Prints a table in MiB: resident after the imports; added when the model is loaded and every parameter has been read; added
after a caption; added at the peak since before loading. `meme_captioner memory` prints the same for the gem.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

VARIANTS = ("f32", "bf16", "nf4")
PROMPT = "Describe in detail what is shown in the image."
IMAGE_TOKENS = 577
PLACEHOLDER = 3  # `<unk>` stands for the image in the prompt; its embedding is overwritten


def memory(field: str) -> float:
    """VmRSS or VmHWM of this process, in MiB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith(f"{field}:"))


def load(folder: Path, variant: str) -> Any:
    import torch
    from transformers import BitsAndBytesConfig, Florence2Config, Florence2ForConditionalGeneration

    config = Florence2Config.from_pretrained(folder)
    config.image_token_id = PLACEHOLDER
    settings = {"config": config, "dtype": torch.float32 if variant == "f32" else torch.bfloat16}
    if variant == "nf4":
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    model = Florence2ForConditionalGeneration.from_pretrained(folder, **settings).eval()
    for parameter in model.parameters():
        parameter.data.view(-1).view(torch.uint8)[::4096].sum()
    return model


def measure(folder: Path, image: Path, variant: str, new_tokens: int) -> dict[str, float]:
    """One variant in this process, which does nothing else."""
    import torch
    import transformers
    from PIL import Image
    from tokenizers import Tokenizer

    if variant == "nf4":
        import bitsandbytes  # noqa: F401
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(2)
    out = {"imports": memory("VmRSS")}
    started = time.perf_counter()
    model = load(folder, variant)
    out |= {"load seconds": time.perf_counter() - started, "loaded": memory("VmRSS")}
    processor = transformers.CLIPImageProcessorPil(**json.loads((folder / "preprocessor_config.json").read_text()))
    pixels = processor(images=Image.open(image).convert("RGB"), return_tensors="pt")["pixel_values"]
    prompt = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(PROMPT).ids
    ids = torch.tensor([[PLACEHOLDER] * IMAGE_TOKENS + prompt])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels.to(model.dtype)}
    started = time.perf_counter()
    with torch.inference_mode():
        model.generate(**inputs, do_sample=False, max_new_tokens=new_tokens)
    out |= {"caption seconds": time.perf_counter() - started, "captioned": memory("VmRSS"), "peak": memory("VmHWM")}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--one", choices=VARIANTS, help="measure this one here and print JSON")
    args = parser.parse_args()
    if args.one:
        return print(json.dumps(measure(args.folder, args.image, args.one, args.new_tokens)))
    print("| | after the imports | loaded adds | a caption adds | the peak adds | load | caption |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for variant in args.variants.split(","):
        command = [sys.executable, __file__, args.folder, args.image, "--one", variant, "--new-tokens", args.new_tokens]
        done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        added = [found[name] - found["imports"] for name in ("loaded", "captioned", "peak")]
        seconds = [f"{found[f'{name} seconds']:.1f} s" for name in ("load", "caption")]
        cells = [f"{value:.0f}" for value in (found["imports"], *added)]
        print(f"| {variant} | {' | '.join([*cells, *seconds])} |", flush=True)


if __name__ == "__main__":
    main()
