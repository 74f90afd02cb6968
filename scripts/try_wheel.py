"""Build the wheel, install it into an empty environment, and run README's commands there.

    python scripts/try_wheel.py WORK [PYTHON]

WORK is a folder for the distribution and the environment; PYTHON makes the environment (by default
the one that runs this). torch comes from PyTorch's index of CPU builds where it can be reached, as
in the Makefile (``TORCH_INDEX``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
HELD = (
    "vanhove/py.typed",
    "/LICENSE",
    "/DATA_LICENSES.md",
    "elementembeddings.LICENSE.txt",
    "/share/vanhove/examples/structures/NaCl.cif",
    "/share/vanhove/configs/electron/",
    "vanhove/server/page/index.html",
)
"""Parts of names of files that a wheel must hold."""
LARGEST = 30_000_000
"""Bytes of a wheel."""
TORCH = "torch==2.13.0"
TORCH_INDEX = os.environ.get("TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
COMMANDS = (
    ("predict", "examples/structures/NaCl.cif", "--output", "out"),
    ("predict", "examples/structures", "--json", "all.json", "--csv", "--output", "spectra"),
    ("predict", "examples/structures/MgO.cif", "--property", "bands", "--output", "out"),
    ("doctor",),
    ("--version",),
)


def run(*command: str | Path, **options: str | Path) -> str:
    """Its output; a command that fails ends all, with what it said."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(work: Path, python: str) -> None:
    work.mkdir(parents=True, exist_ok=True)
    environment = work / "environment"
    run(python, "-m", "venv", "--clear", environment)
    pip = (environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "build")
    dist = work / "dist"
    for old in dist.glob("vanhove-*"):
        old.unlink()
    run(environment / "bin" / "python", "-m", "build", "--outdir", dist, ROOT)
    (wheel,) = dist.glob("*.whl")
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 1e6:.1f} MB")
    if size > LARGEST:
        sys.exit(f"the wheel is larger than {LARGEST / 1e6:g} MB")
    names = zipfile.ZipFile(wheel).namelist()
    missing = [part for part in HELD if not any(part in name for name in names)]
    if missing:
        sys.exit(f"the wheel lacks {', '.join(missing)}")
    try:
        run(*pip, "install", "--quiet", TORCH, "--index-url", TORCH_INDEX)
    except SystemExit:
        run(*pip, "install", "--quiet", TORCH)
    run(*pip, "install", "--quiet", wheel)
    share = environment / "share" / "vanhove"
    for command in COMMANDS:
        said = run(environment / "bin" / "vanhove", *command, cwd=share)
        print(f"vanhove {' '.join(command)}: {len(said.splitlines())} lines")
    results = json.loads((share / "all.json").read_text())
    if results["errors"] or len(results["results"]) != 10:
        sys.exit(f"examples that are not predicted: {results['errors']}")
    print("README's commands run from the wheel alone")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else sys.executable)
