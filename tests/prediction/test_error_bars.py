"""Error bars of predictions, and what the command makes of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import STRUCTURES, SUPPORTED
from vanhove.cli import app
from vanhove.errors import ConfigError
from vanhove.prediction.loading import load
from vanhove.prediction.properties import Properties
from vanhove.spectra.spectrum import Spectrum


@pytest.fixture(scope="module")
def spectrum(small_ensemble):
    return load(small_ensemble).predict(SUPPORTED[0])


def test_a_spectrum_of_an_ensemble_has_error_bars(spectrum, small_runs):
    members = np.stack([load(run).predict(SUPPORTED[0]).values for run in small_runs])
    np.testing.assert_allclose(spectrum.samples, members, atol=1e-6)
    np.testing.assert_allclose(spectrum.values, members.mean(axis=0), atol=1e-6)
    low, high = spectrum.interval(0.9)
    narrower = spectrum.interval(0.5)
    assert (low >= 0).all()
    assert (low <= narrower[0]).all()
    assert (narrower[1] <= high).all()
    assert 0 <= spectrum.metadata["familiarity"] <= 1
    with pytest.raises(ConfigError, match=r"no interval at level 0.42; this spectrum has 0.5"):
        spectrum.interval(0.42)


def test_single_runs_have_none(small_run):
    spectrum = load(small_run).predict(SUPPORTED[0])
    assert spectrum.std is None
    with pytest.raises(ConfigError, match="no calibrated error bars"):
        spectrum.interval()


def test_error_bars_follow_scale_and_grid(spectrum):
    scaled = spectrum.normalise("sum")
    np.testing.assert_allclose(scaled.samples.mean(axis=0), scaled.values, atol=1e-7)
    factor = scaled.values.sum() / spectrum.values.sum()
    np.testing.assert_allclose(scaled.interval()[1], factor * spectrum.interval()[1], rtol=1e-6)
    finer = spectrum.interpolate(np.arange(0, 1001, 10.0))
    np.testing.assert_allclose(finer.samples[:, ::2], spectrum.samples)
    again = Spectrum.from_dict(json.loads(spectrum.to_json()))
    np.testing.assert_array_equal(again.interval()[0], spectrum.interval()[0])


def test_derived_properties_have_half_widths(spectrum, small_ensemble):
    calibration = load(small_ensemble).calibration
    known = Properties(load(small_ensemble).info)
    found = known.values(spectrum, calibration)
    assert found["mean_frequency_half_width_90"] > 0
    assert found["heat_capacity_300K_half_width_90"] > 0
    assert known.values(spectrum, calibration, 50.0)["entropy_50K_half_width_90"] > 0
    assert not any("half_width" in key for key in known.values(spectrum))


def test_the_command_shows_and_writes_them(small_ensemble, tmp_path):
    arguments = ["predict", str(SUPPORTED[0]), "-m", str(small_ensemble), "-o", str(tmp_path)]
    shown = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "out.json")])
    assert shown.exit_code == 0, shown.output
    assert "familiarity" in shown.output
    assert "±" in shown.output
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert min(result["std"]) > 0
    assert result["properties"]["entropy_300K_half_width_90"] > 0


def test_the_command_joins_runs(small_runs, tmp_path):
    out = tmp_path / "deep" / "mine.safetensors"
    result = CliRunner().invoke(app, ["ensemble", *map(str, small_runs), "-o", str(out), "-q"])
    assert result.exit_code == 0, result.output
    assert "validation: rmse" in result.output
    assert load(out).name == "mine"


def test_intervals_of_shipped_electron_weights_stay_between_0_and_1():
    spectrum = load("dostransformer-electron").predict(STRUCTURES / "MgO.cif")
    low, high = spectrum.interval(0.9)
    assert spectrum.normalisation == "min-max"
    assert (spectrum.values + spectrum.metadata["interval_factors"]["0.9"] * spectrum.std).max() > 1
    assert low.min() == 0
    assert high.max() == max(1, spectrum.values.max())
    assert (low <= spectrum.values).all()
    assert (spectrum.values <= high).all()
