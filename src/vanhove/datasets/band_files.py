"""Band structures from files: pymatgen's JSON, VASP's ``vasprun.xml``, phonopy, our own JSON.

Whatever is wrong with a file ends in a `DataError` of one line that names it and says what to do.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.kpath import path_through, plain_label
from vanhove.datasets.vasp import crystal_of, dos_id, file_content, open_vasprun, structure_beside
from vanhove.errors import DataError
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.conversions.pymatgen import bands_from_pymatgen
from vanhove.spectra.quantities import PHONON_BANDS
from vanhove.spectra.spectrum import THZ_PER_CM1

if TYPE_CHECKING:
    from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine

BAND_FILES = "vasprun.xml, .json (each also .gz), phonopy's band.yaml"


def is_band_file(path: Path) -> bool:
    """Whether `read_bands` takes the file, by its name."""
    name = path.name.lower().removesuffix(".gz")
    return not name.startswith((".", "manifest")) and name.endswith((".xml", ".json", ".yaml"))


def read_bands(
    source: str | os.PathLike[str] | dict[str, Any] | BandStructureSymmLine,
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
    content = file_content(path)
    if name.endswith(".yaml"):
        return _from_phonopy(content, str(path), id or path.stem)
    try:
        data = json.loads(content)
    except ValueError as error:
        raise DataError(f"{path}: is not valid JSON ({error}); write the file again") from error
    if structure is None:
        structure = structure_beside(path)
    return _from_json(data, structure, str(path), id or dos_id(path))


def _from_pymatgen(bands: Any, structure: Any, name: str) -> BandStructure:
    return bands_from_pymatgen(bands, crystal_of(bands.structure or structure, name), name)


def _from_json(data: Any, structure: Any, name: str, id: str) -> BandStructure:
    entry = data if isinstance(data, dict) else {}
    material = str(entry.get("material_id") or id)
    bands = entry["bands"] if "@class" not in entry and "bands" in entry else entry
    structure = entry.get("structure") or structure
    kind = bands.get("@class") if isinstance(bands, dict) else None
    try:
        if kind in ("BandStructureSymmLine", "LobsterBandStructureSymmLine"):
            from pymatgen.electronic_structure.bandstructure import BandStructureSymmLine

            found: Any = BandStructureSymmLine.from_dict(bands)
            return _from_pymatgen(found, structure, material)
        if kind == "PhononBandStructureSymmLine":
            from pymatgen.phonon.bandstructure import PhononBandStructureSymmLine

            phonons = PhononBandStructureSymmLine.from_dict(bands)
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
    return _from_pymatgen(bands, run.final_structure, id)


def _from_phonopy(content: bytes, name: str, id: str) -> BandStructure:
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        data = yaml.load(content, Loader=loader)
        lattice = np.array(data["lattice"], dtype=np.float64)
        symbols = [point["symbol"] for point in data["points"]]
        positions = [point["coordinates"] for point in data["points"]]
        fractional = np.array([point["q-position"] for point in data["phonon"]], dtype=np.float64)
        frequencies = np.array(
            [[band["frequency"] for band in point["band"]] for point in data["phonon"]]
        )
        numbers = np.array([SYMBOLS.index(symbol) for symbol in symbols])
        labels = [""] * len(fractional)
        sizes = np.array(data["segment_nqpoint"])
        for pair, start, size in zip(
            data.get("labels") or [], sizes.cumsum() - sizes, sizes, strict=False
        ):
            labels[start], labels[start + size - 1] = map(plain_label, pair)
    except Exception as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name}: no band.yaml of phonopy ({words}); write it again") from error
    crystal = Crystal(lattice, np.array(positions), numbers, id)
    points, kept = path_through(fractional, labels, crystal.lattice)
    return BandStructure(
        kpoints=points,
        energies=frequencies[kept] / THZ_PER_CM1,
        fermi_level=None,
        quantity=PHONON_BANDS.name,
        crystal=crystal,
        name=id,
    )
