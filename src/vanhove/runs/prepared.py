"""A data set turned into graphs and tensors, ready for training and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vanhove.crystal.elements import ELEMENT_TABLES, check_supported
from vanhove.crystal.embeddings import embedding_path
from vanhove.crystal.graph import Batch, CrystalGraph, build_graph, collate
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.crystal.tables import GraphTable
from vanhove.datasets import SpectrumDataset, load_dataset
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.datasets.graph_store import load_graphs
from vanhove.errors import ConfigError, DataError, StructureError
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.models.registry import DECODERS
from vanhove.runs.config import RunConfig
from vanhove.spectra.stability import UNSTABLE_BELOW


@dataclass(frozen=True)
class PreparedData:
    """Graphs and targets of the rows of a data set.

    Attributes:
        dataset: where they come from.
        graphs: by row.
        targets: ``[n_materials, n_points]`` float32; of bands ``[n_materials, n_points, n_bands]``.
        kpoints: of bands, Cartesian, 1/angstrom, ``[n_materials, n_points, 3]`` float32.
    """

    dataset: SpectrumDataset
    graphs: GraphTable
    targets: Tensor
    kpoints: Tensor | None = None

    def rows(self, split: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.dataset.split(split), dtype=np.int64))

    def crystal_systems(self, rows: Tensor) -> list[int]:
        """Indices of the crystal systems of some rows, each once, ascending."""
        return self.graphs.crystal_system[rows].unique().tolist()

    def batch(self, rows: Tensor) -> Batch:
        return collate([self.graph(int(row)) for row in rows])

    def training_batch(self, rows: Tensor) -> Batch:
        """With what else is known of the crystals, if anything is (see `phonon_labels`)."""
        batch = self.batch(rows)
        if self.dataset.phonons is None:
            return batch
        return replace(batch, labels=phonon_labels([self.dataset.phonons[int(r)] for r in rows]))

    def graph(self, row: int) -> CrystalGraph:
        graph = self.graphs.graph(row)
        if self.kpoints is None:
            return graph
        return replace(graph, kpoints=self.kpoints[row])


SAMPLED_KPOINTS = 8
"""Of each path in a training step, drawn anew each time."""


def phonon_labels(phonons: Sequence[CrystalPhonons]) -> dict[str, Tensor]:
    """What the decoder of lattice dynamics learns from besides spectra, float32.

    Returns:
        ``kpoints`` and ``directions``, ``[n_crystals, SAMPLED_KPOINTS, 3]``; ``frequencies``, NaN
        where a crystal has fewer, ``[n_crystals, SAMPLED_KPOINTS, n_modes]``; ``charges``,
        ``[n_atoms_total, 3, 3]``; ``dielectric``, ``[n_crystals, 3, 3]``.
    """
    n_modes = max(own.frequencies.shape[1] for own in phonons)
    draws = [_drawn(own) for own in phonons]
    frequencies = np.full((len(phonons), SAMPLED_KPOINTS, n_modes), np.nan)
    for row, (own, drawn) in enumerate(zip(phonons, draws, strict=True)):
        frequencies[row, :, : own.frequencies.shape[1]] = own.frequencies[drawn]
    pairs = list(zip(phonons, draws, strict=True))
    arrays = {
        "kpoints": np.stack([own.kpoints[drawn] for own, drawn in pairs]),
        "directions": np.stack([own.directions[drawn] for own, drawn in pairs]),
        "frequencies": frequencies,
        "charges": np.concatenate([own.charges for own in phonons]),
        "dielectric": np.stack([own.dielectric for own in phonons]),
    }
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}


def _drawn(phonons: CrystalPhonons) -> np.ndarray:
    """Points of a path, at random: one at Gamma with a direction, a third of those that are
    unstable where there are any."""
    drawn = torch.randint(len(phonons.kpoints), (SAMPLED_KPOINTS,))
    at_gamma = np.abs(phonons.directions).max(axis=1) > 0
    for rows, count in (
        (np.flatnonzero(at_gamma), 1),
        (np.flatnonzero(phonons.frequencies[:, 0] < UNSTABLE_BELOW), SAMPLED_KPOINTS // 3),
    ):
        if len(rows):
            chosen = torch.from_numpy(rows)[torch.randint(len(rows), (count,))]
            drawn = torch.cat([chosen, drawn[:-count]])
    return drawn.numpy()


def prepare(config: RunConfig, splits: tuple[str, ...], quiet: bool = False) -> PreparedData:
    """Load the data set of a run and build the graphs of the given splits.

    Raises:
        DataError: the data set cannot be loaded.
        ConfigError: a decoder of bands for other data, or the other way round.
        StructureError: a structure is unusable or has an element without features.
    """
    dataset = load_run_data(config)
    for name in splits:
        if len(dataset.split(name)) == 0:
            raise DataError(
                f"the {name} part of {dataset.name} is empty (split {dataset.split_name}); give "
                "its folder a splits.json with that part, or set data.split to random or grouped"
            )
    _check_kind(config, dataset)
    dataset = fit_scale(config, dataset)
    wanted = np.concatenate([dataset.split(name) for name in splits])
    return prepare_rows(dataset, wanted, config, quiet)


def load_run_data(config: RunConfig) -> SpectrumDataset:
    """The data set of a run with its split, as it is stored; errors as `load_dataset`."""
    return load_dataset(
        config.data.dataset,
        split=config.data.split,
        seed=config.data.split_seed,
        tuning_fraction=config.data.tuning_fraction,
        tuning_count=config.data.tuning_count,
        tuning_seed=config.data.tuning_seed,
        folds=config.data.folds,
        fold=config.data.fold,
        train_fraction=config.data.train_fraction,
        subclass=config.data.subclass,
        elements=config.data.elements,
        electron_target=config.data.electron_target,
        grid_points=config.data.grid_points,
    )


def _check_kind(config: RunConfig, dataset: SpectrumDataset) -> None:
    settings = config.model.decoder
    decoder = DECODERS[settings.name]
    if decoder.gives_bands != (dataset.kpoints is not None):
        kind = "bands" if decoder.gives_bands else "spectra"
        raise ConfigError(
            f"model.decoder {settings.name} predicts {kind}, {dataset.name} holds "
            f"{dataset.quantity}: choose another decoder or data set"
        )
    if decoder.quantities is not None and dataset.quantity not in decoder.quantities:
        raise ConfigError(
            f"model.decoder {settings.name} predicts {' or '.join(decoder.quantities)}; "
            f"{dataset.name} holds {dataset.quantity} in {dataset.unit}: choose another decoder or "
            "data set"
        )
    n_bands = getattr(settings, "n_bands", None)
    if decoder.gives_bands and n_bands != dataset.values.shape[2]:
        raise ConfigError(
            f"model.decoder.n_bands is {n_bands}, {dataset.name} holds "
            f"{dataset.values.shape[2]} bands; make them equal"
        )


def fit_scale(config: RunConfig, dataset: SpectrumDataset) -> SpectrumDataset:
    """The data as the output of the model can give them.

    An output of maximum or sum 1 has no scale of its own: data in states/eV are divided by the
    maximum of each spectrum first.
    """
    if config.model.output in ("max", "sum") and dataset.normalisation not in ("max", "min-max"):
        return dataset.scaled_to_maximum()
    return dataset


def prepare_rows(
    dataset: SpectrumDataset, rows: np.ndarray, config: RunConfig, quiet: bool = False
) -> PreparedData:
    """Graphs of a data set, as a run needs them; errors as `prepare`, for the given rows alone."""
    _check_elements(dataset, rows, config)
    graphs = load_graphs(dataset.crystals, config.graph, quiet)
    for row in rows[graphs.crystal_system[torch.from_numpy(rows)].numpy() < 0].tolist():
        build_graph(dataset.crystals[row], config.graph)  # raises the reason
    targets = torch.from_numpy(dataset.values)
    return PreparedData(dataset, graphs, targets, _kpoints(dataset))


def _kpoints(dataset: SpectrumDataset) -> Tensor | None:
    if dataset.kpoints is None:
        return None
    # The primitive cell keeps the orientation of the crystal, to whose cell k-points refer.
    bases = np.stack([reciprocal_lattice(crystal.lattice) for crystal in dataset.crystals])
    return torch.from_numpy(dataset.kpoints @ bases).float()


def _check_elements(dataset: SpectrumDataset, rows: np.ndarray, config: RunConfig) -> None:
    """Raise `StructureError` for the first row with an element that has no features."""
    numbers = np.unique(np.concatenate([dataset.crystals[row].atomic_numbers for row in rows]))
    for table in (*config.model.encoder.atom_features, *config.model.atom_latents):
        if table not in ELEMENT_TABLES and not embedding_path(table).exists():
            continue  # learned, or read from a file that is gone: it is in the checkpoint
        try:
            check_supported(numbers, table)
        except StructureError:
            for row in rows.tolist():
                check_supported(dataset.crystals[row].atomic_numbers, table, dataset.ids[row])


def predict_rows(
    model: SpectrumModel | Ensemble, data: PreparedData, rows: Tensor, batch_size: int = 32
) -> Tensor:
    """`SpectrumModel.predict` of many rows, in their order."""
    model.eval()
    # Crystals of like size share a batch, so that little of it is padding.
    order = torch.argsort(data.graphs.n_atoms[rows])
    predictions = torch.zeros(len(rows), *data.targets.shape[1:])
    for chunk in order.split(batch_size):
        predictions[chunk] = model.predict([data.graph(int(row)) for row in rows[chunk]])
    return predictions
