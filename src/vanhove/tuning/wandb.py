"""Sweeps of Weights & Biases from the same search-space file.

Their server chooses the trials, so a sweep needs an account or a server of one's own. What needs
none: writing the sweep file, and running a trial with ``WANDB_MODE=offline`` when the parameters
come from a file, as an agent gives them.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from vanhove.atomic import write_text
from vanhove.errors import ConfigError, MissingExtraError
from vanhove.results import Json
from vanhove.training.loop import EpochRow
from vanhove.training.train import TrainingResult, train_to_end
from vanhove.tuning.space import SearchSpace

PROJECT = "vanhove"


def sweep_config(space: SearchSpace, source: str, trials: int | None = None) -> Json:
    """The sweep of a space, for ``wandb sweep FILE``.

    Their only way to end a trial early is Hyperband; it stands for either pruner.

    Args:
        space: `SearchSpace.resolved`.
        source: how ``vanhove tune`` finds the space where the agents run.
        trials: at most; None: until the sweep is stopped.
    """
    config: Json = {
        "name": space.name,
        "description": space.about,
        "project": PROJECT,
        "method": "bayes" if space.sampler == "tpe" else "random",
        "metric": {"name": f"valid_{space.metric}", "goal": "minimize"},
        "command": ["${env}", "vanhove", "tune", source, "--wandb-trial"],
        "parameters": {key: range_.wandb() for key, range_ in space.space.items()},
    }
    if trials is not None:
        config["run_cap"] = trials
    if space.pruner.name != "none":
        config["early_terminate"] = {
            "type": "hyperband",
            "min_iter": space.pruner.warmup_epochs + 1,
            "eta": space.pruner.reduction_factor,
        }
    return config


def write_sweep(space: SearchSpace, source: str, path: Path, trials: int | None = None) -> None:
    """Write `sweep_config` as YAML."""
    write_text(path, yaml.safe_dump(sweep_config(space, source, trials), sort_keys=False))


def run_sweep_trial(
    space: SearchSpace, output: Path | None = None, quiet: bool = False
) -> TrainingResult:
    """Train one trial with the parameters that ``wandb agent`` gives; log every epoch.

    Args:
        space: `SearchSpace.resolved`.
        output: run folders go there, one for each run id; ``searches/NAME-wandb`` by default.
        quiet: no progress.

    Raises:
        MissingExtraError: wandb is not installed.
        ConfigError: no agent gave parameters, or they do not go together.
        KeyboardInterrupt: stopped by the agent, or by hand.
    """
    try:
        import wandb
    except ModuleNotFoundError:
        raise MissingExtraError("wandb", "wandb", "a sweep of Weights & Biases") from None
    folder = output or Path("searches") / f"{space.name}-wandb"
    folder.mkdir(parents=True, exist_ok=True)
    status = 1
    run = wandb.init(project=PROJECT, group=space.name, dir=str(folder))
    try:
        given = dict(run.config)
        missing = [key for key in space.space if key not in given]
        if missing:
            raise ConfigError(
                f"no parameters for {', '.join(missing)}: --wandb-trial is what wandb agent calls; "
                "write a sweep with --wandb-sweep FILE, then wandb sweep FILE"
            )
        run.define_metric(f"valid_{space.metric}", summary="min")

        def on_epoch(row: EpochRow) -> None:
            run.log(row, step=int(row["epoch"]))

        config = space.config(space.values(given), f"{space.name}-{run.id}")
        result = train_to_end(config, folder / run.id, quiet=quiet, on_epoch=on_epoch)
        status = 0
        return result
    finally:
        run.finish(exit_code=status)
