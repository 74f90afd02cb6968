"""Mutations of good files in every format, and what reading one of them may end in."""

from __future__ import annotations

import json
import re
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.crystal.broken_files import cif
from tests.stated import stated
from vanhove import Spectrum
from vanhove.crystal import Crystal
from vanhove.crystal.elements import MASSES, SYMBOLS
from vanhove.crystal.reading import parse_crystals
from vanhove.datasets import load_folder, read_bands, read_electron_dos
from vanhove.errors import VanhoveError
from vanhove.spectra import ThermalProperties

SALT = Crystal(4.0 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17], "NaCl")
STATED = """\
_chemical_formula_sum 'Cl Na'
_cell_formula_units_Z 1
_cell_volume 64.0
_exptl_crystal_density_diffrn 1.516
_space_group_IT_number 221
_space_group_name_H-M_alt 'P m -3 m'
loop_
_space_group_symop_operation_xyz
'x,y,z'
"""
RUTILE = """\
data_TiO2
_chemical_formula_sum 'O2 Ti'
_cell_formula_units_Z 2
_cell_length_a 4.594(1)
_cell_length_b 4.594(1)
_cell_length_c 2.959(1)
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_cell_volume 62.45(2)
_space_group_IT_number 136
_space_group_name_H-M_alt 'P 42/m n m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Ti1 Ti4+ 0 0 0 1
O1 O2- 0.3053(2) 0.3053(2) 0 1.0
"""
MOVED = """\
Si and two Ge, relaxed
 -160.2
 1.0 0.1 0.0
 0.0 1.0 0.0
 0.0 0.2 1.1
 Si Ge Si
 2 2 1
Selective dynamics
Cartesian
 0.0 0.0 0.0 T T F
 0.5 0.5 0.0 T T F
 0.5 0.0 0.5 T T T
 0.0 0.5 0.5 F F F
 0.25 0.25 0.25 T T T

 0.0 0.0 0.0
 0.0 0.0 0.1
"""
REPORTED = Path(__file__).parent / "datasets" / "reported"
TOO_LONG = 5
"""Seconds for one small file."""
TOKENS = (
    *(b"nan", b"-1", b"1e18", b"1e400", b"99999999999", b"''", b"?", b"[", b"]", b"{", b"\x00"),
    *(b"\xff", b"loop_", b"data_x\n", b"*a", b"&a", b"@module", b"\n\n", b";", b",", b"0"),
)


def structure_files() -> dict[str, bytes]:
    """Good structure files by name."""
    lattice = "4 0 0 0 4 0 0 0 4"
    rows = "Na 0 0 0\nCl 2 2 2\n"
    optimade = {
        "attributes": {
            "dimension_types": [1, 1, 1],
            "lattice_vectors": SALT.lattice.tolist(),
            "cartesian_site_positions": SALT.cartesian_coordinates.tolist(),
            "species_at_sites": ["Na", "Cl"],
            "nsites": 2,
            "chemical_formula_reduced": "ClNa",
            "structure_features": [],
        }
    }
    ase_entry = {
        "cell": SALT.lattice.tolist(),
        "pbc": [True, True, True],
        "numbers": [11, 17],
        "positions": SALT.cartesian_coordinates.tolist(),
    }
    return {
        "a.cif": cif(header=STATED).encode(),
        "rutile.cif": RUTILE.encode(),
        "POSCAR_moved": MOVED.encode(),
        "ase.json": json.dumps({"1": ase_entry, "ids": [1], "nextid": 2}).encode(),
        "POSCAR": b"NaCl\n1.0\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n",
        "a.extxyz": f'2\nLattice="{lattice}" Properties=species:S:1:pos:R:3\n{rows}'.encode(),
        "pymatgen.json": json.dumps(SALT.to_structure().as_dict()).encode(),
        "own.json": json.dumps(SALT.to_dict()).encode(),
        "optimade.json": json.dumps(optimade).encode(),
    }


def other_files() -> dict[str, bytes]:
    """Good files of spectra and bands by name; a name's start says who reads it."""
    spectrum = Spectrum(np.linspace(0, 300, 7), np.arange(7.0), "cm-1", "max", crystal=SALT)
    thermal = REPORTED.parent.parent / "spectra" / "thermal_properties.yaml"
    files = {
        "spectrum.json": spectrum.to_json().encode(),
        "spectrum.csv": spectrum.to_csv().encode(),
        "spectra.csv": b"id;0;100;200\nNaCl;0;0,5;1\nSi;0;1;0,25\n",
        "band.yaml": (REPORTED / "band_X.yaml").read_bytes().replace(b"symbol: X", b"symbol: Mg"),
        "bands.json": (REPORTED / "primitive" / "NaCl.json").read_bytes(),
        "vasprun.xml": (REPORTED / "mid_gap" / "vasprun.xml").read_bytes(),
        "total_dos.dat": (REPORTED / "total_dos_THz.dat").read_bytes(),
    }
    return files | ({thermal.name: thermal.read_bytes()} if thermal.exists() else {})


def slightly_mutated(content: bytes, draw: np.random.Generator) -> bytes:
    """One change that a reader may not notice: another digit, sign, letter, number or line."""
    kind = draw.integers(5)
    if kind == 4:
        lines = content.split(b"\n")
        at = int(draw.integers(len(lines)))
        again = [lines[at]] * 2 if draw.integers(2) else []
        return b"\n".join(lines[:at] + again + lines[at + 1 :])
    pattern = (rb"\d", rb"[-+ ](?=\d)", rb"[A-Za-z]", rb"\d+(\.\d+)?")[kind]
    found = list(re.finditer(pattern, content))
    if not found:
        return content
    one = found[draw.integers(len(found))]
    new = (
        b"%d" % draw.integers(10),
        (b"-", b"+", b" ")[draw.integers(3)],
        bytes([draw.choice(list(b"abcdefgxyzABCDEFGHNO"))]),
        (b"0", b"1", b"2", b"0.25", b"0.3333", b"3", b"7.5", b"120", b"1e3")[draw.integers(9)],
    )[kind]
    return content[: one.start()] + new + content[one.end() :]


