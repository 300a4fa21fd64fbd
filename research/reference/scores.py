"""Makes ext/captioner/tests/fixtures/scores.json: what transformers says of each token of the golden captions.

    python scores.py

For every case of fixtures/florence2, in f32: the log-probability of each of the caption's ids after those before it (teacher
forcing), without any processing of the scores.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
import transformers

import seeded
from golden import FIXTURES
from reference import Reference


@torch.inference_mode()
def log_probabilities(reference: Reference, image: Path, task: str, ids: list[int]) -> list[float]:
    """Of each of `ids`, which leave out the start token."""
    encoder = torch.from_numpy(reference.stages(reference.pixels(image), task)["encoder"])
    start = reference.settings({})["decoder_start_token_id"]
    decoder = reference.model.model.language_model.decoder
    hidden = decoder(input_ids=torch.tensor([[start, *ids[:-1]]]), encoder_hidden_states=encoder)
    logits = reference.model.lm_head(hidden.last_hidden_state[0])
    return logits.log_softmax(-1)[torch.arange(len(ids)), torch.tensor(ids)].tolist()


def main() -> None:
    transformers.logging.set_verbosity_error()
    index, scores, loaded = json.loads((FIXTURES / "cases.json").read_text()), {}, {}
    with tempfile.TemporaryDirectory() as work:
        for case in index["cases"]:
            name = case["checkpoint"]
            if name not in loaded:
                entry, folder = index["checkpoints"][name], Path(work) / name
                source = FIXTURES / entry["folder"]
                config = json.loads((source / "config.json").read_text())
                seeded.write(config, entry["layout"], entry["seed"], folder, entry["tied"], entry["logits_bias"])
                for file in source.iterdir():
                    (folder / file.name).write_bytes(file.read_bytes())
                (folder / "tokenizer.json").write_bytes((FIXTURES / entry["tokenizer"]).read_bytes())
                loaded[name] = Reference(folder)
            values = log_probabilities(loaded[name], FIXTURES / case["image"], case["task"], case["ids"])
            scores[case["name"]] = [round(value, 6) for value in values]
    lines = ",\n".join(f"  {json.dumps(name)}: {values}" for name, values in scores.items())
    (FIXTURES.parent / "scores.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
