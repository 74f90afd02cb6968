"""What ``vanhove predict`` prints of whole phonons and their thermodynamics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.atomic import write_text
from vanhove.crystal.elements import SYMBOLS
from vanhove.errors import ConfigError
from vanhove.prediction.definitions import THERMAL
from vanhove.prediction.electron_predictor import ElectronPredictor
from vanhove.prediction.error_bars import symmetry_rows, trust_rows, written_rows
from vanhove.prediction.formats import OF_PHONONS, OF_THERMAL, asked_formats
from vanhove.prediction.loading import load
from vanhove.prediction.predictor import Predictor
from vanhove.prediction.summary import Cell, Column
from vanhove.prediction.warnings import OF_THE_GRID
from vanhove.prediction.whole_report import WholeCommand, write_content
from vanhove.results import Json
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.plotting import save
from vanhove.spectra.thermal_table import TEMPERATURES, ThermalProperties
from vanhove.weights import DEFAULT_WEIGHTS

WHOLE = ("phonons", "thermodynamics")
"""Values of ``--property`` that these are."""
_TEMPERATURES = (0, 50, 100, 200, 300, 400, 500, 600, 800, 1000)
"""K, of the table that is printed."""
_THERMAL = ("heat_capacity", "entropy", "free_energy")
"""Columns of the table of many structures."""


@dataclass
class PhononsCommand(WholeCommand):
    """``--property phonons`` or ``thermodynamics``; its fields are those of `PredictCommand`."""

    def _loaded(self) -> Predictor[Any]:
        if self.html or self.grid is not None:
            raise ConfigError("--html and --grid are of densities: use --property phonon-dos")
        self.writers = OF_PHONONS if self.property_name == "phonons" else OF_THERMAL
        self.asked = asked_formats(("csv",) * self.csv + self.formats, [*self.writers, "json"])
        predictor = load(self.model or DEFAULT_WEIGHTS, precision="float32")
        if isinstance(predictor, ElectronPredictor):
            raise ConfigError(f"{predictor.name} knows no force constants: take {DEFAULT_WEIGHTS}")
        return predictor

    def _columns(self) -> list[Column]:
        return columns(self.property_name or "", self.temperature)

    def _predicted(self, predictor: Predictor[Any], source: Any) -> Phonons:
        """Phonons, with the familiarity and the warnings of the density."""
        phonons = predictor.phonons(source, primitive=self.primitive)
        meta = predictor.predict(source, primitive=self.primitive).metadata
        said = [text for text in meta.get("warnings", ()) if OF_THE_GRID not in text]
        known = {key: meta[key] for key in ("familiarity",) if key in meta}
        metadata = phonons.metadata | known | ({"warnings": said} if said else {})
        return replace(phonons, metadata=metadata)

    def _content(self, found: Phonons) -> Json:
        content = {"name": found.name, "metadata": found.metadata}
        asked = [*_TEMPERATURES, self.temperature]
        shown = np.unique(asked if self.temperatures is None else self.temperatures)
        content["thermodynamics"] = thermal_json(found.thermal_properties(shown))
        if self.property_name == "phonons":
            content |= summary(found)
        return content

    def _text(self, found: Phonons, content: Json, written: list[Path]) -> str:
        rows = symmetry_rows(found.name, found.metadata)
        if self.property_name == "phonons":
            rows += phonon_rows(content)
        zero_point = content["thermodynamics"]["zero_point_energy"]
        rows.append(("zero point", f"{zero_point:.2f} kJ/mol of atoms"))
        rows += trust_rows(found.metadata)
        rows += written_rows(written)
        table = "\n".join(f"{name:16s} {value}" for name, value in rows)
        return f"{table}\n\n{thermal_text(content['thermodynamics'])}"

    def _cells(self, found: Phonons, content: Json) -> list[Cell]:
        thermal = thermal_json(found.thermal_properties([self.temperature]))
        halves = thermal["half_widths_90"]
        cells: list[Cell] = [
            (thermal[name][0], halves[name][0] if name in halves else None) for name in _THERMAL
        ]
        if self.property_name != "phonons":
            return [*cells, (thermal["zero_point_energy"], None)]
        softest, highest = content["softest"], content["highest_frequency_cm1"]
        return [
            (softest["frequency_cm1"], None),
            (highest, content["highest_frequency_half_width_90_cm1"]),
            (softest["probability_stable"], None),
            (content["debye_temperature_K"], None),
            *cells,
        ]

    def _write(self, found: Phonons, content: Json, plot: bool) -> list[Path]:
        base = self._base(found)
        written = []
        is_whole = self.property_name == "phonons"
        if plot and is_whole:
            written.append(Path(f"{base}.png"))
            save(found.plot(self.path), written[-1])
        kelvin = TEMPERATURES if self.temperatures is None else self.temperatures
        thermal = None
        if self.asked or self.temperatures is not None:
            thermal = found.thermal_properties(kelvin)
        for name in self.asked:
            if name == "json":
                written.append(write_content(base, content))
            else:
                written += map(Path, self.writers[name](found if is_whole else thermal, base))
        if self.temperatures is not None and thermal is not None:
            path = Path(f"{base.removesuffix('-thermodynamics')}-thermodynamics.csv")
            write_text(path, thermal.to_pandas().to_csv())
            written += [path] if path not in written else []
        return written


def columns(property_name: str, kelvin: float) -> list[Column]:
    """Of the table of many structures.

    Args:
        property_name: ``"phonons"`` or ``"thermodynamics"``.
        kelvin: of the thermodynamics.
    """
    thermal = [Column(f"{THERMAL[name][3]}({kelvin:g} K)", THERMAL[name][1]) for name in _THERMAL]
    if property_name != "phonons":
        return [*thermal, Column("zero-point energy", "kJ/(mol of atoms)")]
    return [
        Column("softest mode", "1/cm", 1),
        Column("highest mode", "1/cm", 1),
        Column("probability of being stable", ""),
        Column("Debye temperature", "K", 0),
        *thermal,
    ]


def summary(phonons: Phonons) -> Json:
    """The numbers of a crystal's phonons, for JSON; units in the names."""
    stability, (highest, half) = phonons.stability, phonons.highest_frequency
    debye = phonons.debye_temperature
    found: Json = {
        "n_modes": phonons.n_modes,
        "highest_frequency_cm1": highest,
        "highest_frequency_half_width_90_cm1": half,
        "softest": {
            "frequency_cm1": stability.frequency,
            "qpoint": list(stability.qpoint),
            "is_stable": stability.is_stable,
            "probability_stable": stability.probability,
        },
        "debye_temperature_K": debye if np.isfinite(debye) else None,
    }
    charges, light = phonons.born_charges, phonons.infrared
    if charges is None or light is None or phonons.dielectric_tensor is None:
        return found
    static = light.static_dielectric_tensor
    return found | {
        "born_charges_e": charges.round(4).tolist(),
        "dielectric_tensor": phonons.dielectric_tensor.round(4).tolist(),
        "static_dielectric_tensor": static.round(4).tolist() if np.isfinite(static).all() else None,
        "infrared": [
            {"frequency_cm1": round(float(frequency), 2), "activity_e2_per_u": float(activity)}
            for frequency, activity in zip(light.frequencies, light.activity, strict=True)
            if activity > 1e-3
        ],
        "elements": [SYMBOLS[z] for z in phonons.crystal.atomic_numbers],
    }


