"""One engine in this process, which does nothing else: answers questions about it, one JSON line each.

    python serve.py ENGINE FOLDER --images FOLDER --work FOLDER

ENGINE is transformers-f32, transformers-bf16, bitsandbytes-nf4, openvino-f32, openvino-bf16, openvino-int4 or openvino-int8;
FOLDER a checkpoint in the native layout. For a SmolVLM: transformers-f32, transformers-bf16, transformers-bf16-eager or
llama-q8_0; for moondream2: pytorch-f32 or pytorch-bf16. Questions are ["load"], ["vision", IMAGE],
["caption", IMAGE, NEW_TOKENS] and ["memory"]; an answer is {"value": ...} or {"error": ..., "message": ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

THREADS = len(os.sched_getaffinity(0))


def memory() -> dict[str, float]:
    """Resident memory of this process now and at its highest, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {"rss": values["VmRSS"], "peak": values["VmHWM"]}


def engine(name: str, folder: Path, images: Path, work: Path) -> Any:
    kind, variant = name.split("-", 1)
    if kind == "llama":
        from llama_engine import LlamaMtmd

        return LlamaMtmd(folder, work, THREADS)
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    if model_type in ("idefics3", "smolvlm"):
        from smolvlm_engine import SmolVlm

        return SmolVlm(folder, variant, THREADS)
    if model_type == "moondream1":
        from moondream_engine import Moondream

        return Moondream(folder, variant, THREADS)
    if kind == "openvino":
        from openvino_engine import OpenVino

        return OpenVino(folder, variant, images, work, THREADS)
    from transformers_engine import Transformers

    return Transformers(folder, variant, THREADS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=Path, required=True, help="pictures to calibrate with")
    parser.add_argument("--work", type=Path, required=True, help="where converted models are kept")
    args = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    served = engine(args.engine, args.folder, args.images, args.work)
    questions = {"load": served.load, "vision": served.vision, "caption": served.caption, "memory": memory}
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"value": questions[name](*arguments)}
        except Exception as error:  # noqa: BLE001: whatever happened is the answer
            answer = {"error": "InternalError", "message": f"{args.engine}: {type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
