"""`ElectronDOS`: the electron density of states of one crystal, as a calculation gives it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import valence_electrons
from vanhove.errors import DataError
from vanhove.spectra.eigenvalues import BandEdges, SampledDos

Reference = Literal["edges", "vbm", "fermi"]

MAX_SPACING = 0.05
"""eV; the step of the finest grid of the papers."""
EMPTY = 1e-3
"""Densities up to this fraction of the mean density count as none when looking for a gap."""
_SLIGHT = 0.01
"""Negative densities down to this fraction of the maximum, which smearing leaves, are set to 0."""


@dataclass(frozen=True, eq=False)
class ElectronDOS:
    """Energies and densities on the calculation's own grid, with the levels needed to place them.

    Attributes:
        energies: eV, absolute (the zero of the calculation), strictly increasing, ``[n]``.
        densities: states/eV/cell, spins summed, ``[n]``. Slightly negative ones (down to 1 % of
            the maximum) become 0.
        fermi_level: eV, absolute.
        vbm: valence band maximum, eV, absolute; None in a metal.
        cbm: conduction band minimum, eV, absolute; None in a metal.
        crystal: the cell that the densities are counted in.
        id: of the material.
        source: the file it came from, for messages.

    Raises:
        DataError: shapes that do not fit, values that are not finite, energies that do not
            increase, negative densities, hardly a state at all, or band edges that make no gap.
    """

    energies: np.ndarray
    densities: np.ndarray
    fermi_level: float
    vbm: float | None
    cbm: float | None
    crystal: Crystal
    id: str
    source: str = ""

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "energies", np.asarray(self.energies, dtype=np.float64))
        set_(self, "densities", np.asarray(self.densities, dtype=np.float64))
        self._check()
        set_(self, "densities", np.maximum(self.densities, 0.0))

    def _check(self) -> None:
        name, energies, densities = self.name, self.energies, self.densities
        if energies.ndim != 1 or len(energies) < 2 or densities.shape != energies.shape:
            raise DataError(
                f"{name}: energies of shape {list(energies.shape)}, densities of shape "
                f"{list(densities.shape)}; as many of one as of the other are needed, at least 2"
            )
        for what, values in (
            ("energies", energies),
            ("densities", densities),
            ("Fermi level", np.array([self.fermi_level])),
        ):
            bad = int((~np.isfinite(values)).sum())
            if bad:
                raise DataError(
                    f"{name}: {bad} of {len(values)} values of the {what} are NaN or infinite "
                    "(*** in a VASP file); repeat the calculation of the DOS"
                )
        steps = np.diff(energies)
        if (steps <= 0).any():
            k = int(np.argmax(steps <= 0))
            raise DataError(
                f"{name}: energies do not increase ({energies[k]:g} eV, then {energies[k + 1]:g}); "
                "sort the rows and keep one of each energy"
            )
        if densities.min() < -_SLIGHT * max(densities.max(), 0.0):
            k = int(densities.argmin())
            raise DataError(
                f"{name}: {int((densities < 0).sum())} negative densities, lowest "
                f"{densities[k]:.3g} at {energies[k]:g} eV; with VASP use ISMEAR = -5 or 0, "
                "Methfessel-Paxton smearing gives negative densities"
            )
        states = float(np.trapezoid(densities, energies))
        if states < 0.5:
            raise DataError(
                f"{name}: the DOS holds {states:.2g} states in all; give densities in "
                "states/eV/cell, not per volume"
            )
        if (self.vbm is None) != (self.cbm is None):
            raise DataError(
                f"{name}: VBM {self.vbm}, CBM {self.cbm}; give both, or none in a metal"
            )
        if self.vbm is not None and self.cbm is not None and not self.vbm < self.cbm:
            raise DataError(
                f"{name}: VBM {self.vbm:g} eV is not below CBM {self.cbm:g} eV; give None for both "
                "in a metal"
            )

    @property
    def name(self) -> str:
        """The file, else the id: what messages call it."""
        return self.source or self.id

    @property
    def is_metal(self) -> bool:
        return self.vbm is None

    @property
    def gap(self) -> float:
        """eV; 0 in a metal."""
        return 0.0 if self.vbm is None or self.cbm is None else self.cbm - self.vbm

    @property
    def states(self) -> SampledDos:
        """What `vanhove.spectra.electron_dos` makes the papers' grids of."""
        return SampledDos(self.energies, self.densities)

    @property
    def edges(self) -> BandEdges:
        """As `vanhove.spectra.electron_dos` takes them: in a metal all at the Fermi level."""
        if self.vbm is None or self.cbm is None:
            return BandEdges(self.fermi_level, self.fermi_level, self.fermi_level, is_metal=True)
        return BandEdges(self.vbm, self.cbm, (self.vbm + self.cbm) / 2, is_metal=False)

    @property
    def spacing(self) -> float:
        """The largest step between energies, eV."""
        return float(np.diff(self.energies).max())

    @property
    def n_electrons(self) -> float:
        """States up to the Fermi level per cell: the electrons, where the DOS starts below all."""
        below = self.energies <= self.fermi_level
        at_fermi = np.interp(self.fermi_level, self.energies, self.densities)
        return float(
            np.trapezoid(
                np.append(self.densities[below], at_fermi),
                np.append(self.energies[below], self.fermi_level),
            )
        )


