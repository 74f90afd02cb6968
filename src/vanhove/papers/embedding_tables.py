"""Tables of atom embeddings: the same two models, each started from other element tables."""

from __future__ import annotations

from vanhove.papers.phonon_tables import MAE, MSE_X10, R2
from vanhove.papers.table import Experiment, Row

EMBEDDINGS: dict[str, tuple[str, list[str], bool]] = {
    "one-hot": ("one-hot", ["one_hot"], False),
    "mass": ("one-hot times mass", ["mass_weighted_one_hot"], False),
    "matscholar": ("Matscholar", ["matscholar"], False),
    "magpie": ("Magpie", ["magpie"], False),
    "oliynyk": ("Oliynyk", ["oliynyk"], False),
    "periodic": ("place in the periodic table", ["periodic"], False),
    "learned": ("learned from scratch", ["learned"], False),
    "vae": ("VAE", ["vae"], False),
    "contrastive": ("contrastive, views", ["contrastive"], False),
    "contrastive-labels": ("contrastive, spectra", ["contrastive_labels"], False),
    "potential": ("potential (CHGNet)", ["potential"], False),
    "vae-tuned": ("VAE, fine-tuned", ["vae"], True),
    "contrastive-labels-tuned": (
        "contrastive, spectra, fine-tuned",
        ["contrastive_labels"],
        True,
    ),
    "potential-tuned": ("potential (CHGNet), fine-tuned", ["potential"], True),
    "default": ("one-hot and Matscholar", ["one_hot", "matscholar"], False),
}
"""Suffix of the run -> label, ``atom_features``, ``trainable_features``."""

MODELS = {"dostransformer": "DOSTransformer", "graph-network": "Graph Network"}
EPOCHS, EIGHTH_EPOCHS = 30, 60

_NOTES = (
    "All rows of a model differ in the atom features alone; the last one is the default of "
    "vanhove. Tables are frozen unless fine-tuned or learned from scratch; each goes through the "
    "model's own first layer.",
    "MSE, MAE and R2 are those of each material, then the mean over materials. Spreads are sample "
    "standard deviations over seeds, which do not hold the choice of the split.",
    "VAE and contrastive (views) learned from structures of the Materials Project without labels "
    "and without the formulas of Petretto's validation and test parts; contrastive (spectra) "
    "learned from all spectra of Petretto's training part, also where a model then trains on an "
    "eighth of it; the potential learned from energies and forces of relaxations of the Materials "
    "Project, which hold crystals of every part.",
)


def _rows(prefix: str, settings: dict[str, object]) -> tuple[Row, ...]:
    return tuple(
        Row(
            f"{title}, {label}",
            model,
            f"{prefix}-{model}-{suffix}",
            {
                "model.encoder.atom_features": tables,
                "model.trainable_features": trained,
                **settings,
            },
        )
        for model, title in MODELS.items()
        for suffix, (label, tables, trained) in EMBEDDINGS.items()
    )


EMBEDDING_EXPERIMENTS: dict[str, Experiment] = {
    "atom-embeddings": Experiment(
        "Atom embeddings: what an atom starts from",
        _rows("embedding", {"training.epochs": EPOCHS}),
        (MSE_X10, MAE, R2),
        (*_NOTES, f"Budget: {EPOCHS} epochs for every row."),
        figures=("dots",),
        page="embeddings",
    ),
    "atom-embeddings-eighth": Experiment(
        "Atom embeddings with an eighth of the training data",
        _rows(
            "embedding-eighth",
            {"training.epochs": EIGHTH_EPOCHS, "data.train_fraction": 0.125},
        ),
        (MSE_X10, MAE, R2),
        (
            *_NOTES,
            f"Budget: {EIGHTH_EPOCHS} epochs for every row, on 1/8 of the training crystals.",
        ),
        figures=("dots",),
        page="embeddings",
    ),
}
