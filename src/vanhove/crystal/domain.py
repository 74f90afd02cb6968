"""What a model was trained on, in few bytes: to recognise materials, and what lies outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from ase.data import covalent_radii
from pydantic import BaseModel, ConfigDict

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import MASSES, SYMBOLS
from vanhove.crystal.neighbors import neighbor_list
from vanhove.crystal.symmetry import StandardizedCrystal

_BYTES = 6
"""Of a hash: two of 20,000 materials are taken for one another with a chance of 1e-6."""
_BOND = 1.3
"""Times the sum of the covalent radii: atoms that close are neighbours."""
RARE = 3
"""An element of so few crystals, or fewer, is said to be rare."""
_MARGIN = 0.1
"""Share by which a density or distance may lie outside before it is said."""
_GRAMS_PER_DALTON = 1.66053907  # g/cm^3 of one dalton in a cubic angstrom


class ElementRange(NamedTuple):
    """Of the atoms of one element: in how many crystals, and the smallest and largest number of
    neighbours and distance of the nearest atom (angstrom)."""

    n_crystals: int
    fewest: int
    most: int
    nearest: float
    farthest: float


class Domain(BaseModel):
    """The materials a model was trained on.

    Attributes:
        materials: sorted hashes of `StandardizedCrystal.fingerprint`, base64.
        n_atoms: of the primitive cells, least and most.
        density: g/cm3, least and most.
        elements: by atomic number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    materials: str
    n_atoms: tuple[int, int]
    density: tuple[float, float]
    elements: dict[int, ElementRange]

    @classmethod
    def of(cls, cells: Iterable[Crystal], hashes: Iterable[int]) -> Domain:
        """Of primitive cells, at least one, and what `material_hash` gives for each."""
        n_atoms, densities, atoms = [], [], []
        for row, cell in enumerate(cells):
            n_atoms.append(cell.n_atoms)
            densities.append(_density(cell))
            neighbors, nearest = environments(cell)
            rows = np.full(cell.n_atoms, row)
            atoms.append(np.column_stack([rows, cell.atomic_numbers, neighbors, nearest]))
        table = np.concatenate(atoms)
        elements = {}
        for z in np.unique(table[:, 1]):
            crystals, _, neighbors, nearest = table[table[:, 1] == z].T
            ends = [round(float(value), 3) for value in (nearest.min(), nearest.max())]
            counts = len(np.unique(crystals)), int(neighbors.min()), int(neighbors.max())
            elements[int(z)] = ElementRange(*counts, *ends)
        return cls(
            materials=_packed(set(hashes)),
            n_atoms=(min(n_atoms), max(n_atoms)),
            density=(round(min(densities), 4), round(max(densities), 4)),
            elements=elements,
        )

    @cached_property
    def _known(self) -> frozenset[int]:
        flat = base64.b64decode(self.materials)
        places = range(0, len(flat), _BYTES)
        return frozenset(int.from_bytes(flat[i : i + _BYTES], "big") for i in places)

    def knows(self, material: int) -> bool:
        """Whether a material of that hash was among them."""
        return material in self._known

    def joined(self, other: Domain) -> Domain:
        """Of a model that was trained on both; materials that one has of the other count once."""
        if other._known <= self._known:
            return self
        if self._known <= other._known:
            return other
        return Domain(
            materials=_packed(self._known | other._known),
            n_atoms=_wider(self.n_atoms, other.n_atoms),
            density=_wider(self.density, other.density),
            elements=_joined(self.elements, other.elements),
        )

    def outside(self, cell: Crystal) -> list[str]:
        """In words, what of a crystal is unlike all that was trained on.

        Args:
            cell: primitive.
        """
        found = []
        if not self.n_atoms[0] <= cell.n_atoms <= self.n_atoms[1]:
            found.append(
                f"{cell.n_atoms} {'atom' if cell.n_atoms == 1 else 'atoms'} in the primitive "
                f"cell: trained on {self.n_atoms[0]} to "
                f"{self.n_atoms[1]}"
            )
        low, high = self.density
        density = _density(cell)
        if not low * (1 - _MARGIN) <= density <= high * (1 + _MARGIN):
            found.append(f"density {density:.3g} g/cm3: trained on {low:.3g} to {high:.3g}")
        neighbors, nearest = environments(cell)
        for z in np.unique(cell.atomic_numbers):
            own = self.elements.get(int(z))
            if own is None or own.n_crystals <= RARE:
                n = 0 if own is None else own.n_crystals
                many = f"{_crystals(n)} of the training data"
                found.append(f"{SYMBOLS[z]} is {'rare: in' if n else 'in'} {many}")
                continue
            of_element = cell.atomic_numbers == z
            found += _unlike(SYMBOLS[z], own, neighbors[of_element], nearest[of_element])
        return found


