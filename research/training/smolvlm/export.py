"""The checkpoint folder as the family lays it out: `python -m smolvlm.export WEIGHTS FOLDER`. Weights are stored in bf16."""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from . import model as shape
from . import tiles, vocabulary


def config_json():
    size, ids = len(vocabulary.table()), shape.token_ids()
    text = {"model_type": "llama", "architectures": ["VLlama3ForCausalLM"], "vocab_size": size, **shape.TEXT, **ids,
            "rope_theta": shape.THETA, "rope_scaling": None, "tie_word_embeddings": False, "torch_dtype": "bfloat16"}
    return {
        "architectures": ["Idefics3ForConditionalGeneration"], "model_type": "idefics3", "scale_factor": shape.SCALE,
        "image_token_id": vocabulary.table()[vocabulary.IMAGE], "tie_word_embeddings": False, "torch_dtype": "bfloat16",
        "use_cache": True, "vocab_size": size, "pad_token_id": ids["pad_token_id"], "text_config": text,
        "vision_config": {"model_type": "idefics3", **shape.VISION, "tie_word_embeddings": False,
                          "max_image_size": {"longest_edge": tiles.TILE}, "size": {"longest_edge": tiles.EDGE}},
    }


def preprocessor_json():
    return {
        "image_processor_type": "Idefics3ImageProcessor", "processor_class": "Idefics3Processor", "do_convert_rgb": True,
        "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "rescale_factor": 0.00392156862745098, "resample": 1,
        "max_image_size": {"longest_edge": tiles.TILE}, "size": {"longest_edge": tiles.EDGE},
    }


def tokenizer_config_json():
    names = {"bos_token": vocabulary.BOS, "eos_token": vocabulary.END, "pad_token": vocabulary.PAD, "unk_token": "<|endoftext|>"}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False,
            "model_max_length": shape.TEXT["max_position_embeddings"], "processor_class": "Idefics3Processor", **names}


def chat_template_json():
    """The turns of one picture and one question, as the family's template writes them."""
    turn = ("{{ message['role'] | capitalize }}{{ ':' if message['content'][0]['type'] == 'image' else ': ' }}"
            "{% for part in message['content'] %}{{ part['text'] if part['type'] == 'text' else '<image>' }}{% endfor %}"
            "<end_of_utterance>\n")
    return {"chat_template": "<|im_start|>{% for message in messages %}" + turn + "{% endfor %}"
            "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"}


def write(weights, folder):
    folder.mkdir(parents=True, exist_ok=True)
    stored = {name: value.float().to(torch.bfloat16) for name, value in weights.items() if not name.startswith("heads.")}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    files = {
        "config.json": config_json(), "preprocessor_config.json": preprocessor_json(), "chat_template.json": chat_template_json(),
        "processor_config.json": {"image_seq_len": tiles.CELLS**2, "processor_class": "Idefics3Processor"},
        "generation_config.json": {"_from_model_config": True, **shape.token_ids()},
        "tokenizer.json": vocabulary.tokenizer_json(), "tokenizer_config.json": tokenizer_config_json(),
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    write(load_file(options.weights), options.folder)
