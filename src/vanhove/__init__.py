"""vanhove predicts the spectra of crystals from the structure alone.

    import vanhove
    spectrum = vanhove.predict("crystal.cif")
    spectrum.plot("crystal.png")

Public names are imported on first use, so that ``import vanhove`` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Crystal": "vanhove.crystal.crystal",
    "Predictor": "vanhove.prediction.predictor",
    "RunConfig": "vanhove.training.config",
    "Spectrum": "vanhove.spectra.spectrum",
    "SpectrumDataset": "vanhove.datasets",
    "evaluate": "vanhove.training.evaluation",
    "load": "vanhove.prediction.predictor",
    "load_dataset": "vanhove.datasets",
    "predict": "vanhove.prediction.predictor",
    "read_crystal": "vanhove.crystal.reading",
    "read_crystals": "vanhove.crystal.reading",
    "train": "vanhove.training.loop",
}
__all__ = [
    "Crystal",
    "Predictor",
    "RunConfig",
    "Spectrum",
    "SpectrumDataset",
    "evaluate",
    "load",
    "load_dataset",
    "predict",
    "read_crystal",
    "read_crystals",
    "train",
]

if TYPE_CHECKING:
    from vanhove.crystal.crystal import Crystal
    from vanhove.crystal.reading import read_crystal, read_crystals
    from vanhove.datasets import SpectrumDataset, load_dataset
    from vanhove.prediction.predictor import Predictor, load, predict
    from vanhove.spectra.spectrum import Spectrum
    from vanhove.training.config import RunConfig
    from vanhove.training.evaluation import evaluate
    from vanhove.training.loop import train


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'vanhove' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
