"""The whole data set of Petretto et al.: phonon bands, polar properties and thermodynamics.

Petretto et al., Sci. Data 5, 180065 (2018), DFPT with PBEsol (CC-BY 4.0): the same 1,521 crystals
as `phonon_petretto`, whose 51 points were made from these densities of states.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.datasets.crystal_phonons import CrystalPhonons
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.petretto import load_phonon_petretto
from vanhove.datasets.petretto_files import PLACE, original_arrays
from vanhove.datasets.registry import register_dataset
from vanhove.errors import DataError

MOST_POLARISABLE, LARGEST_CHARGE = 60.0, 20.0
"""Beyond these a computed dielectric constant or Born charge is that of a metal."""


_CM1_PER_EV = 8065.543937


@register_dataset("phonon_petretto_full")
def load_phonon_petretto_full() -> SpectrumDataset:
    """`phonon_petretto` with `CrystalPhonons` of each crystal, in the cells of the calculations.

    Spectra and split are those of `phonon_petretto`; lattices are oriented otherwise.

    Raises:
        DataError: a file is not there and cannot be fetched, or is another one.
        OutputError: the cache cannot be written.
    """
    small = load_phonon_petretto()
    data = original_arrays(small.ids)
    row_of = {material: row for row, material in enumerate(data["ids"].tolist())}
    if sorted(row_of) != sorted(small.ids):
        raise DataError(f"{PLACE}: other materials than phonon_petretto")
    phonons = _all_phonons(data)
    rows = [row_of[material] for material in small.ids]
    return replace(
        small,
        name="phonon_petretto_full",
        crystals=[phonons[row][0] for row in rows],
        phonons=[phonons[row][1] for row in rows],
    )


def _all_phonons(data: dict[str, np.ndarray]) -> list[tuple[Crystal, CrystalPhonons]]:
    n_atoms, n_k = data["natoms"].astype(np.int64), data["nq"].astype(np.int64)

    def parts(name: str, counts: np.ndarray) -> list[np.ndarray]:
        return np.split(data[name], np.cumsum(counts)[:-1])

    columns = zip(
        parts("Z", n_atoms),
        parts("frac", n_atoms),
        parts("becs", n_atoms),
        parts("qpts", n_k),
        parts("band_cm1", 3 * n_k * n_atoms),
        parts("dos_freq_cm1", data["dos_len"]),
        parts("dos_states_per_eV", data["dos_len"]),
        strict=True,
    )
    result = []
    for row, (numbers, coordinates, charges, fractional, bands, grid, dos) in enumerate(columns):
        crystal = Crystal(
            data["lattice"][row], coordinates, numbers.astype(np.int64), str(data["ids"][row])
        )
        fractional = fractional.astype(np.float64)
        reciprocal = reciprocal_lattice(crystal.lattice)
        kpoints = fractional @ reciprocal
        dielectric = data["eps_electronic"][row].astype(np.float64)
        is_polar = bool(
            np.isfinite(dielectric).all()
            and np.linalg.eigvalsh((dielectric + dielectric.T) / 2)[0] >= 1
            and np.trace(dielectric) / 3 < MOST_POLARISABLE
            and np.abs(charges).max() < LARGEST_CHARGE
        )
        known = is_polar and not data["large_cnsr_break"][row]
        per_atom = data["natoms_formula"][row]
        result.append(
            (
                crystal,
                CrystalPhonons(
                    kpoints=(fractional - np.rint(fractional)) @ reciprocal,
                    directions=_directions(kpoints),
                    frequencies=np.sort(bands.reshape(len(kpoints), -1), axis=1),
                    dos_frequency=grid.astype(np.float64),
                    dos=dos.astype(np.float64) / _CM1_PER_EV,
                    charges=(charges + charges.transpose(0, 2, 1)) / 2
                    if known
                    else np.full_like(charges, np.nan),
                    dielectric=(dielectric + dielectric.T) / 2
                    if known
                    else np.full_like(dielectric, np.nan),
                    temperatures=data["temperature_K"],
                    heat_capacity=data["Cv_J_per_K_mol_formula"][row] / per_atom,
                    entropy=data["S_J_per_K_mol_formula"][row] / per_atom,
                    free_energy=data["F_J_per_mol_formula"][row] / (1000 * per_atom),
                    is_polar=is_polar,
                    is_unstable=bool(data["has_neg_fr"][row]),
                ),
            )
        )
    return result


def _directions(kpoints: np.ndarray) -> np.ndarray:
    """Of points at Gamma, the nearer of the two neighbours along the path; 0 elsewhere."""
    at_gamma = np.linalg.norm(kpoints, axis=1) < 1e-8
    result = np.zeros_like(kpoints)
    for i in np.flatnonzero(at_gamma):
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(kpoints) and not at_gamma[j]]
        if beside:
            result[i] = kpoints[min(beside, key=lambda j: np.linalg.norm(kpoints[j]))]
    return result