def mutated(content: bytes, draw: np.random.Generator) -> bytes:
    """One to three changes: bytes flipped, cut, doubled, exchanged, tokens or numbers replaced; in
    half of all cases a single `slightly_mutated` one."""
    if draw.integers(2):
        return slightly_mutated(content, draw)
    for _ in range(draw.integers(1, 4)):
        if not content:
            return content
        at = int(draw.integers(len(content)))
        to = min(len(content), at + int(draw.integers(1, 40)))
        token = TOKENS[draw.integers(len(TOKENS))]
        content = [
            lambda a, b, t, c: c[:a] + bytes([int(draw.integers(256))]) + c[a + 1 :],
            lambda a, b, t, c: c[:a] + c[b:],
            lambda a, b, t, c: c[:b] + c[a:],
            lambda a, b, t, c: c[:a] + t + c[a:],
            lambda a, b, t, c: c[:a] + t + c[b:],
            lambda a, b, t, c: c[:a],
            lambda a, b, t, c: b"\n".join(draw.permutation(c.split(b"\n")).tolist()),
        ][draw.integers(7)](at, to, token, content)
    return content


def read_other(folder: Path, name: str, content: bytes) -> None:
    """Read one file of spectra or bands."""
    if name == "spectra.csv":
        folder = folder / "table"
        folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    if name == "spectra.csv":
        (folder / "NaCl.cif").write_bytes(structure_files()["a.cif"])
        (folder / "Si.cif").write_bytes(structure_files()["a.cif"])
    readers: dict[str, Callable[[], object]] = {
        "spectrum.json": lambda: Spectrum.from_json(path),
        "spectrum.csv": lambda: Spectrum.from_csv(path),
        "spectra.csv": lambda: load_folder(folder),
        "band.yaml": lambda: read_bands(path),
        "bands.json": lambda: read_bands(path, structure=REPORTED / "primitive" / "NaCl.cif"),
        "vasprun.xml": lambda: read_electron_dos(path, max_spacing=None),
        "total_dos.dat": lambda: Spectrum.from_phonopy(path),
        "thermal_properties.yaml": lambda: ThermalProperties.from_phonopy(path),
    }
    readers[name]()


def cases(n: int, seed: int) -> Iterator[tuple[str, bytes, bool]]:
    """``n`` mutated files: name, content, whether it is a structure. Six of seven are structures,
    which are quick to read."""
    draw = np.random.default_rng(seed)
    structures, others = list(structure_files().items()), list(other_files().items())
    for i in range(n):
        is_structure = i % 7 != 6
        among = structures if is_structure else others
        name, content = among[(i // 7 if not is_structure else i) % len(among)]
        yield name, mutated(content, draw), is_structure


def run(folder: Path, n: int, seed: int) -> dict:
    """Read ``n`` mutated files; the counts, and what went wrong with which bytes."""
    counts = {"accepted": 0, "refused": 0}
    wrong: list[dict] = []
    slowest = 0.0
    for name, content in other_files().items():  # imports what the readers need
        read_other(folder, name, content)
    signal.signal(signal.SIGALRM, _too_long)
    for name, content, is_structure in cases(n, seed):
        started = time.perf_counter()
        problem = None
        signal.alarm(TOO_LONG)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if is_structure:
                    problem = _contradiction(name, content, parse_crystals(content, name))
                else:
                    read_other(folder, name, content)
            counts["accepted"] += 1
        except TooLong:
            problem = f"longer than {TOO_LONG} s"
        except VanhoveError as error:
            counts["refused"] += 1
            if len(str(error).strip().splitlines()) != 1:
                problem = "an error of several lines"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - started)
        if problem:
            wrong.append({"file": name, "problem": problem[:200], "content": repr(content[:3000])})
    return {"n": n, "seed": seed, **counts, "slowest_s": round(slowest, 2), "wrong": wrong}


class TooLong(BaseException):
    """No error that a reader may catch."""


def _too_long(*_: object) -> None:
    raise TooLong


def _contradiction(name: str, content: bytes, crystals: list[Crystal]) -> str | None:
    """An accepted structure must be what its own file states: composition, atoms, volume."""
    (crystal,) = crystals
    if not np.isfinite(crystal.fractional_coordinates).all() or crystal.n_atoms < 1:
        return "impossible coordinates"
    found = Counter(SYMBOLS[z] for z in crystal.atomic_numbers)
    for what, value in stated(name, content):
        if what == "volume" and abs(crystal.volume / value - 1) > 0.0101:
            return f"volume {crystal.volume:.6g}, the file states {value:.6g}"
        if what == "atoms" and crystal.n_atoms not in value:
            return f"{crystal.n_atoms} atoms, the file states {value}"
        if what == "density":
            own = 1.66053907 * float(MASSES[crystal.atomic_numbers].sum()) / crystal.volume
            if abs(own / value - 1) > 0.0501:
                return f"density {own:.4g}, the file states {value:.4g}"
        if what == "composition":
            total, n = sum(value.values()), crystal.n_atoms
            if any(abs(value[x] / total - found[x] / n) > 0.0101 for x in {*value, *found}):
                return f"composition {dict(found)}, the file states {dict(value)}"
    return None
