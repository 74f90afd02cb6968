"""The project's own studies on ``phonon_petretto``: energies, grids, use of the structure."""

from __future__ import annotations

from vanhove.evaluation.conditions import Conditions, WrongStructure
from vanhove.papers.phonon_tables import ABLATION, BASELINES, MAE, MSE_X10, R2
from vanhove.papers.table import Column, Experiment, Row

_DOSTRANSFORMER = "DOSTransformer"
_GRAPH_NETWORK = "Graph Network + energy"
_OWN_POINTS = 51
RATIO = Column("mae_ratio", "MAE, ratio", digits=3)
NEIGHBORS = Column("mean_neighbors", "neighbours", digits=1)

_RECIPE_NOTE = (
    "DOSTransformer follows the shorter recipe of the ablations (30 epochs, no dropout), graph "
    "network and MLP that of the catalog: compare rows of one model."
)


def _dostransformer(label: str, suffix: str = "", **overrides: object) -> Row:
    """The run of the ablation tables, with changes; a double underscore stands for a dot."""
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    run = "dostransformer-ablation" + suffix
    return Row(f"{_DOSTRANSFORMER}, {label}", "dostransformer", run, ABLATION | changes)


def _graph_network(label: str, suffix: str = "", **overrides: object) -> Row:
    """The run of DOSTransformer's table 1, with changes."""
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    run = "graph-network-energy" + suffix
    return Row(f"{_GRAPH_NETWORK}, {label}", "graph-network-energy", run, changes)


_ENCODINGS = ("gaussian", "sinusoidal", "fourier")


def _encodings() -> Experiment:
    rows = []
    for make in (_dostransformer, _graph_network):
        rows.append(make("learned"))
        rows += [make(kind, f"-{kind}", model__decoder__energies=kind) for kind in _ENCODINGS]
    return Experiment(
        "What an energy starts from: a learned vector per point, or a function of the energy",
        tuple(rows),
        (MSE_X10, MAE, R2),
        (
            "Learned: a free vector per grid point, as published. Gaussian, sinusoidal, Fourier: "
            "40 fixed functions of the energy through a learned matrix; such a model can be asked "
            "for other grids.",
            _RECIPE_NOTE,
        ),
        page="studies",
    )


def _on(row: Row, trained: int, measured: int, model: str) -> Row:
    def label(points: int) -> str:
        return f"{model}, trained on {points} points, measured on {measured}"

    usual = measured == trained
    return Row(
        label(trained),
        row.model,
        row.run,
        row.overrides,
        conditions=Conditions(grid_points=None if usual else measured),
        reference=label(measured),
    )


def _transfer() -> Experiment:
    rows = []
    for make, model in ((_dostransformer, _DOSTRANSFORMER), (_graph_network, _GRAPH_NETWORK)):
        gaussian: dict[str, object] = {"model__decoder__energies": "gaussian"}
        runs = {_OWN_POINTS: make("", "-gaussian", **gaussian)}
        for points in (101, 26):
            runs[points] = make("", f"-gaussian-{points}", data__grid_points=points, **gaussian)
        rows.append(_on(runs[_OWN_POINTS], _OWN_POINTS, _OWN_POINTS, model))
        for measured in (101, 26):
            order = (measured, *(points for points in runs if points != measured))
            rows += [_on(runs[trained], trained, measured, model) for trained in order]
    return Experiment(
        "Grid transfer: trained on one grid, asked for another",
        tuple(rows),
        (MAE, RATIO, MSE_X10, R2),
        (
            "Ratio: MAE over that of the model that was trained on the grid it is measured on, of "
            "the same seed; 1.05 is a loss of 5 %.",
            "The published spectra have 51 points, 0 to 1000 1/cm; those of 101 points are "
            "interpolated linearly, those of 26 are every second point. Their scale is kept: "
            "the maximum of 1 can lie between two of the 26 points.",
            "Gaussian energies, with 40 bumps on all grids.",
            _RECIPE_NOTE,
        ),
        page="studies",
        several_grids=True,
    )


_RELEASED = {
    "graph__self_edges": True,
    "model__encoder__atom_features": ["mass_weighted_one_hot"],
    "model__encoder__edge_features": "spherical_harmonics",
    "model__encoder__aggregation": "mean",
}
_WRONG: dict[WrongStructure, str] = {
    "rearranged": "tested on rearranged structures",
    "stretched": "tested on stretched structures",
}


def _cutoff(make, cutoff: float, **overrides: object) -> Row:
    label = f"cutoff {cutoff:g}"
    if cutoff == 4:
        return make(label, **overrides)
    return make(label, f"-cutoff-{cutoff:g}", graph__cutoff=cutoff, **overrides)


def _structure() -> Experiment:
    rows = []
    for make, model, cutoffs in (
        (_graph_network, _GRAPH_NETWORK, (2.0, 3.0, 4.0, 5.0, 6.0)),
        (_dostransformer, _DOSTRANSFORMER, (2.0, 4.0, 6.0)),
    ):
        reference = f"{model}, cutoff 4"
        if model == _DOSTRANSFORMER:
            without = make("no structure", "-no-structure", model__encoder__name="atom_mlp")
        else:
            (mlp,) = (row for row in BASELINES if row.run == "mlp-energy")
            without = Row("MLP + energy, no structure", mlp.model, mlp.run, mlp.overrides)
        own = [without, *(_cutoff(make, cutoff) for cutoff in cutoffs)]
        used = make("")
        own += [
            Row(
                f"{model}, {label}",
                used.model,
                used.run,
                used.overrides,
                conditions=Conditions(structures=kind),
            )
            for kind, label in _WRONG.items()
        ]
        rows += [
            Row(
                row.label,
                row.model,
                row.run,
                row.overrides,
                conditions=row.conditions,
                reference=reference,
            )
            for row in own
        ]
    for cutoff in (2.0, 4.0):
        row = _dostransformer(
            f"released inputs, cutoff {cutoff:g}",
            f"-released-inputs-cutoff-{cutoff:g}",
            graph__cutoff=cutoff,
            **_RELEASED,
        )
        reference = f"{_DOSTRANSFORMER}, released inputs, cutoff 4"
        rows.append(Row(row.label, row.model, row.run, row.overrides, reference=reference))
    return Experiment(
        "Does the model use the structure?",
        tuple(rows),
        (NEIGHBORS, MAE, RATIO, MSE_X10, R2),
        (
            "Ratio: MAE over that of the same model with cutoff 4 (angstrom), of the same seed. "
            "Neighbours: of an atom of the test crystals, mean; at 2 angstrom most atoms have "
            "none.",
            "No structure: the atoms never see each other before they are pooled, whatever their "
            "neighbours; only the composition and, in DOSTransformer, the crystal system are "
            "known.",
            "Rearranged: trained as ever with cutoff 4, then given each test crystal's atoms on "
            "the sites of another crystal with as many atoms, at their own volume. Stretched: all "
            "lengths times 1.1. Two of the 189 test crystals have no partner and stay.",
            "Released inputs: mass-weighted one-hot atoms, spherical harmonics of the bond "
            "vectors, mean of the messages, self edges (which count as neighbours).",
            _RECIPE_NOTE,
        ),
        page="studies",
    )


STUDY_EXPERIMENTS: dict[str, Experiment] = {
    "energy-encodings": _encodings(),
    "grid-transfer": _transfer(),
    "structure-use": _structure(),
}
