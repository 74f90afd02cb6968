"""What the tight-binding model knows of the elements: levels of free atoms, and who is valence.

The table `crystal/data/atomic_levels.json` (PBE, scalar-relativistic; made by
``scripts/derive_atomic_levels.py``) lists the valence shells of the PAW data sets with which
`electron_pbe` was computed. Of each atom one s, one p and one d shell are orbitals of the model;
other occupied shells are *semicore*: flat levels that hold electrons and hop nowhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from ase.data import covalent_radii

from vanhove.crystal.elements import ATOMIC_NUMBERS, N_ELEMENTS, symbols_of
from vanhove.errors import StructureError

N_ORBITALS = 9
"""s, px, py, pz, and five d."""
SHELL_OF_ORBITAL = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
DEGENERACY = {"s": 1, "p": 3, "d": 5}
N_SEMICORE = 3
"""Semicore shells of an atom, at most."""
_P_ABOVE_S, _D_ABOVE_P = 4.0, 9.0
"""eV, where the free atom does not bind such a shell."""
_P_ABOVE_1S, _STRENGTH_OF_2P = 12.0, 0.5
"""Of hydrogen and helium: where 2p is, eV, and its share of untrained hoppings."""
_SEMICORE_D = -12.5
"""eV; a full d shell below it, under a p shell, is semicore: 4d of In, but 3d of Zn is not."""
_ENERGY_OF_NONE = -30.0


@dataclass(frozen=True)
class AtomTable:
    """Of all elements; rows are atomic numbers, ``NaN`` where an element is not known.

    Attributes:
        level: of s, p and d of the free atom, eV, ``[119, 3]``.
        orbital: share of untrained hoppings that the orbital has, 0 where the atom lacks it;
            hydrogen and helium have no d; ``[119, 9]``.
        electrons: valence electrons, ``[119]``; 0 where the element is not known.
        radius: covalent, angstrom, ``[119]``.
        semicore_level: eV, ``[119, N_SEMICORE]``.
        semicore_states: of each, 0 where there is none, ``[119, N_SEMICORE]``.
    """

    level: np.ndarray
    orbital: np.ndarray
    electrons: np.ndarray
    radius: np.ndarray
    semicore_level: np.ndarray
    semicore_states: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Atomic numbers of the elements in the table."""
        return np.flatnonzero(self.electrons)

    def check(self, atomic_numbers: np.ndarray, name: str = "") -> None:
        """Raise for elements that are not in the table.

        Raises:
            StructureError: naming them.
        """
        unknown = np.unique(atomic_numbers[self.electrons[atomic_numbers] == 0])
        if len(unknown):
            raise StructureError(
                f"no tight-binding levels for {symbols_of(unknown)}; known elements: "
                f"{symbols_of(self.known)}",
                name or None,
            )


@cache
def atom_table() -> AtomTable:
    """The table, read once."""
    text = (files("vanhove.crystal") / "data" / "atomic_levels.json").read_text()
    size = N_ELEMENTS + 1
    table = AtomTable(
        level=np.full((size, 3), np.nan),
        orbital=np.zeros((size, N_ORBITALS)),
        electrons=np.zeros(size, dtype=np.int64),
        radius=np.asarray(covalent_radii[:size], dtype=np.float64),
        semicore_level=np.full((size, N_SEMICORE), _ENERGY_OF_NONE),
        semicore_states=np.zeros((size, N_SEMICORE), dtype=np.int64),
    )
    for symbol, shells in json.loads(text).items():
        z = ATOMIC_NUMBERS[symbol]
        table.electrons[z] = sum(shell["electrons"] for shell in shells.values())
        light = z <= 2
        share = np.array([1, _STRENGTH_OF_2P, 0]) if light else np.ones(3)
        table.orbital[z] = share[SHELL_OF_ORBITAL]
        above_s = _P_ABOVE_1S if light else _P_ABOVE_S
        chosen, semicore = _sort_shells(shells)
        s = shells[chosen["s"]]["energy_eV"]
        p = shells[chosen["p"]]["energy_eV"] if "p" in chosen else s + above_s
        d = shells[chosen["d"]]["energy_eV"] if "d" in chosen else p + _D_ABOVE_P
        table.level[z] = s, p, d
        for i, shell in enumerate(semicore):
            table.semicore_level[z, i] = shells[shell]["energy_eV"]
            table.semicore_states[z, i] = DEGENERACY[shell[1]]
    return table


def _sort_shells(shells: dict[str, dict[str, float]]) -> tuple[dict[str, str], list[str]]:
    """The shell that is the orbital of each kind (``{"s": "3s"}``), and the semicore shells."""
    period = max(int(name[0]) for name in shells if name[1] == "s")
    chosen = {}
    for kind, n in (("s", period), ("p", period), ("d", period - 1)):
        name = f"{n}{kind}"
        full_below = kind == "d" and shells.get(name, {}).get("energy_eV", 0) < _SEMICORE_D
        if name in shells and not full_below:
            chosen[kind] = name
    occupied = [name for name, shell in shells.items() if shell["electrons"] > 0]
    return chosen, [name for name in occupied if name not in chosen.values()]
