"""What else a CIF states of its crystal, compared with the crystal that was read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import ATOMIC_NUMBERS, ISOTOPES, MASSES, SYMBOLS
from vanhove.errors import StructureError

_VOLUME_TOLERANCE = 0.01
_DENSITY_TOLERANCE = 0.05
_GRAMS_PER_DALTON = 1.66053907  # g/cm^3 of one dalton in a cubic angstrom
_MULTIPLICITIES = ("_atom_site_symmetry_multiplicity", "_atom_site_site_symmetry_multiplicity")

Tags = Mapping[str, list[str]]


def stated(tags: Tags, *keys: str) -> str | None:
    """The first of these tags that has a value; None where all are missing, ``?`` or ``.``."""
    for key in keys:
        for value in tags.get(key, [])[:1]:
            if value.strip() not in ("?", ".", ""):
                return value
    return None


def number_of(text: str | None) -> float:
    """A CIF number, its uncertainty in brackets dropped; NaN if it is none."""
    try:
        return float(re.sub(r"\(\d*\)?$", "", str(text).strip()))
    except ValueError:
        return math.nan


def formula_counts(tags: Tags, *, isotopes: bool = False) -> Counter[str] | None:
    """``"C2 H6 O"`` as counts of elements; None if there is none, or only free text.

    Args:
        isotopes: keep D and T apart from H.

    Raises:
        ValueError: it names an element that does not exist.
    """
    formula = stated(tags, "_chemical_formula_sum")
    if formula is None or not re.fullmatch(r"\s*([A-Z][a-z]?(\d+\.?\d*)?\s*)+", formula[:500]):
        return None
    counts: Counter[str] = Counter()
    for symbol, count in re.findall(r"([A-Z][a-z]?)(\d+\.?\d*)?", formula):
        element = symbol if isotopes else ISOTOPES.get(symbol, symbol)
        if element not in ATOMIC_NUMBERS and element not in ISOTOPES:
            raise ValueError(f"the stated formula {formula!r} names an unknown element {symbol!r}")
        counts[element] += float(count or 1)  # type: ignore[assignment]
    return counts if sum(counts.values()) > 0 else None


def same_composition(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two formulas, as counts, have the same shares of elements, to a hundredth."""
    n, m = sum(one.values()), sum(other.values())
    return all(abs(one.get(x, 0) / n - other.get(x, 0) / m) <= 0.01 for x in {*one, *other})


def atoms_stated(tags: Tags) -> set[int]:
    """How many atoms the cell has by formula and Z; empty where the file does not say.

    Some programs write the formula of the whole cell beside its number of formula units: then the
    greatest common divisor of the formula is that number, and the formula alone is meant too.
    """
    counts, units = formula_counts(tags), number_of(stated(tags, "_cell_formula_units_z"))
    if not counts or not units > 0:
        return set()
    total = sum(counts.values())
    allowed = {round(total * units)} if math.isfinite(total * units) else set()
    if units == math.gcd(*(round(n) for n in counts.values())):
        allowed.add(round(total))
    return allowed


def check_statements(
    tags: Tags, crystal: Crystal, name: str, *, images: np.ndarray, n_operations: int
) -> None:
    """Composition, number of atoms, volume, density and multiplicities must be as the file says.

    Args:
        images: how many atoms each listed site makes.
        n_operations: symmetry operations.

    Raises:
        StructureError: a disagreement, with both numbers.
    """
    found = Counter(SYMBOLS[z] for z in crystal.atomic_numbers)
    _check_formula(tags, found, name)
    allowed = atoms_stated(tags)
    if allowed and crystal.n_atoms not in allowed:
        raise StructureError(
            f"the symmetry operations make {crystal.n_atoms} atoms, but _chemical_formula_sum "
            f"{tags['_chemical_formula_sum'][0]!r} and _cell_formula_units_Z "
            f"{tags['_cell_formula_units_z'][0]} state {max(allowed)}",
            name,
        )
    mass = float(MASSES[crystal.atomic_numbers].sum())
    for key, value, unit, tolerance in (
        ("_cell_volume", crystal.volume, "cubic angstrom", _VOLUME_TOLERANCE),
        (
            "_exptl_crystal_density_diffrn",
            mass * _GRAMS_PER_DALTON / crystal.volume,
            "g/cm3",
            _DENSITY_TOLERANCE,
        ),
    ):
        number = number_of(stated(tags, key))
        if math.isfinite(number) and number > 0 and abs(value / number - 1) > tolerance:
            raise StructureError(
                f"{key} is {tags[key][0]} but cell and atoms give {value:.4g} {unit}; "
                "atoms are missing, or cell or symmetry operations are wrong",
                name,
            )
    _check_multiplicities(tags, images, n_operations, name)


def _check_formula(tags: Tags, found: Counter[str], name: str) -> None:
    counts = formula_counts(tags)
    if counts is None:
        return
    if not same_composition(counts, found):
        from pymatgen.core import Composition

        raise StructureError(
            f"the atoms make {Composition(found).reduced_formula} but _chemical_formula_sum is "
            f"{tags['_chemical_formula_sum'][0]!r}; atoms are missing or the symmetry operations "
            "are wrong",
            name,
        )


def _check_multiplicities(tags: Tags, images: np.ndarray, n_operations: int, name: str) -> None:
    """Stated for each site, as the number of its images or (SHELX) as the order of its symmetry."""
    for key in _MULTIPLICITIES:
        values = [number_of(value) for value in tags.get(key, [])]
        if len(values) != len(images):
            continue
        for i, (value, n) in enumerate(zip(values, images, strict=True)):
            if value > 1 and value != n and value * n != n_operations:
                label = (tags.get("_atom_site_label") or [str(i + 1)] * len(values))[i]
                raise StructureError(
                    f"site {label} makes {n} atoms, but its {key.removeprefix('_atom_site_')} is "
                    f"{value:g}; give more digits of its coordinates, or mend the operations",
                    name,
                )
