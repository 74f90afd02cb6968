"""Train one member of `vanhove-electron`.

    python scripts/train_electrons.py configs/electron/vanhove-electron.yaml OUT --seed 0

Needs ``electron_tb3`` and ``gaps_mp`` under VANHOVE_DATA (a run file with ``teacher: null`` and
``gap_atoms: 0`` needs neither). Stopped and started again with the same OUT, it goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from vanhove.training.electron_run import read_run, train_member

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(train_member(read_run(given.run, seed=given.seed), given.out))
