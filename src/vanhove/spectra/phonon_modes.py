"""`PhononModes`: the frequencies and modes of one crystal, from its force constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.crystal.symmetry import standardize
from vanhove.errors import ConfigError
from vanhove.physics.harmonic import HarmonicCrystal, signed_frequency
from vanhove.physics.interpolation import between
from vanhove.physics.meshes import irreducible_mesh, time_reversed_mesh
from vanhove.results import Json
from vanhove.spectra.phonon_errors import COARSE, PhononCalibration, PhononFeatures

_MESH_MODES = 16_000
"""The default mesh has about so many modes: its side is the cube root of this over 3N."""
_SPLINE_MODES, _LEVELS = 5_000, 200_000
"""The same of densities by splines, and about so many levels between the points of the mesh:
they are as exact as tetrahedra with `_MESH_MODES` (``benchmarks/phonon_meshes.py``)."""
_STRETCHED = 1.3
_AT_ONCE = 4_000_000
"""Complex numbers of matrices diagonalised at a time."""


@dataclass(frozen=True, eq=False)
class PhononModes:
    """What `Phonons` adds densities, thermodynamics and files to.

    Attributes:
        crystal: in the cell that wave vectors and 3N modes are of.
        harmonic: masses, springs, Born charges and dielectric tensor in that cell, float64.
        members: the same of each member of an ensemble, as several sets in one; their spread tells
            how sure the model is.
        calibration: of error bars and stability, if the model has one.
        name: a label.
        metadata: whatever JSON holds.
        rotations: of the crystal's symmetry, of fractional coordinates in real space,
            ``[n, 3, 3]``; None: searched for when a mesh needs them.
    """

    crystal: Crystal
    harmonic: HarmonicCrystal
    members: HarmonicCrystal | None = None
    calibration: PhononCalibration | None = None
    name: str = ""
    metadata: Json = field(default_factory=dict)
    rotations: np.ndarray | None = None

    def __repr__(self) -> str:
        polar = "polar" if self.harmonic.charges is not None else "without dipoles"
        return f"{type(self).__name__}({self.crystal.formula}, {self.n_modes} modes, {polar})"

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
        return self.frequencies_of(self.harmonic, qpoints, directions)

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
        return self.modes(qpoints, directions)[1]

    def spread(
        self,
        qpoints: np.ndarray | Sequence[Sequence[float]],
        directions: np.ndarray | Sequence[Sequence[float]] | None = None,
    ) -> np.ndarray | None:
        """Standard deviation of the `frequencies` over the members, 1/cm, ``[n_q, 3 n_atoms]``.

        It ranks how sure the model is, but is no calibrated error bar; None without members.
        """
        if self.members is None:
            return None
        return np.std(self.frequencies_of(self.members, qpoints, directions), axis=0)

    @cached_property
    def features(self) -> PhononFeatures:
        """What tells how wrong these phonons may be; of a single model without a spread."""
        points, weight = time_reversed_mesh(COARSE)
        members = self.members or HarmonicCrystal.joined([self.harmonic])
        found = self._quick_frequencies(members, points, None)
        return PhononFeatures(self.crystal.atomic_numbers, found, weight)

    def _cartesian(self, qpoints: Any, directions: Any) -> tuple[np.ndarray, Any, Any]:
        """Fractional q-points; Cartesian ones near 0, and directions, as tensors."""
        points = np.asarray(qpoints, dtype=np.float64).reshape(-1, 3)
        basis = reciprocal_lattice(self.crystal.lattice)
        cartesian = torch.from_numpy((points - np.rint(points)) @ basis)
        if directions is None:
            return points, cartesian, None
        towards = torch.from_numpy(np.asarray(directions, dtype=np.float64).reshape(-1, 3) @ basis)
        if len(towards) != len(points):
            raise ConfigError(f"{len(towards)} directions for {len(points)} q-points")
        return points, cartesian, towards

    def frequencies_of(
        self, harmonic: HarmonicCrystal, qpoints: Any, directions: Any
    ) -> np.ndarray:
        """`frequencies` of other force constants of the same crystal, such as one member's.

        Of several sets of force constants ``[n_sets, n_q, 3 n_atoms]``.
        """
        _, cartesian, towards = self._cartesian(qpoints, directions)
        found = [
            harmonic.squared_frequencies(
                cartesian[part].to(harmonic.masses),
                None if towards is None else towards[part].to(harmonic.masses),
            )
            for part in self._parts(len(cartesian))
        ]
        return signed_frequency(torch.cat(found, dim=-2)).numpy()

    def _quick_frequencies(
        self, harmonic: HarmonicCrystal, qpoints: np.ndarray, directions: np.ndarray | None
    ) -> np.ndarray:
        """As `frequencies_of`, in float32: to some hundredths of 1/cm. At Gamma, where rounding
        errors are all that acoustic modes have, these are 0."""
        found = self.frequencies_of(harmonic.single(), qpoints, directions).astype(np.float64)
        at_gamma = np.flatnonzero(np.abs(qpoints - np.rint(qpoints)).max(axis=1) < 1e-9)
        of_gamma = found[..., at_gamma, :]
        acoustic = np.argsort(np.abs(of_gamma), axis=-1)[..., :3]
        np.put_along_axis(of_gamma, acoustic, 0.0, axis=-1)
        found[..., at_gamma, :] = np.sort(of_gamma, axis=-1)
        return found

    def _parts(self, n: int) -> list[slice]:
        size = max(1, _AT_ONCE // self.n_modes**2 // 4)
        return [slice(start, start + size) for start in range(0, n, size)]

    def modes(self, qpoints: Any, directions: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """`frequencies` and `eigenvectors` at once."""
        points, cartesian, towards = self._cartesian(qpoints, directions)
        found = [
            self.harmonic.modes(cartesian[part], None if towards is None else towards[part])
            for part in self._parts(len(points))
        ]
        squared = torch.cat([values for values, _ in found])
        vectors = torch.cat([own for _, own in found]).transpose(1, 2)
        # Back from the wave vector near 0 to the one asked for.
        basis = reciprocal_lattice(self.crystal.lattice)
        shift = torch.from_numpy(np.rint(points) @ basis) @ self.harmonic.positions.T
        phase = torch.exp(-1j * shift).repeat_interleave(3, dim=1)
        return signed_frequency(squared).numpy(), (vectors * phase[:, None]).numpy()

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
    def primitive(self) -> Self:
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
                springs=own.springs[..., kept, :, :],
                charges=None if own.charges is None else own.charges[..., chosen, :, :],
            )

        return replace(
            self,
            crystal=Crystal(
                cell.lattice,
                self.crystal.cartesian_coordinates[chosen.numpy()] @ np.linalg.inv(cell.lattice),
                cell.atomic_numbers,
                self.crystal.name,
            ),
            rotations=None,
            harmonic=reduced(self.harmonic),
            members=None if self.members is None else reduced(self.members),
        )

    def mesh(self, mesh: Sequence[int] | None = None) -> tuple[int, int, int]:
        """The q-mesh that is used where none is given: as many points along each axis, even.

        Raises:
            ConfigError: a mesh that is none.
        """
        if mesh is None:
            return (_even((_MESH_MODES / self.n_modes) ** (1 / 3)),) * 3
        if len(mesh) != 3 or min(mesh) < 1:
            raise ConfigError(f"mesh {list(mesh)}; three positive numbers are needed")
        return (int(mesh[0]), int(mesh[1]), int(mesh[2]))

    def irreducible(self, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The mesh's points that differ by symmetry, see `irreducible_mesh`."""
        return irreducible_mesh(self.crystal, shape, rotations=self.rotations)

    def spline_mesh(self) -> tuple[int, int, int]:
        """The q-mesh of densities by splines: of stretched cells with fewer points where the
        Brillouin zone is thin. Else all sides are equal, which keeps the symmetry of any cell."""
        # The square root: along a short axis of the zone bands are flat, but not linear.
        lengths = np.linalg.norm(reciprocal_lattice(self.crystal.lattice), axis=1) ** 0.5
        if lengths.max() < _STRETCHED * lengths.min():
            lengths = np.ones(3)
        lengths *= (_SPLINE_MODES / self.n_modes / lengths.prod()) ** (1 / 3)
        return (_even(lengths[0]), _even(lengths[1]), _even(lengths[2]))

    def _levels(self, mesh: Sequence[int] | None) -> np.ndarray:
        """Frequencies between the points of a mesh, ``[n, 3 n_atoms]``, all of equal weight.

        Squared ones are interpolated: they have no kink where acoustic modes begin. At Gamma the
        mean over the directions of the three axes counts, so that longitudinal modes reach it.
        """
        shape = self.spline_mesh() if mesh is None else self.mesh(mesh)
        if shape not in self._splines:
            points, _, whole = self.irreducible(shape)
            directions = np.concatenate([np.zeros_like(points), np.eye(3)])
            points_and_gamma = np.concatenate([points, np.zeros((3, 3))])
            found = self._quick_frequencies(self.harmonic, points_and_gamma, directions)
            squared, along = np.split(found * np.abs(found), [len(points)])
            squared[0] = along.mean(axis=0)
            found = between(squared[whole].reshape(*shape, -1), _LEVELS)
            # Where a spline dips below all its points, it is no soft mode.
            found = np.maximum(found, min(squared.min(), 0.0))
            self._splines[shape] = np.sign(found) * np.sqrt(np.abs(found))
        return self._splines[shape]

    @cached_property
    def _splines(self) -> dict[tuple[int, int, int], np.ndarray]:
        return {}

    def _mesh_frequencies(self, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        if shape not in self._meshes:
            points, _, whole = self.irreducible(shape)
            self._meshes[shape] = self.frequencies(points), whole
        return self._meshes[shape]

    @cached_property
    def _meshes(self) -> dict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]]:
        return {}


def _even(length: float) -> int:
    return 2 * max(1, round(length / 2))