def require(
    dos: ElectronDOS,
    *,
    max_spacing: float | None = MAX_SPACING,
    window: tuple[float, float] | None = None,
    reference: Reference = "edges",
    empty_below: bool = False,
    complete_to: float = math.inf,
) -> ElectronDOS:
    """The DOS itself where it is fine enough and covers the window.

    Args:
        dos: to check.
        max_spacing: largest step between energies, eV; None for any.
        window: lower and upper end, eV, from ``reference``; None for no demand.
        reference: ``"edges"``: lower end from the VBM, upper from the CBM; ``"vbm"``: both from
            the VBM; ``"fermi"``: both from the Fermi level. In a metal always the Fermi level.
        empty_below: there are no states below the first energy; where the window starts lower,
            the answer is filled up with zeros.
        complete_to: eV, absolute; above it bands are missing and the DOS is too small.

    Raises:
        DataError: too coarse, or the window is not covered.
    """
    if max_spacing is not None and dos.spacing > max_spacing * (1 + 1e-3):
        span = float(dos.energies[-1] - dos.energies[0])
        raise DataError(
            f"{dos.name}: {len(dos.energies)} energies, up to {dos.spacing:.3g} eV apart; allowed: "
            f"{max_spacing:g} eV: repeat the calculation with NEDOS = "
            f"{math.ceil(span / max_spacing) + 1} or more, or allow it with max_spacing"
        )
    if window is None:
        return dos
    if reference not in ("edges", "vbm", "fermi"):
        raise DataError(f"reference {reference!r}; allowed: 'edges', 'vbm', 'fermi'")
    lower = upper = dos.fermi_level
    if reference != "fermi" and dos.vbm is not None and dos.cbm is not None:
        lower, upper = dos.vbm, dos.cbm if reference == "edges" else dos.vbm
    low, high = lower + window[0], upper + window[1]
    first, last = float(dos.energies[0]), float(dos.energies[-1])
    if low < first and empty_below:
        dos, first = _fill_below(dos, low), low
    # VASP prints energies with 4 decimals.
    if low < first - 1e-3 or high > last + 1e-3:
        raise DataError(
            f"{dos.name}: the DOS covers {first:.2f} to {last:.2f} eV, the window {low:.2f} to "
            f"{high:.2f} eV is not in it; repeat the calculation with wider EMIN and EMAX, or ask "
            "for a smaller window"
        )
    if high > complete_to + 1e-3:
        raise DataError(
            f"{dos.name}: the bands are complete up to {complete_to:.2f} eV, the window ends at "
            f"{high:.2f} eV; repeat the calculation with more bands (NBANDS), or ask for a smaller "
            "window"
        )
    return dos


