"""Validity test of predicted spectra: the bulk modulus that follows from them.

DOSTransformer (Lee et al., arXiv 2311.12856, table 1): an MLP learns a property from the true
density of states; applied to predicted ones, its error says how much of what matters they keep. The
paper gives neither unit nor normalisation. Here the MLP learns the logarithm of the modulus,
standardised over the training part (a constant answer then costs about 1), so the column can be
held against the printed one in its order, not in its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vanhove.datasets import SpectrumDataset, load_dataset
from vanhove.datasets.petretto import load_bulk_moduli
from vanhove.errors import DataError
from vanhove.spectra.thermodynamics import mean_frequency

HIDDEN, EPOCHS, BATCH, SEEDS = 128, 60, 32, 5


@dataclass(frozen=True)
class BulkModulusTest:
    """MLPs from the true density of states to the modulus, and whom they are tried on.

    Attributes:
        networks: one per seed; ``[n, n_points]`` -> standardised ln(K/GPa) ``[n]``.
        mean: of ln(K/GPa) over the training part.
        std: of ln(K/GPa) over the training part.
        moduli: id -> GPa, of the test materials with a known modulus.
        counts: materials with a known modulus in train, valid and test.
        lower_bound: errors on the true spectra of the test part, as `errors` gives them.
    """

    networks: list[nn.Module]
    mean: float
    std: float
    moduli: dict[str, float]
    counts: dict[str, int]
    lower_bound: dict[str, float]

    def errors(self, ids: list[str], spectra: np.ndarray) -> dict[str, float]:
        """Errors on spectra ``[n_materials, n_points]``, averaged over the networks.

        ``bulk_modulus_mse`` of the standardised logarithm; ``bulk_modulus_mae_GPa``.
        """
        rows = [row for row, material in enumerate(ids) if material in self.moduli]
        moduli = np.array([self.moduli[ids[row]] for row in rows])
        inputs = torch.from_numpy(np.asarray(spectra[rows], dtype=np.float32))
        wanted = (np.log(moduli) - self.mean) / self.std
        mse, mae = [], []
        with torch.inference_mode():
            for network in self.networks:
                answer = network(inputs)[:, 0].double().numpy()
                mse.append(float(((answer - wanted) ** 2).mean()))
                mae.append(float(np.abs(np.exp(answer * self.std + self.mean) - moduli).mean()))
        return {
            "bulk_modulus_mse": float(np.mean(mse)),
            "bulk_modulus_mae_GPa": float(np.mean(mae)),
        }


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


def bulk_modulus_test(dataset_name: str, *, seeds: int = SEEDS) -> BulkModulusTest:
    """Train the networks on the training part, each stopped where its validation error is lowest.

    Raises:
        DataError: the data set has no bulk moduli, or their file is not there.
    """
    dataset = load_dataset(dataset_name)
    moduli = known_moduli(dataset)
    rows = {
        part: np.array([row for row in dataset.split(part) if np.isfinite(moduli[row])])
        for part in ("train", "valid", "test")
    }
    logarithms = np.log(moduli)
    mean, std = float(logarithms[rows["train"]].mean()), float(logarithms[rows["train"]].std())
    parts = {
        part: (
            torch.from_numpy(dataset.values[chosen]),
            torch.from_numpy((logarithms[chosen] - mean) / std).float(),
        )
        for part, chosen in rows.items()
    }
    test = BulkModulusTest(
        [_train(*parts["train"], *parts["valid"], seed) for seed in range(seeds)],
        mean,
        std,
        {dataset.ids[row]: float(moduli[row]) for row in rows["test"]},
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
        for _ in range(EPOCHS):
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
