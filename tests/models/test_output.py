"""Normalisations of the output."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vanhove.models.output import OutputKind, activate, normalise_target, rescale

KINDS = [kind for kind in get_args(OutputKind) if kind != "energies"]  # of spectra
TARGET = torch.tensor([[0.0, 1.0, 4.0, 3.0], [0.5, 0.0, 0.0, 0.0]])


def test_a_spectrum_and_its_target_have_the_same_normalisation():
    values = torch.tensor([[-1.0, 2.0, 0.5, 3.0], [0.0, -4.0, 1.0, 2.0]])
    torch.testing.assert_close(activate(values, "raw"), values)
    torch.testing.assert_close(activate(values, "softplus"), torch.log1p(values.exp()))
    for largest in (activate(values, "max").amax(-1), normalise_target(TARGET, "max").amax(-1)):
        torch.testing.assert_close(largest, torch.ones(2))
    for total in (activate(values, "sum").sum(-1), normalise_target(TARGET, "sum").sum(-1)):
        torch.testing.assert_close(total, torch.ones(2))
    for kind in ("raw", "softplus"):
        assert torch.equal(normalise_target(TARGET, kind), TARGET)
    expected = torch.tensor([[0, 0.125, 0.5, 0.375], [1, 0, 0, 0]])
    torch.testing.assert_close(normalise_target(TARGET, "sum"), expected)
    expected = torch.tensor([[0, 0.25, 1, 0.75], [1, 0, 0, 0]])
    torch.testing.assert_close(normalise_target(TARGET, "max"), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_of_zeros_stays_zero(kind):
    assert torch.equal(normalise_target(torch.zeros(2, 4), kind), torch.zeros(2, 4))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("kind", ["max", "sum"])
def test_a_normalised_target_has_lost_its_scale(kind, scale):
    expected = normalise_target(TARGET, kind)
    torch.testing.assert_close(normalise_target(scale * TARGET, kind), expected)


@pytest.mark.parametrize("shift", [-90.0, -15.0, 0.0, 50.0])
@pytest.mark.parametrize("kind", ["softplus", "max", "sum"])
def test_values_of_one_sign_are_finite_and_can_be_trained(kind, shift):
    """With ``max``, a cut at zero would leave no gradient where all values are negative."""
    values = (torch.tensor([[-1.0, 0.0, 1.0]]) + shift).requires_grad_()
    spectrum = activate(values, kind)
    assert torch.isfinite(spectrum).all()
    spectrum[0, 0].backward()
    assert torch.isfinite(values.grad).all()
    assert values.grad[0, 0] > 0
    if kind == "max":
        torch.testing.assert_close(spectrum.amax(), torch.tensor(1.0))


def test_rescale_uses_the_prediction_alone():
    spectrum = torch.tensor([[-0.1, 0.2, 0.4]])
    clipped = torch.tensor([[0.0, 0.2, 0.4]])
    for kind in ("raw", "softplus", "max"):
        torch.testing.assert_close(rescale(spectrum, kind), clipped)
    torch.testing.assert_close(rescale(spectrum, "sum"), clipped / 0.4)
    assert torch.equal(rescale(torch.zeros(1, 3), "sum"), torch.zeros(1, 3))


def test_energies_of_bands_stay_as_they_are():
    energies = torch.tensor([[-0.1, 0.2, 0.4]])
    for function in (activate, normalise_target, rescale):
        assert torch.equal(function(energies, "energies"), energies)


@pytest.mark.parametrize("kind", KINDS)
@given(
    rows=st.lists(
        st.lists(st.floats(-100, 100, width=32), min_size=5, max_size=5), min_size=1, max_size=3
    )
)
def test_a_prediction_is_finite_not_negative_and_normalised(kind, rows):
    prediction = rescale(activate(torch.tensor(rows), kind), kind)
    assert torch.isfinite(prediction).all()
    assert prediction.min() >= 0
    if kind in ("max", "sum"):
        torch.testing.assert_close(prediction.amax(-1), torch.ones(len(rows)))
    alone = rescale(activate(torch.tensor(rows[:1]), kind), kind)
    torch.testing.assert_close(alone, prediction[:1])