def dos_band_edges(
    energies: np.ndarray, densities: np.ndarray, fermi_level: float, name: str
) -> tuple[float, float] | None:
    """VBM and CBM, eV, from a DOS, to a step of its grid; None in a metal.

    The gap is the run of at least two energies without states (see `EMPTY`) that the Fermi level
    lies in, or is no more than a step away from: VASP may put it just inside a band. Broadening
    makes this gap smaller than that of eigenvalues.

    Raises:
        DataError: the DOS ends inside the gap, so that one of the edges is not known.
    """
    empty = densities <= EMPTY * densities.mean()
    # Where runs of empty energies begin, and the energies after their ends.
    flips = np.flatnonzero(np.diff(np.concatenate([[False], empty, [False]]).astype(int)))
    for begin, end in zip(flips[::2], flips[1::2], strict=True):
        low, high = max(begin - 2, 0), min(end + 1, len(energies) - 1)
        if end - begin < 2 or not energies[low] <= fermi_level <= energies[high]:
            continue
        if begin == 0 or end == len(energies):
            side = "below" if begin == 0 else "above"
            raise DataError(
                f"{name}: no states {side} the Fermi level {fermi_level:.2f} eV (the DOS covers "
                f"{energies[0]:.2f} to {energies[-1]:.2f} eV); correct the Fermi level, or repeat "
                "the calculation with wider EMIN and EMAX and more bands"
            )
        return float(energies[begin - 1]), float(energies[end])
    if not energies[0] <= fermi_level <= energies[-1]:
        raise DataError(
            f"{name}: the Fermi level {fermi_level:.2f} eV lies outside the DOS "
            f"({energies[0]:.2f} to {energies[-1]:.2f} eV); correct it: both are absolute energies"
        )
    return None


def _fill_below(dos: ElectronDOS, low: float) -> ElectronDOS:
    step = float(dos.energies[1] - dos.energies[0])
    n = math.ceil((dos.energies[0] - low) / step)
    added = dos.energies[0] - step * np.arange(n, 0, -1)
    return replace(
        dos,
        energies=np.concatenate([added, dos.energies]),
        densities=np.concatenate([np.zeros(n), dos.densities]),
    )


def check_electrons(dos: ElectronDOS, stated: float | None) -> None:
    """The states below the Fermi level, or below the gap, must be those of the electrons.

    A density per volume or per atom, or one of another cell, has other numbers.

    Args:
        stated: electrons of the cell, where a file says it.

    Raises:
        DataError: another number, with both.
    """
    insulator = dos.vbm is not None and dos.cbm is not None
    level = (dos.vbm + dos.cbm) / 2 if insulator else dos.fermi_level  # type: ignore[operator]
    below = dos.energies <= level
    if below.sum() < 2:
        return
    found = float(np.trapezoid(dos.densities[below], dos.energies[below]))
    numbers = dos.crystal.atomic_numbers
    if stated is not None and abs(found - stated) > 0.05 * stated + 0.5:
        raise DataError(
            f"{dos.source}: {found:.4g} states below the Fermi level, but NELECT is {stated:g}; "
            "repeat the calculation with a finer grid, or give the file of one calculation"
        )
    # A window may leave out the s states of anions: 2 of 8 electrons of an oxide. d electrons may
    # lie below it, too: one electron of a transition metal is certain.
    each = valence_electrons()[numbers]
    in_d_block = np.isin(numbers, [*range(21, 31), *range(39, 49), *range(57, 81), *range(89, 113)])
    valence = float(np.where(in_d_block, 1, each).sum())
    complete = dos.densities[0] <= 1e-6 * dos.densities.max()
    if found > 1.02 * numbers.sum() + 1 or (complete and found < 0.55 * valence):
        raise DataError(
            f"{dos.source}: {found:.4g} states below the Fermi level of a cell with "
            f"{numbers.sum()} electrons, {valence:g} or more of them of valence; densities must be "
            "in states/eV/cell: not per volume, per atom or per formula unit, and of this cell"
        )
