"""Screening: spectra and properties of many structures, filtered, with tables and a report."""

from vanhove.screening.screening import ScreeningResult, screen

__all__ = ["ScreeningResult", "screen"]
