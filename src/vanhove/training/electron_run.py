"""One member of `vanhove-electron`, from a run file to weights: teacher, then PBE with gaps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import yaml
from pydantic import Field

from vanhove.atomic import write_text
from vanhove.datasets.electron_pbe import (
    SPLIT_SEED,
    ElectronStates,
    electron_data_hash,
    electron_parts,
    load_electron_states,
)
from vanhove.datasets.splits import hashed_split
from vanhove.errors import ConfigError
from vanhove.models.tight_binding.network import TightBinding, TightBindingSettings
from vanhove.results import Json
from vanhove.runs.hamiltonian import (
    HamiltonianInfo,
    MemberInfo,
    load_hamiltonian,
    save_hamiltonian,
)
from vanhove.settings import Settings
from vanhove.training.band_labels import (
    BandLabels,
    GapLabel,
    gap_labels,
    labels_of_states,
    teacher_labels,
)
from vanhove.training.tight_binding import BandTraining, Stage, band_items, gap_items


class ElectronRun(Settings):
    """A run file of the tight-binding model."""

    name: str = "vanhove-electron"
    model: TightBindingSettings = TightBindingSettings(dropout=0.05)
    start: Path | None = Field(
        None,
        description="file of weights to go on from, in place of the first stage: of its members "
        "the one that is numbered as the seed",
    )
    teacher: BandTraining | None = Field(
        BandTraining(epochs=8, learning_rate=3e-3, n_kpoints=4),
        description="first stage, on electron_tb3; none leaves it out",
    )
    teacher_crystals: int = Field(
        4000, ge=1, description="number of crystals of electron_tb3, at random"
    )
    pbe: BandTraining = Field(
        BandTraining(epochs=100, gap_batch=16, gap_kpoints=2, gap=0.6, six_bands=0.3, edges=0.3),
        description="second stage, on electron_pbe",
    )
    gap_atoms: int = Field(16, ge=0, description="largest cell of gaps_mp in training; 0: none")
    seed: int = 0


def read_run(path: str | Path, **changes: object) -> ElectronRun:
    """A run file (YAML), with some keys replaced.

    Raises:
        ConfigError: the file cannot be read, or holds unknown keys or values.
    """
    try:
        content = yaml.safe_load(Path(path).read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return ElectronRun.parse(content | changes, str(path))


def electron_run(config: str, **changes: object) -> ElectronRun | None:
    """The run of the shipped model by its name, or a run file; None for other models.

    Raises:
        ConfigError: as `read_run`.
    """
    if config == ElectronRun().name:
        return ElectronRun(**changes)
    path = Path(config)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return None
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        return None  # whoever reads it as another run file says what is wrong with it
    is_one = isinstance(content, dict) and {"pbe", "teacher", "gap_atoms"} & set(content)
    return read_run(path, **changes) if is_one else None


def quick_run(run: ElectronRun) -> ElectronRun:
    """Two epochs of the second stage without gaps: all that it needs is in the package."""
    pbe = run.pbe.model_copy(update={"epochs": 2, "gap_batch": 0})
    return run.model_copy(update={"pbe": pbe, "teacher": None, "start": None, "gap_atoms": 0})


def held_formulas() -> set[str]:
    """Reduced formulas of `electron_pbe` that no stage may see."""
    states = list(load_electron_states().values())
    formulas = [state.crystal.formula for state in states]
    parts = electron_parts([state.crystal.name for state in states], formulas)
    return {formulas[row] for part, rows in parts.items() if part != "train" for row in rows}


def pbe_rows() -> list[ElectronStates]:
    """The training part of `electron_pbe`."""
    states = list(load_electron_states().values())
    formulas = [state.crystal.formula for state in states]
    parts = electron_parts([state.crystal.name for state in states], formulas)
    return [states[row] for row in parts["train"]]


def gap_rows(max_atoms: int) -> list[GapLabel]:
    """Gaps to train on: cells that are small enough, no formula that is held out."""
    held = held_formulas()
    labels = [x for x in gap_labels(max_atoms)["train"] if x.crystal.formula not in held]
    rows = hashed_split([label.crystal.formula for label in labels], seed=SPLIT_SEED)["train"]
    return [labels[row] for row in rows]


def teacher_rows() -> list[BandLabels]:
    """Crystals of `electron_tb3` to train on."""
    labels = teacher_labels(held_formulas())
    rows = hashed_split([label.crystal.formula for label in labels], seed=SPLIT_SEED)["train"]
    return [labels[row] for row in rows]


def train_member(run: ElectronRun, out: Path) -> Path:
    """Train one member; a second call with the same folder goes on where the first stopped.

    Of the teacher and of `gaps_mp` all formulas are left out that hashing puts into the validation
    or test split of `electron_pbe`, whether labelled yet or not.

    Returns:
        the weights, ``out/member.safetensors``.
    """
    out.mkdir(parents=True, exist_ok=True)
    finished = out / "member.safetensors"
    if finished.exists():
        return finished
    write_text(out / "run.json", json.dumps(run.model_dump(mode="json"), indent=1) + "\n")
    torch.manual_seed(run.seed)
    model = TightBinding(run.model)
    history: dict[str, Json] = {}
    if run.start is not None:
        history["start"] = _go_on(run.start, run.seed, model)
    elif run.teacher is not None:
        history["teacher"] = _teacher(run, run.teacher, model, out)
    history["pbe"] = _pbe(run, model, out)
    member = MemberInfo(
        run=run.model_dump(mode="json"),
        data={"electron_pbe": electron_data_hash()},
        history=history,
    )
    info = HamiltonianInfo(model=run.model, n_members=1, members=[member])
    save_hamiltonian(finished, [model], info)
    return finished


def _go_on(start: Path, seed: int, model: TightBinding) -> Json:
    """Parameters of a member of other weights, and what is known of its training."""
    members, info = load_hamiltonian(start)
    member = seed % len(members)
    model.load_state_dict(members[member].state_dict())
    return info.members[member].model_dump(mode="json") if info.members else {}


def _teacher(run: ElectronRun, settings: BandTraining, model: TightBinding, out: Path) -> dict:
    stage = Stage(model, settings, run.seed)
    path = out / "teacher.safetensors"
    if path.exists():
        stage.restore(path)
    items = []
    if stage.epoch < settings.epochs:
        labels = teacher_rows()
        rows = np.random.default_rng(run.seed).permutation(len(labels))[: run.teacher_crystals]
        items = band_items([labels[row] for row in rows], run.model.cutoff)
    stage.run(items, after_epoch=lambda s: _report(s, path, "teacher"))
    return {"seconds": round(stage.seconds), "losses": stage.losses}


def _pbe(run: ElectronRun, model: TightBinding, out: Path) -> dict:
    stage = Stage(model, run.pbe, run.seed)
    path = out / "pbe.safetensors"
    if path.exists():
        stage.restore(path)
    items = band_items([labels_of_states(state) for state in pbe_rows()], run.model.cutoff)
    gaps = []
    if run.gap_atoms and run.pbe.gap_batch:
        gaps = gap_items(gap_rows(run.gap_atoms), run.model.cutoff)
    stage.run(items, gaps, after_epoch=lambda s: _report(s, path, "pbe"))
    return {
        "seconds": round(stage.seconds),
        "losses": stage.losses,
        "n_crystals": len(items),
        "n_gaps": len(gaps),
    }


def _report(stage: Stage, path: Path, name: str) -> None:
    stage.save(path)
    print(
        f"{name} epoch {stage.epoch}/{stage.settings.epochs} loss {stage.losses[-1]:.4f} "
        f"{stage.seconds:.0f} s",
        flush=True,
    )
