"""PBE electron states of small non-magnetic crystals, computed for this project.

Structures of the Materials Project (v2025.02.12, CC-BY 4.0), primitive cells of at most 8 atoms,
GPAW 26.7, plane waves, PBE, no spin. The files hold eigenvalues on a k-mesh and along a path; the
densities of states are made of those of the mesh here, with tetrahedra. They are part of the
package (``data/electron_pbe``); `scripts/label_electrons.py` computes more.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.symmetry import crystal_system_of
from vanhove.datasets.cache import read_content
from vanhove.datasets.dataset import PARTS, SpectrumDataset
from vanhove.datasets.electron_store import PATH_STEP, STEP, Record, unpack
from vanhove.datasets.kept_arrays import Arrays, kept_arrays
from vanhove.datasets.registry import register_dataset
from vanhove.datasets.splits import hashed_split
from vanhove.errors import DataError
from vanhove.physics.tetrahedra import tetrahedra_of
from vanhove.spectra.eigenvalues import BandEdges, Eigenvalues, band_edges
from vanhove.spectra.electron_dos import ELECTRON_TARGETS
from vanhove.spectra.quantities import ELECTRON_DOS

FOLDER = Path(str(files("vanhove.datasets") / "data" / "electron_pbe"))
"""The files of the set, part-1.npz, ...; `scripts/merge_electron_labels.py` adds to them."""

FIRST_PARTS = FOLDER / "first_parts.json"
"""Ids of the validation and test split as they were at 416 materials; they never change."""

SECOND_TEST = FOLDER / "second_test.json"
"""Ids of later materials whose formulas hashing puts into the test split, as of 673 materials."""

SPLIT_SEED = 0
SPLIT_NAME = f"random by formula (seed {SPLIT_SEED}); valid and test as of the first 416"
FORMAT = 1
"""Raise it when what is kept of the densities, or how they are computed, changes."""
_DECIMALS = 5
"""Of the computed densities, so that the last bits of another machine's arithmetic do not make
another data set."""


@dataclass(frozen=True, eq=False)
class ElectronStates:
    """What the set holds of one material. Energies in eV, absolute, increasing with the band.

    Attributes:
        crystal: as computed, named by its id.
        space_group: number, 1 to 230.
        n_electrons: valence electrons per cell.
        cutoff: of the plane waves, eV.
        code_fermi_level: as the code gave it, eV, with Fermi-Dirac smearing of 0.05 eV.
        mesh_energies: ``[n_kpoints, n_bands]``.
        mesh_kpoints: irreducible points, fractional, ``[n_kpoints, 3]``.
        mesh_weights: ``[n_kpoints]``, sum 1.
        n_full: points of the full mesh.
        path_energies: ``[n_path_kpoints, n_path_bands]``.
        path_kpoints: fractional, ``[n_path_kpoints, 3]``.
        path_x: position along the path, 1/angstrom, ``[n_path_kpoints]``.
        path_labels: the path (commas at jumps), positions of its special points, their names.
    """

    crystal: Crystal
    space_group: int
    n_electrons: int
    cutoff: float
    code_fermi_level: float
    mesh_energies: np.ndarray
    mesh_kpoints: np.ndarray
    mesh_weights: np.ndarray
    n_full: int
    path_energies: np.ndarray
    path_kpoints: np.ndarray
    path_x: np.ndarray
    path_labels: tuple[str, list[float], list[str]]

    @cached_property
    def eigenvalues(self) -> Eigenvalues:
        """On the mesh, with tetrahedra.

        Raises:
            DataError: as `Eigenvalues` and `tetrahedra_of`.
        """
        return Eigenvalues(
            self.mesh_energies,
            self.mesh_weights,
            self.n_electrons,
            tetrahedra=tetrahedra_of(
                self.crystal, self.mesh_kpoints, self.n_full, self.mesh_weights
            ),
        )

    @cached_property
    def mesh_edges(self) -> BandEdges:
        """Of the mesh alone: where the density of states ends. Energies of the data sets count
        from these."""
        return band_edges(self.eigenvalues)

    @cached_property
    def edges(self) -> BandEdges:
        """Of mesh and path together: the band gap."""
        return band_edges(self.eigenvalues, self.path_energies)


@register_dataset("electron_pbe")
def load_electron_pbe() -> SpectrumDataset:
    """Electron DOS (PBE, computed for this project) as in DOSTransformer: -5 to 5 eV, 201 points.

    From the VBM, for metals from the Fermi level; smoothed, minimum 0 and maximum 1. Split by
    formula, about 80 / 10 / 10. See `dostransformer_electron_dos`.

    Raises:
        DataError: a file is damaged.
    """
    return _dataset("electron_pbe", "dostransformer")


@register_dataset("electron_pbe_128")
def load_electron_pbe_128() -> SpectrumDataset:
    """Electron DOS (PBE, computed for this project) as in Mat2Spec: 128 bins, the gap left out.

    4 eV below the VBM and 4 eV above the CBM, states/eV/cell. Split by formula as `electron_pbe`.
    See `mat2spec_electron_dos`.

    Raises:
        DataError: a file is damaged.
    """
    return _dataset("electron_pbe_128", "mat2spec")


def load_electron_states() -> dict[str, ElectronStates]:
    """Eigenvalues on mesh and path, by id, in the order of the files.

    Raises:
        DataError: a file is damaged, or lacks an array.
    """
    return dict(_read(FOLDER)[0])


def electron_data_hash() -> str:
    """SHA-256 (hex) of the files of `electron_pbe`."""
    return _read(FOLDER)[1]


def electron_parts(ids: Sequence[str], formulas: Sequence[str]) -> dict[str, np.ndarray]:
    """Who trains, validates and tests, for ever: rows by part.

    The part of a material follows from its reduced formula alone (`hashed_split`). ``valid`` and
    ``test`` hold the materials that were there when the set had 416, and no others, so that numbers
    measured on them stay comparable. Later ones whose formula falls there neither train nor change
    them: they are ``later_valid``, and ``second_test``, which is quoted beside the first and was
    fixed once (`SECOND_TEST`), or ``later_test``.

    Args:
        ids, formulas: of the materials.

    Returns:
        sorted rows under ``train``, ``valid``, ``test``, ``later_valid``, ``second_test`` and
        ``later_test``.
    """
    parts = hashed_split(formulas, seed=SPLIT_SEED)
    first = json.loads(FIRST_PARTS.read_text())
    for part, later in (("valid", "later_valid"), ("test", "second_test")):
        fixed = set(first[part])
        old = np.array([ids[row] in fixed for row in parts[part]], dtype=bool)
        parts[part], parts[later] = parts[part][old], parts[part][~old]
    second = set(json.loads(SECOND_TEST.read_text()))
    fixed_too = np.array([ids[row] in second for row in parts["second_test"]], dtype=bool)
    later_test = parts["second_test"][~fixed_too]
    return parts | {"second_test": parts["second_test"][fixed_too], "later_test": later_test}


def load_electron_properties(ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Numbers that follow from the eigenvalues, in the order of ``ids``, each ``[n_materials]``.

    ``band_gap`` (mesh and path together), ``mesh_band_gap`` (what the DOS shows; larger where the
    mesh misses a band edge), ``vbm``, ``cbm``, ``fermi_level`` (eV, absolute, of mesh and path; for
    metals all three are the energy up to which the mesh is filled, for insulators the Fermi level
    is the middle of the gap), ``is_metal``, ``n_electrons``, ``space_group``.

    Raises:
        DataError: an id that the set does not hold, or as `load_electron_states`.
    """
    states = load_electron_states()
    unknown = [material for material in ids if material not in states]
    if unknown:
        raise DataError(
            f"{len(unknown)} ids are not in electron_pbe, first {unknown[0]!r}; "
            "load_electron_states() lists those that are"
        )
    chosen = [states[material] for material in ids]
    return {
        "band_gap": np.array([s.edges.gap for s in chosen]),
        "mesh_band_gap": np.array([s.mesh_edges.gap for s in chosen]),
        "vbm": np.array([s.edges.vbm for s in chosen]),
        "cbm": np.array([s.edges.cbm for s in chosen]),
        "fermi_level": np.array([s.edges.fermi_level for s in chosen]),
        "is_metal": np.array([s.edges.is_metal for s in chosen]),
        "n_electrons": np.array([s.n_electrons for s in chosen]),
        "space_group": np.array([s.space_group for s in chosen]),
    }