def material_hash(standard: StandardizedCrystal) -> int:
    """Of `StandardizedCrystal.fingerprint`, 48 bits."""
    digest = hashlib.blake2b(standard.fingerprint.encode(), digest_size=_BYTES).digest()
    return int.from_bytes(digest, "big")


def environments(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Number of neighbours (closer than 1.3 times the sum of the covalent radii, Cordero et al.,
    Dalton Trans. 2832 (2008)) and distance of the nearest atom, angstrom, ``[n_atoms]`` each.

    An atom with nothing in reach has the reach as distance.
    """
    radii = covalent_radii[np.minimum(crystal.atomic_numbers, len(covalent_radii) - 1)]
    reach = float(2 * _BOND * radii.max())
    pairs = neighbor_list(crystal, reach)
    bonded = pairs.distance < _BOND * (radii[pairs.source] + radii[pairs.target])
    nearest = np.full(crystal.n_atoms, reach)
    np.minimum.at(nearest, pairs.target, pairs.distance)
    return np.bincount(pairs.target[bonded], minlength=crystal.n_atoms), nearest


def _unlike(
    symbol: str, own: ElementRange, neighbors: np.ndarray, nearest: np.ndarray
) -> list[str]:
    found = []
    few, many = int(neighbors.min()), int(neighbors.max())
    if few < own.fewest - 1 or many > own.most + 1:
        n = few if few < own.fewest - 1 else many
        found.append(f"{symbol} with {n} neighbours: trained on {own.fewest} to {own.most}")
    close, far = float(nearest.min()), float(nearest.max())
    if close < own.nearest * (1 - _MARGIN) or far > own.farthest * (1 + _MARGIN):
        distance = close if close < own.nearest * (1 - _MARGIN) else far
        found.append(
            f"the atom nearest to {symbol} at {distance:.2f} angstrom: trained on "
            f"{own.nearest:.2f} to {own.farthest:.2f}"
        )
    return found


def _crystals(n: int) -> str:
    return {0: "no crystal", 1: "1 crystal"}.get(n, f"{n} crystals")


def _density(cell: Crystal) -> float:
    return _GRAMS_PER_DALTON * float(MASSES[cell.atomic_numbers].sum()) / cell.volume


def _packed(hashes: Iterable[int]) -> str:
    return base64.b64encode(b"".join(h.to_bytes(_BYTES, "big") for h in sorted(hashes))).decode()


def _wider(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    return min(one[0], other[0]), max(one[1], other[1])


def _joined(
    one: Mapping[int, ElementRange], other: Mapping[int, ElementRange]
) -> dict[int, ElementRange]:
    result = dict(one)
    for z, b in other.items():
        a = result.get(z)
        result[z] = (
            b
            if a is None
            else ElementRange(
                a.n_crystals + b.n_crystals,
                min(a.fewest, b.fewest),
                max(a.most, b.most),
                min(a.nearest, b.nearest),
                max(a.farthest, b.farthest),
            )
        )
    return result
