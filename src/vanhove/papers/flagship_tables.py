"""The project's own phonon model beside DOSTransformer, measured on ``phonon_petretto``."""

from __future__ import annotations

from vanhove.papers.phonon_tables import MAE, MSE_X10, R2, REFERENCE
from vanhove.papers.table import Column, Experiment, Row

MODEL = "vanhove-phonon"
_ATOMWISE: dict[str, object] = {"model.decoder": {"name": "atomwise"}}
_PRETRAINING: dict[str, object] = {
    "data.dataset": "petretto_pretraining",
    "training.epochs": 12,
    "training.batch_size": 16,
}
_TUNING: dict[str, object] = {"data.dataset": "phonon_petretto", "training.batch_size": 8}


def _rows(kind: str, run: str, overrides: dict[str, object]) -> tuple[Row, Row]:
    first = Row("pre-training", MODEL, f"{run}-pretraining", overrides | _PRETRAINING)
    return (
        Row(f"{kind}, alone", MODEL, f"{run}-alone", overrides),
        Row(f"{kind}, pre-trained on JARVIS", MODEL, run, overrides | _TUNING, start=first),
    )


FLAGSHIP_EXPERIMENTS: dict[str, Experiment] = {
    MODEL: Experiment(
        "vanhove-phonon: what lattice dynamics and pre-training on JARVIS buy",
        (
            REFERENCE,
            *_rows("decoder atomwise", "vanhove-atomwise", _ATOMWISE),
            *_rows("lattice dynamics", MODEL, {}),
        ),
        (
            MSE_X10,
            MAE,
            R2,
            Column("mean_frequency_mae_cm1", "mean frequency (1/cm)", digits=1),
            Column("heat_capacity_300K_mae", "C_V(300 K)", digits=2),
        ),
        (
            "MSE, MAE and R2 are those of each material, then the mean over materials; mean "
            "frequency and C_V, J/(K mol of atoms), are mean absolute errors.",
            "Pre-training: 8,380 crystals of JARVIS (OptB88vdW, finite differences), without any "
            "material or reduced formula of Petretto's validation and test parts; then 30 epochs "
            "on Petretto's training part.",
            "Every choice was made on the validation part alone.",
        ),
        page="phonon",
    ),
}
