"""What a spectrum is: the density of states with its unit, metrics and thermodynamics."""

from vanhove.spectra.metrics import (
    mae_flat,
    mae_per_material,
    mse_flat,
    mse_per_material,
    r2_flat,
    r2_per_bin,
    r2_per_material,
    rmse_per_material,
    spectrum_metrics,
    wasserstein,
)
from vanhove.spectra.plotting import terminal_plot
from vanhove.spectra.smoothing import resample
from vanhove.spectra.spectrum import Spectrum
from vanhove.spectra.thermodynamics import (
    entropy,
    free_energy,
    heat_capacity,
    internal_energy,
    mean_frequency,
    zero_point_energy,
)

__all__ = [
    "Spectrum",
    "entropy",
    "free_energy",
    "heat_capacity",
    "internal_energy",
    "mae_flat",
    "mae_per_material",
    "mean_frequency",
    "mse_flat",
    "mse_per_material",
    "r2_flat",
    "r2_per_bin",
    "r2_per_material",
    "resample",
    "rmse_per_material",
    "spectrum_metrics",
    "terminal_plot",
    "wasserstein",
    "zero_point_energy",
]
