"""What a structure file states of its crystal, read by other means than vanhove's.

Every fact is a pair: ``("volume", float)`` in cubic angstrom, ``("atoms", {int, ...})``,
``("density", float)`` in g/cm3, ``("composition", Counter)``. What cannot be read states nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

Facts = Iterator[tuple[str, Any]]
_SYMBOL = re.compile(r"[A-Z][a-z]?")


def stated(name: str, content: bytes) -> list[tuple[str, Any]]:
    """The facts of a file of `tests.fuzz.structure_files`; those up to where it cannot be read."""
    readers = {
        "a.cif": _cif,
        "rutile.cif": _cif,
        "POSCAR": _poscar,
        "POSCAR_moved": _poscar,
        "a.extxyz": _extxyz,
        "ase.json": _ase,
        "pymatgen.json": _pymatgen,
        "own.json": _own,
        "optimade.json": _optimade,
    }
    facts = []
    try:
        for fact in readers[name](content):
            facts.append(fact)
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, OverflowError):
        pass  # damaged from here on
    return [f for f in facts if not isinstance(f[1], float) or (math.isfinite(f[1]) and f[1])]


def _volume(vectors: Any) -> float:
    return float(abs(np.linalg.det(np.array(vectors, dtype=np.float64).reshape(3, 3))))


def _formula(text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for symbol, number in re.findall(r"([A-Z][a-z]?)([0-9.]*)", text):
        counts[symbol] += float(number or 1)  # type: ignore[assignment]
    return counts


def _cif(content: bytes) -> Facts:
    import gemmi

    block = gemmi.cif.read_string(content.decode("latin-1"))[0]

    def value(tag: str) -> str:
        return gemmi.cif.as_string(block.find_value(tag) or "?")

    def number(tag: str) -> float:
        return float(re.sub(r"\(.*", "", value(tag)))

    for what, tag in (("volume", "_cell_volume"), ("density", "_exptl_crystal_density_diffrn")):
        try:
            yield what, number(tag)
        except ValueError:
            continue
    names = [f"_cell_length_{x}" for x in "abc"]
    names += [f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")]
    cell = gemmi.UnitCell(*(number(tag) for tag in names))
    yield "volume", float(cell.volume)
    formula = value("_chemical_formula_sum")
    if re.fullmatch(r"\s*([A-Z][a-z]?[0-9.]*\s*)+", formula):
        counts = _formula(formula)
        yield "composition", counts
        total, units = sum(counts.values()), number("_cell_formula_units_Z")
        if units > 0:
            yield "atoms", {round(total * units), round(total)}


def _poscar(content: bytes) -> Facts:
    lines = content.decode("latin-1").splitlines()
    scale = float(lines[1])
    lattice = [[float(x) for x in line.split()[:3]] for line in lines[2:5]]
    yield "volume", _volume(lattice) * scale**3 if scale > 0 else -scale
    symbols, counts = lines[5].split(), [int(x) for x in lines[6].split()]
    yield "atoms", {sum(counts)}
    if len(symbols) == len(counts) and all(map(_SYMBOL.fullmatch, symbols)):
        composition: Counter[str] = Counter()
        for symbol, n in zip(symbols, counts, strict=True):
            composition[symbol] += n
        yield "composition", composition


def _extxyz(content: bytes) -> Facts:
    lines = content.decode("latin-1").splitlines()
    yield "atoms", {int(lines[0])}
    yield "volume", _volume(re.search(r'Lattice="([^"]*)"', lines[1])[1].split())  # type: ignore[index]
    rows = [line.split() for line in lines[2 : 2 + int(lines[0])]]
    if "species:S:1:pos" in lines[1] and all(_SYMBOL.fullmatch(row[0]) for row in rows):
        yield "composition", Counter(row[0] for row in rows)


def _pymatgen(content: bytes) -> Facts:
    data = json.loads(content)
    yield "volume", _volume(data["lattice"]["matrix"])
    yield "volume", float(data["lattice"]["volume"])
    yield "atoms", {len(data["sites"])}
    yield "composition", Counter(site["species"][0]["element"] for site in data["sites"])


def _own(content: bytes) -> Facts:
    from vanhove.crystal.elements import SYMBOLS

    data = json.loads(content)
    yield "volume", _volume(data["lattice"])
    yield "atoms", {len(data["atomic_numbers"])}
    yield "composition", Counter(SYMBOLS[z] for z in data["atomic_numbers"])


def _optimade(content: bytes) -> Facts:
    data = json.loads(content)["attributes"]
    yield "volume", _volume(data["lattice_vectors"])
    yield "atoms", {int(data["nsites"])}
    yield "composition", Counter(data["species_at_sites"])
    if re.fullmatch(r"([A-Z][a-z]?\d*)+", data["chemical_formula_reduced"]):
        yield "composition", _formula(data["chemical_formula_reduced"])


def _ase(content: bytes) -> Facts:
    from vanhove.crystal.elements import SYMBOLS

    data = json.loads(content)["1"]
    yield "volume", _volume(data["cell"])
    yield "atoms", {len(data["numbers"])}
    yield "composition", Counter(SYMBOLS[z] for z in data["numbers"])
