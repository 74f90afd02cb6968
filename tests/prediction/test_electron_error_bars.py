import numpy as np
import pytest

from vanhove.errors import ConfigError
from vanhove.models.tight_binding.error_bars import calibrate
from vanhove.prediction.electron_predictor import load_electrons

from .test_electrons import SILICON, SODIUM


def test_intervals_hold_the_share_they_are_made_for():
    """Errors that grow with the spread; many materials, some with many numbers."""
    rng = np.random.default_rng(0)

    def draw(n):
        spreads = [rng.uniform(0.05, 0.5, rng.integers(1, 60)) for _ in range(n)]
        return [rng.normal(0, 2 * s) for s in spreads], spreads

    bars = calibrate(*draw(500))
    errors, spreads = draw(500)
    for level in (0.5, 0.9):
        inside = [
            (np.abs(e) <= bars.of(s, level)).mean() for e, s in zip(errors, spreads, strict=True)
        ]
        assert np.mean(inside) == pytest.approx(level, abs=0.03)
    assert bars.n == 500
    with pytest.raises(ConfigError, match=r"level 0.8; calibrated: 0.5, 0.9"):
        bars.of(0.1, 0.8)


def test_few_materials_make_wide_bars():
    errors = [np.array([e]) for e in (0.1, 0.2, 0.3)]
    bars = calibrate(errors, [np.array([0.1])] * 3)
    assert bars.of(0.1, 0.9) == pytest.approx(0.3)  # the largest error seen


def test_error_bars_of_the_shipped_weights():
    model = load_electrons()
    silicon, sodium = model.electrons([SILICON, SODIUM])
    k = np.array([[0, 0, 0], [0.5, 0.5, 0]])
    narrow, wide = (silicon.energy_half_widths(k, level) for level in (0.5, 0.9))
    assert wide.shape == silicon.energies(k).shape
    assert (narrow > 0).all()
    assert (narrow < wide).all()
    assert 0.05 < silicon.gap_half_width() < 2
    assert silicon.gap_half_width(0.5) < silicon.gap_half_width(0.9)
    assert np.isfinite(sodium.energy_half_widths(k)).all()
    model.half_widths = {}
    with pytest.raises(ConfigError, match="not calibrated"):
        model.electrons(SILICON).gap_half_width()
