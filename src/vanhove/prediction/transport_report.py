"""What ``vanhove predict --property transport`` prints: masses and Seebeck coefficients."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vanhove.atomic import write_text
from vanhove.errors import ConfigError, StructureError
from vanhove.prediction.electron_predictor import (
    ElectronPredictor,
    electron_weights,
    load_electrons,
)
from vanhove.prediction.error_bars import gap_text, symmetry_rows, trust_rows, written_rows
from vanhove.prediction.formats import asked_formats
from vanhove.prediction.summary import Cell, Column
from vanhove.prediction.transport import Carriers
from vanhove.prediction.whole_report import WholeCommand, write_content
from vanhove.results import Json
from vanhove.spectra.spectrum import Spectrum

TRANSPORT = "transport"
"""Value of ``--property`` that this is."""
_KINDS = ("holes", "electrons")


@dataclass(frozen=True, eq=False)
class Transport:
    """Carriers of one crystal, and what is known of it.

    Attributes:
        name: of the crystal.
        metadata: as of a density of states.
        lattice: of the cell whose axes tensors refer to, row vectors, angstrom, ``[3, 3]``.
        carriers: ``holes`` and ``electrons``; empty for a metal.
    """

    name: str
    metadata: Json
    lattice: np.ndarray
    carriers: dict[str, Carriers]


@dataclass
class TransportCommand(WholeCommand):
    """``--property transport``; its fields are those of `PredictCommand`."""

    concentration: float = 1e18

    def _loaded(self) -> ElectronPredictor[Spectrum]:
        if self.html or self.plot or self.grid is not None or self.temperatures is not None:
            raise ConfigError(
                "transport is numbers at one --temperature and --concentration: no --plot, --html, "
                "--grid or --temperatures; --json or --csv writes them"
            )
        self.asked = asked_formats(("csv",) * self.csv + self.formats, ["csv", "json"])
        if self.model is not None and electron_weights(self.model) is None:
            raise ConfigError(f"{self.model} knows no Hamiltonian: take vanhove-electron")
        return load_electrons(self.model) if self.model else load_electrons()

    def _columns(self) -> list[Column]:
        at = f"({self.temperature:g} K)"
        return [
            Column("gap", "eV"),
            *(Column(f"{kind}: mass{at}", "electron masses") for kind in _KINDS),
            *(Column(f"{kind}: Seebeck{at}", "microvolt/K", 0) for kind in _KINDS),
        ]

    def _predicted(self, predictor: ElectronPredictor[Spectrum], source: object) -> Transport:
        spectrum = predictor.predict(source, primitive=self.primitive)  # type: ignore[call-overload]
        electrons = predictor.electrons(spectrum.crystal)
        try:
            found = electrons.carriers(self.temperature, self.concentration)
        except ConfigError as error:
            if "carriers in a cm^3" not in str(error):
                raise
            raise StructureError(str(error), spectrum.name) from None
        cell = electrons.crystal.lattice
        return Transport(spectrum.name, spectrum.metadata, cell, found)

    def _content(self, found: Transport) -> Json:
        return {
            "name": found.name,
            "metadata": found.metadata,
            "lattice_angstrom": found.lattice.tolist(),
            "temperature_K": self.temperature,
            "concentration_per_cm3": self.concentration,
            **{kind: _json(found.carriers.get(kind)) for kind in _KINDS},
        }

    def _text(self, found: Transport, content: Json, written: list[Path]) -> str:
        rows = symmetry_rows(found.name, found.metadata)
        is_metal = found.metadata["is_metal"]
        kind = "metal: no carriers to tell apart" if is_metal else gap_text(found.metadata)
        rows.append(("kind", kind))
        for kind, own in found.carriers.items():
            masses = ", ".join(f"{mass:.2f}" for mass in own.masses)
            rows.append((f"{kind}", f"mass {own.mass:.2f} electron masses (along axes {masses})"))
            along = ", ".join(f"{value:+.0f}" for value in _principal(own.seebeck))
            rows.append(
                ("", f"Seebeck coefficient {_mean(own.seebeck):+.0f} ({along}) microvolt/K")
            )
        if found.carriers:
            rows.append(
                ("at", f"{self.temperature:g} K, {self.concentration:.3g} carriers in a cm^3")
            )
        rows += trust_rows(found.metadata)
        rows += written_rows(written)
        return "\n".join(f"{name:16s} {value}" for name, value in rows)

    def _cells(self, found: Transport, content: Json) -> list[Cell]:
        both = [found.carriers.get(kind) for kind in _KINDS]
        return [
            (found.metadata["band_gap"], found.metadata.get("band_gap_half_width_90")),
            *((None if own is None else own.mass, None) for own in both),
            *((None if own is None else _mean(own.seebeck), None) for own in both),
        ]

    def _write(self, found: Transport, content: Json, plot: bool) -> list[Path]:
        if not self.asked:
            return []
        base, written = self._base(found), []
        for name in self.asked:
            if name == "json":
                written.append(write_content(base, content))
            else:
                written.append(Path(f"{base}.csv"))
                write_text(written[-1], _table(found))
        return written


def _mean(tensor: np.ndarray) -> float:
    return float(np.trace(tensor) / 3)


def _principal(tensor: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh((tensor + tensor.T) / 2)


def _json(own: Carriers | None) -> Json | None:
    if own is None:
        return None
    return {
        "mass": own.mass,
        "masses": own.masses.tolist(),
        "inverse_mass_tensor": own.inverse_mass.tolist(),
        "seebeck_uV_per_K": own.seebeck.tolist(),
        "chemical_potential_eV": own.chemical_potential,
    }


def _table(found: Transport) -> str:
    """A line for each kind of carriers."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    axes = ("xx", "yy", "zz", "yz", "xz", "xy")
    units = [f"inverse mass {axis} [1/electron mass]" for axis in axes]
    units += [f"Seebeck {axis} [microvolt/K]" for axis in axes]
    writer.writerow(
        ["carriers", "temperature [K]", "concentration [1/cm^3]", "mass [electron masses]", *units]
    )
    rows, columns = [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]
    for kind, own in found.carriers.items():
        numbers = np.array(
            [own.mass, *own.inverse_mass[rows, columns], *own.seebeck[rows, columns]]
        )
        start = [kind, f"{own.temperature:g}", f"{own.concentration:g}"]
        writer.writerow([*start, *(f"{number:.6g}" for number in numbers.round(9) + 0.0)])
    return stream.getvalue()
