"""A structure as OPTIMADE servers give it (Andersen et al., Sci. Data 8, 217 (2021))."""

from __future__ import annotations

from typing import Any

import numpy as np

from vanhove.crystal.cif import OCCUPANCY_TOLERANCE
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import ATOMIC_NUMBERS
from vanhove.errors import StructureError


def parse_optimade(entry: dict[str, Any], name: str) -> Crystal:
    """The structure of one entry of type ``structures``, or of its ``attributes`` alone.

    Raises:
        StructureError: not periodic in three directions, coordinates or species left out,
            disordered, or an unknown element.
    """
    data = entry.get("attributes", entry)
    periodic = data.get("dimension_types")
    lattice = data.get("lattice_vectors")
    if (periodic is not None and list(periodic) != [1, 1, 1]) or lattice is None:
        raise StructureError("is not periodic in three directions", name or None)
    missing = [
        key
        for key in ("cartesian_site_positions", "species_at_sites")
        if data.get(key) is None or not len(data[key])
    ]
    if missing:
        raise StructureError(
            f"the OPTIMADE entry has no {' and no '.join(missing)}; ask the server for these "
            "response_fields",
            name or None,
        )
    matrix = np.asarray(lattice, dtype=np.float64).reshape(3, 3)
    if not np.isfinite(matrix).all() or np.linalg.det(matrix) == 0:
        raise StructureError("the lattice vectors span no volume", name or None)
    elements = {species["name"]: species for species in data.get("species") or []}
    numbers = [
        _atomic_number(elements.get(site, {"chemical_symbols": [site]}), name)
        for site in data["species_at_sites"]
    ]
    positions = np.asarray(
        [list(position) for position in data["cartesian_site_positions"]], dtype=np.float64
    )
    return Crystal(matrix, positions @ np.linalg.inv(matrix), np.array(numbers), name)


def _atomic_number(species: dict[str, Any], name: str) -> int:
    symbols = list(species["chemical_symbols"])
    occupancies = species.get("concentration")
    occupancies = [1.0] if occupancies is None else list(occupancies)
    if len(symbols) != 1 or abs(sum(occupancies) - 1) > OCCUPANCY_TOLERANCE:
        listed = ", ".join(map(str, symbols))
        raise StructureError(
            f"a site is shared by {listed} or partly empty; only fully ordered crystals, with one "
            "atom on every site, can be used",
            name or None,
        )
    if symbols[0] not in ATOMIC_NUMBERS:
        raise StructureError(f"has an unknown element {symbols[0]!r}", name or None)
    return ATOMIC_NUMBERS[symbols[0]]
