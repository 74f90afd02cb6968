from __future__ import annotations

import pytest
import torch

from tests.models.decoders.test_xtal2dos import (
    ATOM_DIM,
    N_POINTS,
    OUTPUTS,
    SYSTEM_DIM,
    inputs,
    spectra,
)
from tests.models.decoders.test_xtal2dos import batch as batch
from vanhove.models.decoders.recurrent import RecurrentDecoder, RecurrentSettings
from vanhove.models.output import OutputKind, activate

VARIANTS = [(attention, chunk) for attention in (False, True) for chunk in (1, 5)]


def make(output: OutputKind, **settings) -> RecurrentDecoder:
    torch.manual_seed(0)
    small = {"hidden_dim": 16, "dropout": 0.0, **settings}
    return RecurrentDecoder(
        RecurrentSettings(**small),
        atom_dim=ATOM_DIM,
        system_dim=SYSTEM_DIM,
        n_points=N_POINTS,
        output=output,
    ).eval()


@pytest.mark.parametrize(("attention", "chunk"), VARIANTS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_fed_with_its_own_prediction_teacher_forcing_gives_it_again(
    output, attention, chunk, batch
):
    decoder = make(output, attention=attention, chunk=chunk, n_layers=2)
    values = decoder(*inputs(batch))
    assert values.shape == (batch.n_crystals, N_POINTS)  # 17 is no multiple of 5
    written = activate(values, "softplus" if output == "max" else output)
    forced = decoder.outputs(*inputs(batch), written).spectra["spectrum"]
    assert (activate(forced, output) - activate(values, output)).abs().max() < 1e-5


@pytest.mark.parametrize(("attention", "chunk"), VARIANTS)
def test_a_value_of_the_target_changes_the_steps_after_it(attention, chunk, batch):
    decoder = make("raw", attention=attention, chunk=chunk)
    target = spectra(batch, "raw")
    changed = target.clone()
    changed[:, 7] += 1
    before, after = (
        decoder.outputs(*inputs(batch), values).spectra["spectrum"] for values in (target, changed)
    )
    first = (7 // chunk + 1) * chunk
    assert torch.equal(before[:, :first], after[:, :first])
    assert (before[:, first:] - after[:, first:]).abs().amax(dim=0).min() > 0


@pytest.mark.parametrize(("attention", "chunk"), VARIANTS)
def test_a_gradient_reaches_every_parameter(attention, chunk, batch):
    decoder = make("sum", attention=attention, chunk=chunk, n_layers=2, input_dropout=0.5).train()
    outputs = decoder.outputs(*inputs(batch), spectra(batch, "sum"))
    (outputs.spectra["spectrum"] ** 2).sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_only_attention_looks_at_single_atoms(batch):
    atoms, _, system = inputs(batch)
    of_second = batch.crystal_of_atom == 1
    moved = atoms.clone()  # the mean over the atoms stays
    moved[of_second] += torch.linspace(-1, 1, int(of_second.sum()))[:, None]
    for attention in (False, True):
        decoder = make("raw", attention=attention)
        difference = (decoder(moved, batch, system) - decoder(atoms, batch, system)).abs()
        assert (difference[1].max() > 1e-4) == attention
        assert difference[[0, 2]].max() < 1e-6


@pytest.mark.parametrize("attention", [False, True])
def test_bfloat16_agrees_with_float32(attention, batch):
    decoder = make("sum", attention=attention)
    arguments = (*inputs(batch), spectra(batch, "sum"))

    def both() -> list[torch.Tensor]:
        forced, free = decoder.outputs(*arguments).spectra["spectrum"], decoder(*arguments[:3])
        return [activate(values.float(), "sum") for values in (forced, free)]

    exact = both()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = both()
    for a, b in zip(exact, rounded, strict=True):
        assert (a - b).abs().max() < 0.05 * a.abs().max()
