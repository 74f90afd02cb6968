"""Levels of the free atoms (PBE), of the tight-binding model: `crystal/data/atomic_levels.json`.

Each spherical, spin-less atom is solved by GPAW's all-electron program, scalar-relativistic, with
the shells that a crystal of s, p and d orbitals needs (empty ones included, where they are bound).
Which shells count as valence is read from the headers of the PAW data sets with which
`electron_pbe` was computed, so that electrons are counted as there. Run it with a Python that has
GPAW 26.7 (vanhove never needs it):

    python scripts/derive_atomic_levels.py /usr/share/gpaw-setups
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path

from gpaw.atom.aeatom import AllElectronAtom
from gpaw.atom.configurations import configurations

from vanhove.results import json_text

HARTREE = 27.211386
OUT = Path(__file__).parents[1] / "src/vanhove/crystal/data/atomic_levels.json"
WITHOUT_DATA_SET = {"La": ["5s", "5p", "5d", "6s"], "Tc": ["4p", "4d", "5s"]}
"""Elements that Debian's gpaw-data lacks, and their valence shells."""
OUTER_S = {"Pd": 5}
"""Where the free atom leaves the outermost s shell empty: its n."""
UNBOUND = 0.5  # eV; a level above it is an artefact of the basis


def valence_shells(folder: Path) -> dict[str, list[str]]:
    """Occupied valence shells by element, from ``<state n=... l=... f=...>`` of the headers."""
    found = dict(WITHOUT_DATA_SET)
    for path in sorted(folder.glob("*.PBE.gz")):
        if path.name.count(".") != 2:
            continue  # other numbers of valence electrons
        with gzip.open(path, "rt") as stream:
            header = stream.read(20_000)
        states = [
            dict(re.findall(r'(\w+)="([^"]*)"', text))
            for text in re.findall(r"<state ([^>]*)/>", header)
        ]
        found[path.name.split(".")[0]] = [
            state["n"] + "spdf"[int(state["l"])] for state in states if float(state.get("f", 0)) > 0
        ]
    return found


def levels(symbol: str) -> dict[str, list[float]]:
    """Energy (eV) and electrons of each shell, valence or empty."""
    held = {(shell[0], shell[1]) for shell in configurations[symbol][1]}
    period = OUTER_S.get(symbol, max(n for n, angular in held if angular == 0))
    wanted = [(period, 0)] + ([(period, 1)] if period > 1 else [])
    wanted += [(period - 1, 2)] if period > 3 else []
    atom = AllElectronAtom(symbol, "PBE", log=None)
    for shell in wanted:
        if shell not in held:
            atom.add(*shell, 0)
    atom.run()
    atom.refine()
    result = {}
    for channel in atom.channels:
        for k, (energy, electrons) in enumerate(zip(channel.e_n, channel.f_n, strict=False)):
            n = k + channel.l + 1
            if HARTREE * energy < UNBOUND:
                result[f"{n}{'spdf'[channel.l]}"] = [
                    round(float(HARTREE * energy), 3),
                    float(electrons),
                ]
    return result


def main() -> None:
    table = json.loads(OUT.read_text()) if OUT.exists() else {}
    for symbol, valence in sorted(valence_shells(Path(sys.argv[1])).items()):
        if symbol in table:
            continue
        of_atom = levels(symbol)
        outer = max(int(s[0]) for s, (_, f) in of_atom.items() if s[1] == "s" and f > 0)
        period = OUTER_S.get(symbol, outer)
        empty = [f"{period}p"] + ([f"{period - 1}d"] if period > 3 else [])
        empty = [shell for shell in (f"{period}s", *empty) if of_atom.get(shell, [0, 1])[1] == 0]
        kept = {*valence, *empty}  # an occupied shell that is not valence is core
        table[symbol] = {
            shell: {"energy_eV": energy, "electrons": electrons}
            for shell, (energy, electrons) in of_atom.items()
            if shell in kept
        }
    OUT.write_text(json_text(dict(sorted(table.items()))) + "\n")


if __name__ == "__main__":
    main()
