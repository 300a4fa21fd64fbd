"""Compares the dumps of full_size.py and prints the tables of docs/parity.md: `python compare.py DIR`.

Fails if a stage is further than 1e-4 from the reference or if the ids differ.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors import safe_open

LIMIT = 1e-4
# Only the reference writes it: the golden cases hold every pixel bit for bit.
NOT_COMPARED = "pixel_values"


class Dump:
    """One side's tensors of one caption, and what its process said of itself."""

    def __init__(self, path: Path):
        self.file = safe_open(path, framework="numpy")
        self.said = self.file.metadata()
        busy = path.with_suffix(".load")
        self.load = busy.read_text().strip() if busy.exists() else "?"

    def tensor(self, name: str) -> np.ndarray:
        return self.file.get_tensor(name).astype(np.float64)

    def seconds(self) -> float:
        """A caption, from the file's bytes to ids."""
        if "seconds.caption" in self.said:
            return float(self.said["seconds.caption"])
        return sum(float(self.said[f"seconds.{part}"]) for part in ("image", "vision", "encoder", "decoder"))

    def mebibytes(self) -> float:
        return int(self.said["peak_rss_bytes"]) / 2**20


def error(ours: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(ours.ravel() - reference.ravel()) / np.linalg.norm(reference))


def order(name: str) -> tuple[int, int]:
    """The order in which a caption passes the tensors."""
    head, _, stage = name.partition(".")
    if stage:
        return 1, 2 * int(stage) + (head == "stage")
    return 2 + ["image_features", "encoder", "logits", "ids"].index(head), 0


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    pairs = {}
    for path in sorted(folder.glob("*-reference.safetensors")):
        name = path.name.removesuffix("-reference.safetensors")
        if (ours := folder / f"{name}-ours.safetensors").exists():
            pairs[name] = (Dump(path), Dump(ours))
    names = sorted({name for theirs, _ in pairs.values() for name in theirs.file.keys()} - {NOT_COMPARED}, key=order)
    lines = [row("‖ours - reference‖ / ‖reference‖", *pairs), row(*["---"] * (len(pairs) + 1))]
    worst, same = 0.0, True
    for name in names[:-1]:
        cells = []
        for theirs, ours in pairs.values():
            found = error(ours.tensor(name), theirs.tensor(name))
            worst = max(worst, found)
            cells.append("0" if found == 0 else f"{found:.1e}")
        lines.append(row(name, *cells))
    cells = []
    for theirs, ours in pairs.values():
        a, b = theirs.tensor("ids"), ours.tensor("ids")
        same &= np.array_equal(a, b)
        cells.append(f"equal ({len(a)})" if np.array_equal(a, b) else "DIFFERENT")
    lines.append(row("token ids", *cells))
    lines += ["", row("", *pairs), row(*["---"] * (len(pairs) + 1))]
    for label, side in (("reference", 0), ("ours", 1)):
        lines.append(row(f"{label}: seconds for a caption", *(f"{pair[side].seconds():.2f}" for pair in pairs.values())))
        lines.append(row(f"{label}: seconds to load", *(pair[side].said["seconds.load"][:4] for pair in pairs.values())))
        lines.append(row(f"{label}: peak RSS, MiB", *(f"{pair[side].mebibytes():.0f}" for pair in pairs.values())))
        lines.append(row(f"{label}: load average of the machine", *(pair[side].load for pair in pairs.values())))
    print("\n".join(lines))
    if worst > LIMIT or not same:
        raise SystemExit(f"worst stage {worst:.1e}, ids {'equal' if same else 'different'}")


if __name__ == "__main__":
    main()
