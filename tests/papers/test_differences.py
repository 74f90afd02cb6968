"""The tables that say how models differ from papers and released code, held against the code.

A row without a check here fails, and so does a check whose row is gone.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import torch

from vanhove.crystal.graph import Batch, CrystalGraph, GraphSettings, build_graph, collate
from vanhove.datasets import load_tiny
from vanhove.models.decoders.dostransformer import DOSTransformerDecoder, DOSTransformerSettings
from vanhove.models.decoders.mat2spec import (
    Mat2SpecDecoder,
    Mat2SpecSettings,
    mixture_divergence,
)
from vanhove.models.decoders.xtal2dos import Xtal2DoSDecoder, Xtal2DoSSettings
from vanhove.models.encoders.graph_network import GraphNetworkSettings
from vanhove.runs.catalog import run_config
from vanhove.runs.checkpoint import build_model
from vanhove.runs.config import TrainingSettings

PAGE = Path(__file__).parents[2] / "docs" / "dostransformer.md"


def table_of(docstring: str | None) -> dict[str, list[str]]:
    """The last table of a docstring: first column -> the others, each in one line."""
    assert docstring is not None
    lines = [line.strip() for line in docstring.splitlines()]
    rules = [place for place, line in enumerate(lines) if re.fullmatch(r"=+( =+)+", line)][-3:]
    raw = docstring.splitlines()
    indent = len(raw[rules[0]]) - len(raw[rules[0]].lstrip())
    spans = [(m.start(), m.end()) for m in re.finditer("=+", lines[rules[0]])]
    found: dict[str, list[str]] = {}
    title = ""
    for line in raw[rules[1] + 1 : rules[2]]:
        line = line[indent:]
        ends = [start for start, _ in spans[1:]] + [len(line) + 1]
        cells = [line[start:end].strip() for (start, _), end in zip(spans, ends, strict=True)]
        if cells[0]:
            title = cells[0]
            found[title] = cells[1:]
        else:
            joined = zip(found[title], cells[1:], strict=True)
            found[title] = [f"{old} {new}".strip() for old, new in joined]
    return found


def options_of(settings: type, field: str) -> tuple[str, ...]:
    return get_args(settings.model_fields[field].annotation)


HERE = run_config("dostransformer")
THERE = run_config("dostransformer", "published")
SPECTRUM = torch.linspace(-1, 1, 51)


@pytest.fixture(scope="module")
def graphs() -> list[CrystalGraph]:
    sizes = {crystal.n_atoms: crystal for crystal in load_tiny().crystals}
    return [build_graph(sizes[size], HERE.graph) for size in sorted(sizes)[:3]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_model(HERE, range(51)).eval()


DOSTRANSFORMER = table_of(DOSTransformerDecoder.__doc__)


def said(row: str, column: int, *words: str) -> None:
    cell = DOSTRANSFORMER[row][column]
    assert all(word in cell for word in words), (row, cell)


PAPER, RELEASED, OURS = 0, 1, 2


def attention_layer(model, graphs):
    assert HERE.model.decoder.attention == "released"
    said("attention layer", OURS, "as released", *(f"``{o}``" for o in ("bare", "projections")))
    assert "bare" in options_of(DOSTransformerSettings, "attention")
    assert HERE.model.decoder.projections is False


def heads(model, graphs):
    assert HERE.model.decoder.n_heads == THERE.model.decoder.n_heads == 1
    said("heads", OURS, "one")


def energy_state_to_value(model, graphs):
    assert [type(layer) for layer in model.decoder.head()] == [torch.nn.Linear]
    said("energy state to value", OURS, "one matrix")


def padding(model, graphs):
    together = model.predict(graphs)
    alone = torch.cat([model.predict([graph]) for graph in graphs])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert len({graph.n_atoms for graph in graphs}) == len(graphs) > 1
    said("padding", OURS, "masked")


def phonon_edges(model, graphs):
    assert HERE.model.encoder.edge_features == "distance"
    assert "spherical_harmonics" in options_of(GraphNetworkSettings, "edge_features")
    said("phonon edges", OURS, "Gaussians of the distance", "an option")


def messages(model, graphs):
    assert HERE.model.encoder.aggregation == "sum"
    assert "mean" in options_of(GraphNetworkSettings, "aggregation")
    said("messages", OURS, "smooth weighted sum")


def self_edges(model, graphs):
    assert (HERE.graph.self_edges, THERE.graph.self_edges) == (False, True)
    said("self edges", OURS, "none")
    said("self edges", RELEASED, "one per atom")


def inference(model, graphs):
    batch = collate(graphs)
    with torch.no_grad():
        outputs, _ = model.outputs(batch, SPECTRUM.expand(len(graphs), -1))
        assert len(outputs.spectra) == 2
        system = next(value for name, value in outputs.spectra.items() if "system" in name)
        torch.testing.assert_close(model(batch), system.float())
    said("inference", OURS, "system branch only")


def loss(model, graphs):
    assert HERE.training.loss == "rmse"
    assert {"mse", "mae"} <= set(options_of(TrainingSettings, "loss"))
    said("loss", OURS, "RMSE per crystal")


def negative_values(model, graphs):
    own = build_model(HERE, range(51)).eval()
    with torch.no_grad():
        own.decoder.out.bias.sub_(10)
        assert own(collate(graphs)).max() < 0
    assert (own.predict(graphs) == 0).all()
    said("negative values", OURS, "clipped to 0 in inference")


def untrained_parameters(model, graphs):
    own = build_model(HERE, range(51)).train()
    batch = collate(graphs)
    outputs, _ = own.outputs(batch, SPECTRUM.expand(len(graphs), -1))
    sum(spectrum.square().sum() for spectrum in outputs.spectra.values()).backward()
    assert all(p.grad is not None for p in own.parameters() if p.requires_grad)
    said("untrained parameters", OURS, "none")


def electron_energies(model, graphs):
    inputs = {field.name for kind in (CrystalGraph, Batch) for field in fields(kind)}
    assert not [name for name in inputs if "energy" in name and name != "energies"]
    said("electron energies", OURS, "never an input")


def atom_features(model, graphs):
    assert HERE.model.encoder.atom_features == ("one_hot", "matscholar")
    assert THERE.model.encoder.atom_features == ("mass_weighted_one_hot",)
    said("atom features", OURS, "one-hot and Matscholar")
    said("atom features", RELEASED, "one-hot times the mass")


def width(model, graphs):
    for column, config in ((RELEASED, THERE), (OURS, HERE)):
        assert config.model.encoder.hidden_dim == config.model.decoder.hidden_dim
        said("width", column, str(config.model.encoder.hidden_dim))


def dropout(model, graphs):
    assert HERE.model.encoder.dropout == HERE.model.decoder.dropout
    said("dropout", OURS, f"{HERE.model.encoder.dropout:g}")
    assert THERE.model.encoder.dropout == THERE.model.decoder.dropout == 0
    said("dropout", RELEASED, "none")


def training(model, graphs):
    for column, config in ((RELEASED, THERE), (OURS, HERE)):
        rate = f"{config.training.learning_rate:.0e}".replace("e-0", "e-")
        said("training", column, rate, config.training.schedule)
    assert HERE.training.gradient_clip
    assert HERE.training.ema_decay
    said("training", OURS, "clipped gradients", "averaged weights")


def number_format(model, graphs):
    assert next(model.parameters()).dtype == torch.float32
    for column, config in ((RELEASED, THERE), (OURS, HERE)):
        said("number format", column, f"batch {config.training.batch_size}")


_DOSTRANSFORMER = (
    *(attention_layer, heads, energy_state_to_value, padding, phonon_edges, messages, self_edges),
    *(inference, loss, negative_values, untrained_parameters, electron_energies, atom_features),
    *(width, dropout, training, number_format),
)


@pytest.mark.parametrize("row", DOSTRANSFORMER)
def test_dostransformer(row, model, graphs):
    checks = {check.__name__.replace("_", " "): check for check in _DOSTRANSFORMER}
    assert checks.keys() == DOSTRANSFORMER.keys()
    checks[row](model, graphs)


def test_the_page_has_the_rows_of_the_docstring():
    lines = PAGE.read_text().split("## Differences")[1].split("\n## ")[0].splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
    assert rows == list(DOSTRANSFORMER)


MAT2SPEC = table_of(Mat2SpecDecoder.__doc__)
ATOMS, SYSTEM, POINTS = 6, 3, 12


def mat2spec(form: str, **settings) -> Mat2SpecDecoder:
    torch.manual_seed(0)
    sizes = {"hidden_dim": 8, "latent_dim": 4, "state_dim": 8, "projection_dim": 8, "dropout": 0.0}
    return Mat2SpecDecoder(
        Mat2SpecSettings(form=form, **sizes, **settings),
        atom_dim=ATOMS,
        system_dim=SYSTEM,
        n_points=POINTS,
        output="raw",
    )


def inputs():
    batch = collate([build_graph(c, GraphSettings()) for c in load_tiny().crystals[:4]])
    generator = torch.Generator().manual_seed(1)
    atoms = torch.randn(len(batch.atomic_numbers), ATOMS, generator=generator)
    system = torch.randn(4, SYSTEM, generator=generator)
    return atoms, batch, system, torch.rand(4, POINTS, generator=generator)


def layers(module: torch.nn.Module) -> int:
    return sum(isinstance(part, torch.nn.Linear) for part in module.modules())


@pytest.mark.parametrize("form", ["printed", "released"])
def test_mat2spec(form):
    cells = {row: both[form == "released"] for row, both in MAT2SPEC.items()}
    decoder = mat2spec(form)
    outputs = decoder.outputs(*inputs())
    atoms, batch, system, target = inputs()
    crystal = decoder.crystal(atoms, batch, system)
    sees = decoder.translator[0].in_features
    assert cells.pop("translator sees") == {4: "z", 4 + ATOMS + SYSTEM: "[x, z]"}[sees]

    mixture = decoder.feature_mixture(crystal)
    torch.manual_seed(2)
    state = decoder.train().state(crystal, mixture)
    torch.manual_seed(2)
    draw = mixture.draw() if form == "printed" else mixture.latent(True)
    parts = [draw] if form == "printed" else [crystal, draw]
    torch.testing.assert_close(state, decoder.translator(torch.cat(parts, dim=-1)))
    one_sum = cells.pop("z in training")
    assert ("a draw from the mixture" in one_sum) == (form == "printed")

    one_way = "one way" in cells.pop("divergence")
    wanted = mixture_divergence(decoder.label_mixture(target), mixture, symmetric=not one_way)
    weight = decoder.settings.kl_weight
    torch.testing.assert_close(outputs.penalties["alignment"], weight * wanted)

    cosine = "cosine similarity" in cells.pop("contrast")
    contrast = outputs.penalties["contrastive"] / decoder.settings.contrastive_weight
    if cosine:
        assert bool((contrast.abs() <= 1).all())
    else:
        assert bool((contrast > 0).all())  # a cross-entropy

    assert cells.pop("prediction losses") == {0.5: "1/2 + 1/2", 1.0: "1 + 1"}[outputs.weight]
    words = {1: "one layer", 2: "two layers"}
    assert cells.pop("predictor") == words[layers(decoder.predictor)]
    assert (
        cells.pop("projector")
        == {1: "one layer", 2: "with a hidden layer"}[layers(decoder.projector)]
    )
    assert not cells, "rows without a check"


def test_mat2spec_as_published_takes_the_printed_form():
    here, there = (run_config("mat2spec", size) for size in ("compact", "published"))
    assert (here.model.decoder.form, there.model.decoder.form) == ("released", "printed")
    weights = (here.model.decoder.contrastive_weight, there.model.decoder.contrastive_weight)
    assert weights == (0.1, 1.0)
    assert "1 in the paper and 0.1 in the code" in Mat2SpecDecoder.__doc__
    assert (there.training.batch_size, there.training.epochs) == (128, 200)
    assert (there.model.encoder.n_layers, there.model.encoder.composition) == (2, "coefficients")


XTAL2DOS = table_of(Xtal2DoSDecoder.__doc__)


def test_xtal2dos():
    cells = dict(XTAL2DOS)
    here, there = (run_config("xtal2dos", size).model.decoder for size in ("compact", "published"))
    for column, settings in ((PAPER, there), (RELEASED, there), (OURS, here)):
        text = f"{settings.hidden_dim}, {settings.n_layers} layers, {settings.n_heads} heads"
        assert cells["size"][column].startswith(text)
    modes = options_of(Xtal2DoSSettings, "mode")
    assert here.mode == modes[0] == "autoregressive"
    assert all(mode in cells["order"][OURS] for mode in modes)
    assert "input_dropout" in Xtal2DoSSettings.model_fields
    assert "``input_dropout``" in cells["exposure bias"][OURS]
    decoder = Xtal2DoSDecoder(here, atom_dim=6, system_dim=0, n_points=POINTS, output="sum")
    assert decoder.position.shape == (POINTS, here.hidden_dim)
    assert cells["position"][OURS] == "embedding"
    assert decoder.causal
    assert "causal mask" in cells["order"][PAPER]
    assert not Xtal2DoSDecoder(
        Xtal2DoSSettings(mode="parallel"), atom_dim=6, system_dim=0, n_points=POINTS, output="sum"
    ).causal
    assert run_config("xtal2dos").model.crystal_system.kind == "none"
    assert cells["crystal system"][OURS].startswith("option")
    assert here.dropout == 0.1
    assert cells["dropout"][PAPER] == "0.1"
    assert run_config("xtal2dos").model.output == "sum"
    assert cells["spectra of sum 1"][RELEASED] == "softmax over the grid"
    assert "matrix" in cells["input"][OURS]
    assert set(cells) == {
        *("order", "spectra of sum 1", "exposure bias", "position", "input", "size", "dropout"),
        "crystal system",
    }
