"""Small files modelled on faults that users of this field's programs reported.

The right crystals come from gemmi's own expansion or were worked out by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vanhove.crystal import read_crystals
from vanhove.errors import StructureError

FOLDER = Path(__file__).parent / "reported"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
# One of several right answers: a refusal that names the reason.
REFUSED = {
    "cif_images_listed_twice/c1_and_c1a.cif": "same atom",
    "cif_operations_against_group/identity_only.cif": "make 2 atoms, .* state 8",
    "cif_occupancy_dot/empty_site.cif": "occupancy 0",
}


@pytest.mark.parametrize("file", EXPECTED)
def test_reported_file(file):
    right = EXPECTED[file]
    reason = REFUSED.get(file, right.get("refuse"))
    if reason:
        with pytest.raises(StructureError, match=reason):
            read_crystals(FOLDER / file)
        return
    (crystal,) = read_crystals(FOLDER / file)
    lattice = np.array(right["lattice"])
    np.testing.assert_allclose(crystal.lattice @ crystal.lattice.T, lattice @ lattice.T, atol=1e-2)
    assert crystal.n_atoms == len(right["Z"])
    for number, place in zip(right["Z"], right["frac"], strict=True):
        offsets = crystal.fractional_coordinates[crystal.atomic_numbers == number] - place
        offsets -= np.rint(offsets)
        assert np.linalg.norm(offsets @ crystal.lattice, axis=1).min() < 0.05
