"""Validity tests of predicted spectra: a property that follows from them.

DOSTransformer (Lee et al., arXiv 2311.12856, table 1): an MLP learns a property from the true
density of states; applied to predicted ones, its error says how much of what matters they keep. The
paper gives neither units nor normalisation. Here the bulk modulus is learned and measured as its
logarithm, standardised over the training split (a constant answer then costs about 1); band gap and
Fermi energy are measured in eV^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vanhove.datasets import SpectrumDataset, load_dataset, load_electron_properties
from vanhove.datasets.petretto import load_bulk_moduli
from vanhove.errors import DataError
from vanhove.spectra.quantities import ELECTRON_DOS
from vanhove.spectra.thermodynamics import mean_frequency

HIDDEN, NETWORK_EPOCHS, BATCH, SEEDS = 128, 60, 32, 5


@dataclass(frozen=True)
class TestedProperty:
    """Something that a density of states tells of a crystal.

    Attributes:
        name: of the property; ``NAME_mse`` and ``NAME_mae_UNIT`` are its errors.
        title: in sentences.
        unit: of the values.
        logarithm: learn and measure the standardised logarithm.
        known: values of a data set, ``[n_materials]``, NaN where unknown.
        note: what the reader of the errors must know.
    """

    name: str
    title: str
    unit: str
    logarithm: bool
    known: Callable[[SpectrumDataset], np.ndarray]
    note: str


@dataclass(frozen=True)
class ValidityTest:
    """MLPs from the true density of states to a property, and whom they are tried on.

    Attributes:
        of: the property.
        networks: one per seed; ``[n, n_points]`` -> standardised values (or logarithms) ``[n]``.
        mean: of the values (or logarithms) over the training split.
        std: of the same.
        values: id -> value, of the test materials where it is known.
        counts: materials with a known value in train, valid and test.
        lower_bound: errors on the true spectra of the test split, as `errors` gives them.
    """

    of: TestedProperty
    networks: list[nn.Module]
    mean: float
    std: float
    values: dict[str, float]
    counts: dict[str, int]
    lower_bound: dict[str, float]

    def errors(self, ids: list[str], spectra: np.ndarray) -> dict[str, float]:
        """Errors on spectra ``[n_materials, n_points]``, averaged over the networks.

        ``NAME_mse``, of the standardised logarithm where it is one; ``NAME_mae_UNIT``.
        """
        rows = [row for row, material in enumerate(ids) if material in self.values]
        values = np.array([self.values[ids[row]] for row in rows])
        inputs = torch.from_numpy(np.asarray(spectra[rows], dtype=np.float32))
        mse: list[float] = []
        mae: list[float] = []
        with torch.inference_mode():
            for network in self.networks:
                standard = network(inputs)[:, 0].double().numpy()
                for errors, one in zip((mse, mae), self._errors(standard, values), strict=True):
                    errors.append(one)
        return self._named(float(np.mean(mse)), float(np.mean(mae)))

    def constant_errors(self) -> dict[str, float]:
        """The same errors of the training mean, told of every test material."""
        values = np.array(list(self.values.values()))
        return self._named(*self._errors(np.zeros(len(values)), values))

    def _errors(self, standard: np.ndarray, values: np.ndarray) -> tuple[float, float]:
        """MSE and MAE of standardised answers."""
        answer = standard * self.std + self.mean
        if not self.of.logarithm:
            return float(((answer - values) ** 2).mean()), float(np.abs(answer - values).mean())
        wanted = (np.log(values) - self.mean) / self.std
        mae = np.abs(np.exp(answer) - values).mean()
        return float(((standard - wanted) ** 2).mean()), float(mae)

    def _named(self, mse: float, mae: float) -> dict[str, float]:
        return {f"{self.of.name}_mse": mse, f"{self.of.name}_mae_{self.of.unit}": mae}


def known_moduli(dataset: SpectrumDataset) -> np.ndarray:
    """GPa, ``[n_materials]``, NaN where unknown.

    For the tiny data set, made-up numbers that grow with the mean frequency: they try the
    machinery and mean nothing.

    Raises:
        DataError: the data set has no bulk moduli, or their file is not there.
    """
    if dataset.name == "phonon_petretto":
        return load_bulk_moduli(dataset.ids)
    if dataset.name == "tiny":
        return mean_frequency(dataset.grid, dataset.values) ** 2 / 1000
    raise DataError(f"data set {dataset.name!r} has no bulk moduli")


def _electron_property(name: str) -> Callable[[SpectrumDataset], np.ndarray]:
    def known(dataset: SpectrumDataset) -> np.ndarray:
        if dataset.quantity != ELECTRON_DOS.name or not dataset.name.startswith("electron_pbe"):
            raise DataError(f"data set {dataset.name!r} has no {name}")
        return load_electron_properties(dataset.ids)[name]

    return known


PROPERTIES: dict[str, TestedProperty] = {
    of.name: of
    for of in (
        TestedProperty(
            "bulk_modulus",
            "bulk modulus",
            "GPa",
            True,
            known_moduli,
            "The MSE is that of the standardised logarithm; the paper gives no unit: hold its "
            "numbers against ours in their order, not in their size.",
        ),
        TestedProperty(
            "band_gap",
            "band gap",
            "eV",
            False,
            _electron_property("band_gap"),
            "Most crystals of the set are metals, whose gap is 0; the paper's are not counted.",
        ),
        TestedProperty(
            "fermi_energy",
            "Fermi energy",
            "eV",
            False,
            _electron_property("fermi_level"),
            "The Fermi energy is that of the calculation, whose zero is its average potential; a "
            "DOS that counts energies from the band edge does not hold it, so the network can only "
            "guess from the shape. The paper's codes have another zero.",
        ),
    )
}
"""By name."""


def validity_test(name: str, dataset_name: str, *, seeds: int = SEEDS) -> ValidityTest:
    """Train the networks on the training split, each stopped where its validation error is lowest.

    Raises:
        DataError: the data set has no such property, or its file is not there.
    """
    of = PROPERTIES[name]
    dataset = load_dataset(dataset_name)
    known = of.known(dataset)
    rows = {
        part: np.array([row for row in dataset.split(part) if np.isfinite(known[row])])
        for part in ("train", "valid", "test")
    }
    learned = np.log(known) if of.logarithm else known
    mean, std = float(learned[rows["train"]].mean()), float(learned[rows["train"]].std())
    parts = {
        part: (
            torch.from_numpy(dataset.values[chosen]),
            torch.from_numpy((learned[chosen] - mean) / std).float(),
        )
        for part, chosen in rows.items()
    }
    test = ValidityTest(
        of,
        [_train(*parts["train"], *parts["valid"], seed) for seed in range(seeds)],
        mean,
        std,
        {dataset.ids[row]: float(known[row]) for row in rows["test"]},
        {part: len(chosen) for part, chosen in rows.items()},
        {},
    )
    chosen = rows["test"]
    test.lower_bound.update(
        test.errors([dataset.ids[row] for row in chosen], dataset.values[chosen])
    )
    return test


def _train(x: Tensor, y: Tensor, x_valid: Tensor, y_valid: Tensor, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(x.shape[1], HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 1),
        )
        best, weights = float("inf"), {k: v.clone() for k, v in network.state_dict().items()}
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
        for _ in range(NETWORK_EPOCHS):
            for rows in torch.randperm(len(x), generator=generator).split(BATCH):
                optimizer.zero_grad()
                ((network(x[rows])[:, 0] - y[rows]) ** 2).mean().backward()
                optimizer.step()
            with torch.no_grad():
                score = float(((network(x_valid)[:, 0] - y_valid) ** 2).mean())
            if score < best:
                best, weights = score, {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(weights)
    return network.eval()
