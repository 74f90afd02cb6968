"""Train on a folder of your own structures and spectra, then predict.

The folder is made here from the tiny data set that ships with vanhove (a toy model, not DFT): one
structure file for each crystal and a table of the spectra. docs/data.md describes the form.

Usage:
    python examples/02_train_on_my_data.py
"""

import csv
import tempfile
from pathlib import Path

import vanhove


def write_folder(folder: Path) -> None:
    """Structures as POSCAR files and spectra.csv, as you would bring them."""
    tiny = vanhove.load_dataset("tiny")
    with (folder / "spectra.csv").open("w", newline="") as stream:
        stream.write(f"# unit: {tiny.unit}\n# normalisation: {tiny.normalisation}\n")
        table = csv.writer(stream)
        table.writerow(["id", *tiny.grid])
        for name, crystal, values in zip(tiny.ids, tiny.crystals, tiny.values, strict=True):
            crystal.to_structure().to(str(folder / f"{name}.vasp"), fmt="poscar")
            table.writerow([name, *values])


with tempfile.TemporaryDirectory() as temporary:
    data, run = Path(temporary) / "my-data", Path(temporary) / "run"
    data.mkdir()
    write_folder(data)

    config = vanhove.RunConfig.parse(
        {
            "name": "my-first-run",
            "data": {"dataset": str(data), "split": "grouped"},
            "model": {
                "encoder": {"hidden_dim": 32, "n_layers": 2},
                "decoder": {"hidden_dim": 32},
                "crystal_system": {"dim": 16},
            },
            "training": {"epochs": 2, "learning_rate": 1e-3},
        }
    )
    result = vanhove.train(config, run)
    print(f"best validation RMSE {result.validation['rmse']:.3f} (two epochs: do not expect much)")

    measured = vanhove.evaluate(run, split="test", quiet=True)
    print(f"test MAE {measured.mean['mae']:.3f} on {measured.n_materials} crystals")

    predictor = vanhove.load(run)
    spectrum = predictor.predict(vanhove.load_dataset(data).crystals[0])
    print(spectrum)