def parts_of(states: Sequence[ElectronStates]) -> dict[str, np.ndarray]:
    """Train, valid and test of `electron_parts`; later materials of the latter two are in none."""
    parts = electron_parts(
        [state.crystal.name for state in states], [state.crystal.formula for state in states]
    )
    return {part: parts[part] for part in PARTS}


def _dataset(name: str, paper: str) -> SpectrumDataset:
    states, target = load_electron_states(), ELECTRON_TARGETS[paper]
    made = _densities(states, paper)
    reasons: list[str] = json.loads(made["reasons"].tobytes())
    problems, values = [], {}
    for row, (material, state) in enumerate(states.items()):
        if reasons[row]:
            problems.append(f"{material} ({reasons[row]})")
            continue
        values[material] = made["values"][row]
        *energies, is_metal = made["edges"][row].tolist()  # what the property would find again
        vars(state)["mesh_edges"] = BandEdges(energies[0], energies[1], energies[2], bool(is_metal))
    if not values:
        raise DataError(f"electron_pbe: no entry can be used: {'; '.join(problems[:3])}")
    used = [states[material] for material in values]
    notes = [*_notes(used), target.note]
    if problems:
        notes.append(f"{len(problems)} entries left out: {'; '.join(problems)}.")
    return SpectrumDataset(
        name=name,
        ids=list(values),
        crystals=[state.crystal for state in used],
        grid=target.grid,
        unit="eV",
        normalisation=target.normalisation,
        quantity=ELECTRON_DOS.name,
        values=np.stack(list(values.values())),
        splits=parts_of(used),
        split_name=SPLIT_NAME,
        notes=notes,
    )


