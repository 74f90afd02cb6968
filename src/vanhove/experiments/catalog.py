"""Every named model of the papers, with its paper's settings and with ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vanhove.errors import ConfigError
from vanhove.training.config import RunConfig, with_overrides

Size = Literal["compact", "published"]


@dataclass(frozen=True)
class CatalogModel:
    """A named pair.

    Attributes:
        title: the model's name in the papers' tables.
        paper: where it was published.
        licence: of the public code that the idea comes from (no code was taken).
        compact: dotted settings of a run that trains in minutes on one CPU core; what `results/`
            holds was trained with these.
        published: dotted settings that differ from ``compact`` in the paper's run.
    """

    title: str
    paper: str
    licence: str
    compact: Mapping[str, object]
    published: Mapping[str, object] = field(default_factory=dict)


_DOSTRANSFORMER = "Lee et al., NeurIPS 2023, arXiv 2311.12856"
_E3NN = "Chen et al., Adv. Sci. 8, 2004214 (2021)"
_MAT2SPEC = "Kong et al., Nat. Commun. 13, 949 (2022)"
_XTAL2DOS = "Bai et al., arXiv 2302.01486"

# One recipe for all, so that rows differ in the model: chosen for DOSTransformer on validation.
_RECIPE: dict[str, object] = {"training.epochs": 60, "training.precision": "float32"}
_BASELINE = _RECIPE | {"model.crystal_system.kind": "none"}


def _pair(encoder: str, decoder: str, **settings: object) -> dict[str, object]:
    return {
        "model.encoder.name": encoder,
        "model.decoder.name": decoder,
        **{key.replace("__", "."): value for key, value in settings.items()},
    }


CATALOG: dict[str, CatalogModel] = {
    "mlp": CatalogModel(
        "MLP", _DOSTRANSFORMER, "none given", _BASELINE | _pair("atom_mlp", "pooled")
    ),
    "mlp-energy": CatalogModel(
        "MLP", _DOSTRANSFORMER, "none given", _BASELINE | _pair("atom_mlp", "energywise")
    ),
    "graph-network": CatalogModel(
        "Graph Network", _DOSTRANSFORMER, "none given", _BASELINE | _pair("graph_network", "pooled")
    ),
    "graph-network-energy": CatalogModel(
        "Graph Network",
        _DOSTRANSFORMER,
        "none given",
        _BASELINE | _pair("graph_network", "energywise"),
    ),
    "dostransformer": CatalogModel(
        "DOSTransformer",
        _DOSTRANSFORMER,
        "none given",
        {"training.epochs": 90, "training.precision": "bfloat16"},
        {"model.encoder.hidden_dim": 256, "model.decoder.hidden_dim": 256},
    ),
}


def run_config(
    name: str,
    size: Size = "compact",
    overrides: Mapping[str, object] | None = None,
    *,
    seed: int = 0,
    run_name: str | None = None,
) -> RunConfig:
    """The run of a catalogued model; ``overrides`` are dotted settings on top.

    Raises:
        ConfigError: an unknown name or setting.
    """
    if name not in CATALOG:
        raise ConfigError(f"model {name!r}; allowed: {', '.join(CATALOG)}")
    model = CATALOG[name]
    settings: dict[str, Any] = {"name": run_name or name, "seed": seed, **model.compact}
    if size == "published":
        settings |= model.published
    return RunConfig.parse(with_overrides({}, settings | dict(overrides or {})), name)
