"""Fine-tuning: a run that starts from trained weights and trains all of them or the prompts."""

from __future__ import annotations

from collections.abc import Mapping

from vanhove.errors import CheckpointError, ConfigError
from vanhove.models.model import SpectrumModel
from vanhove.training.checkpoint import load_model, read_info
from vanhove.training.config import RunConfig, StartSettings, with_overrides
from vanhove.weights import find_weights

EPOCHS, LEARNING_RATE = 30, 3e-4


def tuning_config(
    checkpoint: str,
    *,
    data: str | None = None,
    fraction: float | None = None,
    only_prompt: bool = False,
    overrides: Mapping[str, object] | None = None,
) -> RunConfig:
    """The run that tunes a checkpoint, with the settings it was trained with.

    Args:
        checkpoint: shipped weights, a checkpoint file or a run folder.
        data: the data set to tune on; that of the checkpoint by default.
        fraction: of the test part to tune on, see `vanhove.datasets.splits.tuning_split`.
        only_prompt: train the crystal-system prompts and the last layer alone.
        overrides: dotted settings on top; by default 30 epochs at a learning rate of 3e-4.

    Raises:
        CheckpointError: no such checkpoint.
        ConfigError: neither ``data`` nor ``fraction`` (there would be nothing new to learn), or a
            wrong setting.
    """
    if data is None and fraction is None:
        raise ConfigError(
            "nothing to tune on: give --data (a data set or folder) or --fraction (of the "
            "checkpoint's own test part, at most 0.2)"
        )
    config = read_info(find_weights(checkpoint)).config
    settings: dict[str, object] = {"data.tuning_fraction": fraction}
    if data is not None:
        settings = {"data": {"dataset": data, "tuning_fraction": fraction}}
    return tuned(config, checkpoint, only_prompt, settings | dict(overrides or {}))


def tuned(
    config: RunConfig, checkpoint: str, only_prompt: bool, overrides: Mapping[str, object]
) -> RunConfig:
    """The run that tunes the weights of ``checkpoint``, which were trained with ``config``.

    Raises:
        ConfigError: a wrong setting.
    """
    settings: dict[str, object] = {
        "name": f"{config.name}-tuned" + ("-prompts" if only_prompt else ""),
        "start": {"checkpoint": checkpoint, "trainable": "prompts" if only_prompt else "all"},
        "training.epochs": EPOCHS,
        "training.learning_rate": LEARNING_RATE,
        "training.patience": EPOCHS,
    }
    content = with_overrides(config.model_dump(mode="json"), settings | dict(overrides))
    return RunConfig.parse(content, checkpoint)


def start_from(model: SpectrumModel, settings: StartSettings) -> None:
    """Copy the weights of ``settings.checkpoint`` and freeze what is not to be trained.

    ``trainable="prompts"`` leaves the crystal-system prompts and the decoder's last layer
    (DOSTransformer's fine-tuning "only prompt").

    Raises:
        CheckpointError: no such checkpoint, or it is of another model.
        ConfigError: "prompts" for a model without prompts or without a last layer of its own.
    """
    assert settings.checkpoint is not None
    trained, info = load_model(find_weights(settings.checkpoint))
    try:
        model.load_state_dict(trained.state_dict())
    except RuntimeError:
        raise CheckpointError(
            f"{settings.checkpoint} holds another model ({info.config.model.encoder.name}, "
            f"{info.config.model.decoder.name}, {len(info.grid)} points, or other sizes) than the "
            "run asks for: take its settings, as vanhove finetune does"
        ) from None
    if settings.trainable == "all":
        return
    kept = ("system.embedding.", "decoder.out.")
    names = [name for name, _ in model.named_parameters() if name.startswith(kept)]
    if {kind for kind in kept if any(name.startswith(kind) for name in names)} != set(kept):
        raise ConfigError(
            "start.trainable prompts: the model has no crystal-system prompts or no last layer of "
            "its own (decoder.out); train all"
        )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
