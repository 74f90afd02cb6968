"""What ``vanhove predict`` prints of whole phonons and their thermodynamics."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vanhove.atomic import write_text
from vanhove.crystal.elements import SYMBOLS
from vanhove.errors import ConfigError, StructureError
from vanhove.prediction.electron_predictor import ElectronPredictor
from vanhove.prediction.loading import load
from vanhove.prediction.report import STDOUT, PredictCommand
from vanhove.progress import track
from vanhove.results import Json
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.plotting import save
from vanhove.spectra.thermal_table import TEMPERATURES, ThermalProperties
from vanhove.weights import DEFAULT_WEIGHTS

WHOLE = ("phonons", "thermodynamics")
"""Values of ``--property`` that these are."""
_TEMPERATURES = (0, 50, 100, 200, 300, 400, 500, 600, 800, 1000)
"""K, of the table that is printed."""


@dataclass
class PhononsCommand(PredictCommand):
    """``--property phonons`` or ``thermodynamics``; its fields are those of `PredictCommand`."""

    def run(self) -> int:
        if self.html or self.formats or self.grid is not None:
            raise ConfigError(
                "--html, --format and --grid are of densities: use --property phonon-dos"
            )
        self._check_output()
        predictor = load(self.model or DEFAULT_WEIGHTS, precision="float32")
        if isinstance(predictor, ElectronPredictor):
            raise ConfigError(f"{predictor.name} knows no force constants: take {DEFAULT_WEIGHTS}")
        sources = list(self._sources())
        single = len(sources) == 1
        plot = single and self.json_path != STDOUT if self.plot is None else self.plot
        results: list[Json] = []
        errors: list[dict[str, str]] = []
        for source in track(sources, "predicting", quiet=self.quiet or single):
            try:
                if isinstance(source, StructureError):
                    raise source
                phonons = predictor.phonons(source, primitive=self.primitive)
                found = self._content(phonons)
                written = self._write(phonons, plot)
            except StructureError as error:
                errors.append({"source": error.source or "", "reason": error.reason})
                print(f"error: {error}", file=sys.stderr)
                continue
            results.append(found)
            if self.json_path != STDOUT:
                print(self._text(phonons, found, written) if single else line(found), flush=True)
        if self.json_path is not None:
            self._write_json(predictor, results, errors)
        if not single:
            print(f"{len(results)} predicted, {len(errors)} failed", file=sys.stderr)
        return len(errors)

    def _content(self, phonons: Phonons) -> Json:
        content = {"name": phonons.name, "metadata": phonons.metadata}
        shown = sorted({*_TEMPERATURES, self.temperature})
        thermal = phonons.thermal_properties(
            shown if self.temperatures is None else self.temperatures
        )
        content["thermodynamics"] = thermal_json(thermal)
        if self.property_name == "phonons":
            content |= summary(phonons)
        return content

    def _text(self, phonons: Phonons, found: Json, written: list[Path]) -> str:
        rows = [("structure", f"{phonons.name}  ({phonons.metadata['formula']})")]
        meta = phonons.metadata
        symmetry = f"{meta['crystal_system']}, {meta['space_group_symbol']}"
        rows += [("symmetry", f"{symmetry} (No. {meta['space_group_number']})")]
        rows.append(("model", meta["model"]))
        if self.property_name == "phonons":
            rows += phonon_rows(found)
        rows.append(
            ("zero point", f"{found['thermodynamics']['zero_point_energy']:.2f} kJ/mol of atoms")
        )
        rows += [("warning", text) for text in meta.get("warnings", ())]
        rows += [("written", str(path)) for path in written]
        table = "\n".join(f"{name:16s} {value}" for name, value in rows)
        return f"{table}\n\n{thermal_text(found['thermodynamics'])}"

    def _write(self, phonons: Phonons, plot: bool) -> list[Path]:
        base = f"{self._stem(phonons)}-{self.property_name}"
        written = []
        if plot and self.property_name == "phonons":
            written.append(self.output / f"{base}.png")
            save(phonons.plot(self.path), written[-1])
        if self.csv:
            written.append(self.output / f"{base}.csv")
            kelvin = TEMPERATURES if self.temperatures is None else self.temperatures
            table = phonons.thermal_properties(kelvin).to_pandas().to_csv()
            write_text(written[-1], table)
        return written


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


def line(found: Json) -> str:
    """One line of a crystal among several."""
    thermal = found["thermodynamics"]
    at = thermal["temperatures"].index(300) if 300 in thermal["temperatures"] else 0
    text = f"{found['name']:32s} {found['metadata']['formula']:16s}"
    if "softest" in found:
        text += f" {found['softest']['frequency_cm1']:8.1f} to"
        text += f" {found['highest_frequency_cm1']:7.1f} 1/cm"
    return (
        f"{text}  C_V(300 K) {thermal['heat_capacity'][at]:6.2f}  S {thermal['entropy'][at]:6.2f}"
    )
