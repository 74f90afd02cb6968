"""A Hamiltonian for other programs: H(R), Wannier90's ``_hr.dat``, Fermi surfaces as BXSF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vanhove.atomic import replacing, write_text
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.errors import ConfigError
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.spectra.eigenvalues import GAP_TOLERANCE
from vanhove.version import __version__

_AT_ONCE = 512


def real_space(
    solver: CrystalHamiltonian, level: float, cutoff_eV: float
) -> tuple[np.ndarray, np.ndarray]:
    """See `Electrons.hamiltonian`; ``level`` becomes the zero of energy, eV.

    Bloch matrices on a mesh that holds all lattice vectors that bonds reach, three bonds in a row
    (the factors of the overlap on both sides), and back by a discrete Fourier transform: exact.
    """
    cells = solver.graph.cells.double().numpy() @ np.linalg.inv(solver.crystal.lattice)
    reach = 3 * np.abs(np.rint(cells).astype(int)).max(axis=0, initial=0)
    shape = 2 * reach + 1
    points = np.indices(shape).reshape(3, -1).T / shape
    size = len(solver.graph.orbitals)
    total = np.empty((len(points), size, size), dtype=np.complex64)
    for start in range(0, len(points), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        total[part] = solver.matrix(solver.cartesian(points[part])).numpy()
    blocks = np.fft.fftn(total.reshape(*shape, size, size), axes=(0, 1, 2)) / len(points)
    vectors = (np.indices(shape).reshape(3, -1).T + reach) % shape - reach
    blocks = blocks.reshape(-1, size, size)
    blocks[(vectors == 0).all(axis=1)] -= level * np.eye(size)
    large = np.abs(blocks).max(axis=(1, 2)) >= cutoff_eV
    order = np.lexsort(vectors[large].T[::-1])
    # Orbitals are real, and so is the Hamiltonian between them.
    return vectors[large][order], blocks[large][order].real.astype(np.float64)


def write_wannier90(
    solver: CrystalHamiltonian, level: float, cutoff_eV: float, prefix: Path, name: str
) -> Path:
    """See `Electrons.to_wannier90`; ``name`` is that of the model."""
    crystal = solver.crystal
    vectors, matrices = real_space(solver, level, cutoff_eV)
    size = matrices.shape[1]
    path = prefix.with_name(f"{prefix.name}_hr.dat")
    write_text(
        prefix.with_name(f"{prefix.name}.win"),
        f"num_wann = {size}\nbegin unit_cell_cart\nang\n"
        + "".join(" ".join(f"{x:.10f}" for x in row) + "\n" for row in crystal.lattice)
        + "end unit_cell_cart\nbegin atoms_frac\n"
        + "".join(
            f"{SYMBOLS[z]} " + " ".join(f"{x:.10f}" for x in place) + "\n"
            for z, place in zip(crystal.atomic_numbers, crystal.fractional_coordinates, strict=True)
        )
        + "end atoms_frac\n",
    )
    positions = crystal.cartesian_coordinates
    centres = [("X", positions[atom]) for atom in solver.graph.orbitals.numpy() // 9]
    centres += [
        (SYMBOLS[z], place) for z, place in zip(crystal.atomic_numbers, positions, strict=True)
    ]
    write_text(
        prefix.with_name(f"{prefix.name}_centres.xyz"),
        f"{len(centres)}\nWannier centres, angstrom\n"
        + "".join(f"{name} " + " ".join(f"{x:.8f}" for x in at) + "\n" for name, at in centres),
    )
    lines = [f"vanhove {__version__} {name} {crystal.formula}"]
    lines += [f"{size:12d}", f"{len(vectors):12d}"]
    lines += ["".join(["    1"] * min(15, len(vectors) - i)) for i in range(0, len(vectors), 15)]
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        for vector, matrix in zip(vectors, matrices, strict=True):
            cell = "".join(f"{x:5d}" for x in vector)
            for column in range(size):
                for row in range(size):
                    file.write(
                        f"{cell}{row + 1:5d}{column + 1:5d}{matrix[row, column]:15.8f}{0.0:15.8f}\n"
                    )
    return path


def write_bxsf(
    energies_at: Callable[[np.ndarray], np.ndarray],
    level: float,
    crystal: Crystal,
    divisions: Sequence[int] | np.ndarray,
    path: Path,
) -> Path:
    """See `Electrons.to_bxsf`.

    Args:
        energies_at: from fractional k-points ``[n_k, 3]`` to eV, ``[n_k, n_bands]``.
        level: the Fermi level, eV.
        crystal: in the cell of the k-points.
        divisions: of the mesh.
        path: of the file.
    """
    shape = np.asarray(divisions, dtype=int)
    if shape.shape != (3,) or (shape < 1).any():
        raise ConfigError(f"divisions {divisions}; allowed: three positive numbers")
    # General grids hold the periodic images of the first planes too.
    points = np.indices(tuple((shape + 1).tolist())).reshape(3, -1).T / shape
    energies = energies_at(points)
    crossing = np.flatnonzero(
        (energies.min(axis=0) < level - GAP_TOLERANCE)
        & (energies.max(axis=0) > level + GAP_TOLERANCE)
    )
    if not len(crossing):
        raise ConfigError(
            f"no band of {crystal.formula} crosses the Fermi level: it has no Fermi surface"
        )
    reciprocal = 2 * np.pi * np.linalg.inv(crystal.lattice).T
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(
            f"BEGIN_INFO\n  # {crystal.formula}, vanhove {__version__}\n"
            f"  Fermi Energy: {level:.6f}\nEND_INFO\n\nBEGIN_BLOCK_BANDGRID_3D\n"
            f"vanhove_bands\nBEGIN_BANDGRID_3D_vanhove\n{len(crossing)}\n"
        )
        file.write(" ".join(str(n) for n in shape + 1) + "\n0.0 0.0 0.0\n")
        for row in reciprocal:
            file.write(" ".join(f"{x:.8f}" for x in row) + "\n")
        for band in crossing:
            file.write(f"BAND: {band + 1}\n")
            for line in energies[:, band].reshape(-1, shape[2] + 1):
                file.write(" ".join(f"{x:.6f}" for x in line) + "\n")
        file.write("END_BANDGRID_3D\nEND_BLOCK_BANDGRID_3D\n")
    return path
