"""Join members of `vanhove-electron` into the weights that the package ships, with error bars.

    python scripts/ship_electrons.py RUN [RUN ...]

Each RUN is a folder of `scripts/train_electrons.py`. Error bars are calibrated on the validation
part of `electron_pbe`, with later crystals of its formulas, and, of the gap, on the crystals of
gaps_mp to choose by (VANHOVE_DATA).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from vanhove.datasets.electron_pbe import electron_parts, load_electron_states
from vanhove.datasets.graph_store import domain_of
from vanhove.models.tight_binding.error_bars import calibrate
from vanhove.prediction.electron_calibration import (
    calibration_rows,
    gap_errors,
    state_errors,
    state_half_widths,
)
from vanhove.prediction.electron_predictor import FOLDER, NAME
from vanhove.results import Json
from vanhove.runs.hamiltonian import (
    HamiltonianInfo,
    MemberInfo,
    load_hamiltonian,
    save_hamiltonian,
)
from vanhove.training.band_labels import gap_labels
from vanhove.training.electron_run import ElectronRun, gap_rows, pbe_rows, teacher_rows

N_GAPS = 250
"""Of the crystals with gaps to choose by, in their random order."""


def main(folders: list[str]) -> None:
    torch.set_num_threads(1)
    models, trained = [], []
    for folder in folders:
        members, own = load_hamiltonian(Path(folder) / "member.safetensors")
        models += members
        trained += [_without_folders(member) for member in own.members]
    half_widths, spreads = {}, []
    if len(models) > 1:
        states = list(load_electron_states().values())
        formulas = [state.crystal.formula for state in states]
        parts = electron_parts([state.crystal.name for state in states], formulas)
        errors = [state_errors(models, states[row]) for row in calibration_rows(parts)]
        half_widths |= state_half_widths(errors)
        spreads = sorted(error.spread for error in errors)
        found, target, spread = gap_errors(models, gap_labels()["valid"][:N_GAPS])
        open_ = (found > 0) | (target > 0)
        off = list((found - target)[open_][:, None])
        half_widths["gap"] = calibrate(off, list(spread[open_][:, None]))
    run = ElectronRun(**trained[0].run)
    crystals = [state.crystal for state in pbe_rows()]
    crystals += [label.crystal for label in (*teacher_rows(), *gap_rows(run.gap_atoms))]
    elements = sorted({int(z) for crystal in crystals for z in crystal.atomic_numbers})
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{NAME}.safetensors"
    info = HamiltonianInfo(
        model=models[0].settings,
        n_members=len(models),
        members=trained,
        elements=elements,
        half_widths=half_widths,
        spreads=spreads,
        domain=domain_of(crystals, range(len(crystals))),
    )
    save_hamiltonian(path, models, info)
    print(f"{len(models)} members: {path}\n{half_widths}")


def _without_folders(member: MemberInfo) -> MemberInfo:
    """Weights that a run went on from are named, not where they were; at any depth."""
    return MemberInfo.model_validate(_named(member.model_dump(mode="json")))


def _named(content: Json) -> Json:
    result = {}
    for key, value in content.items():
        if isinstance(value, dict):
            result[key] = _named(value)
        else:
            result[key] = Path(value).name if key == "start" and value else value
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
