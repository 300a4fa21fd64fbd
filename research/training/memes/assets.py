"""Fonts and word lists: fetched from Debian packages, pinned by the sha256 of every file.

The pixels of a meme depend on the font files, so `verify` refuses any other version.
`python -m memes.assets` collects the files into `.assets/`; `--pin` rewrites the manifest.
"""

import argparse
import hashlib
import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIR = Path(os.environ.get("MEME_ASSETS", ROOT / ".assets"))
MANIFEST = ROOT / "assets.json"


@cache
def manifest():
    return json.loads(MANIFEST.read_text())


def path(name):
    """The file `name` of the manifest, wherever its package put it."""
    return str(DIR / name)


def digest(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def verify():
    """Raise unless every file is there with the pinned content."""
    for name, entry in manifest()["files"].items():
        file = DIR / name
        if not file.exists():
            raise SystemExit(f"{file} is missing: run `python -m memes.assets`")
        if digest(file) != entry["sha256"]:
            raise SystemExit(f"{file} is not the pinned version: its sha256 differs from assets.json")


def collect():
    """Unpack the Debian packages of the manifest and keep the listed files."""
    DIR.mkdir(parents=True, exist_ok=True)
    packages = sorted({entry["package"] for entry in manifest()["files"].values()})
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["apt-get", "download", *packages], cwd=scratch, check=True)
        for deb in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(deb), scratch + "/root"], check=True)
        for name, entry in manifest()["files"].items():
            (DIR / name).write_bytes((Path(scratch) / "root" / entry["path"]).read_bytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", action="store_true", help="accept the collected files as the pinned ones")
    options = parser.parse_args()
    collect()
    if options.pin:
        pinned = manifest()
        for name, entry in pinned["files"].items():
            entry["sha256"] = digest(DIR / name)
        MANIFEST.write_text(json.dumps(pinned, indent=2) + "\n")
        manifest.cache_clear()
    verify()
    print(f"{len(manifest()['files'])} files in {DIR}")


if __name__ == "__main__":
    main()
