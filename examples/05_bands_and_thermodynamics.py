"""Bands and thermodynamics of one crystal, and the same in other libraries.

Usage:
    python examples/05_bands_and_thermodynamics.py                # weights that ship with vanhove
    python examples/05_bands_and_thermodynamics.py runs/mine      # another model of phonons

Writes MgO-bands.png, thermal_properties.yaml and total_dos.dat into the current folder.
"""

import sys
from pathlib import Path

import numpy as np

import vanhove

MGO = Path(__file__).parent / "structures" / "MgO.cif"

bands = vanhove.predict(MGO, property="bands")
bands.plot("MgO-bands.png")
gap = bands.gap
print("a metal" if gap is None else f"gap {gap.energy:.1f} eV, VBM at {bands.where(gap.vbm_at)}")

spectrum = vanhove.predict(MGO, sys.argv[1] if len(sys.argv) > 1 else None)
thermal = spectrum.thermal_properties(np.arange(0, 1001, 100))
print(thermal.to_pandas().round(2))

# phonopy's files: THz and per mole of cells.
spectrum.to_phonopy("total_dos.dat")
thermal.to_phonopy("thermal_properties.yaml")
back = vanhove.ThermalProperties.from_phonopy("thermal_properties.yaml")
assert np.allclose(back.entropy, thermal.entropy)

# pymatgen computes C_V from the same modes (its own point at frequency 0 differs slightly).
print(f"C_V(300 K) by pymatgen {spectrum.to_pymatgen().cv(300):.2f} J/(K mol of cells)")
