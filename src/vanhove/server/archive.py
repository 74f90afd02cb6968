"""Structures that the page finds by formula, elements or id."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from math import gcd
from pathlib import Path

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.datasets.electron_pbe import FOLDER
from vanhove.errors import DataError, StructureError
from vanhove.screening.source import ArraySource, Record, Source, open_source
from vanhove.server.answers import HitAnswer, SearchAnswer

Composition = tuple[tuple[int, int], ...]
"""Atomic number and count of each element, without common divisor, in order."""
MOST_HITS = 60
_NUMBER_OF = {symbol: number for number, symbol in enumerate(SYMBOLS) if symbol}
_PART = re.compile(r"([A-Z][a-z]?)(\d*)|\(([^()]*)\)(\d*)")


class Archive:
    """Ids and compositions in memory; a crystal is made when it is asked for."""

    def __init__(self) -> None:
        self._crystals: dict[str, Callable[[], Crystal]] = {}
        self._atoms: dict[str, tuple[Composition, int]] = {}
        self._of: dict[Composition, list[str]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._crystals)

    def add(self, id: str, numbers: np.ndarray, crystal: Callable[[], Crystal]) -> None:
        """A structure; the first of an id stays."""
        if id in self._crystals:
            return
        key = _composition(numbers)
        self._crystals[id] = crystal
        self._atoms[id] = key, len(numbers)
        self._of[key].append(id)

    def crystal(self, id: str) -> Crystal:
        """The structure of that id.

        Raises:
            DataError: there is none.
        """
        if id not in self._crystals:
            raise DataError(f"no structure {id[:60]!r} in the archive of this server")
        return self._crystals[id]()

    def search(self, text: str) -> SearchAnswer:
        """By id (``mp-149``), formula (``TiO2``) or elements (``Ti-O``), small cells first.

        Raises:
            DataError: neither of these.
        """
        text = text.strip()
        if text in self._crystals:
            found = [text]
        elif "-" in text and all(part in _NUMBER_OF for part in text.split("-")):
            elements = sorted(_NUMBER_OF[part] for part in text.split("-"))
            found = [
                id
                for key, ids in self._of.items()
                if sorted(z for z, _ in key) == elements
                for id in ids
            ]
        else:
            found = list(self._of.get(_parsed(text), ()))
        found.sort(key=lambda id: (self._atoms[id][1], id))
        hits = [
            HitAnswer(id=id, formula=_formula(self._atoms[id][0]), n_atoms=self._atoms[id][1])
            for id in found[:MOST_HITS]
        ]
        return SearchAnswer(n_found=len(found), hits=hits)


def open_archive(path: str | None) -> Archive:
    """Of a source of `vanhove screen`; by default the crystals of the shipped electron data.

    Raises:
        ConfigError, DataError: no such source, or one that cannot be read.
    """
    archive = Archive()
    if path is None:
        for file in sorted(FOLDER.glob("part-*.npz")):
            with np.load(file, allow_pickle=False) as shipped:
                ends = np.cumsum(shipped["n_atoms"])[:-1]
                columns = [np.split(shipped[name], ends) for name in ("fractional", "numbers")]
                rows = zip(shipped["ids"].tolist(), shipped["lattice"], *columns, strict=True)
            for id, lattice, fractional, numbers in rows:
                archive.add(id, numbers, partial(Crystal, lattice, fractional, numbers, id))
        return archive
    source = open_source(Path(path))
    for record in source.records():
        if isinstance(source, ArraySource):
            archive.add(record.id, record.content[2], partial(_first, source, record))
            continue
        try:
            crystals = source.read(record)
        except StructureError:  # what cannot be read cannot be found
            continue
        for crystal in crystals:
            archive.add(crystal.name, crystal.atomic_numbers, partial(_same, crystal))
    return archive


def _first(source: Source, record: Record) -> Crystal:
    return source.read(record)[0]


def _same(crystal: Crystal) -> Crystal:
    return crystal


def _composition(numbers: np.ndarray) -> Composition:
    elements, counts = np.unique(numbers, return_counts=True)
    divisor = gcd(*counts.tolist())
    return tuple(zip(elements.tolist(), (counts // divisor).tolist(), strict=True))


def _formula(composition: Composition) -> str:
    """As `Crystal.formula`: electropositive elements first."""
    numbers = np.repeat([z for z, _ in composition], [n for _, n in composition])
    return Crystal(np.eye(3), np.zeros((len(numbers), 3)), numbers).formula


def _parsed(text: str) -> Composition:
    counts: dict[int, int] = defaultdict(int)

    def count(part: str, times: int) -> None:
        at = 0
        while at < len(part):
            found = _PART.match(part, at)
            if found is None or (found[1] and found[1] not in _NUMBER_OF):
                raise DataError(
                    f"{text[:60]!r}: give a formula (TiO2), elements (Ti-O) or an id (mp-149)"
                )
            at = found.end()
            if found[1]:
                counts[_NUMBER_OF[found[1]]] += times * int(found[2] or 1)
            else:
                count(found[3], times * int(found[4] or 1))

    count(text, 1)
    if not counts or max(counts.values()) > 10_000 or 0 in counts.values():
        raise DataError(f"{text[:60]!r}: give a formula (TiO2), elements (Ti-O) or an id (mp-149)")
    divisor = gcd(*counts.values())
    return tuple(sorted((z, n // divisor) for z, n in counts.items()))
