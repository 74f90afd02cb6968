"""`Crystal`: the light-weight structure that everything inside vanhove works on."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vanhove.crystal.elements import SYMBOLS
from vanhove.results import Json

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Crystal:
    """A periodic, fully ordered structure.

    Attributes:
        lattice: row vectors, angstrom, shape ``[3, 3]``.
        fractional_coordinates: shape ``[n_atoms, 3]``.
        atomic_numbers: shape ``[n_atoms]``, 1 (H) to 118 (Og).
        name: where it came from (a file name or an id), used in results and error messages.
        notes: what a reader decided or left out, in words.
    """

    lattice: np.ndarray
    fractional_coordinates: np.ndarray
    atomic_numbers: np.ndarray
    name: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "lattice", np.asarray(self.lattice, dtype=np.float64).reshape(3, 3))
        set_(
            self,
            "fractional_coordinates",
            np.asarray(self.fractional_coordinates, dtype=np.float64).reshape(-1, 3),
        )
        set_(self, "atomic_numbers", np.asarray(self.atomic_numbers, dtype=np.int64).reshape(-1))
        if len(self.atomic_numbers) != len(self.fractional_coordinates):
            raise ValueError(
                f"{len(self.atomic_numbers)} atomic numbers for "
                f"{len(self.fractional_coordinates)} positions"
            )

    @property
    def n_atoms(self) -> int:
        return len(self.atomic_numbers)

    @property
    def cartesian_coordinates(self) -> np.ndarray:
        """Angstrom, shape ``[n_atoms, 3]``."""
        return self.fractional_coordinates @ self.lattice

    @property
    def volume(self) -> float:
        """Cubic angstrom."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def formula(self) -> str:
        """Reduced formula, in the field's usual order of elements (``"NaCl"``)."""
        from pymatgen.core import Composition

        counts = Counter(SYMBOLS[z] for z in self.atomic_numbers)
        with warnings.catch_warnings():  # of noble gases, which have no electronegativity
            warnings.simplefilter("ignore")
            return Composition(counts).reduced_formula

    def to_dict(self) -> Json:
        """Plain Python numbers, lists and strings; ``Crystal(**content)`` reads them."""
        return {
            "lattice": self.lattice.tolist(),
            "fractional_coordinates": self.fractional_coordinates.tolist(),
            "atomic_numbers": self.atomic_numbers.tolist(),
            "name": self.name,
        }

    def to_structure(self) -> Structure:
        """As a pymatgen ``Structure``."""
        from pymatgen.core import Structure

        return Structure(
            self.lattice,
            [SYMBOLS[z] for z in self.atomic_numbers],
            self.fractional_coordinates,
        )

    def to_atoms(self) -> Atoms:
        """As an ASE ``Atoms``."""
        from ase import Atoms

        return Atoms(
            numbers=self.atomic_numbers,
            scaled_positions=self.fractional_coordinates,
            cell=self.lattice,
            pbc=True,
        )
