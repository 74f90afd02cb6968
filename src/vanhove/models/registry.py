"""Encoders and decoders by name, and the settings that choose among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from vanhove.models.decoders.decoder import Decoder, DecoderSettings
from vanhove.models.encoders.encoder import Encoder, EncoderSettings
from vanhove.registry import Registry
from vanhove.settings import Settings

ENCODERS: Registry[type[Encoder]] = Registry("encoder", "vanhove.models.encoders")
DECODERS: Registry[type[Decoder]] = Registry("decoder", "vanhove.models.decoders")
DEFAULT_ENCODER, DEFAULT_DECODER = "graph_network", "dostransformer"

E = TypeVar("E", bound=type[Encoder])
D = TypeVar("D", bound=type[Decoder])
Part = TypeVar("Part", bound=type[Encoder] | type[Decoder])


def register_encoder(settings: type[EncoderSettings]) -> Callable[[E], E]:
    """Class decorator: an encoder, under the name in its settings.

    Raises:
        ConfigError: another encoder has the name.
    """
    return _registering(ENCODERS, settings)


def register_decoder(settings: type[DecoderSettings]) -> Callable[[D], D]:
    """Class decorator: a decoder, under the name in its settings.

    Raises:
        ConfigError: another decoder has the name.
    """
    return _registering(DECODERS, settings)


def _registering(registry: Registry[Any], settings: Any) -> Callable[[Part], Part]:
    def register(part: Part) -> Part:
        part.settings_type = settings
        registry.add(str(settings.model_fields["name"].default), part)
        return part

    return register


def band_decoders() -> list[str]:
    """Names of the decoders that give bands."""
    return [name for name, decoder in DECODERS.items() if decoder.gives_bands]


def _chosen_by_name(registry: Registry[Any], default: str) -> Any:
    """Validates a section by the settings that its ``name`` registered; see `Registry`."""

    def validate(value: Any) -> Settings:
        name = value.get("name", default) if isinstance(value, dict) else None
        name = getattr(value, "name", name)
        if not isinstance(name, str) or name not in registry:
            raise PydanticCustomError(
                "unknown_name",
                "must be a section whose name is one of {names}",
                {"names": ", ".join(registry)},
            )
        settings: type[Settings] = registry[name].settings_type
        return settings.model_validate(value)

    return PlainValidator(validate)


AnyEncoderSettings = Annotated[
    SerializeAsAny[EncoderSettings], _chosen_by_name(ENCODERS, DEFAULT_ENCODER)
]
AnyDecoderSettings = Annotated[
    SerializeAsAny[DecoderSettings], _chosen_by_name(DECODERS, DEFAULT_DECODER)
]
