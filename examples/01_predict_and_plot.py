"""Predict the phonon density of states of a crystal, plot it, and derive numbers from it.

Usage:
    python examples/01_predict_and_plot.py                # the weights that ship with vanhove
    python examples/01_predict_and_plot.py runs/mine      # a run folder or a checkpoint file

Writes phonon-dos-MgO.png and phonon-dos-MgO.json into the current folder.
"""

import sys
from pathlib import Path

import numpy as np

import vanhove
from vanhove.spectra import entropy, heat_capacity, mean_frequency, terminal_plot

STRUCTURES = Path(__file__).parent / "structures"

predictor = vanhove.load(sys.argv[1]) if len(sys.argv) > 1 else vanhove.load()
spectrum = predictor.predict(STRUCTURES / "MgO.cif")
print(terminal_plot(spectrum))

spectrum.plot("phonon-dos-MgO.png")
spectrum.to_json("phonon-dos-MgO.json")

temperatures = np.array([100.0, 300.0, 1000.0])  # K
capacities = heat_capacity(spectrum.grid, spectrum.values, temperatures)
entropies = entropy(spectrum.grid, spectrum.values, temperatures)
print(f"\nmean frequency {mean_frequency(spectrum.grid, spectrum.values):.0f} 1/cm")
print("T (K)   C_V and entropy, J/(K mol of atoms)")
for temperature, capacity, entropy_ in zip(temperatures, capacities, entropies, strict=True):
    print(f"{temperature:5.0f}   {capacity:6.2f}  {entropy_:6.2f}")

# The same structure as a pymatgen object, and the same spectrum as pymatgen's PhononDos.
same = predictor.predict(spectrum.crystal.to_structure())
assert np.allclose(same.values, spectrum.values, atol=1e-4)
print(f"\npymatgen: C_V(300 K) {same.to_pymatgen().cv(300):.2f} J/(K mol of cells)")
