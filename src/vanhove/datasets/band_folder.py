"""Band structures as a data set: from memory, or from a folder of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vanhove.datasets.band_files import is_band_file, read_bands
from vanhove.datasets.dataset import SpectrumDataset
from vanhove.datasets.splits import hashed_split
from vanhove.errors import DataError
from vanhove.progress import track
from vanhove.spectra.bands import BandStructure

N_POINTS, N_BANDS = 256, 6
"""As in Bandformer (Gong et al., arXiv 2411.16483)."""


def bands_dataset(
    name: str,
    bands: Sequence[BandStructure],
    *,
    n_points: int = N_POINTS,
    n_bands: int = N_BANDS,
    continuous: bool = True,
    smoothing: float | None = None,
    splits: dict[str, np.ndarray] | None = None,
    split_name: str = "random by formula (seed 0)",
) -> SpectrumDataset:
    """Bands of many crystals, brought to the same numbers of points and bands.

    Args:
        name: of the data set.
        bands: electrons or phonons, each with its crystal. Of electrons, those next to the Fermi
            level are taken (`BandStructure.near_fermi`), of insulators from mid-gap; of phonons the
            lowest. What does not exist is NaN.
        n_points: along the path.
        n_bands: even for electrons.
        continuous: walk the path without jumps.
        smoothing: width of a Gaussian along the path, 1/angstrom; none by default.
        splits: row numbers by part; by default by formula.
        split_name: what to call them.

    Raises:
        DataError: none given, one without a crystal, or electrons and phonons mixed.
    """
    quantities = {band.quantity for band in bands}
    if len(quantities) != 1:
        raise DataError(
            f"data set {name!r}: {len(bands)} band structures of {len(quantities)} quantities; "
            "give some, all of electrons or all of phonons"
        )
    quantity = quantities.pop()
    values, kpoints, crystals = [], [], []
    for band in bands:
        if band.crystal is None:
            raise DataError(f"data set {name!r}: {band.name or 'a band structure'} has no crystal")
        crystals.append(band.crystal)
        band = band.continuous() if continuous else band
        band = band.resampled(n_points)
        band = band if smoothing is None else band.smoothed(smoothing)
        kpoints.append(band.kpoints.fractional)
        values.append(chosen_bands(band, n_bands))
    if splits is None:
        splits = hashed_split([crystal.formula for crystal in crystals])
    return SpectrumDataset(
        name=name,
        ids=[band.name for band in bands],
        crystals=crystals,
        grid=np.linspace(0, 1, n_points),
        unit=bands[0].unit,
        normalisation="from the Fermi level" if bands[0].kind.fermi_level else "none",
        quantity=quantity,
        values=np.stack(values),
        splits=splits,
        split_name=split_name,
        kpoints=np.stack(kpoints),
    )


def chosen_bands(band: BandStructure, n_bands: int) -> np.ndarray:
    """The bands a model is trained on, ``[n_kpoints, n_bands]``, missing ones NaN."""
    if band.kind.fermi_level:
        return band.near_fermi(n_bands)
    lowest = np.full((len(band.kpoints), n_bands), np.nan)
    there = min(n_bands, band.n_bands)
    lowest[:, :there] = band.energies[:, :there]
    return lowest


def load_band_folder(
    path: str | Path,
    *,
    n_points: int = N_POINTS,
    n_bands: int = N_BANDS,
    quiet: bool = False,
) -> SpectrumDataset:
    """A folder of band structures as a data set, split by formula.

    Args:
        path: of the folder; files are found in subfolders too, see `read_bands`.
        n_points, n_bands: see `bands_dataset`.
        quiet: no progress.

    Raises:
        DataError: no folder, or no file in it that can be used. What cannot be used stands in the
            notes with its reason.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one with files of band structures")
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and is_band_file(file)]
    bands: dict[str, BandStructure] = {}
    failed = []
    for file in track(files, "reading bands", quiet):
        try:
            band = read_bands(file)
            if band.kind.fermi_level:
                band = band.aligned()
            if band.name in bands:
                raise DataError(f"{file}: a second file with the id {band.name}; keep one")
            bands[band.name] = band
        except DataError as error:
            failed.append(str(error))
    if not bands:
        reasons = f": {'; '.join(failed[:3])}" if failed else ""
        raise DataError(
            f"{folder}: none of {len(files)} files holds bands that can be used{reasons}"
        )
    dataset = bands_dataset(
        folder.resolve().name, list(bands.values()), n_points=n_points, n_bands=n_bands
    )
    if failed:
        dataset.notes.append(f"{len(failed)} files left out: {'; '.join(failed)}.")
    return dataset
