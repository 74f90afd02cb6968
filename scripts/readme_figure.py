"""The picture of README: a prediction and DFPT, of the test crystal with the median error.

    VANHOVE_DATA=... python scripts/readme_figure.py docs/figures/readme-dft.png

The crystal is chosen by its place in the order of errors, not by its looks.
"""

from __future__ import annotations

import sys

import numpy as np

import vanhove


def main(path: str) -> None:
    data = vanhove.load_dataset("phonon_petretto")
    test = data.splits["test"]
    crystals = [data.crystals[i] for i in test]
    spectra = vanhove.load(grid="training").predict(crystals)
    errors = np.array(
        [
            np.abs(found.values - data.values[i]).mean()
            for found, i in zip(spectra, test, strict=True)
        ]
    )
    at = int(np.argsort(errors)[len(errors) // 2])
    crystal = crystals[at]
    calculated = vanhove.Spectrum(
        grid=data.grid,
        values=data.values[test[at]],
        unit=data.unit,
        normalisation=data.normalisation,
        quantity=data.quantity,
        crystal=crystal,
        metadata={"model": "DFPT, Petretto et al. (2018)"},
    )
    figure = vanhove.predict(crystal).plot(reference=calculated)
    figure.savefig(path, dpi=110)
    name = f"{crystal.formula} ({data.ids[test[at]]})"
    print(f"{path}: {name}, MAE {errors[at]:.4f}, the median of {len(errors)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/figures/readme-dft.png")
