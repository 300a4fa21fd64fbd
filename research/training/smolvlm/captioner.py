"""Answers with transformers: a checkpoint folder, greedy search in f32."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from . import model as shape
from . import tiles, vocabulary


def load(path, device="cpu"):
    """From native weights (`native.safetensors`), rounded to bf16 as they will be stored, or from a checkpoint folder."""
    path = Path(path)
    if path.is_dir():
        from transformers import Idefics3ForConditionalGeneration

        model = Idefics3ForConditionalGeneration.from_pretrained(path, dtype=torch.float32)
    else:
        model = shape.build()
        saved = {name: value.to(torch.bfloat16).float() for name, value in load_file(path).items() if not name.startswith("heads.")}
        model.load_state_dict(saved)
    return model.to(device).eval()


@torch.inference_mode()
def answer(model, images, question, limit=shape.ANSWER):
    """Greedy ids, without the prompt, and text of every picture; pictures of one grid go through together."""
    fitted = [tiles.tiles(image.convert("RGB")) for image in images]
    results = [None] * len(images)
    for grid in dict.fromkeys(grid for grid, _ in fitted):
        places = [place for place, (other, _) in enumerate(fitted) if other == grid]
        pixels = torch.stack([torch.from_numpy(fitted[place][1]) for place in places]).to(model.device)
        prompt = vocabulary.ids([*tiles.prompt(grid), *vocabulary.question(question)])
        ids = torch.tensor(prompt, device=model.device).expand(len(places), -1)
        new = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, max_new_tokens=limit,
                             do_sample=False, **shape.token_ids())[:, len(prompt):]
        for place, row in zip(places, new.tolist()):
            results[place] = ended(row)
    return results


def ended(ids):
    """(ids up to and with the end token, the text)."""
    end = vocabulary.table()[vocabulary.END]
    ids = ids[: ids.index(end) + 1] if end in ids else ids
    return ids, vocabulary.tokenizer().decode(ids, skip_special_tokens=True).strip()


def write_expected(model, memes, file):
    """What the sample memes of the repository must be captioned as."""
    from PIL import Image

    rows = json.loads((memes / "captions.json").read_text(encoding="utf-8"))
    images = [Image.open(memes / row["file"]) for row in rows]
    expected = [{"file": row["file"], "answers": {}} for row in rows]
    for question in (vocabulary.DESCRIBE, vocabulary.READ):
        for entry, (ids, text) in zip(expected, answer(model, images, question)):
            entry["answers"][question] = {"ids": ids, "text": text}
    lines = ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in expected)
    file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
