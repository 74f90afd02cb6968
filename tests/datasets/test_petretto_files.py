"""The original files of Petretto et al.: reading, fetching from a server on this machine."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

from vanhove.datasets import petretto_files
from vanhove.datasets.petretto_files import digest, joined, original_arrays, read_original
from vanhove.errors import DataError

CIF = """# generated using pymatgen
data_{formula}
_symmetry_space_group_name_H-M   'P 1'
_cell_length_a   {lengths[0]:.8f}
_cell_length_b   {lengths[1]:.8f}
_cell_length_c   {lengths[2]:.8f}
_cell_angle_alpha   {angles[0]:.8f}
_cell_angle_beta   {angles[1]:.8f}
_cell_angle_gamma   {angles[2]:.8f}
_symmetry_Int_Tables_number   1
loop_
 _symmetry_equiv_pos_site_id
 _symmetry_equiv_pos_as_xyz
  1  'x, y, z'
loop_
 _atom_site_type_symbol
 _atom_site_label
 _atom_site_symmetry_multiplicity
 _atom_site_fract_x
 _atom_site_fract_y
 _atom_site_fract_z
 _atom_site_occupancy
"""
TEMPERATURES = [5.0 * i for i in range(1, 161)]


def original(
    name, formula, sites, *, lengths=(4, 4, 4), angles=(90, 90, 90), stable=True, n_k=3
) -> dict:
    """A file in the form of the source, with made-up numbers."""
    n = len(sites)
    random = np.random.default_rng(n)
    rows = "".join(
        f"  {element}  {element}{i}  1  " + "  ".join(f"{x:.6f}" for x in at) + "  1\n"
        for i, (element, at) in enumerate(sites, 1)
    )
    thermo = {
        key: random.random(160).tolist()
        for key in ("C_v", "entropy", "helmholtz_energy", "internal")
    }
    return {
        "phonon": {
            "qpts": random.random((n_k, 3)).tolist(),
            "ph_dos": random.random(7).tolist(),
            "asr_breaking": 0.6,
            "ph_bandstructure": (500 * random.random((n_k, 3 * n))).tolist(),
            "dos_frequencies": [-1.5 + i for i in range(7)],
        },
        "thermo": {**thermo, "temperature": TEMPERATURES} if stable else {},
        "flags": {
            "large_cnsr_break": "False" if stable else "True",
            "has_neg_fr": not stable,
            "large_asr_break": "False",
            "small_q_neg_fr": False,
        },
        "dielectric": {
            "becs": random.random((n, 3, 3)).tolist(),
            "eps_total": None,
            "cnsr_breaking": 0.1,
            "eps_electronic": [[3.0, 0, 0], [0, 3.0, 0], [0, 0, 4.0]],
        },
        "metadata": {
            "material_id": name,
            "nsites": n,
            "formula": formula,
            "structure": CIF.format(formula=formula, lengths=lengths, angles=angles) + rows,
        },
    }


FILES = {
    "mp-20": original("mp-20", "MgO", [("Mg", (0, 0, 0)), ("O", (0.5, 0.5, 0.5))]),
    "mp-3": original(
        "mp-3",
        "Si",
        [("Si", (1 / 3, 2 / 3, 0.25)), ("Si", (2 / 3, 1 / 3, 0.75))],
        lengths=(3.5, 3.5, 6),
        angles=(90, 90, 120),
        stable=False,
        n_k=2,
    ),
    "mp-100": original(
        "mp-100", "O2", [("O", (0, 0, 0)), ("O", (0.3, 0, 0)), ("O", (0.5, 0.5, 0.5))]
    ),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.removeprefix("/phonon/").removesuffix(".json")
        self.server.asked.append(name)
        if name not in self.server.files:
            self.send_error(503)
            return
        body = json.dumps(self.server.files[name]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(serve, cache, monkeypatch, tmp_path):
    server = serve(Handler)
    server.files = dict(FILES)
    monkeypatch.setattr(petretto_files, "SOURCE", f"{server.url}/phonon")
    monkeypatch.setattr(petretto_files, "SHA256", digest(arrays_of(tmp_path)))
    return server


def arrays_of(folder):
    found = []
    for name in ("mp-3", "mp-20", "mp-100"):
        (folder / f"{name}.json").write_text(json.dumps(FILES[name]))
        found.append(read_original(folder / f"{name}.json"))
    return joined(found)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_arrays_of_files(tmp_path):
    arrays = arrays_of(tmp_path)
    assert arrays["ids"].tolist() == ["mp-3", "mp-20", "mp-100"]
    assert arrays["natoms"].tolist() == [2, 2, 3]
    assert arrays["natoms_formula"].tolist() == [1, 2, 2]  # Si, MgO, O2
    assert arrays["Z"].tolist() == [14, 14, 12, 8, 8, 8, 8]
    assert arrays["frac"][0].tolist() == [1 / 3, 2 / 3, 0.25]
    np.testing.assert_allclose(arrays["lattice"][1], 4 * np.eye(3), atol=1e-12)
    cell = arrays["lattice"][0]
    np.testing.assert_allclose(np.linalg.norm(cell, axis=1), [3.5, 3.5, 6])
    assert cell[0] @ cell[1] == pytest.approx(-(3.5**2) / 2)
    assert arrays["nq"].tolist() == [2, 3, 3]
    bands = np.split(arrays["band_cm1"], np.cumsum([2 * 6, 3 * 6]))
    for own, name in zip(bands, arrays["ids"], strict=True):
        expected = np.array(FILES[name]["phonon"]["ph_bandstructure"], np.float32)
        np.testing.assert_array_equal(own.reshape(expected.shape), expected)
    assert arrays["has_neg_fr"].tolist() == [True, False, False]
    assert arrays["large_cnsr_break"].tolist() == [True, False, False]
    assert np.isnan(arrays["Cv_J_per_K_mol_formula"][0]).all()
    free = FILES["mp-20"]["thermo"]["helmholtz_energy"]
    np.testing.assert_array_equal(arrays["F_J_per_mol_formula"][1], np.float32(free))
    np.testing.assert_array_equal(
        arrays["becs"][2:4], np.float32(FILES["mp-20"]["dielectric"]["becs"])
    )


def test_fetched_once_and_only_the_arrays_stay(server, cache):
    arrays = original_arrays(list(FILES))
    assert sorted(server.asked) == sorted(FILES)
    assert files_in(cache) == [cache / "phonon_petretto_full/petretto_full.npz"]
    again = original_arrays(list(FILES))
    assert len(server.asked) == 3
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


def test_a_stopped_fetch_goes_on(server, cache):
    del server.files["mp-100"]
    with pytest.raises(DataError, match=r"mp-100\.json: the server answers 503"):
        original_arrays(["mp-20", "mp-3", "mp-100"])
    had = {path.stem for path in files_in(cache)}
    server.files["mp-100"] = FILES["mp-100"]
    server.asked.clear()
    original_arrays(["mp-20", "mp-3", "mp-100"])
    assert set(server.asked) == set(FILES) - had


def test_other_numbers_are_refused(server, cache):
    changed = json.loads(json.dumps(FILES["mp-20"]))
    changed["phonon"]["ph_dos"][2] += 1e-3
    server.files["mp-20"] = changed
    with pytest.raises(DataError, match=r"expected .*; delete .*files and try again"):
        original_arrays(list(FILES))
    assert not (cache / "phonon_petretto_full/petretto_full.npz").exists()


def test_a_damaged_archive_in_the_cache_is_replaced(server, cache):
    (cache / "phonon_petretto_full").mkdir(parents=True)
    (cache / "phonon_petretto_full/petretto_full.npz").write_bytes(b"nothing")
    assert original_arrays(list(FILES))["ids"].tolist() == ["mp-3", "mp-20", "mp-100"]
    assert len(server.asked) == 3


def test_a_copy_is_checked_and_not_replaced(server, tmp_path, monkeypatch):
    folder = tmp_path / "data/phonon_petretto_full"
    folder.mkdir(parents=True)
    monkeypatch.setenv("VANHOVE_DATA", str(tmp_path / "data"))
    arrays = arrays_of(tmp_path)
    np.savez(folder / "petretto_full.npz", **arrays, more=np.zeros(3))
    assert original_arrays(list(FILES))["nq"].tolist() == [2, 3, 3]
    np.savez(folder / "petretto_full.npz", **{**arrays, "becs": arrays["becs"] + 1})
    with pytest.raises(DataError, match="replace the file or unset VANHOVE_DATA"):
        original_arrays(list(FILES))
    assert not server.asked


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("phonon", "ph_bandstructure"), [[1.0, 2.0]], "bands"),
        (("phonon", "dos_frequencies"), [1.0], "density"),
        (("dielectric", "becs"), [[[1.0] * 3] * 3], "charges"),
        (("dielectric", "eps_electronic"), None, "dielectric"),
        (("thermo", "temperature"), [1.0], "temperatures"),
        (("metadata", "structure"), "no CIF", "no file of Petretto"),
        (("flags",), {}, "no file of Petretto"),
    ],
)
def test_files_in_another_form_are_refused_by_name(tmp_path, where, value, message):
    content = json.loads(json.dumps(FILES["mp-20"]))
    inner = content
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    path = tmp_path / "mp-20.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"mp-20\.json: .*{message}"):
        read_original(path)


@pytest.mark.data
def test_crystals_of_the_set_written_as_their_files_make_the_same_arrays(tmp_path):
    """All but structures, which enter as cells and sites with the digits of the files."""
    from vanhove.crystal.elements import SYMBOLS
    from vanhove.datasets.cache import data_folder
    from vanhove.untrusted import read_arrays

    folder = data_folder()
    assert folder is not None
    data = read_arrays(folder / petretto_files.PLACE)
    assert digest(data) == petretto_files.SHA256
    at = np.r_[0, np.cumsum(data["natoms"])]
    for row in range(0, len(data["ids"]), 19):
        atoms = slice(at[row], at[row + 1])
        lengths = np.linalg.norm(data["lattice"][row], axis=1)
        units = data["lattice"][row] / lengths[:, None]
        angles = np.degrees(
            np.arccos([units[1] @ units[2], units[0] @ units[2], units[0] @ units[1]])
        )
        sites = [
            (SYMBOLS[z], x) for z, x in zip(data["Z"][atoms], data["frac"][atoms], strict=True)
        ]
        path = tmp_path / "mp-1.json"
        written = original("mp-1", "X", sites, lengths=lengths, angles=angles)
        path.write_text(json.dumps(written))
        made = joined([read_original(path)])
        for name in ("Z", "frac"):
            np.testing.assert_array_equal(made[name], data[name][atoms])
        np.testing.assert_array_equal(
            np.rint(made["lattice"][0] * 1e8), np.rint(data["lattice"][row] * 1e8)
        )
        assert made["natoms_formula"][0] == data["natoms_formula"][row]
