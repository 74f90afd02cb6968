"""What a type checker knows of the public functions: nothing runs here, mypy reads it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import vanhove
from vanhove.evaluation.evaluate import Evaluation
from vanhove.prediction.calculator import Calculation
from vanhove.prediction.electron_predictor import ElectronPredictor
from vanhove.prediction.electrons import Electrons
from vanhove.prediction.loading import AnyPredictor
from vanhove.prediction.predictor import Predictor
from vanhove.spectra.bands import BandStructure
from vanhove.spectra.phonons import Phonons
from vanhove.spectra.spectrum import Spectrum
from vanhove.training.train import TrainingResult

STRUCTURE = Path("NaCl.cif")


def models(name: str) -> None:
    assert_type(vanhove.load(), Predictor[Spectrum])
    assert_type(vanhove.load("dostransformer-electron"), Predictor[Spectrum])
    assert_type(vanhove.load("bandformer-electron"), Predictor[BandStructure])
    assert_type(vanhove.load(phonon_bands=True), Predictor[BandStructure])
    assert_type(vanhove.load("vanhove-electron"), ElectronPredictor[Spectrum])
    assert_type(vanhove.load(name), AnyPredictor)


def predictions() -> None:
    assert_type(vanhove.load().predict(STRUCTURE), Spectrum)
    assert_type(vanhove.load().predict([STRUCTURE]), list[Spectrum])
    assert_type(vanhove.load(phonon_bands=True).predict(STRUCTURE), BandStructure)
    assert_type(vanhove.predict(STRUCTURE), Spectrum)
    assert_type(vanhove.predict([STRUCTURE], property="bands"), list[BandStructure])
    assert_type(vanhove.phonons(STRUCTURE), Phonons)
    assert_type(vanhove.phonons([STRUCTURE]), list[Phonons])
    assert_type(vanhove.electrons(STRUCTURE), Electrons)
    assert_type(vanhove.electrons([STRUCTURE]), list[Electrons])
    assert_type(vanhove.Calculator().calculate(STRUCTURE), Calculation)
    assert_type(vanhove.Calculator().calculate([STRUCTURE]), list[Calculation])


def results() -> None:
    assert_type(vanhove.train("mlp"), TrainingResult)
    assert_type(vanhove.evaluate("runs/mlp"), Evaluation)