def phonon_rows(found: Json) -> list[tuple[str, str]]:
    """Lines of the table of ``--property phonons``, from `summary`."""
    half, softest = found["highest_frequency_half_width_90_cm1"], found["softest"]
    shown = "" if half is None else f" ± {half:.0f}"
    at = ", ".join(f"{x:g}" for x in np.round(softest["qpoint"], 3))
    rows = [
        ("modes", f"{found['n_modes']}, up to {found['highest_frequency_cm1']:.1f}{shown} 1/cm"),
        ("softest", f"{softest['frequency_cm1']:.1f} 1/cm at q = ({at}); imaginary is negative"),
    ]
    if softest["probability_stable"] is not None:
        word = "stable" if softest["is_stable"] else "unstable"
        chance = softest["probability_stable"]
        rows.append(("stability", f"likely {word}: probability of being stable {chance:.2f}"))
    if found["debye_temperature_K"] is not None:
        rows.append(("Debye", f"{found['debye_temperature_K']:.0f} K, from the speeds of sound"))
    if "born_charges_e" in found:
        traces = np.trace(found["born_charges_e"], axis1=1, axis2=2) / 3
        kinds = dict.fromkeys(found["elements"])
        means = {
            kind: np.mean(
                [z for z, own in zip(traces, found["elements"], strict=True) if own == kind]
            )
            for kind in kinds
        }
        rows.append(("Born charges", ", ".join(f"{k} {v:+.2f}" for k, v in means.items()) + " e"))
        rows.append(("dielectric", _dielectric(found)))
        modes = ", ".join(f"{mode['frequency_cm1']:.0f}" for mode in found["infrared"])
        rows.append(("infrared", f"{modes or 'no active modes'}{' 1/cm' if modes else ''}"))
    return rows


def _dielectric(found: Json) -> str:
    electronic = np.trace(found["dielectric_tensor"]) / 3
    static = found["static_dielectric_tensor"]
    low = "" if static is None else f", static {np.trace(static) / 3:.2f}"
    return f"electronic {electronic:.2f}{low} (a third of the trace)"


def thermal_json(thermal: ThermalProperties) -> Json:
    """For JSON: lists over the temperatures, units as of `ThermalProperties`."""
    names = ("temperatures", "heat_capacity", "entropy", "internal_energy", "free_energy")
    return {
        **{name: np.asarray(getattr(thermal, name)).tolist() for name in names},
        "zero_point_energy": thermal.zero_point_energy,
        "half_widths_90": {name: half.tolist() for name, half in thermal.half_widths.items()},
    }


def thermal_text(found: Json) -> str:
    """A table of temperatures, with 90 % intervals where they are known."""
    names = {"heat_capacity": "C_V", "entropy": "S", "free_energy": "F", "internal_energy": "U"}
    lines = ["".join([f"{'T / K':>8s}", *(f"{short:>18s}" for short in names.values())])]
    for row, kelvin in enumerate(found["temperatures"]):
        cells = []
        for name in names:
            half = found["half_widths_90"].get(name)
            shown = "" if half is None else f" ± {half[row]:.2f}"
            cells.append(f"{f'{found[name][row]:.2f}{shown}':>18s}")
        lines.append(f"{kelvin:8g}" + "".join(cells))
    units = "C_V and S in J/(K mol of atoms), F and U in kJ/mol of atoms; harmonic"
    return "\n".join([*lines, units])
