"""The POSCAR format of VASP 4 and 5.

Read here rather than with ASE or pymatgen: both guess elements that a file does not name, and
importing them takes longer than everything else a prediction does with a small file.
"""

from __future__ import annotations

from itertools import takewhile

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import ATOMIC_NUMBERS, ISOTOPES, SYMBOLS
from vanhove.crystal.objects import atomic_numbers_of
from vanhove.errors import StructureError


def parse_poscar(text: str, name: str) -> Crystal:
    """The structure of a POSCAR / CONTCAR; velocities and selective dynamics are ignored.

    A VASP 4 file, without a line of element symbols, must have them as its first line.

    Raises:
        StructureError: a line is missing or does not hold what it should; elements not named.
    """
    lines = text.splitlines()
    if len(lines) < 8:
        raise StructureError(f"is cut off: {len(lines)} lines, a POSCAR has at least 8", name)

    scale = np.array(list(takewhile(np.isfinite, map(_number, lines[1].split()))))
    if len(scale) not in (1, 3) or (scale == 0).any() or (len(scale) == 3 and (scale < 0).any()):
        raise StructureError(
            f"line 2, {lines[1].strip()!r}, is no scale factor: one number or three positive ones",
            name,
        )
    lattice = np.array([_three_numbers(lines[i], i, "a lattice vector", name) for i in (2, 3, 4)])
    volume = abs(np.linalg.det(lattice))
    if volume == 0:
        raise StructureError("the lattice vectors span no volume", name)
    if scale[0] < 0:  # then it is the volume of the cell
        scale = np.cbrt(-scale / volume)
    lattice = lattice * scale

    first = 5  # index of the line with the numbers of atoms
    symbols = _words(lines[0])
    if lines[5].split() and not lines[5].split()[0].isdigit():
        first = 6
        symbols = _words(lines[5])
    counts = [int(word) for word in takewhile(str.isdigit, lines[first].split())]
    if not counts:
        raise StructureError(
            f"line {first + 1}, {lines[first].strip()!r}, holds no numbers of atoms", name
        )
    if sum(counts) > len(lines):
        raise StructureError(f"declares {sum(counts)} atoms in {len(lines)} lines", name)
    elements, notes = _elements(symbols, counts, first == 6, name)
    numbers = np.repeat(elements, counts)

    rest = lines[first + 1 :]
    if rest and rest[0].strip()[:1] in ("s", "S"):  # selective dynamics
        rest = rest[1:]
    mode = rest[0].strip()[:1].lower() if rest else ""
    if mode not in ("d", "c", "k"):
        raise StructureError('no line "Direct" or "Cartesian" before the coordinates', name)
    if len(rest) - 1 < len(numbers) or not all(line.split() for line in rest[1 : len(numbers) + 1]):
        found = len(list(takewhile(str.split, rest[1:])))
        raise StructureError(f"has coordinates of {found} atoms but declares {len(numbers)}", name)
    more = list(takewhile(_is_place, rest[len(numbers) + 1 :]))
    if more:  # velocities and what follows stand behind an empty line, or one that names them
        raise StructureError(
            f"has coordinates of {len(numbers) + len(more)} atoms but declares {len(numbers)}", name
        )
    start = len(lines) - len(rest) + 1
    coordinates = np.array(
        [
            _three_numbers(line, start + i, "coordinates", name)
            for i, line in enumerate(rest[1 : len(numbers) + 1])
        ]
    ).reshape(-1, 3)
    if mode != "d":
        coordinates = (coordinates * scale) @ np.linalg.inv(lattice)
    _check_row_symbols(rest[1 : len(numbers) + 1], numbers, start, name)
    return Crystal(lattice, coordinates, numbers, name, notes=notes)


def _words(line: str) -> list[str]:
    """Without a comment behind them."""
    return list(takewhile(lambda word: word[0] not in "#!", line.split()))


def _elements(
    symbols: list[str], counts: list[int], named: bool, name: str
) -> tuple[list[int], tuple[str, ...]]:
    # VASP writes the names of its potentials: "Na_pv", "Na_pv/6a2f546d".
    symbols = [symbol.split("/")[0].split("_")[0] for symbol in symbols]
    known = {*ATOMIC_NUMBERS, *ISOTOPES}
    if not named and (len(symbols) != len(counts) or not set(symbols) <= known):
        raise StructureError(
            "names no elements; put their symbols on a line before the numbers of atoms", name
        )
    unknown = [symbol for symbol in symbols if symbol not in known]
    if unknown:
        raise StructureError(f"has an unknown element {unknown[0]!r}", name)
    if len(symbols) != len(counts):
        raise StructureError(
            f"names {len(symbols)} elements but {len(counts)} numbers of atoms", name
        )
    return atomic_numbers_of(symbols, name)


def _check_row_symbols(lines: list[str], numbers: np.ndarray, start: int, name: str) -> None:
    """Some programs write an atom's symbol behind its coordinates: it must be the declared one."""
    for i, (line, number) in enumerate(zip(lines, numbers, strict=True)):
        rest = line.split()[3:]
        if len(rest) > 3 and set(rest[:3]) <= {"T", "F", ".TRUE.", ".FALSE."}:
            rest = rest[3:]
        symbol = rest[0].split("_")[0] if len(rest) == 1 else ""
        if symbol in ATOMIC_NUMBERS and symbol != "F" and ATOMIC_NUMBERS[symbol] != number:
            raise StructureError(
                f"line {start + i + 1} names {symbol}, but by the numbers of atoms it is "
                f"{SYMBOLS[number]}",
                name,
            )


def _is_place(line: str) -> bool:
    words = line.split()[:3]
    return len(words) == 3 and bool(np.isfinite([_number(word) for word in words]).all())


def _three_numbers(line: str, index: int, what: str, name: str) -> list[float]:
    numbers = [_number(word) for word in line.split()[:3]]
    if len(numbers) < 3 or not np.isfinite(numbers).all():
        raise StructureError(f"line {index + 1}, {line.strip()!r}, is not {what}", name)
    return numbers


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
