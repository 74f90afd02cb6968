"""What calculations leave in a folder, as spectra: which quantity it is, and in which unit.

Every reader gives the spectrum in the unit of vanhove with its crystal, or raises a `DataError`
that says why the file cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.reading import (
    crystal_from_dict,
    find_structure_files,
    parse_crystals,
    read_crystal,
)
from vanhove.crystal.symmetry import primitive_cell
from vanhove.datasets.calculated_dos import ElectronDOS
from vanhove.datasets.phonopy_files import length_unit, phonopy_cell
from vanhove.datasets.vasp import read_electron_dos
from vanhove.errors import DataError, StructureError
from vanhove.results import Json
from vanhove.spectra.density import THZ_PER_CM1
from vanhove.spectra.plausibility import check_frequencies, check_modes
from vanhove.spectra.quantities import ELECTRON_DOS, PHONON_DOS
from vanhove.spectra.spectrum import Spectrum
from vanhove.untrusted import parse_json, parse_yaml, read_file

_SMEARING = 5.0
"""1/cm: width of the Gaussian that makes a density of the frequencies of a mesh."""
_MESH = 40.0
"""Length of the mesh, angstrom, on which phonopy calculates from force constants."""
_DIM = re.compile(r"^\s*DIM\s*=\s*([-\d ]+)", re.MULTILINE | re.IGNORECASE)
_YAML_CELLS = ("phonopy.yaml", "mesh.yaml", "band.yaml", "phonopy_disp.yaml", "phonopy_params.yaml")


@dataclass(frozen=True)
class Found:
    """A spectrum that a calculation left.

    Attributes:
        spectrum: of phonons, in 1/cm, 3N modes; or an `ElectronDOS`.
        unit: of the file.
        normalisation: of the file, in words.
        structure: where the structure came from.
    """

    spectrum: Spectrum | ElectronDOS
    unit: str
    normalisation: str
    structure: str

    @property
    def quantity(self) -> str:
        return PHONON_DOS.name if isinstance(self.spectrum, Spectrum) else ELECTRON_DOS.name

    @property
    def crystal(self) -> Crystal:
        assert self.spectrum.crystal is not None
        return self.spectrum.crystal


class NoDensityError(DataError):
    """A file that may lie beside calculations, such as a structure in JSON."""


def reader_of(path: Path) -> Callable[[Path], Found] | None:
    """What reads a file, by its name and first line; None: a calculation leaves no such data."""
    name = path.name.lower().removesuffix(".gz")
    if name.startswith("vasprun") and name.endswith(".xml"):
        return _vasprun
    named = {
        "doscar": _doscar,
        "total_dos.dat": _total_dos,
        "projected_dos.dat": _projected_dos,
        "mesh.yaml": _mesh,
        "band.yaml": _refuse(
            "bands along a path, no density of states; to train on bands, give the folder itself "
            "as data.dataset, with data.electron_target bands"
        ),
        "force_constants": _force_constants,
        "force_constants.hdf5": _force_constants,
        "phonopy_params.yaml": _force_constants,
    }
    if name in named:
        return named[name]
    if name.endswith(".json"):
        return _json
    if name.endswith((".dos", ".dat", ".freq")) and path.stat().st_size:
        return _matdyn_dos if name == "matdyn.dos" else _matdyn_reader(path)
    return None


PREFERENCE = (
    "total_dos.dat",
    "mesh.yaml",
    "projected_dos.dat",
    "phonopy_params.yaml",
    "FORCE_CONSTANTS",
    "band.yaml",
)
"""Of several files of one material and quantity the first of these is taken."""


def _refuse(reason: str) -> Callable[[Path], Found]:
    def read(path: Path) -> Found:
        raise DataError(f"{path}: {reason}")

    return read


# Structures


def _structure(path: Path) -> tuple[Crystal, str]:
    """The structure beside a file of phonons: the primitive cell that phonopy used, if it says it.

    Raises:
        DataError: there is none, or there are several.
    """
    for name in _YAML_CELLS:
        file = path.with_name(name)
        if file.is_file():
            data = parse_yaml(read_file(file), str(file))
            cell = data.get("primitive_cell") or data.get("unit_cell") or data
            if "points" in cell and "lattice" in cell:
                unit = length_unit(data, str(file))
                return phonopy_cell(cell, str(file), path.parent.name, unit), name
    try:
        files = find_structure_files(path.parent)
    except StructureError:
        files = []
    files = [f for f in files if f.suffix.lower() != ".json" and not f.name.startswith("SPOSCAR")]
    if not files:
        return _espresso_structure(path)
    if len(files) > 1:
        poscar = [f for f in files if f.name == "POSCAR"]
        if len(poscar) != 1:
            names = ", ".join(f.name for f in files[:4])
            raise DataError(f"{path}: several structures beside it ({names}); keep one")
        files = poscar
    try:
        return read_crystal(files[0]), files[0].name
    except StructureError as error:
        raise DataError(f"{path}: the structure beside it cannot be used: {error}") from error


def _espresso_structure(path: Path) -> tuple[Crystal, str]:
    from ase.io import read

    reasons = ""
    for file in sorted([*path.parent.glob("*.in"), *path.parent.glob("*.out")]):
        kind = "espresso-in" if file.suffix == ".in" else "espresso-out"
        try:
            found: Any = read(file, format=kind)
            return read_crystal(found), file.name
        except Exception as error:  # of files that may be anything
            reasons += f" ({file.name}: {' '.join(str(error).split())[:80]})"
    raise DataError(f"{path}: no structure beside it{reasons}; put a POSCAR or a CIF there")


def _same_cell(crystal: Crystal, n_modes: float) -> Crystal:
    """The cell that the density counts in: the given one, or its primitive cell."""
    if abs(n_modes - 3 * crystal.n_atoms) > 0.3 * crystal.n_atoms:
        smaller = primitive_cell(crystal)
        if abs(n_modes - 3 * smaller.n_atoms) <= 0.3 * smaller.n_atoms:
            return smaller
    return crystal


def _phonons(
    grid: np.ndarray, values: np.ndarray, path: Path, unit: str, normalisation: str = "3N"
) -> Found:
    """Grid (1/cm) and modes per 1/cm and cell, checked against the structure beside the file."""
    crystal, where = _structure(path)
    there = values > 1e-6 * values.max(initial=0)
    check_frequencies(grid[there] if there.any() else grid, crystal, str(path), unit)
    crystal = _same_cell(crystal, float(np.trapezoid(values, grid)))
    check_modes(grid, values, crystal.n_atoms, str(path))
    spectrum = Spectrum(
        grid=grid, values=np.maximum(values, 0), unit="cm-1", normalisation="3N", crystal=crystal
    )
    return Found(spectrum, unit, normalisation, where)


# phonopy


def _columns(path: Path) -> np.ndarray:
    try:
        text = read_file(path).decode("utf-8-sig")
        return np.loadtxt(text.splitlines(), ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: is no table of numbers ({error})") from error


def _total_dos(path: Path) -> Found:
    rows = _columns(path)
    if rows.shape[1] != 2:
        raise DataError(f"{path}: {rows.shape[1]} columns; total_dos.dat has two")
    return _phonons(rows[:, 0] / THZ_PER_CM1, rows[:, 1] * THZ_PER_CM1, path, "THz")


def _projected_dos(path: Path) -> Found:
    rows = _columns(path)
    values = rows[:, 1:].sum(axis=1)
    normalisation = f"3N, sum of {rows.shape[1] - 1} projections"
    return _phonons(rows[:, 0] / THZ_PER_CM1, values * THZ_PER_CM1, path, "THz", normalisation)


def _mesh(path: Path) -> Found:
    data = parse_yaml(read_file(path), str(path))
    try:
        weights = np.array([point["weight"] for point in data["phonon"]], dtype=np.float64)
        frequencies = np.array(
            [[band["frequency"] for band in point["band"]] for point in data["phonon"]],
            dtype=np.float64,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: no mesh.yaml of phonopy ({error}); write it again") from error
    return _smeared(frequencies / THZ_PER_CM1, weights, path, "THz")


def _smeared(frequencies: np.ndarray, weights: np.ndarray, path: Path, unit: str) -> Found:
    """Of frequencies (1/cm) ``[n_points, n_modes]`` on a mesh, weighted."""
    crystal, _ = _structure(path)
    check_frequencies(frequencies, crystal, str(path))
    low, high = frequencies.min() - 5 * _SMEARING, frequencies.max() + 5 * _SMEARING
    grid = np.arange(low, high + 1, 1.0)
    share = np.repeat(weights / weights.sum(), frequencies.shape[1])
    counts = np.histogram(frequencies.ravel(), np.append(grid, grid[-1] + 1) - 0.5, weights=share)[
        0
    ]
    reach = np.arange(-int(5 * _SMEARING), int(5 * _SMEARING) + 1)
    kernel = np.exp(-0.5 * (reach / _SMEARING) ** 2)
    values = np.convolve(counts, kernel / kernel.sum(), mode="same")
    return _phonons(grid, values, path, unit, f"3N, Gaussian of {_SMEARING:g} 1/cm")


def _force_constants(path: Path) -> Found:
    try:
        import phonopy
    except ModuleNotFoundError:
        raise DataError(f"{path}: needs phonopy: pip install phonopy") from None
    try:
        cell = _phonopy_input(path)
        if path.name.lower().startswith("force_constants"):
            cell["force_constants_filename"] = path
        phonon = phonopy.load(**cell, log_level=0)
        phonon.run_mesh(_MESH, with_eigenvectors=False)
        mesh: Any = phonon.mesh
    except DataError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path}: phonopy cannot calculate from it ({words})") from error
    return _smeared(mesh.frequencies / THZ_PER_CM1, mesh.weights, path, "THz")


def _phonopy_input(path: Path) -> Json:
    """What `phonopy.load` must know of the cells: a file of phonopy, or POSCAR and supercell."""
    for name in ("phonopy_params.yaml", "phonopy.yaml", "phonopy_disp.yaml"):
        if path.with_name(name).is_file():
            return {"phonopy_yaml": path.with_name(name)}
    unit = path.with_name("POSCAR")
    if not unit.is_file():
        raise DataError(f"{path}: no phonopy.yaml and no POSCAR beside it; put one of them there")
    if path.with_name("SPOSCAR").is_file():
        (large,) = parse_crystals(read_file(path.with_name("SPOSCAR")), "POSCAR")
        matrix = large.lattice @ np.linalg.inv(read_crystal(unit).lattice)
    else:
        texts = [read_file(file).decode("latin-1") for file in sorted(path.parent.glob("*.conf"))]
        dims = [m.group(1).split() for t in texts for m in _DIM.finditer(t)]
        if not dims or len(dims[0]) not in (3, 9):
            raise DataError(
                f"{path}: neither phonopy.yaml, SPOSCAR nor DIM in a .conf file says what "
                "supercell it is of; put one of them there"
            )
        numbers = np.array(dims[0], dtype=float)
        matrix = np.diag(numbers) if len(numbers) == 3 else numbers.reshape(3, 3).T
    if np.abs(matrix - np.rint(matrix)).max() > 0.01:
        raise DataError(f"{path}: SPOSCAR is no supercell of POSCAR")
    whole = np.rint(matrix).astype(int).T  # phonopy's columns are the vectors
    return {"unitcell_filename": unit, "supercell_matrix": whole, "primitive_matrix": "auto"}


# Quantum ESPRESSO


def _matdyn_reader(path: Path) -> Callable[[Path], Found] | None:
    head = read_file(path, 400).decode("latin-1")
    if re.match(r"\s*#\s*Frequency\s*\[cm\^-1\]\s*DOS", head, re.IGNORECASE):
        return _matdyn_dos
    if re.match(r"\s*&plot\s+nbnd", head, re.IGNORECASE):
        return _refuse("frequencies of matdyn at points, without weights; run it with dos=.true.")
    return None


def _matdyn_dos(path: Path) -> Found:
    rows = _columns(path)
    return _phonons(rows[:, 0], rows[:, 1], path, "1/cm")


# VASP


def _electrons(dos: ElectronDOS, structure: str) -> Found:
    return Found(dos, "eV", "states/eV/cell", structure)


def _vasprun(path: Path) -> Found:
    return _electrons(read_electron_dos(path), path.name)


def _doscar(path: Path) -> Found:
    lines = read_file(path).decode("latin-1").splitlines()
    poscar = next((p for p in ("CONTCAR", "POSCAR") if path.with_name(p).is_file()), None)
    if poscar is None:
        raise DataError(f"{path}: no POSCAR or CONTCAR beside it")
    try:
        n_points, fermi = int(lines[5].split()[2]), float(lines[5].split()[3])
        rows = np.array([line.split() for line in lines[6 : 6 + n_points]], dtype=np.float64)
    except (IndexError, ValueError) as error:
        raise DataError(f"{path}: no DOSCAR of VASP, or cut off ({error})") from error
    if len(rows) != n_points or rows.shape[1] not in (3, 5):
        raise DataError(f"{path}: {len(rows)} of {n_points} rows; is the file cut off?")
    spins = [rows[:, 1]] if rows.shape[1] == 3 else [rows[:, 1], rows[:, 2]]
    crystal = read_crystal(path.with_name(poscar))
    dos = {
        "energies": rows[:, 0].tolist(),
        "densities": {str(1 - 2 * i): spin.tolist() for i, spin in enumerate(spins)},
        "efermi": fermi,
    }
    return _electrons(read_electron_dos(dos, structure=crystal, id=path.parent.name), poscar)


# JSON


def _json(path: Path) -> Found:
    data = parse_json(read_file(path), str(path))
    if not isinstance(data, dict):
        raise DataError(f"{path}: is no object")
    entry = next(
        (data[k] for k in ("dos", PHONON_DOS.name, "ph_dos") if isinstance(data.get(k), dict)), data
    )
    if "frequencies" in entry and "densities" in entry:
        structure = entry.get("structure") or data.get("structure")
        if structure is None:
            raise DataError(f"{path}: a density of phonons without a structure")
        crystal = crystal_from_dict(structure)
        grid = np.asarray(entry["frequencies"], dtype=np.float64) / THZ_PER_CM1
        values = np.asarray(entry["densities"], dtype=np.float64) * THZ_PER_CM1
        check_frequencies(grid[values > 1e-6 * values.max(initial=0)], crystal, str(path))
        crystal = _same_cell(crystal, float(np.trapezoid(values, grid)))
        check_modes(grid, values, crystal.n_atoms, str(path))
        spectrum = Spectrum(grid, np.maximum(values, 0), "cm-1", "3N", crystal=crystal)
        return Found(spectrum, "THz", "3N", path.name)
    if "energies" in entry and "densities" in entry:
        return _electrons(read_electron_dos(path), path.name)
    raise NoDensityError(
        f"{path}: JSON without a density of states (frequencies or energies, densities)"
    )
