"""vanhove predicts the spectra of crystals from the structure alone."""

__version__ = "0.1.0"
