from __future__ import annotations

from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.decoders.autoregression import Feedback, log_probabilities
from vanhove.models.decoders.xtal2dos import Xtal2DoSDecoder, Xtal2DoSSettings
from vanhove.models.output import OutputKind, activate, normalise_target

OUTPUTS = [kind for kind in get_args(OutputKind) if kind != "energies"]  # of spectra
N_POINTS, ATOM_DIM, SYSTEM_DIM = 17, 6, 3


@pytest.fixture(scope="module")
def batch() -> Batch:
    crystals = sorted(load_tiny().crystals, key=lambda crystal: crystal.n_atoms)
    chosen = [crystals[0], crystals[-1], crystals[len(crystals) // 2]]
    return collate([build_graph(crystal, GraphSettings()) for crystal in chosen])


def make(output: OutputKind, n_points: int = N_POINTS, **settings) -> Xtal2DoSDecoder:
    torch.manual_seed(0)
    small = {"hidden_dim": 16, "n_layers": 2, "n_heads": 2, "dropout": 0.0, **settings}
    return Xtal2DoSDecoder(
        Xtal2DoSSettings(**small),
        atom_dim=ATOM_DIM,
        system_dim=SYSTEM_DIM,
        n_points=n_points,
        output=output,
    ).eval()


def inputs(batch: Batch) -> tuple[torch.Tensor, Batch, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    atoms = torch.randn(len(batch.atomic_numbers), ATOM_DIM, generator=generator)
    return atoms, batch, torch.randn(batch.n_crystals, SYSTEM_DIM, generator=generator)


def spectra(batch: Batch, output: OutputKind, n_points: int = N_POINTS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return normalise_target(torch.rand(batch.n_crystals, n_points, generator=generator), output)


def test_shares_of_the_remaining_mass_sum_to_one():
    logits = 3 * torch.randn(5, 40)
    log_p = log_probabilities(logits)
    assert torch.allclose(log_p.exp().sum(-1), torch.ones(5), atol=1e-6)
    assert torch.allclose(log_p.softmax(-1), log_p.exp(), atol=1e-6)
    share = torch.sigmoid(logits)
    assert torch.allclose(log_p[:, 2].exp(), share[:, 2] * (1 - share[:, :2]).prod(-1))


def test_logits_of_zero_are_the_uniform_spectrum():
    feedback = Feedback("sum", n_points=10, dim=4, chunk=3, input_dropout=0.0)
    values = feedback.finish(torch.zeros(1, 12))
    assert torch.allclose(values.exp(), torch.full((1, 10), 0.1))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("chunk", [1, 4])
def test_what_is_written_is_fed_back_as_the_target_would_be(output, chunk):
    feedback = Feedback(output, n_points=10, dim=4, chunk=chunk, input_dropout=0.0)
    written = torch.randn(2, feedback.n_steps * chunk)
    # "max" feeds the softplus; the penalty keeps its maximum near 1.
    values = activate(feedback.finish(written), "softplus" if output == "max" else output)
    from_target = feedback.of_target(values)
    fed = feedback.start(written, 2)
    for step, numbers in enumerate(written.split(chunk, dim=1)):
        assert torch.allclose(feedback.embed(fed), from_target[:, step], atol=1e-5)
        fed = feedback.of_written(numbers, step, fed)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_cache_changes_nothing(output, batch):
    decoder = make(output)
    slow = activate(decoder.decode(*inputs(batch), cached=False), output)
    fast = activate(decoder(*inputs(batch)), output)
    assert slow.std() > 1e-4
    assert (fast - slow).abs().max() < 1e-5


@pytest.mark.parametrize("output", OUTPUTS)
def test_fed_with_its_own_prediction_teacher_forcing_gives_it_again(output, batch):
    decoder = make(output)
    values = decoder(*inputs(batch))
    written = activate(values, "softplus" if output == "max" else output)
    forced = decoder.outputs(*inputs(batch), written).spectra["spectrum"]
    assert (activate(forced, output) - activate(values, output)).abs().max() < 1e-5


def test_a_later_value_of_the_target_changes_nothing_earlier(batch):
    decoder = make("raw")
    target = spectra(batch, "raw")
    changed = target.clone()
    changed[:, 8] += 1
    before, after = (
        decoder.outputs(*inputs(batch), values).spectra["spectrum"] for values in (target, changed)
    )
    assert torch.equal(before[:, :9], after[:, :9])
    assert (before[:, 9:] - after[:, 9:]).abs().amax(dim=0).min() > 0


def test_causal_reads_no_target_and_looks_at_lower_energies_alone(batch):
    decoder = make("sum", mode="causal")
    atoms, _, system = inputs(batch)
    before = decoder(atoms, batch, system)
    outputs = decoder.outputs(atoms, batch, system, spectra(batch, "sum"))
    torch.testing.assert_close(outputs.spectra["spectrum"], before)
    with torch.no_grad():
        decoder.position[9] += 1.0
    after = decoder(atoms, batch, system)
    torch.testing.assert_close(after[:, :9], before[:, :9])
    assert ((after - before)[:, 9:].abs() > 1e-6).all()


def test_parallel_reads_no_target_and_looks_both_ways(batch):
    decoder = make("raw", mode="parallel")
    assert decoder.outputs(*inputs(batch), spectra(batch, "raw")).penalties == {}
    before = decoder(*inputs(batch))
    with torch.no_grad():
        decoder.position[-1] += 1
    assert ((decoder(*inputs(batch)) - before)[:, 0].abs() > 0).all()


@pytest.mark.parametrize("mode", ["autoregressive", "causal", "parallel"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_gradient_reaches_every_parameter(mode, output, batch):
    decoder = make(output, mode=mode).train()
    outputs = decoder.outputs(*inputs(batch), spectra(batch, output))
    (activate(outputs.spectra["spectrum"], output) ** 2).sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_hidden_inputs_only_in_training_and_only_if_asked(batch):
    assert make("raw", input_dropout=0.0).feedback.unknown is None
    decoder = make("raw", input_dropout=0.5)
    arguments = (*inputs(batch), spectra(batch, "raw"))

    def run(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return decoder.outputs(*arguments).spectra["spectrum"]

    assert torch.equal(run(0), run(1))
    decoder.train()
    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))
    run(0).sum().backward()
    assert decoder.feedback.unknown.grad.abs().max() > 0


def test_the_scale_of_a_max_spectrum_is_held(batch):
    decoder = make("max")
    outputs = decoder.outputs(*inputs(batch), spectra(batch, "max"))
    largest = torch.nn.functional.softplus(outputs.spectra["spectrum"]).amax(-1)
    assert torch.allclose(outputs.penalties["scale"], 0.1 * largest.log() ** 2)


@pytest.mark.parametrize("mode", ["autoregressive", "causal", "parallel"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_bfloat16_agrees_with_float32(mode, output, batch):
    decoder = make(output, mode=mode)
    arguments = (*inputs(batch), spectra(batch, output))

    def both() -> list[torch.Tensor]:
        forced, free = decoder.outputs(*arguments).spectra["spectrum"], decoder(*arguments[:3])
        return [activate(values.float(), output) for values in (forced, free)]

    exact = both()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = both()
    for a, b in zip(exact, rounded, strict=True):
        assert (a - b).abs().max() < 0.05 * a.abs().max()


def test_heads_must_divide_the_width():
    with pytest.raises(ValidationError, match="not divisible"):
        Xtal2DoSSettings(hidden_dim=10, n_heads=4)
