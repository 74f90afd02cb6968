"""Files of phonons for other programs: ``band.yaml``, the phonon website, moving atoms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.atomic import write_text
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.kpath import KPoints, gamma_directions
from vanhove.errors import ConfigError
from vanhove.spectra.density import THZ_PER_CM1
from vanhove.spectra.phonon_modes import PhononModes

_LARGEST_SIDE = 8
"""Of the cells in an animation: longer waves do not fit and break off at its border."""
_WEBSITE_ATOMS = 150


def band_yaml(phonons: PhononModes, path: KPoints, eigenvectors: bool) -> str:
    """See `Phonons.write_band_yaml`."""
    crystal = phonons.crystal
    stretches = path.segments
    rows = np.concatenate([np.arange(a, b + 1) for a, b in stretches])
    directions = _directions(path, stretches)
    if eigenvectors:
        frequencies, vectors = phonons.modes(path.fractional[rows], directions)
    else:
        frequencies, vectors = phonons.frequencies(path.fractional[rows], directions), None
    reciprocal = np.linalg.inv(crystal.lattice).T  # phonopy's has no factor 2 pi
    lines = [f"nqpoint: {len(rows)}", f"npath: {len(stretches)}", "segment_nqpoint:"]
    lines += [f"- {b - a + 1}" for a, b in stretches]
    lines.append("labels:")
    lines += [f"- [ {_label(path, a)}, {_label(path, b)} ]" for a, b in stretches]
    lines += ["reciprocal_lattice:", *_matrix(reciprocal)]
    lines += [f"natom: {crystal.n_atoms}", "lattice:", *_matrix(crystal.lattice), "points:"]
    masses = phonons.harmonic.masses.numpy()
    for number, site, mass in zip(
        crystal.atomic_numbers, crystal.fractional_coordinates, masses, strict=True
    ):
        lines += [f"- symbol: {SYMBOLS[number]}", f"  coordinates: {_row(site)}"]
        lines.append(f"  mass: {mass:.6f}")
    lines += ["", "phonon:"]
    distances = path.distances[rows] / (2 * np.pi)
    for n, row in enumerate(rows):
        lines += [f"- q-position: {_row(path.fractional[row])}", f"  distance: {distances[n]:.7f}"]
        if path.labels[row]:
            lines.append(f"  label: {_label(path, row)}")
        lines.append("  band:")
        for mode, frequency in enumerate(frequencies[n] * THZ_PER_CM1):
            lines += [f"  - # {mode + 1}", f"    frequency: {frequency:.10f}"]
            if vectors is not None:
                lines += _eigenvector(vectors[n, mode].reshape(-1, 3))
        lines.append("")
    return "\n".join(lines)


def _directions(path: KPoints, stretches: Sequence[tuple[int, int]]) -> np.ndarray:
    """From which Gamma is approached at both ends of each stretch, fractional."""
    found = []
    for a, b in stretches:
        own = np.zeros((b - a + 1, 3))
        for row, beside in ((0, 1), (-1, -2)):
            point = path.fractional[a : b + 1][row]
            if np.abs(point - np.rint(point)).max() < 1e-9:
                own[row] = path.fractional[a : b + 1][beside] - point
        found.append(own)
    return np.concatenate(found)


def _label(path: KPoints, row: int) -> str:
    label = path.labels[row] or "".join(f"{x:.3g} " for x in path.fractional[row]).strip()
    return r"'$\Gamma$'" if label == "Γ" else f"'{label}'"


def _row(values: np.ndarray) -> str:
    return f"[ {', '.join(f'{value:.10f}' for value in values)} ]"


def _matrix(rows: np.ndarray) -> list[str]:
    return [f"- {_row(row)}" for row in rows]


def _eigenvector(vector: np.ndarray) -> list[str]:
    lines = ["    eigenvector:"]
    for atom, components in enumerate(vector):
        lines.append(f"    - # atom {atom + 1}")
        lines += [f"      - [ {x.real:.12f}, {x.imag:.12f} ]" for x in components]
    return lines


def website_json(phonons: PhononModes, path: KPoints) -> str:
    """See `Phonons.to_phononwebsite`."""
    crystal = phonons.crystal
    frequencies, vectors = phonons.modes(path.fractional, gamma_directions(path))
    # There a whole cell moves with one phase: that of each atom in it belongs to the vectors.
    phase = np.exp(2j * np.pi * path.fractional @ crystal.fractional_coordinates.T)
    moves = vectors.reshape(*vectors.shape[:2], -1, 3) * phase[:, None, :, None]
    moves = moves / np.sqrt(phonons.harmonic.masses.numpy())[:, None]
    moves = moves / np.linalg.norm(moves, axis=(2, 3), keepdims=True)
    ends = [0, *(path.jumps + 1).tolist(), len(path)]
    symbols = [SYMBOLS[number] for number in crystal.atomic_numbers]
    side = max(1, min(5, round((_WEBSITE_ATOMS / crystal.n_atoms) ** (1 / 3))))
    content: dict[str, Any] = {
        "name": phonons.name or crystal.formula,
        "formula": crystal.formula,
        "natoms": crystal.n_atoms,
        "lattice": crystal.lattice.tolist(),
        "atom_types": symbols,
        "atom_numbers": crystal.atomic_numbers.tolist(),
        "atom_pos_car": crystal.cartesian_coordinates.tolist(),
        "atom_pos_red": crystal.fractional_coordinates.tolist(),
        "repetitions": [side] * 3,
        "qpoints": path.fractional.tolist(),
        "distances": path.distances.tolist(),
        "line_breaks": [[a, b] for a, b in pairwise(ends)],
        "highsym_qpts": [[n, label] for n, label in enumerate(path.labels) if label],
        "eigenvalues": frequencies.round(4).tolist(),
        "vectors": np.stack([moves.real, moves.imag], axis=-1).round(6).tolist(),
    }
    return json.dumps(content, allow_nan=False)


def moving_atoms(
    phonons: PhononModes,
    qpoint: Sequence[float],
    mode: int,
    amplitude: float,
    n_frames: int,
    cells: Sequence[int] | None,
    direction: Sequence[float] | None,
) -> list[Crystal]:
    """See `Phonons.animation`."""
    crystal = phonons.crystal
    point = np.asarray(qpoint, dtype=np.float64)
    if point.shape != (3,) or not 0 <= mode < phonons.n_modes:
        raise ConfigError(
            f"q-point {list(qpoint)}, mode {mode}: three numbers are needed, and a mode from 0 to "
            f"{phonons.n_modes - 1}"
        )
    if n_frames < 1 or not amplitude >= 0:
        raise ConfigError(f"{n_frames} frames of {amplitude} angstrom; give positive numbers")
    towards = None if direction is None else [direction]
    frequencies, vectors = phonons.modes([point], towards)
    vector = vectors[0, mode].reshape(-1, 3) / np.sqrt(phonons.harmonic.masses.numpy())[:, None]
    vector = vector * amplitude / np.linalg.norm(vector, axis=1).max()
    sides = np.array(cells if cells is not None else _commensurate(point), dtype=int)
    if sides.shape != (3,) or (sides < 1).any():
        raise ConfigError(f"cells {list(sides)}; three positive numbers are needed")
    shifts = np.indices(tuple(sides)).reshape(3, -1).T
    places = (shifts[:, None] + crystal.fractional_coordinates).reshape(-1, 3)
    wave = np.exp(2j * np.pi * places @ point)[:, None] * np.tile(vector, (len(shifts), 1))
    frames = []
    for n in range(n_frames):
        moved = places @ crystal.lattice + (wave * np.exp(-2j * np.pi * n / n_frames)).real
        lattice = sides[:, None] * crystal.lattice
        name = f"{phonons.name} {frequencies[0, mode]:.1f} 1/cm".strip()
        numbers = np.tile(crystal.atomic_numbers, len(shifts))
        frames.append(Crystal(lattice, moved @ np.linalg.inv(lattice), numbers, name))
    return frames


def _commensurate(point: np.ndarray) -> list[int]:
    """Cells along each axis after which the wave repeats, or the closest up to a limit."""
    return [Fraction(float(x)).limit_denominator(_LARGEST_SIDE).denominator for x in point]


def write_extxyz(frames: Sequence[Crystal], path: str | Path) -> None:
    """Frames of moving atoms as extended XYZ, positions outside the cell as they are."""
    blocks = []
    for frame in frames:
        lattice = " ".join(f"{x:.8f}" for x in frame.lattice.ravel())
        blocks.append(
            f'{frame.n_atoms}\nLattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T" '
            f'comment="{frame.name}"'
        )
        blocks += [
            f"{SYMBOLS[number]:2s} {x:14.8f} {y:14.8f} {z:14.8f}"
            for number, (x, y, z) in zip(
                frame.atomic_numbers, frame.cartesian_coordinates, strict=True
            )
        ]
    write_text(Path(path), "\n".join(blocks) + "\n")
