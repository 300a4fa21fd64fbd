"""What transformers says in f32: next-token logits of every sentence, and greedy answers to the requests.

    python -m smollm2.logits tmp/smollm2 tmp/smollm2/reference.safetensors

The file has, for all sentences one after another (N positions, S sentences):
  input_ids [N] i32, starts [S + 1] i64 (sentence s is input_ids[starts[s] .. starts[s + 1]], without a first token of its own),
  top_ids [N, 64] i32 and top_logits [N, 64] f32, the best tokens after each position, the best first,
  logsumexp [N] f32 over the whole vocabulary, next_logit [N] f32 of the token that does follow (0 at a sentence's end).
Whoever is compared writes: input_ids, starts, argmax [N] i32, top_logits [N, 64] f32 (its logits of the reference's top_ids),
logsumexp [N], next_logit [N]. `python -m smollm2.compare REFERENCE OURS` prints the figures. Greedy answers go to answers.json beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from .sentences import REQUESTS, sentences, turn

TOP, NEW_TOKENS = 64, 40


@torch.inference_mode()
def main() -> None:
    transformers.logging.set_verbosity_error()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    args = parser.parse_args()
    settings = {"dtype": getattr(torch, args.dtype), "attn_implementation": "eager"}
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, **settings).to(args.device).eval()
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("input_ids", "top_ids", "top_logits", "logsumexp", "next_logit", "argmax")}
    starts = [0]
    for sentence in sentences():
        ids = tokenizer.encode(sentence).ids
        logits = model(input_ids=torch.tensor([ids], device=args.device)).logits[0].float().cpu()
        best = logits.topk(TOP)
        follows = torch.tensor(ids[1:] + [0])
        found = {
            "input_ids": torch.tensor(ids).int(), "top_ids": best.indices.int(), "top_logits": best.values, "argmax": best.indices[:, 0].int(),
            "logsumexp": logits.logsumexp(-1), "next_logit": logits.gather(1, follows[:, None])[:, 0],
        }  # fmt: skip
        found["next_logit"][-1] = 0
        for name, value in found.items():
            rows[name].append(value.numpy())
        starts.append(starts[-1] + len(ids))
    arrays = {name: np.ascontiguousarray(np.concatenate(values)) for name, values in rows.items()}
    save_file({**arrays, "starts": np.array(starts, dtype=np.int64)}, args.out)
    answers = []
    for request in REQUESTS:
        prompt = tokenizer.encode(turn(request)).ids
        given = torch.tensor([prompt], device=args.device)
        out = model.generate(
            input_ids=given, attention_mask=torch.ones_like(given), do_sample=False,
            max_new_tokens=NEW_TOKENS, eos_token_id=2, pad_token_id=2, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
        ids = out.sequences[0, len(prompt) :].tolist()
        two = [logits[0].float().topk(2).values for logits in out.logits]
        margin = min(float(pair[0] - pair[1]) for pair in two)
        answers.append({"request": request, "prompt_ids": prompt, "ids": ids, "text": tokenizer.decode(ids), "margin": round(margin, 5)})
        print(json.dumps({"request": request, "text": answers[-1]["text"]}, ensure_ascii=False), flush=True)
    lines = ",\n".join("  " + json.dumps(answer, ensure_ascii=False) for answer in answers)
    args.out.with_name(args.out.stem + "-answers.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