def _densities(states: dict[str, ElectronStates], paper: str) -> Arrays:
    """Densities of states and band edges of the mesh, kept in the cache.

    ``values`` ``[n_materials, n_points]``; ``edges``: VBM, CBM, Fermi level and whether it is a
    metal, ``[n_materials, 4]``; ``reasons``: JSON, why a material has none, else "".
    """
    target = ELECTRON_TARGETS[paper]

    def build() -> Arrays:
        values = np.zeros((len(states), len(target.grid)))
        edges, reasons = np.zeros((len(states), 4)), [""] * len(states)
        for row, state in enumerate(states.values()):
            try:
                own = state.mesh_edges
                computed = target.density(state.eigenvalues, own)
            except DataError as error:
                reasons[row] = str(error)
            else:
                values[row] = np.round(computed, _DECIMALS)
                edges[row] = own.vbm, own.cbm, own.fermi_level, own.is_metal
        text = np.frombuffer(json.dumps(reasons).encode(), dtype=np.uint8)
        return {"values": values, "edges": edges, "reasons": text}

    parts = [FORMAT, paper, electron_data_hash(), version("spglib")]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return kept_arrays(
        "densities", f"electron_pbe-{key}", build, lambda found: len(found["edges"]) == len(states)
    )


def _notes(states: list[ElectronStates]) -> list[str]:
    systems = Counter(crystal_system_of(state.space_group) for state in states)
    species = Counter(len(np.unique(state.crystal.atomic_numbers)) for state in states)
    n_metals = sum(state.mesh_edges.is_metal for state in states)
    return [
        f"Small: {len(states)} crystals ({n_metals} metals), cheap cells first, so high symmetry "
        "and few atoms are over-represented: "
        + ", ".join(f"{system} {n}" for system, n in systems.most_common())
        + "; number of species "
        + ", ".join(f"{k}: {species[k]}" for k in sorted(species))
        + ".",
        "Computed for this project: GPAW 26.7, PBE, plane waves of 340 or 450 eV, no spin, no "
        "spin-orbit, Materials Project structures (v2025.02.12) not relaxed; k-mesh of 4 points "
        "per 1/angstrom, linear tetrahedra, no broadening.",
        "It grows, and numbers measured on it change with it. The part of a material depends on "
        "its formula alone, and the validation and test split are those of the first 416 materials "
        "for ever: later ones of these formulas are left out. Files with SHA-256 "
        f"{electron_data_hash()[:12]}...",
    ]


@lru_cache(maxsize=1)
def _read(folder: Path) -> tuple[dict[str, ElectronStates], str]:
    """All materials by id, and the SHA-256 of the files."""
    states: dict[str, ElectronStates] = {}
    digest = hashlib.sha256()
    for path in sorted(folder.glob("part-*.npz")):
        content = read_content(path)
        digest.update(content)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                records = unpack({name: archive[name] for name in archive.files})
            found = [_state(record) for record in records]
        except (DataError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: {error}; replace the file") from error
        repeated = [s.crystal.name for s in found if s.crystal.name in states]
        repeated += [i for i, n in Counter(s.crystal.name for s in found).items() if n > 1]
        if repeated:
            raise DataError(f"{path}: {len(repeated)} ids repeat, first {repeated[0]!r}")
        states |= {state.crystal.name: state for state in found}
    if not states:
        raise DataError(f"{folder} holds no part-*.npz: install the package anew")
    return states, digest.hexdigest()


def _state(record: Record) -> ElectronStates:
    n_full = int(record.divisions.prod())
    path, positions, names = json.loads(record.path_labels)
    return ElectronStates(
        crystal=Crystal(record.lattice, record.fractional, record.numbers, record.id),
        space_group=record.space_group,
        n_electrons=record.n_electrons,
        cutoff=float(record.cutoff_eV),
        code_fermi_level=record.fermi_level * STEP,
        mesh_energies=record.mesh * STEP,
        mesh_kpoints=record.mesh_kpoints / record.divisions,
        mesh_weights=record.mesh_counts / n_full,
        n_full=n_full,
        path_energies=record.path * STEP,
        path_kpoints=record.path_kpoints * PATH_STEP,
        path_x=record.path_x.astype(np.float64),
        path_labels=(path, positions, names),
    )
