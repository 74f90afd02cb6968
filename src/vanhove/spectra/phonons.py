"""`Phonons`: everything that follows from one set of force constants of a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from vanhove.crystal.cells import basis_change
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.kpath import (
    KPoints,
    PathConvention,
    gamma_directions,
    high_symmetry_path,
    reciprocal_lattice,
)
from vanhove.crystal.symmetry import standardize
from vanhove.errors import ConfigError, StructureError
from vanhove.physics.gaussians import gaussian_counts
from vanhove.physics.harmonic import HarmonicCrystal, signed_frequency
from vanhove.physics.meshes import irreducible_mesh, time_reversed_mesh
from vanhove.physics.tetrahedra import mesh_tetrahedra, states_below
from vanhove.results import Json
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.grids import cell_edges, check_grid, even_grid
from vanhove.spectra.infrared import Infrared, infrared
from vanhove.spectra.quantities import PHONON_BANDS, PHONON_DOS
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.stability import UNSTABLE_BELOW, Stability
from vanhove.spectra.thermal_table import TEMPERATURES, ThermalProperties, thermal_properties

if TYPE_CHECKING:
    from phonopy import Phonopy

_MESH_MODES = 16_000
"""The default mesh has about so many modes: its side is the cube root of this over 3N."""
_AT_ONCE = 4_000_000
"""Complex numbers of matrices diagonalised at a time."""
_STEP = 1.0
"""1/cm, of the default grid of densities."""


@dataclass(frozen=True, eq=False)
class Phonons:
    """The harmonic phonons of one crystal.

    Attributes:
        crystal: in the cell that wave vectors and 3N modes are of.
        harmonic: masses, springs, Born charges and dielectric tensor in that cell, float64.
        members: the same of each member of an ensemble; their spread tells how sure the model is.
        name: a label.
        metadata: whatever JSON holds.
    """

    crystal: Crystal
    harmonic: HarmonicCrystal
    members: tuple[HarmonicCrystal, ...] = ()
    name: str = ""
    metadata: Json = field(default_factory=dict)

    def __repr__(self) -> str:
        polar = "polar" if self.harmonic.charges is not None else "without dipoles"
        return f"Phonons({self.crystal.formula}, {self.n_modes} modes, {polar})"

    @property
    def n_modes(self) -> int:
        return 3 * self.crystal.n_atoms

    def frequencies(
        self,
        qpoints: np.ndarray | Sequence[Sequence[float]],
        directions: np.ndarray | Sequence[Sequence[float]] | None = None,
    ) -> np.ndarray:
        """Frequencies at wave vectors, increasing; imaginary ones are negative.

        Args:
            qpoints: fractional in the reciprocal basis of the cell, ``[n_q, 3]``.
            directions: from which points at Gamma are approached, fractional, ``[n_q, 3]``; they
                split longitudinal from transverse modes of polar crystals. None, or 0: the modes
                without the field.

        Returns:
            1/cm, ``[n_q, 3 n_atoms]``.
        """
        return self._modes(self.harmonic, qpoints, directions)[0]

    def eigenvectors(
        self,
        qpoints: np.ndarray | Sequence[Sequence[float]],
        directions: np.ndarray | Sequence[Sequence[float]] | None = None,
    ) -> np.ndarray:
        """Eigenvectors of the dynamical matrix, in the order of `frequencies`.

        Phases are taken between atoms: the displacement of atom j in the cell at R is
        ``e_j exp(i q (R + r_j)) / sqrt(m_j)``.

        Returns:
            Complex, ``[n_q, 3 n_atoms, 3 n_atoms]``: q-point, mode, and 3 components of each atom.
        """
        return self._modes(self.harmonic, qpoints, directions)[1]

    def spread(
        self,
        qpoints: np.ndarray | Sequence[Sequence[float]],
        directions: np.ndarray | Sequence[Sequence[float]] | None = None,
    ) -> np.ndarray | None:
        """Standard deviation of the `frequencies` over the members, 1/cm, ``[n_q, 3 n_atoms]``.

        It ranks how sure the model is, but is no calibrated error bar; None without members.
        """
        if not self.members:
            return None
        return np.std([self._modes(own, qpoints, directions)[0] for own in self.members], axis=0)

    def _modes(
        self, harmonic: HarmonicCrystal, qpoints: Any, directions: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        points = np.asarray(qpoints, dtype=np.float64).reshape(-1, 3)
        basis = reciprocal_lattice(self.crystal.lattice)
        cartesian = torch.from_numpy((points - np.rint(points)) @ basis)
        towards = None
        if directions is not None:
            towards = torch.from_numpy(
                np.asarray(directions, dtype=np.float64).reshape(-1, 3) @ basis
            )
            if len(towards) != len(points):
                raise ConfigError(f"{len(towards)} directions for {len(points)} q-points")
        size = max(1, _AT_ONCE // self.n_modes**2 // 4)
        found = []
        for start in range(0, len(points), size):
            part = slice(start, start + size)
            found.append(
                harmonic.modes(cartesian[part], None if towards is None else towards[part])
            )
        squared = torch.cat([values for values, _ in found])
        vectors = torch.cat([own for _, own in found]).transpose(1, 2)
        # Back from the wave vector near 0 to the one asked for.
        shift = torch.from_numpy(np.rint(points) @ basis) @ self.harmonic.positions.T
        phase = torch.exp(-1j * shift).repeat_interleave(3, dim=1)
        return signed_frequency(squared).numpy(), (vectors * phase[:, None]).numpy()

    # Bands

    def bands(
        self, path: PathConvention | KPoints = "setyawan_curtarolo", n_points: int = 200
    ) -> BandStructure:
        """Frequencies along a path, with the splitting of longitudinal and transverse modes.

        Args:
            path: a convention, or points in the reciprocal basis of this cell.
            n_points: of a convention's path.

        Raises:
            StructureError: no path found.
        """
        if not isinstance(path, KPoints):
            return self.primitive._convention_bands(path, n_points)
        frequencies = self.frequencies(path.fractional, gamma_directions(path))
        return BandStructure(
            kpoints=path,
            energies=frequencies,
            fermi_level=None,
            quantity=PHONON_BANDS.name,
            crystal=self.crystal,
            name=self.name,
            metadata=dict(self.metadata),
        )

    def _convention_bands(self, convention: PathConvention, n_points: int) -> BandStructure:
        path = high_symmetry_path(self.crystal, convention)
        change = basis_change(self.crystal, path.crystal)
        if change is None:
            raise StructureError(
                f"the standard cell of the {convention} path is not this crystal's: give q-points",
                self.crystal.name or None,
            )
        points = path.sample(n_points)
        # k . a is the same number in both cells, and a_path = change @ a_own.
        own = replace(
            points,
            fractional=points.fractional @ np.linalg.inv(change).T,
            lattice=self.crystal.lattice,
        )
        bands = self.bands(own)
        return replace(bands, metadata={**bands.metadata, "path": convention})

    @cached_property
    def primitive(self) -> Phonons:
        """The same phonons in the primitive cell; this object where its cell is primitive."""
        standard = standardize(self.crystal)
        if standard.primitive.n_atoms == self.crystal.n_atoms:
            return self
        cell = standard.primitive
        apart = self.crystal.cartesian_coordinates[:, None] - cell.cartesian_coordinates
        fractional = apart @ np.linalg.inv(cell.lattice)
        distance = np.linalg.norm((fractional - np.rint(fractional)) @ cell.lattice, axis=-1)
        of_atom = torch.from_numpy(distance.argmin(axis=1))
        chosen = torch.tensor([int((of_atom == n).nonzero()[0]) for n in range(cell.n_atoms)])

        def reduced(own: HarmonicCrystal) -> HarmonicCrystal:
            kept = (own.target[:, None] == chosen).any(dim=1).nonzero()[:, 0]
            return replace(
                own,
                masses=own.masses[chosen],
                lattice=torch.from_numpy(cell.lattice.copy()),
                positions=own.positions[chosen],
                source=of_atom[own.source[kept]],
                target=of_atom[own.target[kept]],
                vector=own.vector[kept],
                springs=own.springs[kept],
                charges=None if own.charges is None else own.charges[chosen],
            )

        return replace(
            self,
            crystal=Crystal(
                cell.lattice,
                self.crystal.cartesian_coordinates[chosen.numpy()] @ np.linalg.inv(cell.lattice),
                cell.atomic_numbers,
                self.crystal.name,
            ),
            harmonic=reduced(self.harmonic),
            members=tuple(reduced(own) for own in self.members),
        )

    # Densities

    def mesh(self, mesh: Sequence[int] | None = None) -> tuple[int, int, int]:
        """The q-mesh that is used where none is given: as many points along each axis, even.

        Raises:
            ConfigError: a mesh that is none.
        """
        if mesh is None:
            side = max(2, 2 * round((_MESH_MODES / self.n_modes) ** (1 / 3) / 2))
            return (side,) * 3
        if len(mesh) != 3 or min(mesh) < 1:
            raise ConfigError(f"mesh {list(mesh)}; three positive numbers are needed")
        return (int(mesh[0]), int(mesh[1]), int(mesh[2]))

    def grid(self, step: float = _STEP) -> np.ndarray:
        """From below the softest to above the highest mode on the default mesh, 1/cm."""
        found = self._mesh_frequencies(self.mesh())[0]
        low = min(0.0, step * np.floor(found.min() / step - 1))
        return even_grid(low, step * np.ceil(found.max() / step + 2), step)

    def _mesh_frequencies(self, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        if shape not in self._meshes:
            points, _, whole = irreducible_mesh(self.crystal, shape)
            self._meshes[shape] = self.frequencies(points), whole
        return self._meshes[shape]

    @cached_property
    def _meshes(self) -> dict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]]:
        return {}

    def dos(
        self,
        grid: np.ndarray | Sequence[float] | None = None,
        broadening: float | None = None,
        mesh: Sequence[int] | None = None,
    ) -> Spectrum:
        """The density of states, in states per 1/cm and cell: its integral is 3N.

        By linear tetrahedra, or with Gaussians. Each value is the mean over the cell around a grid
        point, so that no state is lost between the points.

        Args:
            grid: 1/cm, increasing, ``[n_points]``; by default the whole spectrum in steps of 1.
            broadening: standard deviation of Gaussians, 1/cm; None: tetrahedra.
            mesh: q-points along each reciprocal axis; see `mesh`.
        """
        on = self.grid() if grid is None else check_grid(np.asarray(grid, dtype=np.float64))
        shape = self.mesh(mesh)
        frequencies, whole = self._mesh_frequencies(shape)
        edges = cell_edges(on)
        if broadening is None:
            cells = mesh_tetrahedra(np.array(shape), self.crystal.lattice, whole)
            corners = np.sort(frequencies[cells.corners].transpose(0, 2, 1).reshape(-1, 4), axis=1)
            below = states_below(corners, cells.weights.repeat(self.n_modes), edges)
        else:
            weight = np.bincount(whole) / len(whole)
            below = gaussian_counts(frequencies, weight, edges, broadening)
        return self._spectrum(on, np.diff(below) / np.diff(edges))

    def _spectrum(self, grid: np.ndarray, values: np.ndarray, **more: Any) -> Spectrum:
        return Spectrum(
            grid=grid,
            values=values,
            unit="cm-1",
            normalisation="3N",
            quantity=PHONON_DOS.name,
            crystal=self.crystal,
            name=self.name,
            metadata={**self.metadata, **more},
        )

    def projected_dos(
        self,
        by: Literal["element", "site", "direction"] = "element",
        grid: np.ndarray | Sequence[float] | None = None,
        broadening: float = 4.0,
        mesh: Sequence[int] | None = None,
    ) -> dict[str, Spectrum]:
        """The density of states shared out by how much atoms move in each mode.

        Args:
            by: ``"element"``, ``"site"`` (``"Na1"``, ``"Cl2"``, in the order of the cell) or
                ``"direction"`` (Cartesian x, y, z).
            grid, mesh: as `dos`.
            broadening: standard deviation of Gaussians, 1/cm.

        Returns:
            densities by name, in states per 1/cm and cell; they add up to the whole density.

        Raises:
            ConfigError: another ``by``.
        """
        symbols = [SYMBOLS[z] for z in self.crystal.atomic_numbers]
        sites = [f"{symbol}{n + 1}" for n, symbol in enumerate(symbols)]
        names = {
            "element": np.repeat(symbols, 3),
            "site": np.repeat(sites, 3),
            "direction": np.tile(["x", "y", "z"], len(symbols)),
        }
        if by not in names:
            raise ConfigError(f"projected by {by!r}; allowed: {', '.join(names)}")
        points, weight = time_reversed_mesh(self.mesh(mesh))
        frequencies, vectors = self._modes(self.harmonic, points)
        share = np.abs(vectors) ** 2
        on = self.grid() if grid is None else check_grid(np.asarray(grid, dtype=np.float64))
        edges = cell_edges(on)
        result = {}
        for name in dict.fromkeys(names[by]):
            own = weight[:, None] * share[:, :, names[by] == name].sum(axis=2)
            below = gaussian_counts(frequencies, own, edges, broadening)
            result[str(name)] = self._spectrum(on, np.diff(below) / np.diff(edges), projection=name)
        return result

    # What follows from them

    def thermal_properties(
        self, temperatures: Sequence[float] | np.ndarray = TEMPERATURES
    ) -> ThermalProperties:
        """Harmonic thermodynamics of the whole spectrum; imaginary modes contribute nothing.

        Args:
            temperatures: K, ``[n_temperatures]``.
        """
        return thermal_properties(self.dos(), temperatures)

    @cached_property
    def stability(self) -> Stability:
        """The softest mode on the default mesh, whose even sides hold the zone's special points."""
        points, _, _ = irreducible_mesh(self.crystal, self.mesh())

        def softest(own: HarmonicCrystal) -> tuple[float, np.ndarray]:
            frequencies = self._modes(own, points)[0]
            at_gamma = np.abs(points).max(axis=1) < 1e-9
            for row in np.flatnonzero(at_gamma):
                acoustic = np.argsort(np.abs(frequencies[row]))[:3]
                frequencies[row, acoustic] = np.inf
            row, _ = np.unravel_index(frequencies.argmin(), frequencies.shape)
            return float(frequencies.min()), points[row] - np.rint(points[row])

        frequency, at = softest(self.harmonic)
        votes = [softest(own)[0] < UNSTABLE_BELOW for own in self.members]
        is_stable = frequency >= UNSTABLE_BELOW
        return Stability(
            frequency,
            (float(at[0]), float(at[1]), float(at[2])),
            is_stable,
            float(np.mean(votes)) if votes else float(not is_stable),
        )

    @property
    def born_charges(self) -> np.ndarray | None:
        """Born effective charges, ``[n_atoms, 3, 3]``, sum 0; None without dipoles."""
        charges = self.harmonic.charges
        return None if charges is None else charges.numpy()

    @property
    def dielectric_tensor(self) -> np.ndarray | None:
        """The electronic dielectric tensor, ``[3, 3]``; None without dipoles."""
        dielectric = self.harmonic.dielectric
        return None if dielectric is None else dielectric.numpy()

    @cached_property
    def infrared(self) -> Infrared | None:
        """Which modes at Gamma move charge, and the static dielectric tensor; None without dipoles.

        Eigenvectors there are real but for a factor, since the dynamical matrix is.
        """
        if self.born_charges is None or self.dielectric_tensor is None:
            return None
        frequencies, vectors = self._modes(self.harmonic, np.zeros((1, 3)))
        largest = np.abs(vectors[0]).argmax(axis=1)[:, None]
        phase = np.take_along_axis(vectors[0], largest, axis=1)
        return infrared(
            frequencies[0],
            vectors[0] * np.abs(phase) / phase,
            self.born_charges,
            self.dielectric_tensor,
            self.harmonic.masses.numpy(),
            self.crystal,
        )

    # Other programs

    def to_phonopy(self, reach: float = 9.0) -> Phonopy:
        """A ``Phonopy`` with force constants of a supercell, Born charges and dielectric tensor.

        Args:
            reach: the supercell holds a sphere of this radius, angstrom.
        """
        from vanhove.spectra.conversions.force_constants import to_phonopy

        return to_phonopy(self, reach)

    def write_force_constants(self, path: str | Path, reach: float = 9.0) -> None:
        """Write phonopy's ``FORCE_CONSTANTS`` of the supercell of `to_phonopy`."""
        from phonopy.file_IO import write_FORCE_CONSTANTS

        phonopy = self.to_phonopy(reach)
        assert phonopy.force_constants is not None
        write_FORCE_CONSTANTS(
            phonopy.force_constants, filename=str(path), p2s_map=phonopy.primitive.p2s_map
        )
