"""A prediction as a file of the field, as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from vanhove.errors import DataError, MissingExtraError
from vanhove.server.views import TOTAL, View


def download(view: View, name: str) -> str:
    """The text of a file.

    Args:
        view: of the prediction.
        name: one of its ``downloads``.

    Raises:
        DataError: not of this prediction.
        MissingExtraError: phonopy is needed and not installed.
    """
    made: dict[str, Callable[[View], str]] = {
        "density.csv": _density,
        "bands.csv": _bands,
        "pymatgen.json": _pymatgen,
        "phonopy.yaml": _phonopy,
        "band.yaml": _band_yaml,
        "phononwebsite.json": _website,
        "wannier90_hr.dat": _hamiltonian,
    }
    if name not in made or name not in view.answer().downloads:
        allowed = ", ".join(view.answer().downloads)
        raise DataError(f"no file {name[:60]!r} of this prediction; allowed: {allowed}")
    return made[name](view)


def _density(view: View) -> str:
    """Of the whole spectrum with its parts where there are parts, else as predicted."""
    if len(view.densities) < 2:
        return view.outcome.to_csv()
    total = view.densities[TOTAL]
    parts = {
        name: item for name, item in view.densities.items() if len(item.grid) == len(total.grid)
    }
    head = ",".join([total.kind.axis_unit.column, *parts])
    rows = zip(total.grid, *(item.values for item in parts.values()), strict=True)
    lines = [",".join(f"{x:.6g}" for x in row) for row in rows]
    return "\n".join([f"# {total.normalisation}", head, *lines]) + "\n"


def _bands(view: View) -> str:
    assert view.bands is not None
    return view.bands.to_csv()


def _pymatgen(view: View) -> str:
    """``{"dos": ..., "bands": ...}``, which ``MontyDecoder`` reads."""
    density = view.densities.get(TOTAL)
    made = {
        "dos": None if density is None else density.to_pymatgen().as_dict(),
        "bands": None if view.bands is None else view.bands.to_pymatgen().as_dict(),
    }
    from monty.json import MontyEncoder

    return json.dumps(made, cls=MontyEncoder)


def _phonopy(view: View) -> str:
    """``phonopy.yaml`` with force constants, Born charges and dielectric tensor."""
    assert view.phonons is not None
    try:
        phonopy = view.phonons.to_phonopy()
    except ModuleNotFoundError:
        raise MissingExtraError("phonopy", "serve", "phonopy.yaml") from None
    with TemporaryDirectory(prefix="vanhove-") as folder:
        path = Path(folder) / "phonopy.yaml"
        phonopy.save(path, settings={"force_constants": True, "born_effective_charge": True})
        return path.read_text()


def _website(view: View) -> str:
    assert view.phonons is not None
    return view.phonons.to_phononwebsite()


def _band_yaml(view: View) -> str:
    assert view.phonons is not None
    with TemporaryDirectory(prefix="vanhove-") as folder:
        view.phonons.write_band_yaml(Path(folder) / "band.yaml")
        return (Path(folder) / "band.yaml").read_text()


def _hamiltonian(view: View) -> str:
    assert view.electrons is not None
    with TemporaryDirectory(prefix="vanhove-") as folder:
        return view.electrons.to_wannier90(Path(folder) / "vanhove").read_text()
