"""docs/reliability.md, from the JSON of results/reliability; `update_results.py` writes it.

python scripts/measure_noise.py results/reliability/noise.json
python scripts/measure_fuzz.py 100000 results/reliability/fuzz.json
python scripts/measure_crashes.py results/reliability/crashes.json
"""

from __future__ import annotations

import json
from pathlib import Path

from page_parts import table

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "results" / "reliability"
PAGE = ROOT / "docs" / "reliability.md"


def read(name: str) -> dict:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def noise() -> str:
    found = read("noise.json")
    most = {
        what: max(of[what]["worst"] for of in found["models"].values())
        for what in ("0.003", "other cell")
    }
    moved = [
        f"`{model}` ({of['0.003']['mean']:.1e}, worst crystal {of['0.003']['worst']:.1e})"
        for model, of in found["models"].items()
        if of["0.003"]["mean"] > 1e-3 or of["0.003"]["worst"] > 5e-3
    ]
    above = ", ".join(moved) if moved else "none"
    rows = []
    for model, of in found["models"].items():
        for what in ("0.001", "0.003", "0.01", "other cell"):
            one = of[what]
            shown = what if what == "other cell" else f"{what} angstrom"
            numbers = [f"{one['mean']:.1e}", f"{one['worst']:.1e}", str(one["flips"])]
            rows.append([f"`{model}`", shown, *numbers, str(one["refused"])])
    return f"""\
## Noise, and other cells

A relaxation leaves noise on the positions. {found["n_crystals"]} crystals (the examples and the
first of the validation split of `phonon_petretto`) were displaced by Gaussian noise in each
direction, or written in a skewed cell; what changed is averaged over the points, in units of the
largest value.
"Systems" counts the crystals whose crystal system was taken for another one. Symmetry is searched
with 0.01 angstrom and, for a noisy copy of a more symmetric crystal, with 0.03: then the prediction
says so in `spectrum.warnings`. Of the {found["n_crystals"]} crystals without noise,
{found["near"]} are taken for noisy copies. Noise of 0.01 angstrom is more than that covers.
Another cell moves no prediction by more than {most["other cell"]:.1e}. Under noise of
0.003 angstrom a mean of 1e-3 and 5e-3 for the worst crystal are aimed at; above that: {above}.

{table(["model", "change", "mean", "worst crystal", "systems", "refused"], rows)}

`python scripts/measure_noise.py results/reliability/noise.json` measured this."""


def fuzz() -> str:
    found = read("fuzz.json")
    wrong = len(found["wrong"])
    return f"""\
## Damaged files

{found["n"]} files were made of good ones in every format that is read (CIF, POSCAR, extxyz, JSON of
four kinds, spectra, bands, `vasprun.xml`, phonopy's files) by flipping, cutting, doubling and
moving bytes and by putting in what breaks readers, half of them by one digit, sign, letter, number
or line alone. {found["refused"]} were refused in one sentence, {found["accepted"]} were read;
{wrong} ended in another error, took longer than 5 s, or gave a structure with another composition,
number of atoms, volume or density than the file itself states, read by other means
(`tests/stated.py`). The slowest took {found["slowest_s"]} s on a busy machine.

`python scripts/measure_fuzz.py {found["n"]} results/reliability/fuzz.json` measured this;
`tests/test_fuzz.py` reads 2,000 in every run of the tests."""


def crashes() -> str:
    found = read("crashes.json")["commands"]
    rows = [
        [f"`{name}`", str(of["writes"]), str(of["tried"]), str(of["survived"])]
        for name, of in found.items()
        if "writes" in of
    ]
    return f"""\
## Killed at any write

Each command was killed at its writes (a file opened for writing, which is then empty, or renamed or
removed; a folder made or removed; a commit to a database) and started again. It survives where it
then ends in the same files as a run that was not killed, byte for byte but for the times in them,
and leaves nothing else behind. Of the database of `tune`, which holds dates on every page, its
trials, settings and scores are compared.

{table(["command", "writes", "tried", "survived"], rows)}

`python scripts/measure_crashes.py results/reliability/crashes.json` measured this. A full
disk is told (`OutputError`), and what was there before stays. A second process on one output folder
is refused before any work, and a start that fails leaves no folder (`tests/test_crash.py`)."""


def page() -> str:
    return "\n\n".join(["# Reliability", noise(), fuzz(), crashes()]) + "\n"
