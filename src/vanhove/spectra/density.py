"""The record of a density on a grid, with its unit, normalisation and error bar."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from vanhove.errors import ConfigError, DataError
from vanhove.results import Json
from vanhove.spectra.grids import check_on_grid
from vanhove.spectra.quantities import SCALES, Quantity, density_in, quantity
from vanhove.spectra.thermodynamics import LIGHT_CM

if TYPE_CHECKING:
    from vanhove.crystal.crystal import Crystal

THZ_PER_CM1 = LIGHT_CM * 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class Density:
    """A density on a grid: the record that `Spectrum` adds files and pictures to.

    Attributes:
        grid: frequency (``"cm-1"``) or energy (``"eV"``), increasing, ``[n_points]``.
        values: the density, ``[n_points]``.
        unit: unit of the grid, ``"cm-1"`` or ``"eV"``.
        normalisation: ``"max"`` (the largest value is 1), ``"sum"`` (the values add up to 1),
            ``"3N"`` (a density per grid unit whose trapezoid integral is 3 x the number of atoms in
            the cell), ``"states/eV/cell"`` or ``"min-max"`` (shifted and scaled to a smallest value
            of 0 and a largest of 1). It names the convention the values are in; predicted values
            need not fulfil it exactly until ``normalise`` is called.
        quantity: the kind of spectrum, a name known to `vanhove.spectra.quantities`:
            ``"phonon_dos"`` or, for electrons, ``"electron_dos"``; the unit decides by default.
        std: error bar, one standard deviation in the unit of ``values``, ``[n_points]``.
        crystal: the crystal it belongs to.
        name: a label, such as a file name or an id.
        metadata: whatever JSON holds: the model's name, the crystal system, ...
        samples: spectra of equal standing, ``[n_samples, n_points]``, such as the members of an
            ensemble: the spread of anything derived from them is its error bar. Files leave them
            out.
        modes: of predicted phonons, the density of the modes themselves, neither broadened nor
            refined: thermodynamics follow from it.

    Raises:
        DataError: shapes that do not fit, a grid that does not increase, values that are not
            finite, a negative error bar.
        ConfigError: an unknown quantity, or a unit or normalisation that it does not have.
    """

    grid: np.ndarray
    values: np.ndarray
    unit: str
    normalisation: str
    quantity: str = ""
    std: np.ndarray | None = None
    crystal: Crystal | None = None
    name: str = ""
    metadata: Json = field(default_factory=dict)
    samples: np.ndarray | None = None
    modes: Density | None = None

    def __post_init__(self) -> None:
        if not self.quantity:
            object.__setattr__(self, "quantity", density_in(self.unit).name)
        self.kind.check(self.unit, self.normalisation)
        grid, values = check_on_grid(self.grid, self.values)
        arrays = {"grid": grid, "values": values}
        if self.std is not None:
            arrays["std"] = check_on_grid(grid, self.std)[1]
            if (arrays["std"] < 0).any():
                raise DataError(f"std is a standard deviation, got {arrays['std'].min():g} < 0")
        for name, array in arrays.items():
            if array.ndim != 1:
                raise DataError(
                    f"a Spectrum holds one spectrum, {name} of shape [n_points]; got {array.shape}"
                )
            array = array.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.samples is not None:
            object.__setattr__(self, "samples", check_on_grid(grid, self.samples)[1])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons not to trust a prediction, or what a reader decided, in words."""
        return tuple(self.metadata.get("warnings", ()))

    @property
    def kind(self) -> Quantity:
        """What is known of this kind of spectrum."""
        return quantity(self.quantity, "density")

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends ``[n_points]`` within which the truth lies with this probability.

        Neither leaves what the normalisation allows: 0 and above, of "min-max" up to 1.

        On average over materials like those of the validation data, and over points; see
        `vanhove.models.calibration`. ``metadata["interval_factors"]`` holds the half widths in
        units of ``std``.

        Raises:
            ConfigError: no calibrated error bars, or not at this level.
        """
        half = interval_half_width(self.std, self.metadata, level, "spectrum")
        highest = max(1.0, self.values.max()) if self.normalisation == "min-max" else np.inf
        return np.maximum(self.values - half, 0), np.minimum(self.values + half, highest)

    def __repr__(self) -> str:
        of = [text for text in (self.crystal.formula if self.crystal else "", self.name) if text]
        return (
            f"{type(self).__name__}({self.quantity}{' of ' if of else ''}{', '.join(of)}: "
            f"{len(self.grid)} points, {self.grid[0]:g} to {self.grid[-1]:g} {self.unit}, "
            f'normalisation "{self.normalisation}"{", with std" if self.std is not None else ""})'
        )

    def normalise(self, normalisation: str, n_atoms: int | None = None) -> Self:
        """The spectrum scaled to another normalisation, its error bar alike.

        Args:
            normalisation: ``"max"``, ``"sum"``, ``"min-max"`` (which also takes the smallest value
                away) or, for phonons, ``"3N"``.
            n_atoms: atoms in the cell, for ``"3N"``; the crystal's by default.

        Raises:
            DataError: the spectrum has no positive weight (all zero, say).
            ConfigError: another normalisation, or ``"3N"`` without a number of atoms.
        """
        shapes = [name for name in self.kind.normalisations if name in (*SCALES, "3N")]
        if normalisation not in shapes:
            raise ConfigError(
                f"normalisation must be one of {', '.join(shapes)}; got {normalisation!r}"
            )
        shift = self.values.min() if normalisation == "min-max" else 0.0
        if normalisation in ("max", "min-max"):
            scale = self.values.max() - shift
        elif normalisation == "sum":
            scale = self.values.sum()
        else:
            scale = np.trapezoid(self.values, self.grid) / (3 * self._n_atoms_for_3n(n_atoms))
        if not scale > 0:
            raise DataError(
                f'a spectrum without positive weight cannot be normalised to "{normalisation}" '
                f"(largest value {self.values.max():g}, sum {self.values.sum():g}): leave it out"
            )
        return replace(
            self,
            values=(self.values - shift) / scale,
            std=None if self.std is None else self.std / scale,
            samples=None if self.samples is None else (self.samples - shift) / scale,
            normalisation=normalisation,
        )

    def interpolate(self, grid: np.ndarray) -> Self:
        """The spectrum and its error bar, linearly interpolated; 0 outside its own grid.

        Values keep their scale, except that ``"sum"`` keeps its sum. A coarser grid can miss a
        peak: ``resample`` keeps the area instead.

        Args:
            grid: in the same unit, ``[n_new_points]``.

        Raises:
            DataError: a grid that does not increase, or (``"sum"``) has no weight on it.
        """

        def on_grid(values: np.ndarray) -> np.ndarray:
            return np.interp(grid, self.grid, values, left=0.0, right=0.0)

        new = replace(
            self,
            grid=grid,
            values=on_grid(self.values),
            std=None if self.std is None else on_grid(self.std),
            samples=None if self.samples is None else np.stack([*map(on_grid, self.samples)]),
        )
        if self.normalisation != "sum":
            return new
        new, total = new.normalise("sum"), self.values.sum()
        return replace(
            new,
            values=new.values * total,
            std=None if new.std is None else new.std * total,
            samples=None if new.samples is None else new.samples * total,
        )

    # Plain data

    def to_dict(self) -> Json:
        """Plain Python numbers, lists and strings; ``from_dict`` gives the same numbers back."""
        return {
            "quantity": self.quantity,
            "name": self.name,
            "unit": self.unit,
            "normalisation": self.normalisation,
            "grid": self.grid.tolist(),
            "values": self.values.tolist(),
            "std": None if self.std is None else self.std.tolist(),
            "crystal": None if self.crystal is None else self.crystal.to_dict(),
            "metadata": self.metadata,
        } | ({} if self.modes is None else {"modes": _plain(self.modes)})

    @classmethod
    def from_dict(cls, data: Json) -> Self:
        """Undo ``to_dict``; ``quantity``, ``name``, ``std``, ``crystal``, ``metadata`` and
        ``modes`` may miss.

        Raises:
            DataError: a key is missing or unknown, or as the constructor.
        """
        data = dict(data)
        crystal = data.get("crystal")
        try:
            if crystal is not None:
                from vanhove.crystal.crystal import Crystal  # heavier than the rest

                data["crystal"] = Crystal(**crystal)
            if data.get("modes") is not None:
                own = {name: data[name] for name in ("unit", "quantity") if name in data}
                data["modes"] = Density(**data["modes"], **own, crystal=data.get("crystal"))
            return cls(**data)
        except (TypeError, ValueError) as error:
            raise DataError(f"this is not the dictionary of a {cls.__name__}: {error}") from error

    def _n_atoms_for_3n(self, n_atoms: int | None) -> int:
        if n_atoms is None and self.crystal is not None:
            n_atoms = self.crystal.n_atoms
        if n_atoms is None:
            raise ConfigError('"3N" needs the atoms in the cell: pass n_atoms=, or set crystal')
        if n_atoms < 1:
            raise ConfigError(f"n_atoms must be at least 1, got {n_atoms}")
        return n_atoms


def _plain(modes: Density) -> Json:
    return {
        "grid": modes.grid.tolist(),
        "values": modes.values.tolist(),
        "normalisation": modes.normalisation,
    }


def interval_half_width(
    std: np.ndarray | None, metadata: Json, level: float, what: str
) -> np.ndarray:
    """Half the width of a calibrated interval, in the shape and unit of ``std``.

    Args:
        std: error bars, if there are any.
        metadata: whose ``interval_factors`` says how many of them the levels are.
        level: a probability.
        what: has them, for the error.

    Raises:
        ConfigError: no calibrated error bars, or not at this level.
    """
    factors = metadata.get("interval_factors", {})
    if std is None or f"{level:g}" not in factors:
        raise ConfigError(
            f"no interval at level {level:g}; this {what} has "
            f"{', '.join(factors) or 'no calibrated error bars'}"
        )
    return factors[f"{level:g}"] * std


AnyDensity = TypeVar("AnyDensity", bound=Density)
"""A density with or without files and pictures: what a conversion makes."""
