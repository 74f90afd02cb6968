"""Element tables."""

import numpy as np
import pytest

from vanhove.crystal.elements import ELEMENT_TABLES, check_supported, element_table
from vanhove.errors import ConfigError, StructureError


def test_one_hot_and_masses():
    assert element_table("one_hot")[14].argmax() == 13
    assert element_table("one_hot")[1:].sum() == 118
    assert element_table("mass_weighted_one_hot")[8].max() == pytest.approx(15.999)


def test_matscholar_covers_the_common_elements_and_knows_chemistry():
    table = element_table("matscholar")
    assert table.shape == (119, 200)
    assert not np.isnan(table[1:100]).any()

    def similarity(a: int, b: int) -> float:
        return float(table[a] @ table[b] / np.linalg.norm(table[a]) / np.linalg.norm(table[b]))

    assert similarity(26, 27) > similarity(26, 8)  # Fe is closer to Co than to O
    assert similarity(17, 35) > similarity(17, 26)  # Cl is closer to Br than to Fe


@pytest.mark.parametrize(("name", "width"), [("magpie", 22), ("oliynyk", 44)])
def test_properties_of_elements_are_scaled_and_know_chemistry(name, width):
    table = element_table(name)
    assert table.shape == (119, width)
    rows = table[~np.isnan(table).any(axis=1)]
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=0.1)  # unknown numbers count 0
    distance = {z: np.linalg.norm(table[26] - table[z]) for z in (27, 8)}
    assert distance[27] < distance[8]  # Fe is closer to Co than to O


def test_missing_elements_and_tables_are_named():
    with pytest.raises(StructureError, match=r"x\.cif: element Og has no matscholar vector"):
        check_supported(np.array([1, 118]), "matscholar", "x.cif")
    for name in ELEMENT_TABLES:
        check_supported(np.array([1, 8, 92]), name)
    with pytest.raises(ConfigError, match="'atoms'; allowed: one_hot"):
        element_table("atoms")
