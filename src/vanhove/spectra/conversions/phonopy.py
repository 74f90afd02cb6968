"""phonopy's text files: ``total_dos.dat`` and ``thermal_properties.yaml``.

Both are of one primitive cell: modes per THz with an integral of 3N, and kJ/mol or J/(K mol) per
mole of cells. Neither needs phonopy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from vanhove.atomic import write_text
from vanhove.crystal.crystal import Crystal
from vanhove.errors import ConfigError, DataError
from vanhove.spectra.conversions.modes import as_modes
from vanhove.spectra.density import THZ_PER_CM1, AnyDensity, Density
from vanhove.spectra.plausibility import check_frequencies, check_modes
from vanhove.untrusted import parse_yaml, read_file

Made = TypeVar("Made")


def write_total_dos(spectrum: Density, path: str | Path, n_atoms: int | None = None) -> None:
    """See `Spectrum.to_phonopy`."""
    modes = as_modes(spectrum, n_atoms)
    rows = np.column_stack([modes.grid * THZ_PER_CM1, modes.values / THZ_PER_CM1])
    label = " ".join(f"{spectrum.name} THz, modes per THz and cell".split())
    np.savetxt(path, rows, fmt="%22.15g", header=label, encoding="utf-8")


def read_total_dos(
    make: type[AnyDensity], path: str | Path, crystal: Crystal | None = None, name: str = ""
) -> AnyDensity:
    """See `Spectrum.from_phonopy`."""
    try:
        text = read_file(Path(path)).decode("utf-8-sig")
        rows = np.loadtxt(text.splitlines(), ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: not phonopy's total_dos.dat: {error}") from error
    if rows.shape[1] != 2:
        raise DataError(
            f"{path}: {rows.shape[1]} columns; total_dos.dat has two, frequency and density"
        )
    grid, values = rows[:, 0] / THZ_PER_CM1, rows[:, 1] * THZ_PER_CM1
    there = values > 1e-6 * values.max(initial=0)
    check_frequencies(grid[there] if there.any() else grid, crystal, str(path))
    if crystal is not None:
        check_modes(grid, values, crystal.n_atoms, str(path))
    return make(
        grid=grid,
        values=values,
        unit="cm-1",
        normalisation="3N",
        crystal=crystal,
        name=name or Path(path).stem,
    )


def write_thermal_properties(
    temperatures: np.ndarray,
    columns: Mapping[str, np.ndarray],
    zero_point_energy: float,
    atoms: int | None,
    path: str | Path,
) -> None:
    """See `ThermalProperties.to_phonopy`.

    Args:
        temperatures: K, ``[n_temperatures]``.
        columns: in the order of the file, per mole of atoms, each ``[n_temperatures]``.
        zero_point_energy: per mole of atoms.
        atoms: in the cell.
        path: where to.
    """
    if atoms is None or atoms < 1:
        raise ConfigError(
            f"phonopy counts per mole of cells: pass the atoms in the cell as n_atoms=, got {atoms}"
        )
    lines = [
        "# Thermal properties / unit cell (natom)",
        "",
        "unit:",
        "  temperature:   K",
        "  free_energy:   kJ/mol",
        "  entropy:       J/K/mol",
        "  heat_capacity: J/K/mol",
        "",
        f"natom: {atoms}",
        "",
        f"zero_point_energy: {atoms * zero_point_energy:.10f}",
        "",
        "thermal_properties:",
    ]
    for row, temperature in enumerate(temperatures):
        lines.append(f"- temperature:   {temperature:.10f}")
        for name, values in columns.items():
            lines.append(f"  {name + ':':14s} {atoms * values[row]:.10f}")
        lines.append("")
    write_text(Path(path), "\n".join(lines))


def read_thermal_properties(make: Callable[..., Made], path: str | Path) -> Made:
    """See `ThermalProperties.from_phonopy`."""
    columns = ("temperature", "heat_capacity", "entropy", "free_energy")
    try:
        data = parse_yaml(read_file(Path(path)), str(path))
        n_atoms = int(data["natom"])
        rows = data["thermal_properties"]
        kelvin, *others = (np.array([float(row[key]) for row in rows]) for key in columns)
        zero_point = float(data["zero_point_energy"])
    except (KeyError, TypeError, ValueError) as error:
        words = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path}: not phonopy's thermal_properties.yaml ({type(error).__name__}: {words})"
        ) from error
    if n_atoms < 1 or not len(kelvin):
        raise DataError(f"{path}: {n_atoms} atoms and {len(kelvin)} temperatures; write it again")
    heat_capacity, entropy, free_energy = (column / n_atoms for column in others)
    return make(
        temperatures=kelvin,
        heat_capacity=heat_capacity,
        entropy=entropy,
        internal_energy=free_energy + kelvin * entropy / 1000,
        free_energy=free_energy,
        zero_point_energy=zero_point / n_atoms,
        n_atoms=n_atoms,
    )
