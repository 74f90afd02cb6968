"""How far predicted bands are from true ones. Bands that are NaN in the target do not count."""

from __future__ import annotations

import numpy as np

from vanhove.spectra.eigenvalues import GAP_TOLERANCE


def centre_mae(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Error of the band centres, mean over bands, ``[n_materials]``.

    Args, here and below:
        target, prediction: ``[n_materials, n_kpoints, n_bands]``.
    """
    return np.nanmean(np.abs((prediction - target).mean(axis=1)), axis=1)


def dispersion_mae(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Error of what is left without the centres, mean over points and bands, ``[n_materials]``."""
    error = prediction - target
    return np.nanmean(np.abs(error - error.mean(axis=1, keepdims=True)), axis=(1, 2))


def energy_mae(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Error of the energies, mean over points and bands, ``[n_materials]``."""
    return np.nanmean(np.abs(prediction - target), axis=(1, 2))


def crosses_fermi(energies: np.ndarray) -> np.ndarray:
    """Whether a band has energies on both sides of 0, ``[n_materials]``: a metal."""
    low, high = energies.min(axis=1), energies.max(axis=1)  # a missing band is NaN: no crossing
    return ((low < -GAP_TOLERANCE) & (high > GAP_TOLERANCE)).any(axis=1)


def band_gaps(energies: np.ndarray) -> np.ndarray:
    """Between the lower and the upper half of the bands, 0 where they overlap, ``[n_materials]``.

    NaN where one of the two bands is missing.
    """
    half = energies.shape[2] // 2
    gap = energies[:, :, half].min(axis=1) - energies[:, :, half - 1].max(axis=1)
    return np.maximum(gap, 0.0)


def fermi_gaps(energies: np.ndarray) -> np.ndarray:
    """The gap at the Fermi level as `BandStructure.gap` finds it, ``[n_materials]``.

    0 for a metal, NaN where all bands lie on one side of the Fermi level.

    Args:
        energies: from the Fermi level, ``[n_materials, n_kpoints, n_bands]``; missing bands NaN.
    """
    with np.errstate(invalid="ignore"):
        below = energies.mean(axis=1) <= 0  # a missing band is on neither side
    valence = np.where(below, energies.max(axis=1), -np.inf).max(axis=1)
    above = ~below & np.isfinite(energies.mean(axis=1))
    conduction = np.where(above, energies.min(axis=1), np.inf).min(axis=1)
    gap = conduction - valence
    gap = np.where(crosses_fermi(energies) | (gap <= GAP_TOLERANCE), 0.0, gap)
    return np.where(np.isfinite(gap), gap, np.nan)


def band_metrics(
    target: np.ndarray, prediction: np.ndarray, electrons: bool = True
) -> dict[str, float]:
    """Errors of every material, then the mean over materials; electrons also of each kind.

    Args:
        target, prediction: energies from the Fermi level, eV (phonons: 1/cm),
            ``[n_materials, n_kpoints, n_bands]``.
        electrons: phonons have no Fermi level, so nothing is a metal or not.

    Returns:
        ``centre_mae``, ``dispersion_mae``, ``energy_mae`` of all materials, with ``_nonmetal`` and
        ``_metal`` of those whose true bands do not or do cross 0; ``gap_mae`` of the non-metals;
        ``metal_accuracy``, the share told right. NaN where there is no such material.
    """
    errors = {
        "centre_mae": centre_mae(target, prediction),
        "dispersion_mae": dispersion_mae(target, prediction),
        "energy_mae": energy_mae(target, prediction),
    }
    if not electrons:
        return {name: float(values.mean()) for name, values in errors.items()}
    is_metal = crosses_fermi(target)
    found: dict[str, float] = {}
    for suffix, chosen in (
        ("", np.ones(len(target), dtype=bool)),
        ("_nonmetal", ~is_metal),
        ("_metal", is_metal),
    ):
        for name, values in errors.items():
            found[name + suffix] = float(values[chosen].mean()) if chosen.any() else float("nan")
    gaps = np.abs(band_gaps(prediction) - band_gaps(target))[~is_metal]
    known = np.isfinite(gaps)
    found["gap_mae"] = float(gaps[known].mean()) if known.any() else float("nan")
    found["metal_accuracy"] = float((crosses_fermi(prediction) == is_metal).mean())
    return found
