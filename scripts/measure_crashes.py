"""Kills each command at its writes, starts it again, and counts results equal to a whole run's.

Usage: python scripts/measure_crashes.py results/reliability/crashes.json [COMMAND ...]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from vanhove.datasets import load_dataset
from vanhove.results import write_result
from vanhove.version import circumstances

ROOT = Path(__file__).parent.parent
EVERY = {
    "train": 2,
    "finetune": 4,
    "embed": 1,
    "ensemble": 1,
    "label": 1,
    "screen": 1,
    "data import": 1,
    "sweep": 12,
    "tune": 40,
    "reproduce": 4,
}
"""Each so-manyeth write, by the time that a command takes."""


def main() -> None:
    path = Path(sys.argv[1])
    data = load_dataset("tiny")
    about = {
        "seed": 0,
        "dataset": {"name": data.name, "hash": data.data_hash, "split_hash": data.split_hash},
        "config": {"every": EVERY},
    }
    found: dict[str, dict] = {}
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))["commands"]
    for name, every in EVERY.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "tests.crash", name, str(every)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        lines = done.stdout.splitlines()
        found[name] = json.loads(lines[-1]) if lines else {"error": done.stderr[-500:]}
        found[name].pop("messages", None)
        found[name] |= circumstances()  # commands may be measured one by one
        write_result({"commands": found, **about}, path)
        print(name, found[name], flush=True)


if __name__ == "__main__":
    main()
