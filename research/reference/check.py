"""Checks what the goldens rest on: `python check.py`. Makes the checkpoints of cases.py again and compares, for every case,

1. the search as the remote code of the Microsoft checkpoints starts it: BART's own generate on the embeddings, without
   an attention mask, with the settings of the text configuration, `final_logits_bias` being BART's own buffer;
2. transformers' Florence2Processor on prompt, decoding and post-processing;
3. the committed index, so a stale fixture is found.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from transformers import BartForConditionalGeneration, Florence2Processor, GenerationConfig, PreTrainedTokenizerFast

import cases
import golden
from reference import SOURCES, Reference
from tokenizer import APPENDED


def bart(reference: Reference, folder: Path) -> BartForConditionalGeneration:
    """The language model as the remote code holds it."""
    config = reference.model.config.text_config
    model = BartForConditionalGeneration._from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    model.model.load_state_dict(reference.model.model.language_model.state_dict())
    model.lm_head.weight = model.model.shared.weight
    bias = load_file(folder / "model.safetensors").get("language_model.final_logits_bias")
    if bias is not None:
        model.final_logits_bias.copy_(bias.float())
    return model


@torch.inference_mode()
def remote_ids(reference: Reference, folder: Path, case: dict[str, Any], pixels: torch.Tensor) -> list[int]:
    """What `language_model.generate(inputs_embeds=...)` gives with the configuration's settings."""
    model = bart(reference, folder)
    stages = reference.stages(pixels, case["task"])
    prompt = model.model.shared(torch.tensor([case["prompt_ids"]]))
    embeds = torch.cat([torch.from_numpy(stages["image_features"]), prompt], dim=1)
    model.generation_config = GenerationConfig(**case["settings"], do_sample=False)
    return model.generate(inputs_embeds=embeds)[0].tolist()[1:]


def processor(reference: Reference, folder: Path, tokens: int) -> Florence2Processor:
    """transformers' processor; the tokenizer gets what the processor's older self appended, then `<image>`."""
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special)
    tokenizer.add_special_tokens({"extra_special_tokens": [*APPENDED, "<image>"]})
    tokenizer.image_token = "<image>"
    tokenizer.image_token_id = tokenizer.convert_tokens_to_ids("<image>")
    reference.processor.image_seq_length = tokens
    parts = {"image_processor": reference.processor, "tokenizer": tokenizer}
    return Florence2Processor(**parts, post_processor_config={"pure_text": {}})


def check(case: dict[str, Any], reference: Reference, folder: Path) -> list[str]:
    from PIL import Image

    image = golden.FIXTURES / case["image"]
    pixels = reference.pixels(image)
    wrong = []
    if (ids := remote_ids(reference, folder, case, pixels)) != case["ids"]:
        wrong.append(f"remote code gives {ids}")
    tokens = case["tensors"]["image_features"]["shape"][1]
    native = processor(reference, folder, tokens)
    inputs = native(text=case["task"], images=Image.open(image).convert("RGB"), return_tensors="pt")
    expected = [native.image_token_id] * tokens + case["prompt_ids"]
    if inputs["input_ids"][0].tolist() != expected:
        wrong.append(f"prompt {inputs['input_ids'][0].tolist()[tokens:]}")
    if not torch.equal(inputs["pixel_values"], pixels):
        wrong.append("pixel_values")
    text = native.batch_decode([[2, *case["ids"]]], skip_special_tokens=False)[0]
    text = native.post_process_generation(text, task=case["task"], image_size=(1, 1))[case["task"]]
    if text.strip() != case["text"].strip():
        wrong.append(f"text {text!r}")
    return wrong


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    index = json.loads((golden.FIXTURES / "cases.json").read_text())
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        loaded: dict[str, Reference] = {}
        for case in index["cases"]:
            name = case["checkpoint"]
            if name not in loaded:
                golden.write_shared(Path(temporary) / name)
                loaded[name], entry = golden.load(name, Path(temporary) / name, Path(temporary))
                assert entry == index["checkpoints"][name], f"{name}: the index is stale"
            wrong = check(case, loaded[name], Path(temporary) / name)
            if cases.CASES[case["name"]].overrides != case["overrides"]:
                wrong.append("the index is stale")
            failed += bool(wrong)
            other = "" if loaded[name].sources == SOURCES else " (other feature sources)"
            print(f"{case['name']}{other}: {'; '.join(wrong) or 'as expected'}")
    raise SystemExit(f"{failed} cases differ" if failed else 0)


if __name__ == "__main__":
    main()
