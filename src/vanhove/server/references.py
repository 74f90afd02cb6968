"""Calculated or measured spectra that are laid over a prediction.

What `vanhove data import` recognises needs a folder, as calculations leave one: the files of an
upload get a temporary one for as long as they are read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vanhove.datasets.calculated_dos import ElectronDOS
from vanhove.datasets.calculations import PREFERENCE, reader_of
from vanhove.datasets.phonopy_files import read_band_yaml
from vanhove.errors import ConfigError, DataError, VanhoveError
from vanhove.models.phonons import has_phonons
from vanhove.prediction.electron_predictor import ElectronPredictor
from vanhove.server import answers, uploads
from vanhove.server.orders import ReferenceOrder
from vanhove.server.settings import ServerSettings
from vanhove.server.views import bands_answer, spectrum_answer
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.quantities import ELECTRON_DOS
from vanhove.spectra.spectrum import Spectrum

BANDS = "band.yaml"
_KEYS = ("quantity", "unit", "normalisation", "grid", "values", "std")


def read_reference(
    files: Sequence[tuple[str, bytes]],
    order: ReferenceOrder,
    predictor: Any,
    settings: ServerSettings,
) -> answers.ReferenceAnswer:
    """A density of states, bands, or both, of the files of one calculation.

    Args:
        files: names and contents: a CSV or JSON of vanhove, or what a calculation left.
        order: what it is compared with.
        predictor: predicts bands of the reference's crystal on the reference's path.
        settings: limits.

    Raises:
        StructureError: too many lines.
        DataError, ConfigError: no spectrum, or not to be normalised so.
    """
    normalisation = order.normalisation
    names = [uploads.label_of(name) or "reference" for name, _ in files]
    for name, (_, content) in zip(names, files, strict=True):
        uploads.check_lines(content, name, settings, of_file=True)
    label = names[0] if len(names) == 1 else f"{len(names)} files"
    is_own = len(files) == 1 and names[0].lower().endswith((".csv", ".json", ".txt"))
    spectrum: Spectrum | None = None
    bands: BandStructure | None = None
    if is_own:
        found = _own(files[0][1], names[0], order)
        if isinstance(found, list):
            return _choice(found, label, normalisation)
        spectrum = found
    if spectrum is None:
        spectrum, bands = _calculated(list(zip(names, (c for _, c in files), strict=True)))
    if spectrum is not None:
        spectrum = _scaled(spectrum, normalisation, order.n_atoms, label)
    some = spectrum or bands
    assert some is not None
    return answers.ReferenceAnswer(
        name=label,
        quantity=some.quantity,
        unit=some.unit,
        normalisation=normalisation,
        spectrum=None if spectrum is None else spectrum_answer(spectrum),
        bands=None if bands is None else bands_answer(bands),
        predicted=_predicted(bands, predictor),
    )


def _choice(choices: list[str], label: str, normalisation: str) -> answers.ReferenceAnswer:
    return answers.ReferenceAnswer(
        name=label, quantity="", unit="", normalisation=normalisation, choices=choices
    )


def _own(content: bytes, name: str, order: ReferenceOrder) -> Spectrum | list[str] | None:
    """A spectrum that vanhove wrote; the names of entries to choose from; None: another JSON."""
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise DataError(f"{name}: is not UTF-8 text") from None
    # from_json and from_csv would take a text of one line for a path.
    if not text.startswith("{"):
        of_file = "max" if order.normalisation == "3N" else order.normalisation
        return Spectrum.from_csv(text + "\n", of_file)
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: is not valid JSON: {error}") from None
    entries = data.get("results") or [data]
    if not isinstance(entries, list) or not all(isinstance(item, dict) for item in entries):
        raise DataError(f"{name}: holds no spectrum")
    if "values" not in entries[0]:
        return None
    chosen = entries
    if len(entries) > 1:
        chosen = [
            item
            for item in entries
            if (
                item.get("name") == order.entry
                if order.entry
                else _formula_of(item) == order.formula
            )
        ]
    if len(chosen) != 1:
        return [str(item.get("name") or n) for n, item in enumerate(chosen or entries)]
    return Spectrum.from_dict({key: chosen[0][key] for key in _KEYS if key in chosen[0]})


def _formula_of(item: dict[str, Any]) -> str:
    metadata = item.get("metadata")
    return str(metadata.get("formula", "")) if isinstance(metadata, dict) else ""


def _calculated(
    files: Sequence[tuple[str, bytes]],
) -> tuple[Spectrum | None, BandStructure | None]:
    """What a calculation left: the first density that can be read, and bands."""
    with TemporaryDirectory(prefix="vanhove-") as name:
        folder = Path(name)
        for label, content in files:
            (folder / Path(label.replace("\\", "/")).name).write_bytes(content)
        try:
            return _of_folder(folder)
        except VanhoveError as error:  # the place of the folder means nothing to who reads it
            raise DataError(str(error).replace(f"{folder}/", "").replace(name, "files")) from None


def _of_folder(folder: Path) -> tuple[Spectrum | None, BandStructure | None]:
    def rank(path: Path) -> int:
        name = path.name.lower()
        return PREFERENCE.index(name) if name in PREFERENCE else len(PREFERENCE)

    bands = None
    if (folder / BANDS).is_file():
        bands = read_band_yaml(folder / BANDS, "reference")
    first: VanhoveError | None = None
    for path in sorted(folder.iterdir(), key=lambda path: (rank(path), path.name)):
        reader = None if path.name == BANDS else reader_of(path)
        if reader is None:
            continue
        try:
            found = reader(path).spectrum
        except VanhoveError as error:
            first = first or error
            continue
        return (_electrons(found) if isinstance(found, ElectronDOS) else found), bands
    if bands is not None:
        return None, bands
    if first is not None:
        raise first
    raise DataError(
        "no spectrum: give a CSV or JSON of vanhove, or what vanhove data import reads (phonopy, "
        "VASP, Quantum ESPRESSO, pymatgen)"
    )


def _electrons(dos: ElectronDOS) -> Spectrum:
    zero = dos.fermi_level if dos.vbm is None else dos.vbm
    return Spectrum(
        grid=dos.energies - zero,
        values=np.maximum(dos.densities, 0),
        unit="eV",
        normalisation="states/eV/cell",
        quantity=ELECTRON_DOS.name,
        crystal=dos.crystal,
    )


def _scaled(spectrum: Spectrum, normalisation: str, n_atoms: int | None, label: str) -> Spectrum:
    """The spectrum on the scale of the prediction, and of its cell."""
    own = None if spectrum.crystal is None else spectrum.crystal.n_atoms
    if normalisation == "states/eV/cell":
        if spectrum.normalisation != normalisation:
            raise ConfigError(
                f'{label}: has normalisation "{spectrum.normalisation}", and the prediction '
                f'"{normalisation}", which no scaling gives'
            )
        share = 1.0 if own is None or n_atoms is None else n_atoms / own
        return replace(spectrum, values=spectrum.values * share)
    if normalisation == "3N":
        return spectrum.normalise("3N", n_atoms or own)
    return spectrum.normalise(normalisation)


def _predicted(bands: BandStructure | None, predictor: Any) -> answers.BandsAnswer | None:
    """By the model, of the crystal of the reference and along its path; None: it cannot."""
    if bands is None or bands.crystal is None or predictor is None:
        return None
    try:
        if isinstance(predictor, ElectronPredictor):
            return bands_answer(predictor.electrons(bands.crystal).bands(bands.kpoints))
        if has_phonons(predictor.model):
            return bands_answer(predictor.phonons(bands.crystal).bands(bands.kpoints))
    except VanhoveError:
        pass
    return None
