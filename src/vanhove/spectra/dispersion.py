"""The record of bands along a path, and what follows from them; electrons or phonons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import KPoints, allot, continuous_order
from vanhove.errors import ConfigError, DataError
from vanhove.results import Json
from vanhove.spectra.density import interval_half_width
from vanhove.spectra.eigenvalues import GAP_TOLERANCE
from vanhove.spectra.grids import trapezoid_weights
from vanhove.spectra.quantities import ELECTRON_BANDS, Quantity, quantity

HBAR2_OVER_ELECTRON_MASS = 7.619964231
"""eV angstrom^2."""


@dataclass(frozen=True)
class BandGap:
    """Where an insulator's gap is. Energies in eV, on the axis of the bands.

    Attributes:
        energy: of the gap.
        direct: the smallest difference at one and the same k-point.
        vbm, cbm: highest occupied and lowest empty energy.
        vbm_at, cbm_at: their points, numbers along the path.
        direct_at: the point of the smallest direct gap.
    """

    energy: float
    direct: float
    vbm: float
    cbm: float
    vbm_at: int
    cbm_at: int
    direct_at: int

    @property
    def is_direct(self) -> bool:
        return self.direct - self.energy < GAP_TOLERANCE


@dataclass(frozen=True, eq=False, repr=False)
class Dispersion:
    """Energies of bands along a path: the record that `BandStructure` adds files and pictures to.

    Attributes:
        kpoints: the path.
        energies: eV or, for phonons, 1/cm, ``[n_kpoints, n_bands]``; increasing with the band.
        fermi_level: eV, on the same axis; None for phonons.
        quantity: the kind of bands, a name known to `vanhove.spectra.quantities`:
            ``"electron_bands"`` or ``"phonon_bands"``.
        std: error bars, one standard deviation in the unit of ``energies``, of the same shape.
        crystal: in the cell to which the fractional k-points refer.
        name: a label, such as a file name or an id.
        metadata: whatever JSON holds.

    Raises:
        DataError: shapes that do not fit, energies that are not finite, electrons without a Fermi
            level, a negative ``std``.
        ConfigError: an unknown quantity.
    """

    kpoints: KPoints
    energies: np.ndarray
    fermi_level: float | None
    quantity: str = ELECTRON_BANDS.name
    crystal: Crystal | None = None
    name: str = ""
    metadata: Json = field(default_factory=dict)
    std: np.ndarray | None = None

    def __post_init__(self) -> None:
        kind = self.kind
        energies = np.asarray(self.energies, dtype=np.float64)
        if energies.ndim != 2 or len(energies) != len(self.kpoints) or energies.size == 0:
            raise DataError(
                f"energies have shape [n_kpoints, n_bands], got {energies.shape} for "
                f"{len(self.kpoints)} k-points; of spin-polarised bands give one spin"
            )
        if not np.isfinite(energies).all():
            raise DataError("the energies hold NaN or infinity: the calculation is incomplete")
        order = energies.argsort(axis=-1, kind="stable")
        object.__setattr__(self, "energies", np.take_along_axis(energies, order, axis=-1))
        if self.std is not None:
            std = np.asarray(self.std, dtype=np.float64)
            if std.shape != energies.shape or not (np.isfinite(std) & (std >= 0)).all():
                raise DataError(
                    f"std is a standard deviation of each energy, shape {energies.shape}, none "
                    f"negative; got shape {std.shape}"
                )
            object.__setattr__(self, "std", np.take_along_axis(std, order, axis=-1))
        if kind.fermi_level and self.fermi_level is None:
            raise DataError("bands of electrons need a Fermi level")

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the interval that holds an energy with probability ``level``.

        On average over materials like those it was calibrated on, see
        `vanhove.models.band_calibration`. ``metadata["interval_factors"]`` holds the half widths in
        units of ``std``.

        Returns:
            Lower and upper ends, ``[n_kpoints, n_bands]`` each.

        Raises:
            ConfigError: no calibrated error bars, or not at this level.
        """
        half = interval_half_width(self.std, self.metadata, level, "band structure")
        return self.energies - half, self.energies + half

    def __repr__(self) -> str:
        of = [text for text in (self.crystal.formula if self.crystal else "", self.name) if text]
        return (
            f"{type(self).__name__}({self.quantity}{' of ' if of else ''}{', '.join(of)}: "
            f"{self.n_bands} bands, {len(self.kpoints)} k-points, {self.unit})"
        )

    @property
    def n_bands(self) -> int:
        return self.energies.shape[1]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons not to trust a prediction, or what a reader decided, in words."""
        return tuple(self.metadata.get("warnings", ()))

    @property
    def kind(self) -> Quantity:
        """What is known of this kind of bands."""
        return quantity(self.quantity, "bands")

    @property
    def unit(self) -> str:
        return self.kind.unit

    @property
    def band_columns(self) -> dict[str, np.ndarray]:
        """Columns of tables: ``band_1_eV``, ... and, when there, ``band_1_std_eV``, ..."""
        unit = self.kind.axis_unit.suffix
        columns = {f"band_{n + 1}_{unit}": band for n, band in enumerate(self.energies.T)}
        if self.std is not None:
            columns |= {f"band_{n + 1}_std_{unit}": std for n, std in enumerate(self.std.T)}
        return columns

    @property
    def weights(self) -> np.ndarray:
        """Share of the path that each point stands for, ``[n_kpoints]``, sum 1."""
        return trapezoid_weights(self.kpoints.distances) / self.kpoints.distances[-1]

    @property
    def centres(self) -> np.ndarray:
        """Mean of each band over the points, ``[n_bands]``."""
        return self.energies.mean(axis=0)

    @property
    def dispersions(self) -> np.ndarray:
        """What is left of the energies without the centres, ``[n_kpoints, n_bands]``."""
        return self.energies - self.centres

    @property
    def widths(self) -> np.ndarray:
        """Highest minus lowest energy of each band, ``[n_bands]``."""
        return np.ptp(self.energies, axis=0)

    # Electrons: the Fermi level and the gap

    @property
    def n_filled(self) -> int:
        """Bands whose centre lies below the Fermi level: of an insulator, the occupied ones."""
        return int((self.centres < self._fermi()).sum())

    @property
    def is_metal(self) -> bool:
        """Whether a band crosses the Fermi level along the path, or the bands there touch."""
        return self.gap is None

    @property
    def gap(self) -> BandGap | None:
        """The gap along the path; None for a metal.

        Raises:
            DataError: no band below the Fermi level, or none above, so the gap is not known.
        """
        level = self._fermi()
        low, high = self.energies.min(axis=0), self.energies.max(axis=0)
        if ((low < level - GAP_TOLERANCE) & (high > level + GAP_TOLERANCE)).any():
            return None
        n_below = int((self.centres <= level).sum())
        if n_below in (0, self.n_bands):
            raise DataError(
                f"{n_below} of {self.n_bands} bands lie below the Fermi level: more bands are "
                "needed to know the gap"
            )
        valence, conduction = self.energies[:, n_below - 1], self.energies[:, n_below]
        vbm_at, cbm_at = int(valence.argmax()), int(conduction.argmin())
        direct_at = int((conduction - valence).argmin())
        vbm, cbm = float(valence[vbm_at]), float(conduction[cbm_at])
        if cbm - vbm <= GAP_TOLERANCE:
            return None
        direct = float((conduction - valence)[direct_at])
        return BandGap(cbm - vbm, direct, vbm, cbm, vbm_at, cbm_at, direct_at)

    def aligned(self) -> Self:
        """The Fermi level at 0: in mid-gap for an insulator, as it is for a metal."""
        gap = self.gap
        level = self._fermi() if gap is None else (gap.vbm + gap.cbm) / 2
        return replace(self, energies=self.energies - level, fermi_level=0.0)

    def near_fermi(self, n_bands: int = 6) -> np.ndarray:
        """``n_bands / 2`` bands below the Fermi level and as many above, energies from it.

        Below and above by the centre of a band. Where there are fewer, as in hydrogen or lithium,
        the column is NaN: nothing is made up, and what is missing does not count.

        Returns:
            ``[n_kpoints, n_bands]``, lowest first.

        Raises:
            ConfigError: an odd or negative number.
        """
        if n_bands < 2 or n_bands % 2:
            raise ConfigError(f"n_bands {n_bands}; allowed: 2, 4, 6, ..., half of them below")
        chosen = np.arange(n_bands) + self.n_filled - n_bands // 2
        there = (chosen >= 0) & (chosen < self.n_bands)
        near = np.full((len(self.kpoints), n_bands), np.nan)
        near[:, there] = self.energies[:, chosen[there]] - self._fermi()
        return near

    def _fermi(self) -> float:
        if self.fermi_level is None:
            raise ConfigError("bands of phonons have no Fermi level and no gap")
        return self.fermi_level

    def where(self, index: int) -> str:
        """The label of a point, or the stretch it lies on: ``"Γ"``, ``"Γ-X"``."""
        labels = self.kpoints.labels
        if labels[index]:
            return labels[index]
        start, end = next(s for s in self.kpoints.segments if s[0] <= index <= s[1])
        return f"{labels[start]}-{labels[end]}"

    def effective_mass(self, band: int, index: int) -> dict[str, float]:
        """Along each stretch that meets a point, in electron masses; negative at a maximum.

        From the second derivative by finite differences of three points. At the end of a stretch
        the third is the mirror image of the next one, which is right where the slope is zero: at an
        extremum.

        Args:
            band: number of the band, from 0 (of this object).
            index: number of the point; the path may come there more than once.

        Returns:
            mass by stretch, ``{"Γ-X": 0.2, "Γ-L": 0.4}``; infinite where the band is flat.

        Raises:
            ConfigError: phonons, or no such band or point.
        """
        self._fermi()
        if not (0 <= band < self.n_bands and 0 <= index < len(self.kpoints)):
            raise ConfigError(
                f"band {band} at point {index}; allowed: bands 0 to {self.n_bands - 1}, points 0 "
                f"to {len(self.kpoints) - 1}"
            )
        fractional = self.kpoints.fractional
        same = np.abs(fractional - fractional[index]).max(axis=1) < 1e-6
        masses: dict[str, float] = {}
        for start, end in self.kpoints.segments:
            for at in start + np.flatnonzero(same[start : end + 1]):
                ends = (end, start) if at == end else (start, end)
                name = "-".join(self.kpoints.labels[i] for i in ends)
                masses.setdefault(name, self._mass(band, int(at), start, end))
        return masses

    def _mass(self, band: int, at: int, start: int, end: int) -> float:
        energies, x = self.energies[:, band], self.kpoints.distances
        before = at - 1 if at > start else at + 1
        after = at + 1 if at < end else at - 1
        left, right = abs(x[at] - x[before]), abs(x[after] - x[at])
        change = (energies[after] - energies[at]) / right
        change += (energies[before] - energies[at]) / left
        curvature = 2 * change / (left + right)
        return float(HBAR2_OVER_ELECTRON_MASS / curvature) if curvature else float("inf")

    # Other paths

    def continuous(self) -> Self:
        """The same bands without jumps: stretches in another order, some of them walked twice.

        See `vanhove.crystal.kpath.continuous_order`. Where stretches do not hang together, or ends
        have no label, a jump stays.
        """
        segments, x = self.kpoints.segments, self.kpoints.distances
        names = [
            (self.kpoints.labels[a] or f"#{a}", self.kpoints.labels[b] or f"#{b}")
            for a, b in segments
        ]
        lengths = [x[b] - x[a] for a, b in segments]
        pieces, joined, end = [], [], None
        for i, turned in continuous_order(names, lengths):
            piece = np.arange(segments[i][0], segments[i][1] + 1)
            pieces.append(piece[::-1] if turned else piece)
            name = names[i][::-1] if turned else names[i]
            joined.append(name[0] == end)
            end = name[1]
        order = np.concatenate([p[1:] if j else p for p, j in zip(pieces, joined, strict=True)])
        return replace(
            self,
            kpoints=self.kpoints.take(pieces, joined),
            energies=self.energies[order],
            std=None if self.std is None else self.std[order],
        )

    def resampled(self, n_points: int = 256) -> Self:
        """So many points, in steps as equal as the labelled points allow, which all stay.

        Energies between points are linear: bands are sorted by energy and cross, so that a
        smoother curve would overshoot.

        Raises:
            ConfigError: fewer points than the path has stretches.
        """
        segments, x = self.kpoints.segments, self.kpoints.distances
        is_new_run = [i == 0 or segments[i - 1][1] != a for i, (a, _) in enumerate(segments)]
        steps = allot([x[b] - x[a] for a, b in segments], n_points - sum(is_new_run))
        at, labels = [], []
        for (a, b), n, new in zip(segments, steps, is_new_run, strict=True):
            skip = 0 if new else 1
            # Places in the list of points, so that the two sides of a jump stay apart.
            line = np.interp(np.linspace(x[a], x[b], n + 1), x[a : b + 1], np.arange(a, b + 1))
            at.append(line[skip:])
            ends = self.kpoints.labels[a], self.kpoints.labels[b]
            labels += [ends[0], *[""] * (n - 1), ends[1]][skip:]
        place = np.concatenate(at)
        left = np.floor(place).astype(int).clip(max=len(x) - 2)
        part = (place - left)[:, None]

        def between(values: np.ndarray) -> np.ndarray:
            return (1 - part) * values[left] + part * values[left + 1]

        points = KPoints(
            between(self.kpoints.fractional),
            self.kpoints.lattice,
            between(x[:, None])[:, 0],
            tuple(labels),
        )
        std = None if self.std is None else between(self.std)
        return replace(self, kpoints=points, energies=between(self.energies), std=std)

    def smoothed(self, width: float) -> Self:
        """Bands averaged along the path with a Gaussian, between jumps.

        Args:
            width: its standard deviation, 1/angstrom.

        Raises:
            ConfigError: a width that is not positive.
        """
        if not width > 0:
            raise ConfigError(f"width must be positive, in 1/angstrom, got {width}")
        x = self.kpoints.distances
        mean_of = np.zeros((len(x), len(x)))
        for run in np.split(np.arange(len(x)), self.kpoints.jumps + 1):
            kernel = np.exp(-(((x[run, None] - x[run]) / width) ** 2) / 2)
            if len(run) > 1:
                kernel *= trapezoid_weights(x[run])
            mean_of[np.ix_(run, run)] = kernel / kernel.sum(axis=1, keepdims=True)
        # Neighbours are wrong together: the mean is no surer than they are.
        std = None if self.std is None else mean_of @ self.std
        return replace(self, energies=mean_of @ self.energies, std=std)

    # Plain data

    def to_dict(self) -> Json:
        """Plain JSON types; `from_dict` reads them."""
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            "name": self.name,
            "fermi_level": self.fermi_level,
            "kpoints": self.kpoints.fractional.tolist(),
            "lattice": self.kpoints.lattice.tolist(),
            "distances": self.kpoints.distances.tolist(),
            "labels": list(self.kpoints.labels),
            "energies": self.energies.tolist(),
            "std": None if self.std is None else self.std.tolist(),
            "crystal": None if self.crystal is None else self.crystal.to_dict(),
            "metadata": self.metadata,
        }

    @classmethod
    def from_dict(cls, content: Json) -> Self:
        """What `to_dict` gave.

        Raises:
            DataError: a key is missing or holds something else.
        """
        try:
            crystal = content.get("crystal")
            return cls(
                kpoints=KPoints(
                    np.array(content["kpoints"]),
                    np.array(content["lattice"]),
                    np.array(content["distances"]),
                    tuple(content["labels"]),
                ),
                energies=np.array(content["energies"]),
                fermi_level=content["fermi_level"],
                quantity=content["quantity"],
                crystal=None
                if crystal is None
                else Crystal(**{"name": content["name"], **crystal}),
                name=content["name"],
                metadata=dict(content["metadata"]),
                std=None if content.get("std") is None else np.array(content["std"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"no band structure of vanhove ({error}); write it with to_json"
            ) from error


AnyDispersion = TypeVar("AnyDispersion", bound=Dispersion)
"""Bands with or without files and pictures: what a conversion makes."""
