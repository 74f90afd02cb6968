"""Files of electron DOS for tests: whole ones of several kinds, and damaged ones with reasons."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import ase
import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.electronic_structure.core import Orbital, Spin
from pymatgen.electronic_structure.dos import CompleteDos, Dos

VASP = Path(ase.__file__).parent / "test" / "testdata" / "vasp"
"""Files that VASP wrote, shipped with ASE."""
NACL = VASP / "vasprun_dfpt.xml"
"""VASP 6.3: NaCl, 2 atoms, 8 electrons, ISPIN 1, NEDOS 301 (0.199 eV), NKRED mesh with a gap."""
DIAMOND = VASP / "vasprun_pstress.xml"
"""VASP 6.3: diamond, ISMEAR 1, whose DOS is negative in places."""

ENERGIES = np.arange(-10, 10.001, 0.02)
SILICON = Structure(
    Lattice.from_parameters(3.84, 3.84, 3.84, 60, 60, 60), ["Si", "Si"], [[0, 0, 0], [0.25] * 3]
)
VBM, CBM, FERMI = 1.0, 2.0, 1.5
DENSITIES = np.where((ENERGIES < VBM + 1e-9) | (ENERGIES > CBM - 1e-9), 1.0, 0.0)
DENSITIES[:50] = 0.0


def dos(densities=DENSITIES, energies=ENERGIES, down=None) -> Dos:
    spins = {Spin.up: densities} if down is None else {Spin.up: densities, Spin.down: down}
    return Dos(FERMI, energies, spins)


def complete_dos(**fields) -> CompleteDos:
    total = dos(**fields)
    projected = {Orbital.s: {spin: values / 2 for spin, values in total.densities.items()}}
    return CompleteDos(SILICON, total, dict.fromkeys(SILICON, projected))


def write_json(path: Path, data: dict) -> Path:
    text = json.dumps(data).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def write_table(path: Path, header: str = f"# fermi_level: {FERMI}", densities=DENSITIES) -> Path:
    rows = [f"{e:.4f} {d:.6f}" for e, d in zip(ENERGIES, densities, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def write_damaged(folder: Path) -> dict[str, str]:
    """File name -> what the error must say."""
    vasp = NACL.read_text()
    whole = complete_dos().as_dict()
    reasons = {}

    def add(name: str, content: str | bytes | dict, reason: str) -> None:
        if isinstance(content, dict):
            write_json(folder / name, content)
        else:
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
        reasons[name] = reason

    begin, end = vasp.index("<dos>"), vasp.index("</dos>") + len("</dos>")
    rows = vasp[begin:end].splitlines(keepends=True)
    place = 40 + next(k for k, row in enumerate(rows) if row.strip().startswith("<r>"))

    def with_row(text: str) -> str:
        return "".join([vasp[:begin], *rows[:place], text, *rows[place + 1 :], vasp[end:]])

    add("empty.xml", "", "is empty")
    add("empty.json.gz", b"", "is empty")
    add("text.xml", "this is a log\n", "is not XML")
    add("other.xml", "<?xml version='1.0'?><html></html>", "VASP did not write it")
    add("truncated.xml", vasp[: len(vasp) // 2], "cut off at line")
    add("truncated.xml.gz", gzip.compress(vasp.encode())[:2000], "cannot be read")
    add("nodos.xml", vasp[:begin] + vasp[end:], "holds no DOS")
    add("stars.xml", with_row("<r> -7.5000 ******* 1.0000 </r>\n"), "NaN")
    add("negative.xml", with_row("<r> -7.5000 -9.0000 1.0000 </r>\n"), "negative densities")
    add("coarse.xml", vasp, "NEDOS = 1194 or more")
    stopped = re.sub(r'(name="NELM">)\s*\d+', r"\1 2", DIAMOND.read_text())
    add("stopped.xml", stopped, "did not converge")
    add("broken.json", "{'energies': [", "is not valid JSON")
    add("phonons.json", {**whole, "@class": "PhononDos"}, "holds a PhononDos, no electron DOS")
    add("structure.json", SILICON.as_dict(), "holds a Structure, no electron DOS")
    add("nothing.json", {"a": 1}, "has no 'energies', 'densities', 'efermi'")
    add("alone.json", dos().as_dict(), "no structure in it or beside it")
    add("nofermi.json", {**whole, "efermi": None}, "no Fermi level")
    add("atoms.json", {**whole, "pdos": whole["pdos"][:1]}, "of 1 atoms, the structure has 2")
    add("spins.json", complete_dos(down=DENSITIES).as_dict(), "the two spins are equal")
    add("magnetic.json", complete_dos(down=DENSITIES / 3).as_dict(), "the two spins differ")
    add("unsorted.json", {**whole, "energies": whole["energies"][::-1]}, "energies do not increase")
    add("short.json", {**whole, "energies": whole["energies"][:-1]}, "as many of one")
    add("zero.json", complete_dos(densities=DENSITIES * 1e-6).as_dict(), "states in all")
    add("nogap.json", {**whole, "efermi": 50.0}, "lies outside the DOS")
    cut = complete_dos(densities=np.where(ENERGIES < 1.5, DENSITIES, 0.0)).as_dict()
    add("nobands.json", cut, "no states above the Fermi level")
    add("lonely.dat", write_table(folder / "lonely.dat").read_text(), "no structure in it")
    add("words.dat", "# fermi_level: 1\n-1 2\n0 x\n", "line 3 is '0 x'")
    add("three.dat", "# efermi = 1\n-1 2 3\n", "must be two numbers")
    add("norows.dat", "energy density\n", "no row of numbers")
    SILICON.to(str(folder / "wrongcell.cif"))
    header = f"# fermi_level: {FERMI}\n# atoms: 4"
    add(
        "wrongcell.dat",
        write_table(folder / "wrongcell.dat", header).read_text(),
        "of 4 atoms, the structure has 2",
    )
    SILICON.to(str(folder / "nolevel.cif"))
    add("nolevel.dat", write_table(folder / "nolevel.dat", "# eV").read_text(), "no Fermi level")
    return reasons
