"""Coordination polyhedra around cations, as the page draws them."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Element
from scipy.spatial import ConvexHull, QhullError

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.neighbors import neighbor_list
from vanhove.server.answers import Polyhedron

MORE_NEGATIVE = 0.5
"""Pauling: a ligand is by so much more electronegative than its centre."""
SHELL = 1.3
"""Times the distance of the nearest ligand: those of the first shell are as near."""
SAME = 0.01
"""Angstrom: an anion is the nearest atom, or as near as that."""
MOST_ATOMS = 240
REACH = 4.0
"""Angstrom."""


def polyhedra(crystal: Crystal) -> list[Polyhedron]:
    """Of every cation whose first shell is four or more anions, not all in one plane."""
    if crystal.n_atoms > MOST_ATOMS:
        return []
    negativity = np.array([_negativity(int(z)) for z in crystal.atomic_numbers])
    pairs = neighbor_list(crystal, REACH)
    found = []
    for centre in range(crystal.n_atoms):
        own = pairs.target == centre
        ligand = own & (negativity[pairs.source] > negativity[centre] + MORE_NEGATIVE)
        nearest = pairs.distance[own].min(initial=np.inf)
        if not ligand.any() or pairs.distance[ligand].min() > nearest + SAME:
            continue
        first = pairs.source[ligand][pairs.distance[ligand].argmin()]
        # No other cation, though it may be more electronegative too: Ti beside O around Sr.
        ligand &= negativity[pairs.source] > negativity[first] - MORE_NEGATIVE
        corners = pairs.vector[ligand & (pairs.distance < SHELL * nearest)]
        if (faces := _faces(corners)) is not None:
            symbol = SYMBOLS[crystal.atomic_numbers[centre]]
            found.append(
                Polyhedron(site=centre, symbol=symbol, corners=corners.tolist(), faces=faces)
            )
    return found


def _negativity(z: int) -> float:
    """Of Pauling; noble gases bind nothing."""
    element = Element.from_Z(z)
    return float("nan") if element.is_noble_gas else float(element.X)


def _faces(corners: np.ndarray) -> list[list[int]] | None:
    """Triangles of the hull of the corners, three numbers each; None where it holds no volume."""
    if len(corners) < 4:
        return None
    try:
        return ConvexHull(corners).simplices.tolist()
    except QhullError:
        return None
