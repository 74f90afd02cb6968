"""Fine-tuning: a run that starts from trained weights and trains all or some of them."""

from __future__ import annotations

from collections.abc import Mapping

from vanhove.errors import CheckpointError, ConfigError
from vanhove.models.ensemble import Ensemble
from vanhove.models.model import SpectrumModel
from vanhove.models.registry import DECODERS
from vanhove.runs.checkpoint import load_model, run_settings
from vanhove.runs.config import RunConfig, StartSettings, Trainable, with_overrides
from vanhove.training.adapters import add_adapters
from vanhove.weights import find_weights

TUNING_EPOCHS = 30
TUNING_RATES: dict[Trainable, float] = {
    "all": 3e-4,
    "prompts": 3e-4,
    "last_layers": 1e-3,
    "adapters": 1e-3,
}


def tuning_config(
    checkpoint: str,
    *,
    data: str | None = None,
    fraction: float | None = None,
    mode: Trainable = "all",
    overrides: Mapping[str, object] | None = None,
) -> RunConfig:
    """The run that tunes a checkpoint, with the settings it was trained with.

    Args:
        checkpoint: shipped weights, a checkpoint file or a run folder.
        data: the data set to tune on; that of the checkpoint by default.
        fraction: of the test split to tune on, see `vanhove.datasets.splits.tuning_split`.
        mode: what to train.
        overrides: dotted settings on top; by default 30 epochs at the mode's learning rate.

    Raises:
        CheckpointError: no such checkpoint.
        ConfigError: neither ``data`` nor ``fraction`` (there would be nothing new to learn), or a
            wrong setting.
    """
    if data is None and fraction is None:
        raise ConfigError(
            "nothing to tune on: give --data (a data set or folder) or --fraction (of the "
            "checkpoint's own test split, at most 0.2)"
        )
    config = run_settings(checkpoint)
    settings: dict[str, object] = {"data.tuning_fraction": fraction}
    if data is not None:
        settings = {"data": {"dataset": data, "tuning_fraction": fraction}}
    return tuned(config, checkpoint, mode, settings | dict(overrides or {}))


def tuned(
    config: RunConfig, checkpoint: str, mode: Trainable, overrides: Mapping[str, object]
) -> RunConfig:
    """The run that tunes the weights of ``checkpoint``, which were trained with ``config``.

    Raises:
        ConfigError: a wrong setting.
    """
    settings: dict[str, object] = {
        "name": f"{config.name}-tuned" + ("" if mode == "all" else f"-{mode}"),
        "start": {"checkpoint": checkpoint, "trainable": mode},
        "training.epochs": TUNING_EPOCHS,
        "training.learning_rate": TUNING_RATES[mode],
        "training.patience": TUNING_EPOCHS,
    }
    if config.training.select_by == "last":  # it was itself tuned on few materials
        is_of_bands = DECODERS[config.model.decoder.name].gives_bands
        settings["training.select_by"] = "energy_mae" if is_of_bands else "rmse"
    content = with_overrides(config.model_dump(mode="json"), settings | dict(overrides))
    return RunConfig.parse(content, checkpoint)


def start_from(model: SpectrumModel, settings: StartSettings) -> None:
    """Copy the weights of ``settings.checkpoint`` and freeze what is not to be trained.

    Raises:
        CheckpointError: no such checkpoint, or it is of another model.
        ConfigError: "prompts" for a model without prompts.
    """
    assert settings.checkpoint is not None
    trained, info = load_model(find_weights(settings.checkpoint))
    if isinstance(trained, Ensemble):
        trained = trained.models[settings.member % len(trained.models)]
    try:
        missing, unexpected = model.load_state_dict(trained.state_dict(), strict=False)
    except RuntimeError:
        missing, unexpected = ["sizes"], []
    new = tuple(f"decoder.{name}." for name in model.decoder.may_lack)
    if unexpected or not all(name.startswith(new) for name in missing):
        raise CheckpointError(
            f"{settings.checkpoint} holds another model ({info.model.encoder.name}, "
            f"{info.model.decoder.name}, {len(info.grid)} points, or other sizes) than the "
            "run asks for: take its settings, as vanhove finetune does"
        ) from None
    if settings.trainable != "all":
        _freeze(model, settings)


def _freeze(model: SpectrumModel, settings: StartSettings) -> None:
    """Leave gradients to what ``settings.trainable`` names, adapters included."""
    if settings.trainable == "prompts" and model.system.kind != "prompt":
        raise ConfigError(
            f"start.trainable prompts: the crystal system of this model is "
            f"{model.system.kind!r}, it has no prompts; train last_layers, adapters or all"
        )
    model.requires_grad_(False)
    trained = model.decoder.last_layers()
    if settings.trainable != "last_layers":
        trained = model.decoder.head()
    if settings.trainable == "prompts":
        trained.append(model.system)
    if settings.trainable == "adapters":
        whole = [module for head in trained for module in head.modules()]
        add_adapters(model, settings.adapter_rank, settings.adapter_scale, without=whole)
    for module in trained:
        module.requires_grad_(True)
