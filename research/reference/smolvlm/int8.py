"""Writes what transformers saves of a seeded checkpoint that bitsandbytes quantized to 8 bits, as a fixture:

    python -m smolvlm.int8        (in research/reference)
"""

import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

FIXTURES = Path(__file__).resolve().parents[3] / "ext/captioner/tests/fixtures/smolvlm"


def main() -> None:
    config = BitsAndBytesConfig(load_in_8bit=True)
    model = AutoModelForImageTextToText.from_pretrained(
        FIXTURES / "checkpoints/standard", quantization_config=config, dtype=torch.bfloat16, device_map="cpu"
    )
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
        text = (Path(folder) / "config.json").read_text()
    (FIXTURES / "int8").mkdir(exist_ok=True)
    save_file(tensors, FIXTURES / "int8/model.safetensors", metadata={"format": "pt"})
    (FIXTURES / "int8/config.json").write_text(text)
    quantized = sum(tensor.dtype == torch.int8 for tensor in tensors.values())
    print(f"{len(tensors)} tensors, {quantized} of them in int8")


if __name__ == "__main__":
    main()
