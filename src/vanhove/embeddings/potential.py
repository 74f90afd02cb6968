"""Features of the atoms in a pretrained interatomic potential.

CHGNet (Deng et al., Nat. Mach. Intell. 5, 1031 (2023); Modified BSD): its weights ship in its
package, learned from energies, forces, stresses and magnetic moments of relaxations of the
Materials Project.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.datasets.graph_store import load_symmetry
from vanhove.embeddings.latents import Latents
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.embeddings.train import Material
from vanhove.errors import DataError, MissingExtraError
from vanhove.progress import track

HEAVIEST = 94
"""CHGNet knows the elements up to Pu."""


def potential_features(
    settings: EmbeddingSettings,
    material: Material,
    crystals: Sequence[Crystal],
    quiet: bool = True,
) -> tuple[Latents, str]:
    """What CHGNet knows of each atom after its last convolution (64 numbers), and its version.

    Crystals that it cannot take are left out: an atom without neighbours, an element beyond Pu,
    features that are not finite.

    Raises:
        MissingExtraError: chgnet is not installed.
        DataError: no crystal was left.
    """
    model, version = _load()
    symmetry = load_symmetry(crystals, settings.graph.symmetry_tolerance, quiet)
    rows, numbers, atoms = [], [], []
    for row in track(material.rows.tolist(), "CHGNet", quiet):
        cell = symmetry.primitive(row) if settings.graph.primitive else crystals[row]
        features = _features(model, cell)
        if features is not None:
            rows.append(row)
            numbers.append(cell.atomic_numbers)
            atoms.append(features)
    if not rows:
        raise DataError("CHGNet can take none of the crystals; give others")
    latents = Latents(
        ids=[crystals[row].name for row in rows],
        crystal_system=material.graphs.crystal_system[rows].numpy(),
        n_atoms=np.array([len(one) for one in numbers]),
        atomic_numbers=np.concatenate(numbers),
        atoms=np.concatenate(atoms),
    )
    return latents, version


def _load() -> tuple[Any, str]:
    try:
        from chgnet.model import CHGNet
    except ImportError as error:
        raise MissingExtraError("chgnet", "potential", "features of a potential") from error
    model = CHGNet.load(use_device="cpu", verbose=False).eval()
    return model, f"CHGNet {model.version}"


def _features(model: Any, cell: Crystal) -> np.ndarray | None:
    """``[n_atoms, 64]``; None where CHGNet gives none."""
    from pymatgen.core import Lattice, Structure

    if cell.atomic_numbers.max() > HEAVIEST:
        return None
    structure = Structure(
        Lattice(cell.lattice), cell.atomic_numbers.tolist(), cell.fractional_coordinates
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            graph = model.graph_converter(structure)
        except ValueError:
            return None
        features = model([graph], task="e", return_atom_feas=True)["atom_fea"][0].numpy()
    return features.astype(np.float32) if np.isfinite(features).all() else None
