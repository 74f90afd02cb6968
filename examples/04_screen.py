"""Screen a folder: which oxides have the highest mean frequency?

Needs pip install 'vanhove[screen]'. The same call on hundreds of thousands of structures continues
when it was stopped.

Usage:
    python examples/04_screen.py                         # fast weights
    python examples/04_screen.py runs/mine
"""

import csv
import sys
import tempfile
from pathlib import Path

import vanhove

STRUCTURES = Path(__file__).parent / "structures"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = vanhove.screen(
            STRUCTURES,
            folder,
            model=sys.argv[1] if len(sys.argv) > 1 else "vanhove-phonon-fast",
            properties=["formula", "mean_frequency", "heat_capacity_300K"],
            where='"O" in elements',
            sort="-mean_frequency",
            top=5,
            workers=1,
        )
        print(f"{result.n_predicted} predicted, {result.n_selected} of them oxides")
        with result.best.open(newline="") as stream:
            for row in csv.DictReader(stream):
                print(f"{row['formula']:10s} {float(row['mean_frequency (1/cm)']):6.0f} 1/cm")
        assert result.report.is_file()  # open it in a browser


if __name__ == "__main__":  # the worker processes import this file
    main()
