"""Makes tests/fixtures/quantized/import: a small Florence-2 that transformers loaded with load_in_4bit and saved.

    python quantized_import.py

Two files of weights, with and without double quantization. import.json has what the reference over the dequantized
weights makes of a picture, for the saved checkpoint and for the same tensors under Microsoft's names, where the
projection is a parameter that bitsandbytes leaves alone (the test takes it from the seeded checkpoint).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import BitsAndBytesConfig, Florence2ForConditionalGeneration

import cases
import golden
import quant
import seeded
from quantized import Quantized, matrices, read

FIXTURES = golden.FIXTURES.parent / "quantized" / "import"
IMAGE, TASK = "gradient", "<DETAILED_CAPTION>"
# Rows of 32 values too, half a block.
POINT = cases.Checkpoint(
    seed=14, layout="native", size=(64, 64),
    vision={
        "patch_size": [7, 3], "patch_stride": [4, 2], "patch_padding": [3, 1], "patch_prenorm": [False, True],
        "dim_embed": [32, 64], "num_heads": [2, 4], "num_groups": [2, 4], "depths": [1, 1],
        "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 4},
        "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 16},
    },
    text={
        "vocab_size": cases.SMALL_VOCABULARY, "max_position_embeddings": 96, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
    },
)  # fmt: skip


def make(work: Path) -> Path:
    """The seeded checkpoint, before anything was quantized."""
    golden.write_folder(work, POINT)
    seeded.write(read(work / "config.json"), POINT.layout, POINT.seed, work)
    (work / "tokenizer.json").write_bytes((golden.FIXTURES / "tokenizer.json").read_bytes())
    return work


def saved(source: Path, double: bool, out: Path) -> Florence2ForConditionalGeneration:
    four_bit = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=double)
    model = Florence2ForConditionalGeneration.from_pretrained(source, quantization_config=four_bit, dtype=torch.float16)
    model.save_pretrained(out)
    return model


def check(model: Florence2ForConditionalGeneration, reference: Quantized) -> int:
    """transformers quantized exactly the linear layers, to the values that the reference has."""
    ours, count = {name: weight for name, weight, kind in matrices(reference.model) if kind == "linear"}, 0
    for name, layer in model.named_modules():
        state = getattr(getattr(layer, "weight", None), "quant_state", None)
        if state is not None:
            state.dtype = torch.float32
            values = quant.dequantize(layer.weight.data, state, None if state.nested else state.absmax)
            assert torch.equal(values.reshape(state.shape), ours.pop(f"{name}.weight")), name
            count += 1
    assert not ours, f"not quantized by transformers: {list(ours)}"
    return count


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    picture, entries, tensors = golden.FIXTURES / f"{IMAGE}.png", [], {}
    with tempfile.TemporaryDirectory() as temporary:
        source = make(Path(temporary) / "seeded")
        for file in ("config.json", "generation_config.json", "preprocessor_config.json"):
            (FIXTURES / file).write_bytes((source / file).read_bytes())
        for double in (True, False):
            name = "double" if double else "plain"
            model = saved(source, double, Path(temporary) / name)
            print(name, check(model, Quantized(source, "linears", double)), "linear layers")
            (FIXTURES / f"{name}.safetensors").write_bytes((Path(temporary) / name / "model.safetensors").read_bytes())
            config = (Path(temporary) / name / "config.json").read_bytes()
            (FIXTURES / f"{name}.config.json").write_bytes(config)
            for layout in ("native", "microsoft"):
                reference = Quantized(source, "linears", double, projection=layout == "native")
                pixels, settings = reference.pixels(picture), reference.settings({})
                stages = reference.stages(pixels, TASK)
                found = golden.search(reference, stages["encoder"], settings)
                ids = reference.generate(pixels, TASK, settings, stages["image_features"].shape[1])
                assert found.ids == ids and found.margin > golden.CLOSE and len(ids) > 8, (found.margin, found.ids, ids)
                entry = {"weights": name, "layout": layout, "ids": ids, "text": reference.text(ids)}
                entries.append(entry | {"margin": round(found.margin, 5)})
                for stage in ("image_features", "encoder", "logits"):
                    tensors[f"{name}.{layout}.{stage}"] = np.ascontiguousarray(golden.sample(stages[stage]))
        digest = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    save_file(tensors, FIXTURES / "stages.safetensors")
    about = {"seed": POINT.seed, "sha256": digest, "image": f"{IMAGE}.png", "task": TASK, "cases": entries}
    (FIXTURES / "import.json").write_text(golden.dump(about))
    print(json.dumps(entries, indent=1))


if __name__ == "__main__":
    main()
