import numpy as np
import pytest
import torch

from vanhove.models.tight_binding.slater_koster import (
    INTEGRALS,
    bond_frame,
    d_matrices,
    two_centre,
)


def block(direction, **integrals):
    n = torch.tensor(np.array([direction]), dtype=torch.float64)
    n = n / n.norm()
    values = torch.tensor([[integrals.get(name, 0.0) for name in INTEGRALS]], dtype=torch.float64)
    return two_centre(values, n, *bond_frame(n))[0].numpy(), n[0].numpy()


# Orbitals: s, x, y, z, xy, yz, zx, x2-y2, 3z2-r2; Slater and Koster, table I.
def test_elements_of_the_table():
    direction = np.array([0.48, -0.6, 0.64])
    l, m, n = direction  # noqa: E741
    v = dict(zip(INTEGRALS, np.arange(1, 15) / 7, strict=True))
    got, _ = block(direction, **v)
    root = np.sqrt(3)
    assert got[0, 1] == pytest.approx(l * v["sp"])
    assert got[1, 0] == pytest.approx(-l * v["ps"])
    assert got[1, 1] == pytest.approx(l**2 * v["pp_sigma"] + (1 - l**2) * v["pp_pi"])
    assert got[1, 2] == pytest.approx(l * m * (v["pp_sigma"] - v["pp_pi"]))
    assert got[0, 4] == pytest.approx(root * l * m * v["sd"])
    assert got[0, 8] == pytest.approx((n**2 - (l**2 + m**2) / 2) * v["sd"])
    assert got[1, 4] == pytest.approx(
        root * l**2 * m * v["pd_sigma"] + m * (1 - 2 * l**2) * v["pd_pi"]
    )
    assert got[3, 8] == pytest.approx(
        n * (n**2 - (l**2 + m**2) / 2) * v["pd_sigma"] + root * n * (l**2 + m**2) * v["pd_pi"]
    )
    assert got[4, 4] == pytest.approx(
        3 * l**2 * m**2 * v["dd_sigma"]
        + (l**2 + m**2 - 4 * l**2 * m**2) * v["dd_pi"]
        + (n**2 + l**2 * m**2) * v["dd_delta"]
    )


def test_seen_from_the_other_end():
    v = dict(zip(INTEGRALS, np.random.default_rng(0).normal(size=14), strict=True))
    other = v | {"sp": v["ps"], "ps": v["sp"], "sd": v["ds"], "ds": v["sd"]}
    other |= {f"pd_{k}": v[f"dp_{k}"] for k in ("sigma", "pi")}
    other |= {f"dp_{k}": v[f"pd_{k}"] for k in ("sigma", "pi")}
    there, n = block((0.3, -0.5, 0.9), **v)
    back, _ = block(-n, **other)
    np.testing.assert_allclose(back, there.T, atol=1e-12)


def test_d_matrices_are_orthonormal():
    flat = d_matrices().flatten(1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(5), atol=1e-12)
    assert d_matrices().diagonal(dim1=1, dim2=2).sum(dim=1).abs().max() < 1e-12
