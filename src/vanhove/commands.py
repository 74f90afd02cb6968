"""The commands of ``vanhove`` as functions: what the command line adds is printing alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vanhove.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from vanhove.runs.config import RunConfig
    from vanhove.training.loop import TrainingResult

Size = Literal["compact", "published"]


def train(
    config: RunConfig | str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    resume: bool = False,
    seed: int | None = None,
    settings: Mapping[str, object] | None = None,
    size: Size | None = None,
    quiet: bool = False,
) -> TrainingResult:
    """Train a model; the folder ``output`` gets ``best.safetensors`` and the logs.

    Args:
        config: a `RunConfig`, a YAML run file, a model of the catalog, or shipped weights whose
            settings to take.
        output: run folder; ``runs/NAME-seedSEED`` by default.
        resume: continue the run in that folder (from its start if nothing was saved yet). The
            result equals that of an unbroken run.
        seed: replaces that of ``config``.
        settings: dotted keys that replace others, ``{"training.epochs": 5}``.
        size: of a model of the catalog, ``"compact"`` (default) or ``"published"``.
        quiet: no progress.

    Raises:
        ConfigError: wrong settings, or the folder holds another run or is in use.
        DataError, StructureError: the data cannot be used.
        CheckpointError: the saved state is damaged.

    Under ``torchrun`` every process trains its share of each batch.
    """
    from vanhove.training.loop import train as run

    chosen = _run_config(config, _with_seed(settings, seed), size)
    return run(chosen, output, resume=resume, quiet=quiet)


def _run_config(
    config: RunConfig | str | PathLike[str], overrides: dict[str, object], size: Size | None
) -> RunConfig:
    from vanhove.runs.catalog import CATALOG, find_config
    from vanhove.runs.config import RunConfig, with_overrides

    if not isinstance(config, RunConfig):
        return find_config(str(config), size, overrides)
    if size is not None:
        raise ConfigError(f"--size is for models of the catalog: {', '.join(CATALOG)}")
    if not overrides:
        return config
    return RunConfig.parse(with_overrides(config.model_dump(mode="json"), overrides))


def _with_seed(settings: Mapping[str, object] | None, seed: int | None) -> dict[str, object]:
    return dict(settings or {}) | ({} if seed is None else {"seed": seed})


def reproduce(
    name: str,
    *,
    seeds: Sequence[int] | None = None,
    rows: Sequence[str] = (),
    quick: bool = False,
    measured_only: bool = False,
    size: Size | None = None,
    runs: str | PathLike[str] = "runs",
    output: str | PathLike[str] = "reproduced",
    figures: str | PathLike[str] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Reproduce a table or figure of a paper: train what is missing, measure, compare.

    Args:
        name: of `vanhove.papers.definitions.EXPERIMENTS`, ``"bandformer"`` or
            ``"finetune-fluorides"``.
        seeds: of each row; 0 by default, and with ``measured_only`` all that are there.
        rows: labels or run names; all by default.
        quick: a smoke run on little data, no measurement.
        measured_only: train nothing.
        size: settings of the catalog, ``"compact"`` (default) or ``"published"``.
        runs: where run folders are.
        output: folder of the results.
        figures: folder of the figures, ``output`` by default.
        quiet: no progress.

    Returns:
        What NAME.json holds.

    Raises:
        ConfigError: an unknown name or row, or a run folder with other settings.
        DataError: the data cannot be used, or runs saw different data.
        KeyboardInterrupt: stopped; the same call continues.
    """
    from vanhove.experiments import bands, finetuning
    from vanhove.experiments.options import Options
    from vanhove.experiments.reproduce import reproduce_table

    options = Options(
        seeds=None if seeds is None else tuple(dict.fromkeys(seeds)),
        quick=quick,
        measured_only=measured_only,
        runs=Path(runs),
        output=Path(output),
        figures=None if figures is None else Path(figures),
        quiet=quiet,
    )
    own_form: dict[str, Callable[[Options], dict[str, Any]]] = {
        bands.NAME: bands.reproduce_bandformer,
        finetuning.NAME: finetuning.reproduce_finetuning,
    }
    if name not in own_form:
        return reproduce_table(name, rows, size or "compact", options)
    if rows or size is not None:
        raise ConfigError(f"{name} has one form: leave out --rows and --size")
    return own_form[name](options)


def serve(
    models: Sequence[str] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    queue: int = 64,
    max_atoms: int = 500,
    seconds: float = 30.0,
) -> None:
    """Serve the web page and the API until interrupted.

    Args:
        models: checkpoints and run folders besides the shipped weights.
        host: address to listen at.
        port: to listen at; 0 takes a free one.
        workers: processes that predict.
        queue: requests that may wait before 429.
        max_atoms: in the cell of a structure.
        seconds: for one prediction.

    Raises:
        MissingExtraError: the extra ``serve`` is not installed.
        ConfigError: the models cannot be loaded, or the port is taken.
    """
    try:
        from vanhove.server.app import serve as run
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "serve", "vanhove serve") from None
    from vanhove.server.settings import ServerSettings

    settings = ServerSettings(
        models=tuple(models), workers=workers, queue=queue, max_atoms=max_atoms, seconds=seconds
    )
    run(settings, host, port)


def list_models() -> dict[str, list[str]]:
    """Names of the catalogued models (``"catalog"``) and of the shipped weights (``"weights"``).

    ``vanhove models`` prints their sizes and test numbers.
    """
    from vanhove.runs.catalog import CATALOG
    from vanhove.weights import shipped_weights

    return {"catalog": list(CATALOG), "weights": list(shipped_weights())}


def export(checkpoint: str | PathLike[str], path: str | PathLike[str]) -> Path:
    """Write the weights of a run as one half-precision file, as the shipped ones are.

    Args:
        checkpoint: a checkpoint or a run folder.
        path: the file to write, ``NAME.safetensors``; its folder is made if missing.

    Raises:
        CheckpointError: no such checkpoint.
    """
    from vanhove.runs.checkpoint import load_model, save_model
    from vanhove.weights import find_weights

    model, info = load_model(find_weights(checkpoint))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, model.state_dict(), info, half=True)
    return path


def data_list() -> dict[str, str]:
    """The named data sets, and a line about each."""
    from vanhove.datasets import DATASETS

    return {name: (loader.__doc__ or "").splitlines()[0] for name, loader in DATASETS.items()}


def data_info(name: str) -> dict[str, Any]:
    """Load a data set (fetching it first if need be), check it and describe it.

    Raises:
        DataError: no such data set or folder, or it cannot be used.
    """
    from vanhove.datasets import describe, load_dataset

    return describe(load_dataset(name))
