"""The original files of Petretto et al., Sci. Data 5, 180065 (2018): JSON, one per crystal.

They stand in the history of the repository of VGNN (Okabe et al.). From them the arrays are made
that `phonon_petretto_full` reads; these are checked against their SHA-256, however they were got.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.atomic import write_bytes
from vanhove.datasets.cache import cache_folder, data_folder, download_unchecked
from vanhove.errors import DataError
from vanhove.progress import track
from vanhove.untrusted import parse_json, read_arrays, read_file

SOURCE = (
    "https://raw.githubusercontent.com/RyotaroOKabe/phonon_prediction/"
    "e103b499d28eee32d9222963aee02b0b494b2800/previous_codes/phonon"
)
PLACE = "phonon_petretto_full/petretto_full.npz"
SHA256 = "9cd074d956c4d4cf43d2ecf27404c88c1aa59a93ecddab9cb7f1c2afe9adf2c5"
"""Of the arrays, as `digest` takes it: the bytes of an archive differ from one zlib to the next."""
_AT_ONCE = 8
_THERMO = {
    "Cv_J_per_K_mol_formula": "C_v",
    "S_J_per_K_mol_formula": "entropy",
    "F_J_per_mol_formula": "helmholtz_energy",
}
_TYPES = {
    "ids": np.str_,
    "natoms": np.int32,
    "natoms_formula": np.int32,
    "Z": np.int16,
    "frac": np.float64,
    "lattice": np.float64,
    "becs": np.float32,
    "eps_electronic": np.float32,
    "nq": np.int32,
    "qpts": np.float32,
    "band_cm1": np.float32,
    "dos_len": np.int32,
    "dos_freq_cm1": np.float32,
    "dos_states_per_eV": np.float32,
    "temperature_K": np.float64,
    **dict.fromkeys(_THERMO, np.float32),
    "has_neg_fr": np.bool_,
    "large_cnsr_break": np.bool_,
}
_JOINED = ("Z", "frac", "becs", "qpts", "band_cm1", "dos_freq_cm1", "dos_states_per_eV")
_TEMPERATURES = np.arange(5.0, 801.0, 5.0)


def original_arrays(ids: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of all crystals: from ``VANHOVE_DATA``, the cache, or the public source.

    A fetch that was stopped goes on where it was; its files are removed once the arrays are stored.

    Args:
        ids: of all materials.

    Raises:
        DataError: a copy or what was fetched holds other numbers, or the source cannot be reached.
        OutputError: the cache cannot be written.
    """
    local = data_folder()
    if local is not None and (local / PLACE).is_file():
        arrays = read_arrays(local / PLACE)
        if (got := digest(arrays)) != SHA256:
            raise DataError(
                f"{local / PLACE}: arrays with SHA-256 {got}, expected {SHA256}; "
                "replace the file or unset VANHOVE_DATA"
            )
        return arrays
    stored = cache_folder() / PLACE
    if stored.is_file() and (kept := _sound(stored)) is not None:
        return kept
    folder = stored.parent / "files"
    _fetch(ids, folder)
    arrays = joined([read_original(folder / f"{name}.json") for name in _ordered(ids)])
    if (got := digest(arrays)) != SHA256:
        raise DataError(
            f"{SOURCE}: the files make arrays with SHA-256 {got}, expected {SHA256}; delete "
            f"{folder} and try again, or put the right archive at {PLACE} in a folder and name "
            "that folder in VANHOVE_DATA"
        )
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)  # type: ignore[arg-type]  # numpy's stub: allow_pickle
    write_bytes(stored, archive.getvalue())
    shutil.rmtree(folder, ignore_errors=True)
    return arrays


def digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 (hex) of the arrays that are read; structures enter rounded to 1e-8.

    Raises:
        DataError: an array is missing.
    """
    result = hashlib.sha256(b"petretto arrays 1")
    for name, kind in _TYPES.items():
        if name not in arrays:
            raise DataError(f"{PLACE}: no array {name!r}; replace the file")
        array = arrays[name]
        result.update(f"{name} {array.shape}".encode())
        if name in ("lattice", "frac"):
            content = np.rint(array * 1e8).astype("<i8").tobytes()
        elif name == "ids":
            content = " ".join(array.tolist()).encode()
        elif np.issubdtype(kind, np.floating):
            # + 0.0 turns -0.0 into 0.0; one NaN stands for all
            content = np.where(np.isnan(array), np.nan, array + 0.0).astype("<f8").tobytes()
        else:
            content = array.astype("<i8").tobytes()
        result.update(content)
    return result.hexdigest()


def read_original(path: Path) -> dict[str, np.ndarray]:
    """What `joined` joins, of one crystal's file.

    Thermodynamics are NaN where the file has none (negative frequencies).

    Raises:
        DataError: no such file, or not in this form.
    """
    content = parse_json(read_file(path), str(path))
    try:
        phonon, meta, polar = content["phonon"], content["metadata"], content["dielectric"]
        structure = _structure(meta["structure"])
        bands = np.asarray(phonon["ph_bandstructure"], np.float32)
        n_atoms, n_k = len(structure), len(phonon["qpts"])
        thermo = content["thermo"]
        temperatures = np.asarray(thermo.get("temperature", _TEMPERATURES))
        unit = structure.composition.get_reduced_composition_and_factor()[0]
        values = {
            "ids": meta["material_id"],
            "natoms": n_atoms,
            "natoms_formula": round(unit.num_atoms),
            "Z": structure.atomic_numbers,
            "frac": structure.frac_coords,
            "lattice": structure.lattice.matrix,
            "becs": polar["becs"],
            "eps_electronic": polar["eps_electronic"],
            "nq": n_k,
            "qpts": phonon["qpts"],
            "band_cm1": bands.ravel(),
            "dos_len": len(phonon["ph_dos"]),
            "dos_freq_cm1": phonon["dos_frequencies"],
            "dos_states_per_eV": phonon["ph_dos"],
            "temperature_K": temperatures,
            **{
                name: thermo[key] if thermo else np.full(len(_TEMPERATURES), np.nan)
                for name, key in _THERMO.items()
            },
            # the files hold both true and "True"
            **{
                name: str(content["flags"][name]) == "True"
                for name in ("has_neg_fr", "large_cnsr_break")
            },
        }
        result: dict[str, np.ndarray] = {
            name: np.asarray(values[name], kind) for name, kind in _TYPES.items()
        }
        shapes = {
            "bands": (bands.shape, (n_k, 3 * n_atoms)),
            "charges": (result["becs"].shape, (n_atoms, 3, 3)),
            "dielectric tensor": (result["eps_electronic"].shape, (3, 3)),
            "density": (result["dos_freq_cm1"].shape, result["dos_states_per_eV"].shape),
            "temperatures": (temperatures.tolist(), _TEMPERATURES.tolist()),
            "thermodynamics": ({result[name].shape for name in _THERMO}, {_TEMPERATURES.shape}),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: is no file of Petretto et al. ({error}); delete it") from error
    for what, (found, expected) in shapes.items():
        if found != expected:
            raise DataError(f"{path}: {what} {found}, expected {expected}; delete the file")
    return result


def joined(crystals: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One array per quantity; what differs in length from crystal to crystal is concatenated."""
    arrays = {}
    for name, kind in _TYPES.items():
        columns = [own[name] for own in crystals]
        if name == "temperature_K":
            arrays[name] = _TEMPERATURES
        elif name in _JOINED:
            arrays[name] = np.concatenate(columns)
        else:
            arrays[name] = np.array(columns, kind)
    return arrays


def _structure(cif: str) -> Any:
    from pymatgen.core import Structure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 0.333333 becomes 1/3, which it says
        return Structure.from_str(cif, fmt="cif")


def _ordered(ids: Sequence[str]) -> list[str]:
    return sorted(ids, key=lambda name: int(name.removeprefix("mp-")))


def _sound(stored: Path) -> dict[str, np.ndarray] | None:
    try:
        arrays = read_arrays(stored)
        return arrays if digest(arrays) == SHA256 else None
    except DataError:
        return None


def _fetch(ids: Sequence[str], folder: Path) -> None:
    missing = [name for name in ids if not (folder / f"{name}.json").is_file()]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = [
            pool.submit(download_unchecked, f"{SOURCE}/{name}.json", folder / f"{name}.json")
            for name in missing
        ]
        try:
            about = f"downloading {len(jobs)} files of {SOURCE}"
            for job in track(as_completed(jobs), about, total=len(jobs)):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if missing:
        print(f"downloaded {len(missing)} files of {SOURCE}", file=sys.stderr)
