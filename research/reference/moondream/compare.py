"""Compares a dump of ext/captioner/examples/dump_stages.rs with one of full_size.py.

    python full_size.py stages DIR reference.safetensors
    python full_size.py picture picture.png
    target/release/examples/dump_stages DIR picture.png ours.safetensors 32 '<SHORT_CAPTION>' exact
    python compare.py ours.safetensors reference.safetensors --tokenizer tokenizer.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from tokenizers import Tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    args = parser.parse_args()
    ours, theirs = safe_open(args.ours, "np"), safe_open(args.reference, "np")
    for stage in ("vision", "image_features", "logits"):
        a, b = (file.get_tensor(stage).astype(np.float64).reshape(-1) for file in (ours, theirs))
        print(f"{stage}: {np.linalg.norm(a - b) / np.linalg.norm(b):.1e}")
    ids = json.loads(theirs.metadata()["ids"])
    text = Tokenizer.from_file(str(args.tokenizer)).decode(ids).strip()
    print(f"the text of {len(ids)} tokens is {'equal' if ours.metadata()['text'] == text else 'different'}")
    print(f"narrowest choice of the reference: {theirs.metadata()['margin']} standard deviations of the logits")


if __name__ == "__main__":
    main()
