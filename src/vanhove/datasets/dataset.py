"""`SpectrumDataset`: crystals, their spectra on one grid, and which of them train and test."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError
from vanhove.spectra.grids import interpolate_rows
from vanhove.spectra.quantities import Quantity, quantity

if TYPE_CHECKING:
    from vanhove.datasets.crystal_phonons import CrystalPhonons

PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class SpectrumDataset:
    """Materials and one spectrum for each, all on the same grid.

    Attributes:
        name: of the data set.
        ids: one per material, unique, length ``n_materials``.
        crystals: one per material, in the order of ``ids``.
        grid: strictly increasing, in ``unit``, shape ``[n_points]``, float64. Of bands: places
            along the path, 0 to 1, without a unit.
        unit: of the grid, ``"cm-1"`` or ``"eV"``; of bands, that of the values.
        normalisation: of the values; ``"max"`` is a maximum of 1 for each material.
        quantity: a name known to `vanhove.spectra.quantities`, such as ``"phonon_dos"``.
        values: shape ``[n_materials, n_points]``, float32. Of bands: ``[n_materials, n_points,
            n_bands]``, where a band that does not exist is NaN at all points.
        splits: row numbers under ``"train"``, ``"valid"`` and ``"test"``; a row stands in at most
            one of them.
        split_name: where the split comes from, e.g. ``"published"`` or ``"random (seed 0)"``.
        notes: what a reader of numbers measured on these data must know.
        kpoints: of bands, the path of each material, fractional in the cell of its crystal, shape
            ``[n_materials, n_points, 3]``, float64; None for other data.
        phonons: what is known of the phonons of each material besides its spectrum, a
            `vanhove.datasets.crystal_phonons.CrystalPhonons`; None where nothing is.

    Raises:
        DataError: shapes that do not fit, values that are not finite, ids that repeat, splits that
            overlap or leave the data.
    """

    name: str
    ids: list[str]
    crystals: list[Crystal]
    grid: np.ndarray
    unit: str
    normalisation: str
    quantity: str
    values: np.ndarray
    splits: dict[str, np.ndarray]
    split_name: str
    notes: list[str] = field(default_factory=list)
    kpoints: np.ndarray | None = None
    phonons: Sequence[CrystalPhonons] | None = None

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "ids", [str(i) for i in self.ids])
        set_(self, "crystals", list(self.crystals))
        set_(self, "grid", np.asarray(self.grid, dtype=np.float64))
        set_(self, "values", np.asarray(self.values, dtype=np.float32))
        set_(self, "splits", {k: _as_rows(v, self.name) for k, v in self.splits.items()})
        set_(self, "notes", list(self.notes))
        if self.kpoints is not None:
            set_(self, "kpoints", np.asarray(self.kpoints, dtype=np.float64))
        try:
            self.kind.check(self.unit, self.normalisation)
        except ConfigError as error:
            raise DataError(f"data set {self.name!r}: {error}") from None
        self._check_data()
        self._check_splits()

    @property
    def kind(self) -> Quantity:
        """What is known of this kind of spectrum."""
        return quantity(self.quantity)

    def _check_data(self) -> None:
        n = len(self.ids)
        if n == 0:
            raise DataError(f"data set {self.name!r} holds no material; at least one is needed")
        if len(self.crystals) != n:
            raise DataError(
                f"data set {self.name!r}: {len(self.crystals)} crystals for {n} ids; give one each"
            )
        repeated = [i for i, count in Counter(self.ids).items() if count > 1]
        if repeated:
            raise DataError(
                f"data set {self.name!r}: {len(repeated)} ids repeat, first {repeated[0]!r}; "
                "every material needs its own id"
            )
        if self.grid.ndim != 1 or self.grid.size == 0 or not np.isfinite(self.grid).all():
            raise DataError(
                f"data set {self.name!r}: grid of shape {list(self.grid.shape)}; "
                "one row of finite numbers is needed"
            )
        if not (np.diff(self.grid) > 0).all():
            raise DataError(f"data set {self.name!r}: the grid must increase from point to point")
        expected: tuple[int, ...] = (n, len(self.grid))
        finite = np.isfinite(self.values)
        if self.kpoints is not None:
            if self.values.ndim != 3 or self.kpoints.shape != (*expected, 3):
                raise DataError(
                    f"data set {self.name!r}: values of shape {list(self.values.shape)} and "
                    f"k-points of shape {list(self.kpoints.shape)}; [materials, points, bands] and "
                    "[materials, points, 3] are needed"
                )
            expected += (self.values.shape[2],)
            # A band that is missing is missing everywhere, and some band is there.
            finite |= np.isnan(self.values).all(axis=1, keepdims=True)
            finite &= np.isfinite(self.values).any(axis=(1, 2), keepdims=True)
            finite &= np.isfinite(self.kpoints).all(axis=2, keepdims=True)
        if self.values.shape != expected:
            raise DataError(
                f"data set {self.name!r}: values of shape {list(self.values.shape)}; "
                f"{list(expected)} (materials, grid points) is needed"
            )
        bad = np.flatnonzero(~finite.reshape(n, -1).all(axis=1))
        if len(bad):
            raise DataError(
                f"data set {self.name!r}: {len(bad)} spectra hold NaN or infinity, first "
                f"{self.ids[bad[0]]!r}; correct or remove them"
            )

    def _check_splits(self) -> None:
        unknown = [k for k in self.splits if k not in PARTS]
        if unknown:
            raise DataError(
                f"data set {self.name!r}: split part {unknown[0]!r}; allowed: {', '.join(PARTS)}"
            )
        if not self.splits:
            return
        rows = np.concatenate(list(self.splits.values()))
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise DataError(
                f"data set {self.name!r}: split rows {rows.min()} to {rows.max()}; "
                f"allowed: 0 to {len(self) - 1}"
            )
        taken, counts = np.unique(rows, return_counts=True)
        if (counts > 1).any():
            raise DataError(
                f"data set {self.name!r}: {int((counts > 1).sum())} rows stand twice in the "
                f"split, first {self.ids[taken[counts > 1][0]]!r}; the parts must not overlap"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def split(self, name: str) -> np.ndarray:
        """Row numbers of one part, shape ``[n_rows]``, int64.

        Raises:
            DataError: the data set has no such part.
        """
        if name not in self.splits:
            has = ", ".join(self.splits) or "none"
            raise DataError(f"split part {name!r} of data set {self.name!r}; it has: {has}")
        return self.splits[name]

    def subset(self, rows: Iterable[int] | np.ndarray) -> SpectrumDataset:
        """The given rows, in the given order, with the split carried over.

        Raises:
            DataError: no row, a row twice, or a row outside the data.
        """
        chosen = _as_rows(rows, self.name)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise DataError(
                f"rows {chosen.min()} to {chosen.max()} of data set {self.name!r}; "
                f"allowed: 0 to {len(self) - 1}"
            )
        return replace(
            self,
            ids=[self.ids[row] for row in chosen],
            crystals=[self.crystals[row] for row in chosen],
            values=self.values[chosen],
            kpoints=None if self.kpoints is None else self.kpoints[chosen],
            phonons=None if self.phonons is None else [self.phonons[row] for row in chosen],
            splits={k: np.flatnonzero(np.isin(chosen, v)) for k, v in self.splits.items()},
        )

    def scaled_to_maximum(self) -> SpectrumDataset:
        """The same data with each spectrum divided by its maximum.

        Raises:
            DataError: a spectrum without a positive value.
        """
        largest = self.values.max(axis=1, keepdims=True)
        if not (largest > 0).all():
            empty = int(np.argmin(largest))
            raise DataError(
                f"data set {self.name!r}: {self.ids[empty]!r} has no positive value and cannot be "
                "scaled to maximum 1; remove it"
            )
        note = f"Each spectrum was divided by its maximum; given in {self.normalisation}."
        return replace(
            self, values=self.values / largest, normalisation="max", notes=[*self.notes, note]
        )

    def with_points(self, n_points: int) -> SpectrumDataset:
        """The same data on an even grid of so many points from the first energy to the last.

        Values are interpolated linearly and keep their scale: at an energy that both grids share
        the value stays the same, so a maximum of 1 can lie between two points of a coarser grid.

        Raises:
            DataError: fewer than two points, or bands.
        """
        if n_points < 2 or self.kpoints is not None:
            raise DataError(
                f"data set {self.name!r}: {self.quantity} on {n_points} points; at least 2 are "
                "needed, and bands keep their path"
            )
        grid = np.linspace(self.grid[0], self.grid[-1], n_points)
        note = (
            f"Spectra were interpolated linearly from {len(self.grid)} to {n_points} points and "
            "keep their scale."
        )
        return replace(
            self,
            grid=grid,
            values=interpolate_rows(self.grid, self.values, grid),
            notes=[*self.notes, note],
        )

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 (hex) of ids, structures, grid and values; the split is not in it.

        Structures enter rounded to 1e-8, so that the last bits of another machine's linear algebra
        do not make another data set.
        """
        digest = hashlib.sha256(b"vanhove data 1")
        for material, crystal in zip(self.ids, self.crystals, strict=True):
            _add(digest, material.encode(), crystal.atomic_numbers.astype("<i8").tobytes())
            for numbers in (crystal.lattice, crystal.fractional_coordinates):
                _add(digest, np.rint(numbers * 1e8).astype("<i8").tobytes())
        # + 0.0 turns -0.0, equal but of other bytes, into 0.0
        _add(digest, (self.grid + 0.0).astype("<f8").tobytes())
        _add(digest, (self.values + np.float32(0)).astype("<f4").tobytes())
        if self.kpoints is not None:
            _add(digest, np.rint(self.kpoints * 1e8).astype("<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def split_hash(self) -> str:
        """SHA-256 (hex) of which ids stand in which part; the order of rows is not in it."""
        digest = hashlib.sha256(b"vanhove split 1")
        for part in PARTS:
            ids = sorted(self.ids[row] for row in self.splits.get(part, ()))
            _add(digest, part.encode(), str(len(ids)).encode(), *(i.encode() for i in ids))
        return digest.hexdigest()


def _as_rows(rows: Iterable[int] | np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(rows if isinstance(rows, np.ndarray) else list(rows))
    if array.size and (array.ndim != 1 or array.dtype.kind not in "iu"):
        raise DataError(
            f"data set {name!r}: rows of type {array.dtype} and shape {list(array.shape)}; "
            "give a list of row numbers"
        )
    return array.reshape(-1).astype(np.int64)


def _add(digest, *chunks: bytes) -> None:
    """Each chunk after its length, so that no two sequences of chunks give the same bytes."""
    for chunk in chunks:
        digest.update(len(chunk).to_bytes(8, "little"))
        digest.update(chunk)
