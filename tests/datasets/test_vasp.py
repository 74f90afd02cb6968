"""Electron DOS from files that VASP and pymatgen wrote, from tables, and from damaged files."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from tests.datasets.dos_files import (
    CBM,
    DENSITIES,
    DIAMOND,
    ENERGIES,
    FERMI,
    NACL,
    SILICON,
    VBM,
    complete_dos,
    dos,
    write_damaged,
    write_json,
    write_table,
)
from vanhove.datasets.electron_folder import iterate_electron_folder, load_electron_folder
from vanhove.datasets.vasp import eigenvalue_edges, read_electron_dos
from vanhove.errors import DataError


def raw_dos(path) -> np.ndarray:
    """Energies and densities by string operations, without pymatgen."""
    text = path.read_text()
    text = text[text.index("<dos>") : text.index("</dos>")]
    rows = [line.split()[1:3] for line in text.splitlines() if line.strip().startswith("<r>")]
    return np.array(rows, dtype=float)


def test_vasprun_without_loss(tmp_path):
    """NaCl as VASP 6.3 wrote it: each number of the file, 8 electrons, gap of the eigenvalues."""
    packed = tmp_path / "NaCl" / "vasprun.xml.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(NACL.read_bytes()))
    expected = raw_dos(NACL)
    for path, name in ((NACL, "vasprun_dfpt"), (packed, "NaCl")):
        got = read_electron_dos(path, max_spacing=None)
        assert got.id == got.crystal.name == name
        np.testing.assert_array_equal(got.energies, expected[:, 0])
        np.testing.assert_array_equal(got.densities, expected[:, 1])
        assert got.fermi_level == 0.65337127
        assert (got.vbm, got.cbm) == (0.1414, 5.6402)
        assert got.n_electrons == pytest.approx(8, rel=0.01)
        assert got.crystal.formula == "NaCl"
        assert got.crystal.n_atoms == 2


def test_negative_densities_that_vasp_wrote():
    with pytest.raises(DataError, match=r"vasprun_pstress.xml: 79 negative densities.*ISMEAR"):
        read_electron_dos(DIAMOND, max_spacing=None)


def test_every_kind_gives_the_same(tmp_path):
    write_table(tmp_path / "Si.dat")
    write_json(tmp_path / "Si.json.gz", dos().as_dict())
    SILICON.to(str(tmp_path / "Si.cif"))
    entry = {"material_id": "mp-149", "dos": dos().as_dict(), "structure": SILICON.as_dict()}
    sources = [
        (tmp_path / "Si.dat", "Si"),
        (tmp_path / "Si.json.gz", "Si"),
        (write_json(tmp_path / "mp.json", entry), "mp-149"),
        (complete_dos(), "Si"),
        (complete_dos().as_dict(), "Si"),
    ]
    for source, name in sources:
        got = read_electron_dos(source)
        assert got.id == name
        np.testing.assert_allclose(got.energies, ENERGIES, atol=1e-9)
        np.testing.assert_allclose(got.densities, DENSITIES, atol=1e-9)
        assert (got.vbm, got.cbm) == pytest.approx((VBM, CBM))
        assert got.fermi_level == FERMI
        assert got.crystal.n_atoms == 2
    assert read_electron_dos(dos(), structure=SILICON, id="mine").id == "mine"
    assert read_electron_dos(complete_dos(), fermi_level=1.2).fermi_level == 1.2


def test_structure_beside_the_only_dos_of_a_folder(tmp_path):
    table = write_table(tmp_path / "dos.dat")
    SILICON.to(str(tmp_path / "POSCAR"), fmt="poscar")
    assert read_electron_dos(table).crystal.n_atoms == 2
    SILICON.to(str(tmp_path / "CONTCAR"), fmt="poscar")
    with pytest.raises(DataError, match="2 structures beside it"):
        read_electron_dos(table)
    write_table(tmp_path / "other.dat")
    with pytest.raises(DataError, match="no structure in it"):
        read_electron_dos(table)


def test_table_with_commas_and_a_column_header(tmp_path):
    rows = "\n".join(f"{e},{d}" for e, d in zip(ENERGIES, DENSITIES, strict=True))
    path = tmp_path / "Si.csv"
    path.write_text(f"energy,density\n{rows}\n")
    got = read_electron_dos(path, structure=SILICON, fermi_level=FERMI)
    assert got.cbm == pytest.approx(CBM)


def test_a_metal_has_no_edges():
    got = read_electron_dos(complete_dos(densities=np.ones(len(ENERGIES))))
    assert got.vbm is None
    assert got.cbm is None
    assert got.is_metal
    assert got.edges.vbm == FERMI


def test_fermi_level_next_to_the_band_makes_no_metal():
    """VASP may put it at, or a little inside, the band edge."""
    for level in (VBM, VBM - 0.005, CBM + 0.005):
        assert read_electron_dos(complete_dos(), fermi_level=level).gap == pytest.approx(CBM - VBM)
    assert read_electron_dos(complete_dos(), fermi_level=VBM - 0.5).is_metal


def test_eigenvalue_edges():
    energies = np.array([[-1.0, 0.0, 2.0], [-1.2, 0.1, 1.5]])
    weights = np.array([1.0, 3.0])

    def bands(occupations):
        full = np.broadcast_to(occupations, energies.shape)
        return [np.stack([energies, full], axis=-1)]

    assert eigenvalue_edges(bands([1, 1, 0]), weights) == (0.1, 1.5)
    # Broadened occupations of an insulator still sum to two bands.
    assert eigenvalue_edges(bands([1, 0.98, 0.02]), weights) == (0.1, 1.5)
    assert eigenvalue_edges(bands([1, 0.5, 0]), weights) == "metal"
    assert eigenvalue_edges(bands([1, 1, 1]), weights) == "unknown"
    both = bands([1, 1, 0]) + bands([1, 0, 0])
    assert eigenvalue_edges(both, weights) == "metal"


def test_spins_are_summed_only_if_asked():
    polarised = complete_dos(densities=DENSITIES, down=DENSITIES / 2)
    with pytest.raises(DataError, match="spin='sum'"):
        read_electron_dos(polarised)
    np.testing.assert_allclose(read_electron_dos(polarised, spin="sum").densities, DENSITIES * 1.5)


def test_damaged_files(tmp_path):
    """Each is one line that names the file and says what to do."""
    reasons = write_damaged(tmp_path)
    for name, reason in reasons.items():
        with pytest.raises(DataError) as caught:
            read_electron_dos(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / name}: "), message
        assert reason in message, f"{name}: {message}"
        assert "\n" not in message
    with pytest.raises(DataError, match="no such file"):
        read_electron_dos(tmp_path / "missing.xml")
    with pytest.raises(DataError, match=r"not a known file of a DOS; allowed: \.xml"):
        read_electron_dos(tmp_path / "OUTCAR")


def test_window():
    whole = complete_dos()
    assert read_electron_dos(whole, window=(-4, 4)).energies[0] == ENERGIES[0]
    with pytest.raises(DataError, match=r"the window -4.00 to 11.00 eV is not in it"):
        read_electron_dos(whole, window=(-5, 9))
    # From the VBM at 1 eV, from the Fermi level at 1.5 eV: 10 eV is the end of the DOS.
    assert read_electron_dos(whole, window=(-5, 9), reference="vbm")
    with pytest.raises(DataError, match=r"10\.50 eV is not in it"):
        read_electron_dos(whole, window=(-5, 9), reference="fermi")
    with pytest.raises(DataError, match="is not in it"):
        read_electron_dos(whole, window=(-12, 4))
    filled = read_electron_dos(whole, window=(-12, 4), empty_below=True)
    assert filled.energies[0] <= VBM - 12
    assert filled.spacing == pytest.approx(0.02)
    assert filled.n_electrons == pytest.approx(read_electron_dos(whole).n_electrons)
    full = complete_dos(densities=np.maximum(DENSITIES, ENERGIES < 0))
    with pytest.raises(DataError, match="is not in it"):
        read_electron_dos(full, window=(-12, 4), empty_below=True)


def test_window_against_the_bands_of_a_vasprun():
    """All states of NaCl lie in the DOS, so it is 0 below; the bands end before the DOS does."""
    low = read_electron_dos(NACL, max_spacing=None, window=(-30, 4))
    assert low.energies[0] <= -29.8
    assert low.n_electrons == pytest.approx(8, rel=0.01)
    with pytest.raises(DataError, match=r"bands are complete up to .*NBANDS"):
        read_electron_dos(NACL, max_spacing=None, window=(-4, 35))


def test_papers_grids_of_a_read_dos():
    from vanhove.spectra.electron_dos import mat2spec_electron_dos

    got = read_electron_dos(complete_dos())
    values = mat2spec_electron_dos(got.states, got.edges)
    assert values.shape == (128,)
    assert values[1:-1] == pytest.approx(1, abs=0.2)


@pytest.fixture
def mixed(tmp_path):
    """Good files of every kind, in subfolders too, among bad ones."""
    (tmp_path / "a10").mkdir()
    (tmp_path / "a10" / "vasprun.xml").write_bytes(NACL.read_bytes())
    (tmp_path / "a10" / "INCAR").write_text("ISMEAR = -5\n")
    write_json(tmp_path / "b.json", complete_dos().as_dict())
    write_table(tmp_path / "c.dat")
    SILICON.to(str(tmp_path / "c.cif"))
    write_json(tmp_path / "d.json", complete_dos(down=DENSITIES).as_dict())
    (tmp_path / "e.xml").write_text("no")
    SILICON.to(str(tmp_path / "f.cif"))
    (tmp_path / "g").mkdir()
    write_json(tmp_path / "g" / "b.json.gz", complete_dos().as_dict())
    (tmp_path / ".hidden.json").write_text("no")
    return tmp_path


def test_folder_reports_everything(mixed):
    found, report = load_electron_folder(mixed, max_spacing=0.2, quiet=True)
    assert [item.id for item in found] == ["a10", "b", "c"]
    assert report.used == 3
    assert report.ignored == ["a10/INCAR"]
    assert [item.id for item in report.failed] == ["d", "e", "b", "f"]
    for item, reason in zip(
        report.failed,
        ("spin-polarised", "is not XML", "b.json has the same id", "structure without a DOS"),
        strict=True,
    ):
        assert reason in item.reason
    assert "3 electron DOS read, 4 not usable" in str(report)
    assert "  e: " in str(report)
    summed, _ = load_electron_folder(mixed, max_spacing=0.2, spin="sum", quiet=True)
    assert [item.id for item in summed] == ["a10", "b", "c", "d"]


def test_folder_one_by_one(mixed):
    items = iterate_electron_folder(mixed, quiet=True, max_spacing=0.2)
    assert next(items).id == "a10"
    (mixed / "b.json").write_text("")
    assert "is empty" in next(items).reason


def test_folder_without_dos(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        load_electron_folder(tmp_path / "no")
    with pytest.raises(DataError, match=r"no file of a DOS in it; allowed: \.xml"):
        load_electron_folder(tmp_path)
