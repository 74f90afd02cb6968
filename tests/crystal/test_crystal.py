"""The light-weight structure."""

import warnings

import numpy as np

from vanhove.crystal.crystal import Crystal


def test_formulas_are_reduced_and_silent():
    """Also of noble gases, about whose electronegativity pymatgen warns."""
    for numbers, formula in (([11, 11, 17, 17], "NaCl"), ([2, 11, 11], "Na2He")):
        coordinates = np.random.default_rng(0).random((len(numbers), 3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert Crystal(np.eye(3) * 5, coordinates, numbers).formula == formula
