"""What the core exports for bitsandbytes, loaded by transformers: does it caption alike?

    python quantized_roundtrip.py EXPORTED IMAGE OURS.safetensors [--new-tokens 32]

EXPORTED is a folder that `export_bitsandbytes` wrote, OURS what `dump_stages` made of that folder with the same picture.
`from_pretrained` gets the folder and nothing else, and `generate` takes its settings from there. Stages and ids are
compared twice: with plain layers over the weights that bitsandbytes decodes to f32, which is the yardstick and must be
within the goldens' limit; and with bitsandbytes' own layers, which on a CPU round weights and activations to bf16 and
cannot work where a row is not made of whole blocks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors import safe_open
from torch import nn
from transformers import Florence2ForConditionalGeneration

import quant
from compare import LIMIT, error, order, row
from full_size import TASK
from reference import Reference


class Exported(Reference):
    """An exported folder as transformers loads it."""

    def _load(self, folder: Path) -> Florence2ForConditionalGeneration:
        model = Florence2ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
        for tensor in [*model.parameters(), *model.buffers()]:  # a quantized model has no float() of its own
            if tensor.dtype == torch.float16:
                tensor.data = tensor.data.float()
        return model

    def ids(self, pixels: torch.Tensor, image_tokens: int, new_tokens: int) -> list[int]:
        inputs = self.inputs(pixels, TASK, image_tokens)
        inputs["input_ids"][:, :image_tokens] = self.model.config.image_token_id
        return self.model.generate(**inputs, do_sample=False, max_new_tokens=new_tokens)[0].tolist()[1:]

    @torch.inference_mode()
    def decode(self) -> dict[str, nn.Module]:
        """Puts plain f32 layers where bitsandbytes' are; gives those by their places."""
        layers = {path: module for path, module in self.model.named_modules() if quantized(module)}
        for path, module in layers.items():
            state, dtype = module.weight.quant_state, module.weight.quant_state.dtype
            state.dtype = torch.float32
            values = quant.dequantize(module.weight.data, state, None if state.nested else state.absmax)
            state.dtype = dtype
            plain = nn.Linear(*reversed(state.shape), bias=module.bias is not None)
            plain.weight = nn.Parameter(values.reshape(state.shape).clone(), requires_grad=False)
            plain.bias = module.bias
            self.model.set_submodule(path, plain)
        return layers

    def restore(self, layers: dict[str, nn.Module]) -> None:
        for path, module in layers.items():
            self.model.set_submodule(path, module)


def quantized(module: nn.Module) -> bool:
    return getattr(getattr(module, "weight", None), "quant_state", None) is not None


def main() -> None:
    transformers.logging.set_verbosity_error()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exported", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("ours", type=Path)
    parser.add_argument("--new-tokens", type=int, default=32)
    args = parser.parse_args()
    ours = safe_open(args.ours, framework="numpy")
    reference = Exported(args.exported)
    pixels, sides = reference.pixels(args.image), {}
    layers = reference.decode()
    whole = all(layer.weight.quant_state.shape[-1] % layer.weight.quant_state.blocksize == 0 for layer in layers.values())
    for side in ("decoded to f32", "bitsandbytes' layers")[: 1 + whole]:
        if sides:
            reference.restore(layers)
        stages = reference.stages(pixels, TASK)
        sides[side] = stages, reference.ids(pixels, stages["image_features"].shape[1], args.new_tokens)
    print(f"{args.exported.name}: from_pretrained, {len(layers)} layers in 4 bits\n")
    print(row("‖ours - transformers‖ / ‖transformers‖", *sides))
    print(row(*["---"] * (len(sides) + 1)))
    worst = 0.0
    for name in sorted(set(ours.keys()) - {"ids"}, key=order):
        cells = [error(ours.get_tensor(name).astype(np.float64), side[0][name]) for side in sides.values()]
        worst = max(worst, cells[0])
        print(row(name, *("0" if cell == 0 else f"{cell:.1e}" for cell in cells)))
    same = [ours.get_tensor("ids").tolist() == ids for _, ids in sides.values()]
    print(row("token ids", *(f"equal ({len(side[1])})" if s else "DIFFERENT" for s, side in zip(same, sides.values()))))
    if worst > LIMIT or not same[0]:
        raise SystemExit(f"worst stage {worst:.1e}")


if __name__ == "__main__":
    main()
