"""vanhove predicts the spectra of crystals from the structure alone.

    import vanhove
    spectrum = vanhove.predict("crystal.cif")
    spectrum.plot("crystal.png")

Public names are imported on first use, so that ``import vanhove`` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vanhove.version import __version__ as __version__

_HOME = {
    "BandStructure": "vanhove.spectra.bands",
    "Calculator": "vanhove.prediction.calculator",
    "Crystal": "vanhove.crystal.crystal",
    "Predictor": "vanhove.prediction.predictor",
    "RunConfig": "vanhove.runs.config",
    "Spectrum": "vanhove.spectra.spectrum",
    "SpectrumDataset": "vanhove.datasets",
    "ThermalProperties": "vanhove.spectra",
    "data_fetch": "vanhove.datasets.catalog",
    "data_fetch_mp": "vanhove.datasets.materials_project:fetch_materials_project",
    "data_import": "vanhove.datasets.importing:import_calculations",
    "data_info": "vanhove.datasets.catalog",
    "data_label": "vanhove.screening.labelling:label",
    "data_list": "vanhove.datasets.catalog",
    "doctor": "vanhove.prediction.doctor:examine",
    "Electrons": "vanhove.prediction.electrons",
    "electrons": "vanhove.prediction.electron_predictor",
    "embed": "vanhove.embeddings.embedding",
    "ensemble": "vanhove.training.ensemble:make_ensemble",
    "evaluate": "vanhove.evaluation.evaluate",
    "export": "vanhove.runs.checkpoint",
    "finetune": "vanhove.training.finetuning",
    "list_models": "vanhove.runs.catalog",
    "load": "vanhove.prediction.loading",
    "load_dataset": "vanhove.datasets",
    "phonons": "vanhove.prediction.loading",
    "predict": "vanhove.prediction.loading",
    "read_crystal": "vanhove.crystal.reading",
    "read_crystals": "vanhove.crystal.reading",
    "reproduce": "vanhove.experiments.reproduce",
    "screen": "vanhove.screening.screening",
    "serve": "vanhove.server.serve",
    "sweep": "vanhove.experiments.sweep",
    "train": "vanhove.training.train",
    "tune": "vanhove.tuning.search",
}
"""Public name -> its module, with the name there where it is another one."""
__all__ = [
    "BandStructure",
    "Calculator",
    "Crystal",
    "Electrons",
    "Predictor",
    "RunConfig",
    "Spectrum",
    "SpectrumDataset",
    "ThermalProperties",
    "data_fetch",
    "data_fetch_mp",
    "data_import",
    "data_info",
    "data_label",
    "data_list",
    "doctor",
    "electrons",
    "embed",
    "ensemble",
    "evaluate",
    "export",
    "finetune",
    "list_models",
    "load",
    "load_dataset",
    "phonons",
    "predict",
    "read_crystal",
    "read_crystals",
    "reproduce",
    "screen",
    "serve",
    "sweep",
    "train",
    "tune",
]

if TYPE_CHECKING:
    from vanhove.crystal.crystal import Crystal
    from vanhove.crystal.reading import read_crystal, read_crystals
    from vanhove.datasets import SpectrumDataset, load_dataset
    from vanhove.datasets.catalog import data_fetch, data_info, data_list
    from vanhove.datasets.importing import import_calculations as data_import
    from vanhove.datasets.materials_project import fetch_materials_project as data_fetch_mp
    from vanhove.embeddings.embedding import embed
    from vanhove.evaluation.evaluate import evaluate
    from vanhove.experiments.reproduce import reproduce
    from vanhove.experiments.sweep import sweep
    from vanhove.prediction.calculator import Calculator
    from vanhove.prediction.doctor import examine as doctor
    from vanhove.prediction.electron_predictor import electrons
    from vanhove.prediction.electrons import Electrons
    from vanhove.prediction.loading import load, phonons, predict
    from vanhove.prediction.predictor import Predictor
    from vanhove.runs.catalog import list_models
    from vanhove.runs.checkpoint import export
    from vanhove.runs.config import RunConfig
    from vanhove.screening.labelling import label as data_label
    from vanhove.screening.screening import screen
    from vanhove.server.serve import serve
    from vanhove.spectra import ThermalProperties
    from vanhove.spectra.bands import BandStructure
    from vanhove.spectra.spectrum import Spectrum
    from vanhove.training.ensemble import make_ensemble as ensemble
    from vanhove.training.finetuning import finetune
    from vanhove.training.train import train
    from vanhove.tuning.search import tune


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module, _, there = _HOME[name].partition(":")
        return getattr(import_module(module), there or name)
    raise AttributeError(f"module 'vanhove' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
