"""What ``vanhove predict`` prints and writes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vanhove.atomic import write_text
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import PathConvention
from vanhove.crystal.reading import find_structure_files, read_crystals
from vanhove.errors import ConfigError, StructureError
from vanhove.models.inference import Precision
from vanhove.prediction.bands import Values, band_details, band_table
from vanhove.prediction.definitions import idle_properties
from vanhove.prediction.electron_predictor import (
    ELECTRON_PROPERTIES,
    ElectronPredictor,
    electron_weights,
    load_electrons,
)
from vanhove.prediction.error_bars import error_bar_rows, gap_text, symmetry_rows, written_rows
from vanhove.prediction.formats import (
    OF_BANDS,
    OF_HAMILTONIAN,
    OF_PHONON_DOS,
    Writer,
    asked_formats,
)
from vanhove.prediction.loading import AnyPredictor, load
from vanhove.prediction.properties import Properties
from vanhove.prediction.summary import PropertySummary, Summary
from vanhove.progress import track
from vanhove.results import Json
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.plotting import terminal_plot, zero_of
from vanhove.spectra.quantities import PHONON_BANDS, PHONON_DOS, quantity
from vanhove.spectra.spectrum import Spectrum
from vanhove.version import __version__
from vanhove.weights import default_weights

STDOUT = "-"
SUMMARY = "summary.csv"
_MOST_LINES = 60
"""Of the numbers that a single structure prints."""


@dataclass
class PredictCommand:
    """One call of the command; the fields are its options."""

    structures: list[Path]
    property_name: str | None
    model: str | None
    output: Path
    json_path: str | None
    csv: bool
    html: bool
    plot: bool | None
    primitive: bool
    temperature: float
    path: PathConvention
    every: bool
    quiet: bool
    grid: np.ndarray | None = None
    precision: Precision = "auto"
    temperatures: np.ndarray | None = None
    formats: tuple[str, ...] = ()
    stems: set[str] = field(default_factory=set)

    def run(self) -> int:
        """Predict everything; the number of structures that failed."""
        self._check_output()
        sources = list(self._sources())
        single = len(sources) == 1
        plot = single and self.json_path != STDOUT if self.plot is None else self.plot
        predictor = self._predictor()
        if predictor.gives_bands and self.html:
            raise ConfigError("--html draws spectra; of bands give --plot, --csv or --json")
        self.known = Properties(predictor.info)
        self._check_formats(predictor)
        summary = PropertySummary(self.known, self.temperature)
        results: list[Json] = []
        errors: list[dict[str, str]] = []
        outcomes = predictor.stream(
            track(sources, "predicting", quiet=self.quiet or single), primitive=self.primitive
        )
        for outcome in outcomes:
            if isinstance(outcome, StructureError):
                errors.append({"source": outcome.source or "", "reason": outcome.reason})
                summary.failed(outcome.source or "", outcome.reason)
                print(f"error: {outcome}", file=sys.stderr)
                continue
            written = self._write_files(outcome, plot, predictor)
            properties = self.known.values(outcome, predictor.calibration, self.temperature)
            if self.json_path is not None:
                is_bands = isinstance(outcome, BandStructure)
                details = band_details(outcome).to_json() if is_bands else {}
                results.append({**outcome.to_dict(), "properties": {**properties, **details}})
            if single and self.json_path != STDOUT:
                print(self._table(outcome, properties, written, predictor), flush=True)
            elif not single:
                is_first = summary.is_empty
                self._print_row(summary, is_first, summary.of(outcome, properties))
        if self.csv and not single:
            write_text(self.output / SUMMARY, summary.to_csv())
        if self.json_path is not None:
            self._write_json(predictor, results, errors)
        if not single:
            print(f"{len(sources) - len(errors)} predicted, {len(errors)} failed", file=sys.stderr)
        return len(errors)

    def _print_row(self, summary: Summary, is_first: bool, line: str) -> None:
        """A line of the table, its heading before the first; a pipe gets JSON alone."""
        if self.json_path != STDOUT:
            print(f"{summary.header()}\n{line}" if is_first else line, flush=True)

    def _check_formats(self, predictor: AnyPredictor) -> None:
        thermal = self.known.kind.thermal and not predictor.gives_bands
        self.writers: Mapping[str, Writer] = OF_PHONON_DOS if thermal else OF_BANDS
        allowed = [*self.writers]
        if isinstance(predictor, ElectronPredictor):
            allowed += OF_HAMILTONIAN
        self.asked = asked_formats(("csv",) * self.csv + self.formats, allowed)
        if self.temperatures is not None and not self.known.kind.thermal:
            raise ConfigError(f"--temperatures are of phonons, not of {self.known.kind.title}")

    def _predictor(self) -> AnyPredictor:
        asked = self.property_name
        if self.model is None and asked in ELECTRON_PROPERTIES:
            return load_electrons(property=asked, path=self.path, grid=self.grid)
        model = self.model or default_weights(asked or PHONON_DOS.asked_as)
        if electron_weights(model) is not None:
            kind = ELECTRON_PROPERTIES[0] if asked is None else asked
            if kind not in ELECTRON_PROPERTIES:
                raise ConfigError(
                    f"{model} predicts {' and '.join(ELECTRON_PROPERTIES)}, not {kind}"
                )
            return load_electrons(model, property=kind, path=self.path, grid=self.grid)
        found = load(
            model,
            path=self.path,
            grid=self.grid,
            precision=self.precision,
            phonon_bands=asked == PHONON_BANDS.asked_as,
        )
        given = PHONON_BANDS if found.gives_bands and asked == PHONON_BANDS.asked_as else None
        given = given or quantity(found.info.quantity)
        if asked not in (None, given.asked_as):
            raise ConfigError(f"{found.name} predicts {given.asked_as or given.title}, not {asked}")
        return found

    def _sources(self) -> Iterator[Path | Crystal | StructureError]:
        found: list[Path | StructureError] = []
        for given in self.structures:
            try:
                found += _files_of(given) if given.is_dir() else [given]
            except StructureError as error:
                found.append(error)
        names = Counter(item.name for item in found if isinstance(item, Path))
        for item in found:
            if isinstance(item, StructureError) or (names[item.name] == 1 and not self.every):
                yield item
            else:
                index = "all" if self.every else None
                yield from _structures_of(item, index, names[item.name] == 1)

    def _check_output(self) -> None:
        """Fail before the work, not after it."""
        try:
            self.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--output {self.output}: {error.strerror}") from None
        if self.json_path not in (None, STDOUT) and not Path(str(self.json_path)).parent.is_dir():
            raise ConfigError(f"--json {self.json_path}: its folder does not exist")

    def _stem(self, spectrum: Spectrum | BandStructure | Phonons) -> str:
        """A file name of its own for each result, also when two inputs share a name."""
        wanted = Path(spectrum.name).stem or "crystal"
        wanted = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in wanted)
        stem, count = wanted, 1
        while stem in self.stems:
            count += 1
            stem = f"{wanted}-{count}"
        self.stems.add(stem)
        return stem

    def _write_files(self, spectrum: Any, plot: bool, predictor: AnyPredictor) -> list[Path]:
        if not (self.asked or plot or self.html or self.temperatures is not None):
            return []
        base = f"{self._stem(spectrum)}-{spectrum.quantity.replace('_', '-')}"
        written: list[Path] = []
        if plot:
            written.append(self.output / f"{base}.png")
            spectrum.plot(written[-1])
        if self.html:
            written.append(self.output / f"{base}.html")
            spectrum.plot_html(written[-1])
        for name in self.asked:
            if isinstance(predictor, ElectronPredictor) and name in OF_HAMILTONIAN:
                write, source = OF_HAMILTONIAN[name], predictor.electrons(spectrum.crystal)
                own = base.removesuffix(f"-{spectrum.quantity.replace('_', '-')}")
            else:
                write, source, own = self.writers[name], spectrum, base
            written += map(Path, write(source, str(self.output / own)))
        if self.temperatures is not None:
            written.append(self.output / f"{base}-thermodynamics.csv")
            table = spectrum.thermal_properties(self.temperatures).to_pandas()
            write_text(written[-1], table.to_csv())
        return written

    def _table(
        self, outcome: Any, properties: Values, written: list[Path], predictor: AnyPredictor
    ) -> str:
        if isinstance(outcome, BandStructure):
            return band_table(outcome, properties, written)
        items = [self.known[name] for name in self.known.derived(self.temperature)]
        derived = [
            (item.label, item.shown(outcome, predictor.calibration))
            for item in items
            if item.name in properties and item.name not in idle_properties(outcome)
        ]
        return _table(outcome, derived, written)

    def _write_json(
        self, predictor: AnyPredictor, results: list[Json], errors: list[dict[str, str]]
    ) -> None:
        text = json.dumps(
            {
                "vanhove": __version__,
                "model": predictor.name,
                "quantity": predictor.info.quantity,
                "results": results,
                "errors": errors,
            },
            allow_nan=False,
        )
        if self.json_path == STDOUT:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
            return
        path = Path(str(self.json_path))
        write_text(path, text + "\n")


def _files_of(folder: Path) -> list[Path]:
    """The structure files of a folder; the others, which are left out, are told."""
    files = find_structure_files(folder)
    others = sorted(
        path.name + ("/" if path.is_dir() else "")
        for path in folder.iterdir()
        if path not in files and not path.name.startswith(".")
    )
    if others:
        more = " ..." if len(others) > 5 else ""
        print(
            f"{folder}: {len(others)} left out, no structure files: {', '.join(others[:5])}{more}",
            file=sys.stderr,
        )
    return files


def _structures_of(
    path: Path, index: str | None, alone: bool
) -> Iterator[Crystal | StructureError]:
    """The structures of a file; not alone with its name, it is called by its folder, too."""
    name = path.name if alone else "/".join(path.parts[-2:])
    try:
        for crystal in read_crystals(path, index=index):
            yield replace(crystal, name=crystal.name.replace(path.name, name, 1))
    except StructureError as error:
        yield StructureError(error.reason, name)


def _table(spectrum: Spectrum, derived: list[tuple[str, str]], written: list[Path]) -> str:
    meta = spectrum.metadata
    unit = spectrum.kind.axis_unit.text
    peak = float(spectrum.grid[spectrum.values.argmax()])
    rows = symmetry_rows(spectrum.name, meta)
    rows.append(("highest peak", f"{peak:g} {unit}"))
    if spectrum.kind.fermi_level:
        rows.append(("energy 0", zero_of(spectrum)))
    if "is_metal" in meta:
        rows.append(("kind", "metal" if meta["is_metal"] else gap_text(meta)))
    rows += derived
    rows += error_bar_rows(spectrum)
    rows += written_rows(written)
    width = max(16, *(len(name) for name, _ in rows))
    table = "\n".join(f"{name:{width}s} {value}" for name, value in rows)
    bars = [""] * len(spectrum.grid)
    if spectrum.std is not None:
        low, high = spectrum.interval()
        bars = [f"  {a:6.3f} to {b:6.3f}" for a, b in zip(low, high, strict=True)]
    lines = [
        f"{frequency:8g}  {value:6.3f}{bar}"
        for frequency, value, bar in zip(spectrum.grid, spectrum.values, bars, strict=True)
        if value >= 0.0005
    ]
    every = max(1, -(-len(lines) // _MOST_LINES))
    left_out = "zeros left out" if every == 1 else f"one point in {every}, all by --csv"
    numbers = "\n".join(lines[::every])
    return (
        f"{table}\n\n{terminal_plot(spectrum)}\n\n"
        f"{unit:>8s}  DOS (normalisation: {spectrum.normalisation}; {left_out})\n{numbers}"
    )
