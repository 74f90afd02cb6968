"""`Phonons`: everything that follows from one set of force constants of a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vanhove.atomic import write_text
from vanhove.crystal.cells import basis_change
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.kpath import KPoints, PathConvention, gamma_directions, high_symmetry_path
from vanhove.errors import ConfigError, StructureError
from vanhove.physics.counts import even_counts, gaussian_counts
from vanhove.physics.meshes import time_reversed_mesh
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.conversions.force_constants import to_phonopy as as_phonopy
from vanhove.spectra.conversions.phonon_files import (
    band_yaml,
    moving_atoms,
    website_json,
    write_extxyz,
)
from vanhove.spectra.display import phonons_html
from vanhove.spectra.grids import cell_edges, check_grid, even_grid
from vanhove.spectra.infrared import Infrared, infrared
from vanhove.spectra.interactive import bands_figure
from vanhove.spectra.long_waves import (
    debye_temperature,
    mean_square_displacements,
    sound_velocities,
)
from vanhove.spectra.phonon_modes import PhononModes
from vanhove.spectra.phonon_plotting import figure
from vanhove.spectra.quantities import PHONON_BANDS, PHONON_DOS
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.stability import UNSTABLE_BELOW, Stability
from vanhove.spectra.thermal_table import TEMPERATURES, ThermalProperties, with_half_widths
from vanhove.spectra.whole import WholeTables

if TYPE_CHECKING:
    from phonopy import Phonopy

_STEP = 1.0  # 1/cm, of the default grid of densities


@dataclass(frozen=True, eq=False, repr=False)
class Phonons(PhononModes, WholeTables):
    """The harmonic phonons of one crystal: bands, densities, thermodynamics, files.

    Its attributes, frequencies and modes are those of `PhononModes`, tables those of `WholeTables`.
    """

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
        std, metadata = None, dict(self.metadata)
        if self.calibration is not None:
            scale, features = self.calibration.frequency, self.features
            std = scale.std(features.frequency_terms(frequencies))
            metadata["interval_factors"] = dict(scale.levels(features.kind))
        return BandStructure(
            kpoints=path,
            energies=frequencies,
            fermi_level=None,
            quantity=PHONON_BANDS.name,
            crystal=self.crystal,
            name=self.name,
            metadata=metadata,
            std=std,
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

    # Densities

    def grid(self, step: float = _STEP) -> np.ndarray:
        """From below the softest to above the highest mode, 1/cm."""
        found = self._levels(None)
        low = min(0.0, step * np.floor(found.min() / step - 1))
        return even_grid(low, step * np.ceil(found.max() / step + 2), step)

    def dos(
        self,
        grid: np.ndarray | Sequence[float] | None = None,
        broadening: float | None = None,
        mesh: Sequence[int] | None = None,
    ) -> Spectrum:
        """The density of states, in states per 1/cm and cell: its integral is 3N.

        By splines between wave vectors (`vanhove.physics.interpolation`), or with Gaussians. Each
        value is the mean over the cell around a grid point, so that no state is lost between the
        points.

        Args:
            grid: 1/cm, increasing, ``[n_points]``; by default the whole spectrum in steps of 1.
            broadening: standard deviation of Gaussians, 1/cm; None: splines.
            mesh: q-points along each reciprocal axis; by default `mesh`, of splines fewer.
        """
        if grid is None and broadening is None and mesh is None:
            return self._dos
        return self._counted(grid, broadening, mesh)

    @cached_property
    def _dos(self) -> Spectrum:
        return self._counted(None, None, None)

    def _counted(self, grid: Any, broadening: float | None, mesh: Sequence[int] | None) -> Spectrum:
        on = self.grid() if grid is None else check_grid(np.asarray(grid, dtype=np.float64))
        edges = cell_edges(on)
        if broadening is None:
            below = even_counts(self._levels(mesh), edges)
        else:
            frequencies, whole = self._mesh_frequencies(self.mesh(mesh))
            weight = np.bincount(whole) / len(whole)
            below = gaussian_counts(frequencies, weight, edges, broadening)
        return self._spectrum(on, np.diff(below) / np.diff(edges))

    def real_modes(self) -> Spectrum:
        """`dos` without imaginary modes, mostly soft ones put too low: real ones stand for them."""
        dos = self.dos()
        real = dos.grid >= 0
        return replace(dos, grid=dos.grid[real], values=dos.values[real]).normalise("3N")

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
        frequencies, vectors = self.modes(points)
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
        """Harmonic thermodynamics of the whole spectrum, of `real_modes`.

        With ``half_widths`` of 90 % intervals, of models that were calibrated for it.

        Args:
            temperatures: K, ``[n_temperatures]``.
        """
        known = {} if self.calibration is None else self.calibration.half_widths(self.features)
        return with_half_widths(self.real_modes().thermal_properties(temperatures), known)

    @cached_property
    def stability(self) -> Stability:
        """The softest mode on the default mesh, whose even sides hold the zone's special points,
        and, of models that were calibrated for it, how likely DFPT finds none below zero."""
        points, _, _ = self.irreducible(self.mesh())
        frequencies = self._mesh_frequencies(self.mesh())[0].copy()
        for row in np.flatnonzero(np.abs(points).max(axis=1) < 1e-9):
            acoustic = np.argsort(np.abs(frequencies[row]))[:3]
            frequencies[row, acoustic] = np.inf
        row, _ = np.unravel_index(frequencies.argmin(), frequencies.shape)
        frequency, at = float(frequencies.min()), points[row] - np.rint(points[row])
        is_stable, probability = frequency >= UNSTABLE_BELOW, None
        if self.calibration is not None:
            odds = self.calibration.stability
            unstable = odds.probability(self.features, frequency)
            is_stable, probability = unstable < odds.threshold, 1 - unstable
        qpoint = (float(at[0]), float(at[1]), float(at[2]))
        return Stability(frequency, qpoint, is_stable, probability)

    @cached_property
    def highest_frequency(self) -> tuple[float, float | None]:
        """On the default mesh, 1/cm, and half the width of its 90 % interval, if calibrated."""
        value = float(self._mesh_frequencies(self.mesh())[0].max())
        if self.calibration is None:
            return value, None
        features = self.features
        half = self.calibration.highest.half_width(features.highest_terms, features.kind)
        return value, float(half)

    @cached_property
    def infrared(self) -> Infrared | None:
        """Which modes at Gamma move charge, and the static dielectric tensor; None without dipoles.

        Eigenvectors there are real but for a factor, since the dynamical matrix is.
        """
        if self.born_charges is None or self.dielectric_tensor is None:
            return None
        frequencies, vectors = self.modes(np.zeros((1, 3)))
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

    def sound_velocities(self, directions: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
        """Speeds of sound: of the three acoustic modes of long waves, field included.

        Args:
            directions: Cartesian, of any length, ``[n, 3]``.

        Returns:
            m/s, increasing, ``[n, 3]``; negative where the crystal gives way (omega^2 < 0).

        Raises:
            ConfigError: no such directions.
        """
        return sound_velocities(self, np.asarray(directions, dtype=np.float64))

    @cached_property
    def debye_temperature(self) -> float:
        """Of the speeds of sound, K: what the heat capacity follows near 0 K.

        ``hbar / k (6 pi^2 n)^(1/3) v`` with v^-3 the mean over modes and directions (Anderson,
        J. Phys. Chem. Solids 24, 909 (1963)) and n the density of atoms; NaN where a speed is
        imaginary.
        """
        return debye_temperature(self)

    def mean_square_displacements(
        self,
        temperatures: Sequence[float] | np.ndarray = (300.0,),
        mesh: Sequence[int] | None = None,
    ) -> np.ndarray:
        """How far atoms move: ``<u u^T>``, with zero-point motion; imaginary modes left out.

        Args:
            temperatures: K, ``[n_temperatures]``.
            mesh: as `dos`; its points are taken half a step away from Gamma.

        Returns:
            angstrom^2, Cartesian, ``[n_temperatures, n_atoms, 3, 3]``: a third of the trace is the
            U_iso of crystallography.

        Raises:
            ConfigError: temperatures that are no list, or below 0 K.
        """
        return mean_square_displacements(self, temperatures, self.mesh(mesh))

    def plot(
        self, path: PathConvention | KPoints = "setyawan_curtarolo", interactive: bool = False
    ) -> Any:
        """Bands beside the density of states, as a matplotlib ``Figure``.

        Args:
            path: as `bands`.
            interactive: a plotly ``Figure``, which also has the share of each element.

        Raises:
            StructureError: no path found.
            MissingExtraError: ``interactive``, and plotly is not installed.
        """
        own = self if isinstance(path, KPoints) else self.primitive
        bands = own.bands(path)
        if interactive:
            return bands_figure(bands, {"total": own.dos(broadening=4.0), **own.projected_dos()})
        return figure(bands, own.dos())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        capacity = self.thermal_properties([300.0]).heat_capacity[0]
        return phonons_html(self, self.stability, self.grid()[-1], capacity, self.plot())

    # Other programs

    def write_band_yaml(
        self,
        file: str | Path,
        path: PathConvention | KPoints = "setyawan_curtarolo",
        n_points: int = 200,
        eigenvectors: bool = False,
    ) -> None:
        """Write phonopy's ``band.yaml``, which phonopy, sumo, pymatgen and the phonon website read.

        Args:
            file: where to.
            path, n_points: as `bands`; of a convention, in the primitive cell.
            eigenvectors: of all modes as well; phases as `eigenvectors`, which are phonopy's.

        Raises:
            StructureError: no path found.
        """
        own, points = self._along(path, n_points)
        write_text(Path(file), band_yaml(own, points, eigenvectors))

    def to_phononwebsite(
        self,
        file: str | Path | None = None,
        path: PathConvention | KPoints = "setyawan_curtarolo",
        n_points: int = 60,
    ) -> str:
        """JSON of the phonon website of H. Miranda, which shows modes moving.

        Args:
            file: also write it there.
            path, n_points: as `write_band_yaml`.

        Raises:
            StructureError: no path found.
        """
        own, points = self._along(path, n_points)
        text = website_json(own, points)
        if file is not None:
            write_text(Path(file), text)
        return text

    def animation(
        self,
        qpoint: Sequence[float],
        mode: int,
        amplitude: float = 0.5,
        n_frames: int = 20,
        cells: Sequence[int] | None = None,
        direction: Sequence[float] | None = None,
    ) -> list[Crystal]:
        """One period of one mode, as crystals that `write_animation` turns into a film.

        Args:
            qpoint: fractional, ``[3]``.
            mode: from 0, in the order of `frequencies`.
            amplitude: the largest shift of an atom, angstrom.
            n_frames: of the period.
            cells: along each axis; by default as many as the wave takes to repeat, 8 at most.
            direction: from which Gamma is approached.

        Raises:
            ConfigError: no such q-point, mode, cells, amplitude or number of frames.
        """
        return moving_atoms(self, qpoint, mode, amplitude, n_frames, cells, direction)

    def write_animation(
        self, file: str | Path, qpoint: Sequence[float], mode: int, **options: Any
    ) -> None:
        """Write `animation` as extended XYZ, which ASE, OVITO and VMD show as a film.

        Args:
            file: where to, ``.extxyz`` or ``.xyz``.
            qpoint, mode, options: as `animation`; errors as well.
        """
        write_extxyz(self.animation(qpoint, mode, **options), file)

    def _along(self, path: PathConvention | KPoints, n_points: int) -> tuple[Phonons, KPoints]:
        """The phonons in the cell of a path, and its points."""
        if isinstance(path, KPoints):
            return self, path
        own = self.primitive
        return own, own.bands(path, n_points).kpoints

    def to_phonopy(self, reach: float = 9.0) -> Phonopy:
        """A ``Phonopy`` with force constants of a supercell, Born charges and dielectric tensor.

        Args:
            reach: the supercell holds a sphere of this radius, angstrom.
        """
        return as_phonopy(self, reach)

    def write_force_constants(self, path: str | Path, reach: float = 9.0) -> None:
        """Write phonopy's ``FORCE_CONSTANTS`` of the supercell of `to_phonopy`."""
        from phonopy.file_IO import write_FORCE_CONSTANTS

        phonopy = self.to_phonopy(reach)
        assert phonopy.force_constants is not None
        write_FORCE_CONSTANTS(
            phonopy.force_constants, filename=str(path), p2s_map=phonopy.primitive.p2s_map
        )
