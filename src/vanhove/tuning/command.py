"""What ``vanhove tune`` does with its options."""

from __future__ import annotations

from pathlib import Path

from vanhove.errors import ConfigError, MissingExtraError
from vanhove.experiments.reproduce import parse_seeds
from vanhove.tuning.space import SearchSpace, shipped_spaces


def run_command(
    space: str | None,
    *,
    output: Path | None,
    trials: int,
    jobs: int,
    storage: str | None,
    timeout: float | None,
    show_folder: Path | None,
    test_folder: Path | None,
    seeds: str,
    wandb_sweep: Path | None,
    wandb_trial: bool,
    quiet: bool,
) -> str:
    """Run one of the ways of the command; what it prints on stdout.

    Raises:
        ConfigError: options that do not go together, or as `vanhove.tuning.search`.
    """
    given = [name for name in (space, show_folder, test_folder) if name is not None]
    if len(given) > 1:
        raise ConfigError("give one of SPACE, --show FOLDER and --test-best FOLDER")
    if wandb_sweep is not None or wandb_trial:
        if space is None or (wandb_sweep is not None and wandb_trial):
            raise ConfigError("give SPACE and one of --wandb-sweep FILE and --wandb-trial")
        return _wandb(space, output, trials, wandb_sweep, quiet)
    if not given:
        return "\n".join(f"{name:24s} {SearchSpace.load(name).about}" for name in shipped_spaces())
    try:
        from vanhove.tuning.report import search_table
        from vanhove.tuning.search import measure_best, show, tune
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "tune", "vanhove tune") from None

    if test_folder is not None:
        result = measure_best(test_folder, parse_seeds(seeds), storage=storage, quiet=quiet)
        spread = result["std"] or {}
        return "\n".join(
            f"{key:24s} {value:.5g}" + (f" ± {spread[key]:.2g}" if key in spread else "")
            for key, value in result["mean"].items()
        )
    if show_folder is not None:
        found = show(show_folder, storage)
    else:
        assert space is not None
        found = tune(
            space,
            output,
            trials=trials,
            jobs=jobs,
            storage=storage,
            timeout=timeout,
            quiet=quiet,
        )
    lines = [search_table(found.content)]
    if found.best_run.exists():
        lines.append(str(found.best_run))
    return "\n".join(lines)


def _wandb(space: str, output: Path | None, trials: int, sweep: Path | None, quiet: bool) -> str:
    from vanhove.tuning.wandb import run_sweep_trial, write_sweep

    loaded = SearchSpace.load(space)
    if sweep is None:
        return str(run_sweep_trial(loaded, output, quiet).best)
    write_sweep(loaded, space, sweep, trials)
    return f"{sweep}\nnext: wandb sweep {sweep}, then wandb agent with the name it prints"
