"""Band structures from files: pymatgen's JSON, VASP's ``vasprun.xml``, phonopy, our own JSON.

Whatever is wrong with a file ends in a `DataError` of one line that names it and says what to do.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.datasets.calculation_cell import crystal_of
from vanhove.datasets.phonopy_files import check_reciprocal, read_band_yaml
from vanhove.datasets.vasp import (
    dos_id,
    eigenvalue_edges,
    open_vasprun,
    structure_beside,
)
from vanhove.errors import DataError
from vanhove.results import Json
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.conversions.pymatgen import bands_from_pymatgen
from vanhove.spectra.plausibility import check_frequencies
from vanhove.spectra.quantities import PHONON_BANDS
from vanhove.untrusted import parse_json, plain, read_file

if TYPE_CHECKING:
    from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine

_NEAR_EDGE = 0.03
"""eV: a Fermi level this far inside a band, beside a gap, is one of an insulator."""

BAND_FILES = "vasprun.xml, .json (each also .gz), phonopy's band.yaml"


def is_band_file(path: Path) -> bool:
    """Whether `read_bands` takes the file, by its name."""
    name = path.name.lower().removesuffix(".gz")
    return not name.startswith((".", "manifest")) and name.endswith((".xml", ".json", ".yaml"))


def read_bands(
    source: str | os.PathLike[str] | Json | BandStructureSymmLine,
    *,
    structure: Any = None,
    id: str | None = None,
) -> BandStructure:
    """A band structure along a path, energies absolute.

    Args:
        source: one of

            - JSON, also ``.gz``, a dict, or an object: pymatgen's ``BandStructureSymmLine`` or
              ``PhononBandStructureSymmLine`` (as_dict), what `BandStructure.to_json` writes, or
              ``{"material_id": ..., "bands": {...}, "structure": {Structure}}``;
            - ``vasprun.xml`` of a calculation along lines (a ``KPOINTS`` file beside it gives the
              labels);
            - ``band.yaml`` of phonopy.

        structure: where the source holds none, as pymatgen's JSON does: whatever `read_crystal`
            reads, in the same cell; by default the structure file beside the source.
        id: of the material; by default what the source says, else from its name.

    Raises:
        DataError: the file is missing, damaged or of another kind, holds no bands along a path or
            no structure, or is spin-polarised.
    """
    if not isinstance(source, str | os.PathLike):
        data = source.as_dict() if hasattr(source, "as_dict") else source
        return _from_json(data, structure, "bands", id or "")
    path = Path(source)
    if not is_band_file(path):
        raise DataError(f"{path}: not a known file of bands; allowed: {BAND_FILES}")
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".xml"):
        return _from_vasprun(path, id or dos_id(path))
    if name.endswith(".yaml"):
        return read_band_yaml(path, id or path.stem)
    data = parse_json(read_file(path), str(path))
    if structure is None:
        structure = structure_beside(path)
    return _from_json(data, structure, str(path), id or dos_id(path))


def _from_pymatgen(bands: Any, structure: Any, name: str) -> BandStructure:
    crystal = crystal_of(bands.structure or structure, name)
    lattice = getattr(bands, "lattice_rec", None)
    if lattice is not None:
        check_reciprocal(np.asarray(lattice.matrix), crystal, name)
    found = bands_from_pymatgen(BandStructure, bands, crystal, name)
    if found.quantity == PHONON_BANDS.name:
        check_frequencies(found.energies, crystal, name)
        return found
    return _level_in_gap(found)


def _level_in_gap(bands: BandStructure, n_filled: int | None = None) -> BandStructure:
    """The Fermi level in mid-gap, where a program put it a little into a band of an insulator.

    Args:
        n_filled: bands that the occupations fill; None: not known, then only a level within
            `_NEAR_EDGE` of a gap is moved.
    """
    level = bands.fermi_level
    assert level is not None
    candidates = range(1, bands.n_bands) if n_filled is None else [n_filled]
    for n in candidates:
        if not 0 < n < bands.n_bands:
            continue
        valence, conduction = bands.energies[:, :n].max(), bands.energies[:, n:].min()
        near = valence - _NEAR_EDGE <= level <= conduction + _NEAR_EDGE
        if valence <= level < conduction or conduction - valence < 2 * _NEAR_EDGE:
            continue
        if near or n_filled is not None:
            return replace(
                bands,
                fermi_level=float(valence + conduction) / 2,
                metadata=bands.metadata | {"fermi_level_of_the_file": level},
            )
    return bands


def _from_json(data: Any, structure: Any, name: str, id: str) -> BandStructure:
    entry = data if isinstance(data, dict) else {}
    material = str(entry.get("material_id") or id)
    bands = entry["bands"] if "@class" not in entry and "bands" in entry else entry
    structure = entry.get("structure") or structure
    kind = bands.get("@class") if isinstance(bands, dict) else None
    try:
        if kind in ("BandStructureSymmLine", "LobsterBandStructureSymmLine"):
            from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine

            found: Any = BandStructureSymmLine.from_dict(plain(bands))
            return _from_pymatgen(found, structure, material)
        if kind == "PhononBandStructureSymmLine":
            from pymatgen.phonon.bandstructure import PhononBandStructureSymmLine

            phonons = PhononBandStructureSymmLine.from_dict(plain(bands))
            return _from_pymatgen(phonons, structure, material)
        if kind is None:
            return BandStructure.from_dict(bands)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except Exception as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name}: its bands cannot be read ({words}); write the file again") from (
            error
        )
    raise DataError(
        f"{name}: holds a {kind}, no bands along a path; allowed: BandStructureSymmLine, "
        "PhononBandStructureSymmLine"
    )


def _from_vasprun(path: Path, id: str) -> BandStructure:
    run = open_vasprun(path)
    beside = path.with_name("KPOINTS")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bands: Any = run.get_band_structure(
                kpoints_filename=str(beside) if beside.is_file() else None, line_mode=True
            )
    except Exception as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"{path}: holds no bands along lines ({words}); calculate them with a KPOINTS file in "
            "line mode and keep it beside"
        ) from error
    found = _from_pymatgen(bands, run.final_structure, id)
    weights = np.asarray(run.actual_kpoints_weights, dtype=np.float64)
    if not run.eigenvalues or not weights.sum() > 0:
        return found
    occupied = [np.asarray(values) for values in run.eigenvalues.values()]
    if any(len(values) != len(weights) for values in occupied):
        return found
    # VASP 6 puts the Fermi level a little into a band of an insulator: the occupations know.
    edges = eigenvalue_edges(occupied, weights)
    if isinstance(edges, str):
        return found
    n_filled = round(float(weights @ occupied[0][..., 1].sum(axis=1) / weights.sum()))
    return _level_in_gap(found, n_filled)
