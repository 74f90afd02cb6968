"""Which predictions to trust: error bars of spectra and properties, and familiarity.

Usage:
    python examples/03_error_bars_and_familiarity.py               # the shipped ensemble
    python examples/03_error_bars_and_familiarity.py pair.safetensors
"""

import sys
from pathlib import Path

import numpy as np

import vanhove
from vanhove.errors import StructureError
from vanhove.spectra import mean_frequency

STRUCTURES = Path(__file__).parent / "structures"

model = sys.argv[1] if len(sys.argv) > 1 else "vanhove-phonon"
predictor = vanhove.load(model, grid="training")  # where each member has its own spectrum
print("crystal        mean frequency, 1/cm   90 % interval at the peak   familiarity")
for outcome in predictor.stream(sorted(STRUCTURES.glob("*.cif"))):
    if isinstance(outcome, StructureError):
        print(f"left out: {outcome}")
        continue
    # Whatever is derived from the members' spectra has their spread.
    members = mean_frequency(outcome.grid, outcome.samples)
    mean = mean_frequency(outcome.grid, outcome.values)
    low, high = outcome.interval(0.9)  # calibrated: see docs/uncertainty.md
    peak = int(np.argmax(outcome.values))
    print(
        f"{outcome.crystal.formula:12s} {mean:10.0f} (members ± {members.std():3.0f})"
        f"      {low[peak]:6.2f} to {high[peak]:.2f}"
        f"              {outcome.metadata['familiarity']:.2f}"
    )
