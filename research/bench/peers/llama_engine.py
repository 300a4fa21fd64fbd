"""llama.cpp's mtmd at Q8_0, by `llama_peer.cpp`. `llama_setup` builds it and the two GGUF files into WORK/llama."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any


class LlamaMtmd:
    def __init__(self, folder: Path, work: Path, threads: int):
        self.folder, self.work, self.threads = folder, work / "llama", threads

    def load(self) -> dict[str, Any]:
        started, name = time.perf_counter(), self.folder.name
        files = [self.work / f"{name}-{part}.gguf" for part in ("q8_0", "mmproj-q8_0")]
        command = [str(part) for part in (self.work / "llama_peer", *files, self.threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._answer()
        return {"seconds": time.perf_counter() - started, "threads": self.threads}

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"llama_peer ended with status {self.process.wait()}")
        return json.loads(line)

    def vision(self, image: str) -> dict[str, Any]:
        return {"vision": self.caption(image, 1)["vision"]}

    def caption(self, image: str, new_tokens: int) -> dict[str, Any]:
        """From the file to the last token, greedy."""
        self.process.stdin.write(f"{new_tokens} {image}\n")
        return self._answer()
