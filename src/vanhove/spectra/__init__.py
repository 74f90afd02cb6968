"""What a spectrum is: the density of states with its unit, metrics and thermodynamics."""

from vanhove.physics.tetrahedra import Tetrahedra, tetrahedra_of
from vanhove.spectra.conversions.tables import spectra_to_xarray
from vanhove.spectra.eigenvalues import BandEdges, Eigenvalues, SampledDos, band_edges
from vanhove.spectra.electron_dos import dostransformer_electron_dos, mat2spec_electron_dos
from vanhove.spectra.electrons import (
    GapReading,
    detection_scores,
    electronic_heat_capacity,
    fermi_level_density,
    has_gap_near_edge,
    read_gap,
    sommerfeld_coefficient,
)
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
from vanhove.spectra.thermal_table import ThermalProperties, thermal_properties
from vanhove.spectra.thermodynamics import (
    entropy,
    free_energy,
    heat_capacity,
    internal_energy,
    mean_frequency,
    zero_point_energy,
)

__all__ = [
    "BandEdges",
    "Eigenvalues",
    "GapReading",
    "SampledDos",
    "Spectrum",
    "Tetrahedra",
    "ThermalProperties",
    "band_edges",
    "detection_scores",
    "dostransformer_electron_dos",
    "electronic_heat_capacity",
    "entropy",
    "fermi_level_density",
    "free_energy",
    "has_gap_near_edge",
    "heat_capacity",
    "internal_energy",
    "mae_flat",
    "mae_per_material",
    "mat2spec_electron_dos",
    "mean_frequency",
    "mse_flat",
    "mse_per_material",
    "r2_flat",
    "r2_per_bin",
    "r2_per_material",
    "read_gap",
    "resample",
    "rmse_per_material",
    "sommerfeld_coefficient",
    "spectra_to_xarray",
    "spectrum_metrics",
    "terminal_plot",
    "tetrahedra_of",
    "thermal_properties",
    "wasserstein",
    "zero_point_energy",
]
