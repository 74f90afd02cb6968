"""Keep what the shipped weights predict, for the test that a change of the code leaves it.

    python scripts/keep_predictions.py

Run it after weights were trained anew; tests/prediction/test_kept.py compares.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

import vanhove
from vanhove.atomic import write_text
from vanhove.runs.checkpoint import read_safetensors
from vanhove.spectra.bands import BandStructure
from vanhove.weights import HAMILTONIANS, find_weights, shipped_weights

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "prediction" / "kept.json"
STRUCTURES = ("Si", "MgO")
_STEP = 7
"""Every so many values are kept."""


def names() -> list[str]:
    """Of all shipped weights."""
    return [*shipped_weights(), *HAMILTONIANS]


def fingerprint(name: str) -> str:
    """SHA-256 (hex) of the numbers of weights, whatever their description."""
    digest = hashlib.sha256()
    for key, tensor in sorted(read_safetensors(find_weights(name))[0].items()):
        digest.update(key.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def predicted(name: str, structure: str) -> np.ndarray:
    """Some values of a spectrum, or energies of bands (eV)."""
    found = vanhove.load(name, grid="training").predict(
        ROOT / "examples" / "structures" / f"{structure}.cif"
    )
    values = found.energies if isinstance(found, BandStructure) else found.values
    return values.ravel()[::_STEP]


def main() -> None:
    content = {
        name: {
            "weights": fingerprint(name),
            **{key: [float(f"{x:.7g}") for x in predicted(name, key)] for key in STRUCTURES},
        }
        for name in names()
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(own)}" for name, own in content.items())
    write_text(KEPT, "{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
