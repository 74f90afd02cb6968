"""`Electrons`: bands, densities of states, gap and masses of a crystal, from one Hamiltonian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import KPath, KPoints, PathConvention, high_symmetry_path
from vanhove.crystal.symmetry import primitive_cell
from vanhove.errors import ConfigError
from vanhove.models.tight_binding.error_bars import HalfWidths
from vanhove.models.tight_binding.hamiltonian import CrystalHamiltonian
from vanhove.models.tight_binding.network import TightBinding
from vanhove.prediction.electron_files import real_space, write_bxsf, write_wannier90
from vanhove.prediction.electron_mesh import (
    MESH_DENSITY,
    Sampled,
    checked_kpoints,
    default_grid,
    density_spread,
    mesh_shape,
    mesh_states,
    same_cell,
    sample_standard_cell,
)
from vanhove.prediction.electron_projections import Projection, complete_dos, projected_densities
from vanhove.prediction.fermi_surface import FermiSurface, fermi_surface
from vanhove.prediction.transport import Carriers, carriers
from vanhove.spectra.bands import BandGap, BandStructure
from vanhove.spectra.eigenvalues import SPIN_DEGENERACY, BandEdges, Eigenvalues
from vanhove.spectra.grids import cell_edges, check_grid
from vanhove.spectra.quantities import ELECTRON_DOS
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.whole import WholeTables

_ABOVE = 6.0
"""eV above the conduction band minimum (metals: Fermi level); higher bands are not shown."""
_BELOW = 25.0
"""eV below it: deeper semicore levels are flat, and not shown among bands."""
_FINER = 4
"""Meshes of Fermi surfaces, against those of densities."""

if TYPE_CHECKING:
    from pymatgen.electronic_structure.dos import CompleteDos


class Electrons(WholeTables):
    """Electron states of one crystal, by a learned tight-binding Hamiltonian.

    Energies in eV. Zero is the valence band maximum, for metals the Fermi level. Everything comes
    from one Hamiltonian, so bands, densities and gap agree with each other. No spin, no spin-orbit
    coupling; gaps are those of PBE.

    Args:
        models: networks, whose Hamiltonians are averaged.
        crystal: in the cell whose reciprocal basis k-points refer to.
        name: of the model, shown in results.
        mesh_density: k-points per 1/angstrom of the meshes.
        half_widths: of the error bars: of ``gap``, and of ``energy`` and ``density`` for metals and
            insulators apart (``energy of metals``).
        route: the path of high symmetry, where it is known already.

    Raises:
        StructureError: an element without levels.
    """

    def __init__(
        self,
        models: Sequence[TightBinding],
        crystal: Crystal,
        name: str = "",
        mesh_density: float = MESH_DENSITY,
        half_widths: Mapping[str, HalfWidths] | None = None,
        route: KPath | None = None,
    ):
        if not mesh_density > 0:
            raise ConfigError(f"mesh_density {mesh_density}; allowed: positive, per 1/angstrom")
        self.crystal = crystal
        self.name = name
        self.mesh_density = mesh_density
        self.solver = CrystalHamiltonian(models, crystal)
        self._models = models
        self._half_widths = half_widths or {}
        self._route = route

    def __repr__(self) -> str:
        edges = self._edges
        kind = "metal" if edges.is_metal else f"gap {edges.gap:.2f} eV"
        return f"Electrons({self.crystal.formula}, {kind}, {self.name})"

    # States

    def energies(self, kpoints: np.ndarray) -> np.ndarray:
        """Of all bands at k-points, eV, ``[n_k, n_bands]``, increasing.

        Args:
            kpoints: fractional, in the reciprocal basis of ``crystal``, ``[n_k, 3]``.

        Raises:
            ConfigError: an array of another shape.
        """
        return self.solver.energies(checked_kpoints(kpoints)) - self._edges.vbm

    def energy_spread(self, kpoints: np.ndarray) -> np.ndarray:
        """Standard deviation over the networks, eV, as `energies`; not yet an error bar."""
        return self.solver.member_energies(checked_kpoints(kpoints)).std(axis=0)

    def energy_half_widths(self, kpoints: np.ndarray, level: float = 0.9) -> np.ndarray:
        """Half widths of the intervals that hold an energy with probability ``level``, eV.

        Calibrated on bands between -6 and 4 eV of validation crystals, counted from the band edge:
        deeper or higher bands are less certain than it says.

        Raises:
            ConfigError: weights without calibrated error bars, or another level.
        """
        return self._calibrated(f"energy of {self._kind}").of(self.energy_spread(kpoints), level)

    def dos_half_widths(self, grid: np.ndarray | None = None, level: float = 0.9) -> np.ndarray:
        """Half widths of the intervals of `dos` with a broadening of 0.1 eV, states/eV/cell.

        Calibrated between -6 and 4 eV, where the density is at least a twentieth of its maximum.

        Args, raises: as `dos` and `energy_half_widths`; returns ``[n_points]``.
        """
        grid = default_grid() if grid is None else check_grid(grid)
        states, points = self._mesh
        spread, scale = density_spread(
            self.solver.member_energies(points) - self._edges.vbm, states.weights, grid
        )
        return self._calibrated(f"density of {self._kind}").of(spread / scale, level) * scale

    def gap_half_width(self, level: float = 0.9) -> float:
        """Half width of the interval that holds the PBE gap with probability ``level``, eV.

        Raises:
            ConfigError: as `energy_half_widths`.
        """
        return float(self._calibrated("gap").of(self.gap_spread, level))

    def _gap_bar(self) -> dict[str, float]:
        """For the metadata of predictions."""
        if self.is_metal or "gap" not in self._half_widths:
            return {}
        return {"band_gap_half_width_90": self.gap_half_width()}

    @property
    def warnings(self) -> list[str]:
        """When not to trust the gap, in words."""
        bar = self._gap_bar().get("band_gap_half_width_90", 0.0)
        if bar < self.band_gap or self.is_metal:
            return []
        return [f"gap {self.band_gap:.2f} ± {bar:.2f} eV: not certain, this may be a metal"]

    @property
    def _kind(self) -> str:
        return "metals" if self.is_metal else "insulators"

    @property
    def gap_spread(self) -> float:
        """Standard deviation over the networks of the energy between the band edges, eV."""
        return self._looked_at.gap_spread

    def _calibrated(self, kind: str) -> HalfWidths:
        if kind not in self._half_widths:
            raise ConfigError(f"{self.name or 'these weights'}: error bars are not calibrated")
        return self._half_widths[kind]

    @property
    def n_electrons(self) -> int:
        """That fill the bands of the cell, two each: valence and semicore, as in `electron_pbe`."""
        return self.solver.n_electrons

    @property
    def fermi_level(self) -> float:
        """eV on the axis of `energies`: 0 for a metal, else the middle of the gap."""
        return self._edges.fermi_level - self._edges.vbm

    @property
    def is_metal(self) -> bool:
        return self._edges.is_metal

    @property
    def band_gap(self) -> float:
        """eV, 0 for a metal; over a mesh and the path of high symmetry together."""
        return self._edges.gap

    @property
    def is_direct(self) -> bool | None:
        """Whether both band edges are at one k-point; None for a metal."""
        gap = self.gap
        return None if gap is None else gap.is_direct

    @property
    def gap(self) -> BandGap | None:
        """The gap along the path of high symmetry, and where; None for a metal."""
        return None if self.is_metal else self.bands().gap

    @property
    def effective_masses(self) -> dict[str, dict[str, float]]:
        """``holes`` and ``electrons``: mass by stretch of the path, in electron masses.

        See `BandStructure.effective_mass`; empty for a metal.
        """
        return {} if self.is_metal else self.bands().edge_masses()

    def carriers(
        self, temperature: float = 300.0, concentration: float = 1e18
    ) -> dict[str, Carriers]:
        """``holes`` and ``electrons``: transport masses, Seebeck coefficients; empty for a metal.

        Args:
            temperature: K.
            concentration: 1/cm^3, of either.

        Raises:
            ConfigError: a number out of range, or more carriers than band edges hold.
        """
        if self.is_metal:
            return {}
        solver = self._solver_of(primitive_cell(self.crystal))
        return carriers(solver, self._edges, temperature, concentration)

    # Spectra

    def bands(
        self,
        path: KPath | KPoints | PathConvention = "setyawan_curtarolo",
        n_points: int = 256,
    ) -> BandStructure:
        """Bands along a path, from 25 eV below the Fermi level to 6 eV above the CBM.

        Args:
            path: a convention, whose path is in the standard primitive cell (which the result
                names); a `KPath`, in the cell that it names; or `KPoints` in that of ``crystal``.
            n_points: of the path; not used with `KPoints`.

        Raises:
            ConfigError: an unknown convention, or too few points.
            StructureError: no path found.
        """
        if isinstance(path, str):
            path = self._looked_at.route_of(path) or high_symmetry_path(self.crystal, path)
        if isinstance(path, KPath):
            kpoints, cell = path.sample(n_points), path.crystal
            solver, convention = self._solver_of(cell), path.convention
        else:
            kpoints, cell, solver, convention = path, self.crystal, self.solver, "given"
        energies = solver.energies(kpoints.fractional) - self._edges.vbm
        shown = energies.min(axis=0) < self._edges.gap + _ABOVE
        shown[: solver.n_electrons // SPIN_DEGENERACY + 1] = True
        shown &= energies.max(axis=0) > self.fermi_level - _BELOW
        return BandStructure(
            kpoints=kpoints,
            energies=energies[:, shown],
            fermi_level=self.fermi_level,
            crystal=cell,
            name=self.crystal.name or self.crystal.formula,
            metadata={"path": convention, **self._metadata},
        )

    def dos(self, grid: np.ndarray | None = None, broadening: float | None = None) -> Spectrum:
        """Density of states, states/eV/cell of ``crystal``.

        Args:
            grid: eV, by default -10 to 6 eV every 0.05.
            broadening: standard deviation of Gaussians, eV; None: linear tetrahedra alone.

        Raises:
            DataError: a grid that does not increase.
            ConfigError: a broadening that is not positive.
        """
        grid = default_grid() if grid is None else check_grid(grid)
        states, _ = self._mesh
        tetrahedra = None if broadening else states.tetrahedra
        shifted = Eigenvalues(
            states.energies - self._edges.vbm,
            states.weights,
            states.n_electrons,
            width=broadening,
            tetrahedra=tetrahedra,
        )
        counted = shifted.number_of_states(cell_edges(grid))
        return self._spectrum(grid, np.diff(counted) / np.diff(cell_edges(grid)))

    def projected_dos(
        self, grid: np.ndarray | None = None, by: Projection = "element"
    ) -> dict[str, Spectrum]:
        """Shares of the density of states, of sum `dos` (tetrahedra), by name.

        Args:
            grid: as of `dos`.
            by: ``"element"`` (``"Si"``), ``"site"`` (``"Si1"``, in the order of the atoms),
                ``"shell"`` of each element (``"Si p"``), or ``"site shell"`` (``"Si1 p"``).

        Raises:
            ConfigError: another ``by``.
        """
        if by not in get_args(Projection):
            raise ConfigError(f"by {by!r}; allowed: {', '.join(get_args(Projection))}")
        grid = default_grid() if grid is None else check_grid(grid)
        states, points = self._mesh
        assert states.tetrahedra is not None
        edges = cell_edges(grid) + self._edges.vbm
        parts = projected_densities(self.solver, points, states.tetrahedra, edges, by)
        return {name: self._spectrum(grid, values, name) for name, values in parts.items()}

    def to_complete_dos(self, grid: np.ndarray | None = None) -> CompleteDos:
        """pymatgen ``CompleteDos``: the density of states and its parts by site, s, p and d.

        The orbitals of a shell share its density equally: three p or five d are not told apart. Its
        Fermi level is `fermi_level`, ``grid`` that of `dos`.
        """
        grid = default_grid() if grid is None else check_grid(grid)
        parts = self.projected_dos(grid, "site shell")
        values = {name: part.values for name, part in parts.items()}
        total = self.dos(grid).values
        return complete_dos(self.crystal, grid, total, values, self.fermi_level)

    def fermi_level_density(self) -> float:
        """States at the Fermi level, states/eV/cell; 0 for an insulator."""
        return float(self.dos(np.linspace(-0.1, 0.1, 3)).values[1]) if self.is_metal else 0.0

    def plot(self, interactive: bool = False) -> Any:
        """Bands, of plotly also the density of states and the share of each element beside them.

        Args:
            interactive: a plotly ``Figure`` in place of matplotlib's.

        Raises:
            StructureError: no path found.
            MissingExtraError: ``interactive``, and plotly is not installed.
        """
        if not interactive:
            return self.bands().plot()
        from vanhove.spectra.interactive import bands_figure

        return bands_figure(self.bands(), {"total": self.dos(), **self.projected_dos()})

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from vanhove.spectra.display import bands_html

        return bands_html(self.bands().aligned())

    # For other programs

    def hamiltonian(self, cutoff_eV: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
        """H(R) in an orthonormal basis, orbitals of all atoms in order: s, px, py, pz, five d.

        ``H(k) = sum_R exp(2 pi i k R) H(R)``, k fractional. The energies are those of `energies`
        without the semicore levels (which hop nowhere).

        Args:
            cutoff_eV: matrices all of whose elements are smaller are left out.

        Returns:
            lattice vectors in units of the cell ``[n, 3]`` and matrices ``[n, m, m]``, eV.
        """
        return real_space(self.solver, self._edges.vbm, cutoff_eV)

    def to_wannier90(self, prefix: str | Path, cutoff_eV: float = 1e-4) -> Path:
        """The Hamiltonian as files of Wannier90, which many programs read.

        ``PREFIX_hr.dat`` (`hamiltonian`), ``PREFIX.win`` (the cell) and ``PREFIX_centres.xyz``
        (orbitals sit on their atoms).

        Returns:
            the path of the first.
        """
        return write_wannier90(self.solver, self._edges.vbm, cutoff_eV, Path(prefix), self.name)

    def to_bxsf(self, path: str | Path, divisions: Sequence[int] | None = None) -> Path:
        """Bands that cross the Fermi level on a mesh, for plots of the Fermi surface (BXSF).

        Args:
            path: of the file.
            divisions: of the mesh; by default 4 times as dense as usual.

        Raises:
            ConfigError: no band crosses the Fermi level.
        """
        shape = self._finer_mesh() if divisions is None else divisions
        return write_bxsf(self.energies, self.fermi_level, self.crystal, shape, Path(path))

    def fermi_surface(self, divisions: Sequence[int] | None = None) -> FermiSurface:
        """Where bands cross the Fermi level, as triangles, which can be drawn.

        Args, raises: as of `to_bxsf`.
        """
        shape = self._finer_mesh() if divisions is None else divisions
        return fermi_surface(self.energies, self.fermi_level, self.crystal, shape)

    def _finer_mesh(self) -> list[int]:
        return mesh_shape(self.crystal, _FINER * self.mesh_density).tolist()

    # How

    @property
    def _edges(self) -> BandEdges:
        """On the absolute axis of the solver."""
        return self._looked_at.edges

    @cached_property
    def _looked_at(self) -> Sampled:
        """Where the edges are looked for: mesh and path of the standard primitive cell."""
        return sample_standard_cell(
            self._models, self.solver, self._mesh, self.mesh_density, self._route
        )

    def _solver_of(self, cell: Crystal) -> CrystalHamiltonian:
        """Of ``crystal`` in a cell of a path."""
        for solver in (self.solver, self._looked_at.solver):
            if same_cell(cell, solver.crystal):
                return solver
        return CrystalHamiltonian(self._models, cell, like=self.solver)

    @cached_property
    def _mesh(self) -> tuple[Eigenvalues, np.ndarray]:
        """States of the mesh of ``crystal``, absolute, and its points."""
        return mesh_states(self.solver, self.mesh_density)

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        said = self.warnings
        return {
            "model": self.name,
            "formula": self.crystal.formula,
            "is_metal": self.is_metal,
            "band_gap": self.band_gap,
            **self._gap_bar(),
            **({"warnings": said} if said else {}),
        }

    def _spectrum(self, grid: np.ndarray, values: np.ndarray, part: str = "") -> Spectrum:
        return Spectrum(
            grid=grid,
            values=values.clip(min=0),
            unit="eV",
            normalisation="states/eV/cell",
            quantity=ELECTRON_DOS.name,
            crystal=self.crystal,
            name=" ".join(filter(None, (self.crystal.name or self.crystal.formula, part))),
            metadata=self._metadata,
        )
