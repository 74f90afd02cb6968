"""``--format`` of ``vanhove predict``: which files there are of each kind of prediction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from vanhove.atomic import write_text
from vanhove.errors import ConfigError, MissingExtraError
from vanhove.prediction.electrons import Electrons
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.thermal_table import ThermalProperties

Writer: TypeAlias = Callable[[Any, str], list[str]]
"""Writes a prediction into files whose names begin as given; their names."""


def asked_formats(formats: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """The names, each once; several may stand in one text with commas between them.

    Raises:
        ConfigError: one that is not allowed.
    """
    names = [name.strip() for text in formats for name in text.split(",")]
    for name in names:
        if name not in allowed:
            raise ConfigError(f"--format {name}; allowed here: {', '.join(allowed)}")
    return tuple(dict.fromkeys(names))


def _one(ending: str, write: Callable[[Any, Path], object]) -> Writer:
    def writer(outcome: Any, base: str) -> list[str]:
        write(outcome, Path(f"{base}{ending}"))
        return [f"{base}{ending}"]

    return writer


def _parquet(table: Any, path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("pyarrow", "screen", "--format parquet") from None
    (table.to_frame() if hasattr(table, "to_frame") else table).to_parquet(path)


def _pymatgen(outcome: Any, path: Path) -> None:
    """What ``MontyDecoder`` reads."""
    from monty.json import MontyEncoder

    write_text(path, json.dumps(outcome.to_pymatgen(), cls=MontyEncoder))


OF_BANDS: Mapping[str, Writer] = {
    "csv": _one(".csv", lambda outcome, path: outcome.to_csv(path)),
    "json": _one(".json", lambda outcome, path: outcome.to_json(path)),
    "parquet": _one(".parquet", lambda outcome, path: _parquet(outcome.to_pandas(), path)),
    "pymatgen": _one(".pymatgen.json", _pymatgen),
}
"""Of bands, and of densities."""
OF_PHONON_DOS: Mapping[str, Writer] = {
    **OF_BANDS,
    "phonopy": _one(".total_dos.dat", lambda outcome, path: outcome.to_phonopy(path)),
}


def _wannier90(electrons: Electrons, base: str) -> list[str]:
    electrons.to_wannier90(base)
    return [f"{base}_hr.dat", f"{base}.win", f"{base}_centres.xyz"]


def _bxsf(electrons: Electrons, base: str) -> list[str]:
    return [str(electrons.to_bxsf(f"{base}.bxsf"))] if electrons.is_metal else []


OF_HAMILTONIAN: Mapping[str, Writer] = {"wannier90": _wannier90, "bxsf": _bxsf}
"""Of electrons, from their Hamiltonian; an insulator has no Fermi surface."""


def _tables(phonons: Phonons, base: str, write: Callable[[Any, Path], object], ending: str) -> Any:
    written = []
    for name, table in phonons.to_pandas().items():
        written.append(f"{base}-{name.replace('_', '-')}{ending}")
        write(table, Path(written[-1]))
    return written


def _csv(table: Any, path: Path) -> None:
    write_text(path, table.to_csv(index=table.index.name is not None))


def _phonons_pymatgen(phonons: Phonons, base: str) -> list[str]:
    own = phonons.primitive
    return [
        path
        for name, part in (("bands", own.bands()), ("dos", own.dos()))
        for path in OF_BANDS["pymatgen"](part, f"{base}-{name}")
    ]


def _phonons_phonopy(phonons: Phonons, base: str) -> list[str]:
    """Force constants, bands, density and thermodynamics, as phonopy calls them."""
    names = ("phonopy.yaml", "band.yaml", "total_dos.dat", "thermal_properties.yaml")
    yaml, band, dos, thermal = (f"{base}.{name}" for name in names)
    phonons.to_phonopy().save(
        yaml, settings={"force_constants": True, "born_effective_charge": True}
    )
    phonons.write_band_yaml(band)
    phonons.dos().to_phonopy(dos)
    phonons.thermal_properties().to_phonopy(thermal)
    return [yaml, band, dos, thermal]


OF_PHONONS: Mapping[str, Writer] = {
    "csv": lambda phonons, base: _tables(phonons, base, _csv, ".csv"),
    "parquet": lambda phonons, base: _tables(phonons, base, _parquet, ".parquet"),
    "pymatgen": _phonons_pymatgen,
    "phonopy": _phonons_phonopy,
}
"""Of whole phonons: a file for the bands, the density, its shares, the thermodynamics."""


def _thermal_csv(thermal: ThermalProperties, path: Path) -> None:
    _csv(thermal.to_pandas(), path)


OF_THERMAL: Mapping[str, Writer] = {
    "csv": _one(".csv", _thermal_csv),
    "parquet": _one(".parquet", lambda thermal, path: _parquet(thermal.to_pandas(), path)),
    "phonopy": _one(".yaml", lambda thermal, path: thermal.to_phonopy(path)),
}
