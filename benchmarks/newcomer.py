"""A newcomer's path on a clean machine: README to a first prediction, own data to a trained model.

Clones the repository into a temporary folder, runs the README's first command there (``make demo``:
a new virtual environment, installation, prediction), then what docs/tour.md shows under "Train on
your data", step by step as it stands there.

Usage:
    python benchmarks/newcomer.py -o results/speed/newcomer.json --index "a mirror on this machine"
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clock import machine, say

from vanhove.results import write_result

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "results" / "speed" / "newcomer.json"
BLOCK = re.compile(r"(?:<!-- test: file (\S+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
KNOWN = ("PYTHONPATH", "VANHOVE_DATA", "VANHOVE_CACHE", "VIRTUAL_ENV", "OMP_NUM_THREADS")
"""What this machine has set and a newcomer has not."""


class Newcomer:
    """Runs commands in the clone, each timed; a command that fails ends the trial."""

    def __init__(self, folder: Path):
        self.clone = folder / "vanhove"
        self.environment = {k: v for k, v in os.environ.items() if k not in KNOWN} | {
            "PATH": f"{self.clone / '.venv' / 'bin'}:{os.environ['PATH']}",
            "PIP_NO_CACHE_DIR": "1",
            "VANHOVE_CACHE": str(folder / "cache"),
        }
        self.steps: list[dict[str, Any]] = []

    def do(self, part: str, command: list[str], shown: str = "", where: Path | None = None) -> None:
        shown = shown or shlex.join(command)
        say(f"{part}: {shown}")
        before, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command,
            cwd=where or self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{shown} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        core = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        self.steps.append(
            {
                "part": part,
                "command": shown,
                "wall_seconds": round(time.perf_counter() - before, 1),
                "core_seconds": round(core, 1),
            }
        )


def own_data_steps() -> Iterator[tuple[str, str, str]]:
    """(file to write or "", language, content) of each block of the tour's section."""
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## \d+\. Train on your data\n(.*?)(?=^## )", tour, re.M | re.S)
    for match in BLOCK.finditer(section):
        yield match[1] or "", match[2], match[3]


def megabytes_in(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", "-o", type=Path, default=OUTPUT)
    parser.add_argument("--index", default="PyPI", help="where pip gets packages, in words")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        new = Newcomer(folder)
        clone = ["git", "clone", "--quiet", str(ROOT), str(new.clone)]
        new.do("first prediction", clone, "git clone", where=folder)
        new.do("first prediction", ["make", "demo"])
        assert list((new.clone / "demo").glob("*.png"))
        predict = ["vanhove", "predict", "examples/structures/Si.cif", "--no-plot"]
        new.do("first prediction", predict)
        for name, language, content in own_data_steps():
            if name:
                path = new.clone / name
                path.parent.mkdir(parents=True)
                path.write_text(content, encoding="utf-8")
            elif language == "python":
                new.do("own data", ["python", "-c", content], "copying structures")
            else:
                for line in content.splitlines():
                    new.do("own data", shlex.split(line))
        result = {
            "machine": machine(),
            "index": options.index,
            "python": ".".join(map(str, sys.version_info[:3])),
            "environment_MB": round(megabytes_in(new.clone / ".venv")),
            "steps": new.steps,
        }
    write_result(result, options.output)
    say(f"written to {options.output}")


if __name__ == "__main__":
    main()
