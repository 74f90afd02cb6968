"""phonopy's YAML: cells, ``band.yaml``; checked against what phonons and atoms can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vanhove.crystal.checks import check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import path_through, plain_label, reciprocal_lattice
from vanhove.crystal.objects import atomic_numbers_of
from vanhove.errors import DataError, StructureError
from vanhove.results import Json
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.density import THZ_PER_CM1
from vanhove.spectra.plausibility import check_frequencies
from vanhove.spectra.quantities import PHONON_BANDS
from vanhove.untrusted import parse_yaml, read_file

BOHR = 0.529177210903
"""Angstrom."""
_BOHR_CALCULATORS = {
    *("abacus", "abinit", "dftbp", "elk", "fleur", "qe", "qlm", "siesta", "turbomole", "wien2k")
}
"""Whose lengths phonopy keeps in atomic units."""


def length_unit(data: Json, name: str) -> float:
    """Angstrom in the length unit that a file of phonopy states.

    Raises:
        DataError: a unit that is not known.
    """
    header = data.get("phonopy") if isinstance(data.get("phonopy"), dict) else {}
    stated = (data.get("physical_unit") or {}).get("length")
    if stated is None:
        calculator = str((header or {}).get("calculator") or data.get("calculator") or "")
        return BOHR if calculator.lower() in _BOHR_CALCULATORS else 1.0
    units = {"angstrom": 1.0, "au": BOHR, "bohr": BOHR, "nm": 10.0}
    if str(stated).lower() not in units:
        raise DataError(f"{name}: length unit {stated!r}; allowed: {', '.join(units)}")
    return units[str(stated).lower()]


def phonopy_cell(cell: Json, name: str, id: str, unit: float = 1.0) -> Crystal:
    """The crystal of a cell (``lattice``, ``points``) in a file of phonopy.

    Args:
        unit: of lengths, angstrom.

    Raises:
        DataError: mixtures, weights, an unknown element, or atoms that cannot be; names the file.
    """
    points = cell["points"]
    for point in points:
        if point.get("mixture") or point.get("weight") not in (None, 1, 1.0):
            raise DataError(
                f"{name}: site {point.get('symbol')} is shared by a mixture of elements; only "
                "fully ordered crystals, with one atom on every site, can be used"
            )
    try:
        numbers, notes = atomic_numbers_of([str(point["symbol"]) for point in points], "")
        positions = np.array([point["coordinates"] for point in points], dtype=np.float64)
        lattice = unit * np.array(cell["lattice"], dtype=np.float64)
        crystal = Crystal(lattice, positions, np.array(numbers), id, notes=notes)
        check_crystal(crystal)
    except StructureError as error:
        raise DataError(f"{name}: its structure cannot be used: {error.reason}") from error
    return crystal


def read_band_yaml(path: Path, id: str) -> BandStructure:
    """``band.yaml``, frequencies in THz (as phonopy writes them by default).

    Raises:
        DataError: no such file, mixed or impossible atoms, segments that do not add up, a
            reciprocal lattice that is not that of the cell, or frequencies of another unit.
    """
    name = str(path)
    data = parse_yaml(read_file(path), name)
    try:
        unit = length_unit(data, name)
        crystal = phonopy_cell(data, name, id, unit)
        points = data["phonon"]
        fractional = np.array([point["q-position"] for point in points], dtype=np.float64)
        frequencies = np.array(
            [[band["frequency"] for band in point["band"]] for point in points], dtype=np.float64
        )
        labels = _labels(data, len(fractional), name)
        stated = data.get("reciprocal_lattice")
        reciprocal = None if stated is None else np.array(stated, dtype=np.float64).reshape(3, 3)
    except DataError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name}: no band.yaml of phonopy ({words}); write it again") from error
    if frequencies.shape[1:] != (3 * crystal.n_atoms,):
        raise DataError(
            f"{name}: {frequencies.shape[-1]} bands, but {crystal.n_atoms} atoms have "
            f"{3 * crystal.n_atoms}; give the structure of the same cell"
        )
    if reciprocal is not None:
        check_reciprocal(reciprocal / unit, crystal, name)
    check_frequencies(frequencies / THZ_PER_CM1, crystal, name)
    path_points, kept = path_through(fractional, labels, crystal.lattice)
    return BandStructure(
        kpoints=path_points,
        energies=frequencies[kept] / THZ_PER_CM1,
        fermi_level=None,
        quantity=PHONON_BANDS.name,
        crystal=crystal,
        name=id,
    )


def _labels(data: Json, n: int, name: str) -> list[str]:
    labels = [plain_label(str(point.get("label") or "")) for point in data["phonon"]]
    sizes = np.array(data.get("segment_nqpoint") or [n], dtype=int)
    if sizes.sum() != n or (sizes < 1).any():
        raise DataError(f"{name}: segment_nqpoint adds up to {sizes.sum()}, but {n} points follow")
    pairs = data.get("labels") or []
    if pairs and len(pairs) != len(sizes):
        raise DataError(f"{name}: {len(pairs)} pairs of labels for {len(sizes)} segments")
    for pair, start, size in zip(pairs, sizes.cumsum() - sizes, sizes, strict=False):
        labels[start], labels[start + size - 1] = map(plain_label, pair)
    return labels


def check_reciprocal(reciprocal: np.ndarray, crystal: Crystal, name: str) -> None:
    """The reciprocal lattice (rows, 1/angstrom) that a file states must be that of the crystal.

    Raises:
        DataError: it is of another cell.
    """
    found = reciprocal_lattice(crystal.lattice)
    metric, right = reciprocal @ reciprocal.T, found @ found.T
    scale = np.sqrt(np.outer(right.diagonal(), right.diagonal()))
    # Some programs leave the factor 2 pi out.
    if not any((np.abs(f * metric - right) <= 0.03 * scale).all() for f in (1, 4 * np.pi**2)):
        raise DataError(
            f"{name}: the bands are of another cell than the structure: their reciprocal lattice "
            f"has lengths {_lengths(reciprocal)} 1/angstrom, that of the structure "
            f"{_lengths(found)}; give the structure of the same cell"
        )


def _lengths(lattice: np.ndarray) -> str:
    return ", ".join(f"{length:.3f}" for length in np.linalg.norm(lattice, axis=1))
