"""Every named model of the papers, with its paper's settings and with ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal

from vanhove.errors import ConfigError
from vanhove.runs.checkpoint import load_config
from vanhove.runs.config import RunConfig, with_overrides
from vanhove.weights import shipped_weights

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
_GATGNN = "Louis et al., Phys. Chem. Chem. Phys. 22, 18141 (2020)"
_ALIGNN = "Choudhary and DeCost, npj Comput. Mater. 7, 185 (2021)"
_MATFORMER = "Yan et al., NeurIPS 2022, arXiv 2209.11807"

# Epochs are those after which validation stopped getting better; all else is the default recipe.
_BASELINE: dict[str, object] = {"training.epochs": 40, "model.crystal_system.kind": "none"}
_MLP = _BASELINE | {"training.epochs": 60}
_E3NN_RUN = _BASELINE | {"training.epochs": 24, "training.learning_rate": 3e-3}
_SUM_KL: dict[str, object] = {
    "model.output": "sum",
    "training.loss": "kl",
    "training.select_by": "sum_mae",
}


# What the papers and their code used instead (no averaging, no clipping unless said).
_PLAIN: dict[str, object] = {
    "training.ema_decay": None,
    "training.gradient_clip": None,
    "training.warmup_steps": 0,
    "training.schedule": "constant",
    "training.precision": "float32",
}
_NEAREST_12: dict[str, object] = {"graph.cutoff": 8.0, "graph.max_neighbors": 12}
_DOSTRANSFORMER_PUBLISHED = _PLAIN | {
    "graph.self_edges": True,
    "model.encoder.atom_features": ["mass_weighted_one_hot"],
    "model.encoder.hidden_dim": 256,
    "model.encoder.dropout": 0.0,
    "model.decoder.hidden_dim": 256,
    "model.decoder.dropout": 0.0,
    "training.batch_size": 1,
    "training.epochs": 1000,
    "training.learning_rate": 1e-4,
}
_GRAPH_NETWORK_PUBLISHED = _DOSTRANSFORMER_PUBLISHED | {
    "model.encoder.edge_features": "spherical_harmonics",
    "model.encoder.aggregation": "mean",
}
_E3NN_PUBLISHED = _PLAIN | {
    "graph.self_edges": True,
    "model.output": "max",
    "training.batch_size": 1,
    "training.epochs": 60,
    "training.learning_rate": 5e-3,
    "training.weight_decay": 0.05,
    "training.schedule": "exponential",
    "training.decay": 0.96,
    "training.loss": "mse",
}
_MAT2SPEC_PUBLISHED = (
    _PLAIN
    | _NEAREST_12
    | {
        "training.epochs": 200,
        "training.schedule": "step",
        "training.decay": 0.5,
        "training.decay_epochs": 50,
        "training.patience": 200,
    }
)
_XTAL2DOS_PUBLISHED = (
    _PLAIN
    | _NEAREST_12
    | {
        "training.batch_size": 1024,
        "training.epochs": 200,
        "training.learning_rate": 2.55e-3,
        "training.weight_decay": 0.0,
        "training.schedule": "noam",
        "training.warmup_steps": 300,
        "training.gradient_clip": 0.01,
        "training.patience": 200,
    }
)
_UNIMP_PUBLISHED = _XTAL2DOS_PUBLISHED | {
    "model.encoder.hidden_dim": 512,
    "model.encoder.dropout": 0.2,
}
_XTAL2DOS_DECODER: dict[str, object] = {
    "model.decoder.hidden_dim": 512,
    "model.decoder.n_layers": 6,
    "model.decoder.n_heads": 8,
}
_XTAL2DOS_RUN = (
    _BASELINE | _SUM_KL | {"model.encoder.hidden_dim": 256, "model.encoder.dropout": 0.1}
)


def _pair(encoder: str, decoder: str, **settings: object) -> dict[str, object]:
    return {
        "model.encoder.name": encoder,
        "model.decoder.name": decoder,
        **{key.replace("__", "."): value for key, value in settings.items()},
    }


def _recurrent(title: str, *, attention: bool, chunk: int) -> CatalogModel:
    """Xtal2DoS, table 3: the same encoder with a recurrent decoder."""
    pair = _pair(
        "unimp", "recurrent", model__decoder__attention=attention, model__decoder__chunk=chunk
    )
    return CatalogModel(
        f"Xtal2DoS, {title}", _XTAL2DOS, "none given", _XTAL2DOS_RUN | pair, _UNIMP_PUBLISHED
    )


CATALOG: dict[str, CatalogModel] = {
    "mlp": CatalogModel(
        "MLP",
        _DOSTRANSFORMER,
        "none given",
        _MLP | _pair("atom_mlp", "pooled"),
        _DOSTRANSFORMER_PUBLISHED,
    ),
    "mlp-energy": CatalogModel(
        "MLP",
        _DOSTRANSFORMER,
        "none given",
        _MLP | _pair("atom_mlp", "energywise"),
        _DOSTRANSFORMER_PUBLISHED,
    ),
    "graph-network": CatalogModel(
        "Graph Network",
        _DOSTRANSFORMER,
        "none given",
        _BASELINE | _pair("graph_network", "pooled"),
        _GRAPH_NETWORK_PUBLISHED,
    ),
    "graph-network-energy": CatalogModel(
        "Graph Network",
        _DOSTRANSFORMER,
        "none given",
        _BASELINE | _pair("graph_network", "energywise"),
        _GRAPH_NETWORK_PUBLISHED,
    ),
    "e3nn": CatalogModel(
        "E3NN",
        _E3NN,
        "MIT",
        _E3NN_RUN | _pair("e3nn", "pooled", model__decoder__pooling="mean"),
        _E3NN_PUBLISHED,
    ),
    "e3nn-energy": CatalogModel(
        "E3NN",
        _DOSTRANSFORMER,
        "none given",
        _E3NN_RUN | _pair("e3nn", "energywise", model__decoder__pooling="mean"),
        _E3NN_PUBLISHED,
    ),
    "dostransformer": CatalogModel(
        "DOSTransformer",
        _DOSTRANSFORMER,
        "none given",
        {"training.epochs": 90, "training.precision": "auto"},
        _GRAPH_NETWORK_PUBLISHED,
    ),
    "alignn": CatalogModel(
        "ALIGNN",
        _ALIGNN,
        "NIST (free use)",
        _BASELINE
        | _pair("alignn", "pooled", model__decoder__pooling="mean")
        | {
            "model.encoder.hidden_dim": 64,
            "model.encoder.n_alignn_layers": 2,
            "model.encoder.n_gcn_layers": 2,
            "model.encoder.line_graph_cutoff": 3.5,
        },
        _PLAIN
        | _NEAREST_12
        | {
            "model.encoder.hidden_dim": 256,
            "model.encoder.n_alignn_layers": 4,
            "model.encoder.n_gcn_layers": 4,
            "model.encoder.line_graph_cutoff": 8.0,
            "training.batch_size": 64,
            "training.epochs": 300,
            "training.schedule": "cosine",
            "training.weight_decay": 1e-5,
        },
    ),
    "vanhove-phonon": CatalogModel(
        "vanhove",
        "this project, docs/vanhove-phonon.md",
        "MIT",
        _pair("alignn", "lattice_dynamics")
        | {
            "model.encoder.hidden_dim": 64,
            "model.encoder.n_alignn_layers": 2,
            "model.encoder.n_gcn_layers": 2,
            "model.encoder.line_graph_cutoff": 3.5,
            "model.output": "softplus",
            "training.epochs": 40,
            "training.shape_weight": 0.03,
        },
    ),
    "matformer": CatalogModel(
        "Matformer",
        _MATFORMER,
        "MIT",
        _BASELINE
        | _pair("matformer", "pooled", model__decoder__pooling="mean")
        | {"model.encoder.n_layers": 3, "model.encoder.head_dim": 32},
        _PLAIN
        | _NEAREST_12
        | {
            "model.encoder.n_layers": 5,
            "model.encoder.head_dim": None,
            "training.batch_size": 64,
            "training.epochs": 500,
            "training.schedule": "cosine",
            "training.weight_decay": 1e-5,
        },
    ),
    "gatgnn": CatalogModel(
        "GATGNN", _GATGNN, "MIT", _BASELINE | _pair("gatgnn", "pooled"), _MAT2SPEC_PUBLISHED
    ),
    "mat2spec": CatalogModel(
        "Mat2Spec",
        _MAT2SPEC,
        "MIT",
        _BASELINE
        | _pair("gatgnn", "mat2spec")
        | {
            "model.decoder.hidden_dim": 128,
            "model.decoder.latent_dim": 64,
            "model.decoder.state_dim": 256,
            "model.decoder.projection_dim": 256,
        },
        _MAT2SPEC_PUBLISHED
        | {
            "model.decoder.hidden_dim": 256,
            "model.decoder.latent_dim": 128,
            "model.decoder.state_dim": 512,
            "model.decoder.projection_dim": 1024,
        },
    ),
    "e3nn2dos": CatalogModel(
        "E3NN2DoS",
        _XTAL2DOS,
        "none given",
        _E3NN_RUN | _SUM_KL | _pair("e3nn", "xtal2dos", model__decoder__mode="parallel"),
        _XTAL2DOS_PUBLISHED | _XTAL2DOS_DECODER | {"model.encoder.hidden_dim": 64},
    ),
    "xtal2dos": CatalogModel(
        "Xtal2DoS",
        _XTAL2DOS,
        "none given",
        _XTAL2DOS_RUN | _pair("unimp", "xtal2dos", model__decoder__mode="autoregressive"),
        _UNIMP_PUBLISHED | _XTAL2DOS_DECODER,
    ),
    "xtal2dos-parallel": CatalogModel(
        "Xtal2DoS, as released",
        _XTAL2DOS,
        "none given",
        _XTAL2DOS_RUN | _pair("unimp", "xtal2dos", model__decoder__mode="parallel"),
        _UNIMP_PUBLISHED | _XTAL2DOS_DECODER,
    ),
    "xtal2dos-rnn": _recurrent("RNN", attention=False, chunk=1),
    "xtal2dos-rnn-attention": _recurrent("RNN+Attn", attention=True, chunk=1),
    "xtal2dos-chunk-rnn": _recurrent("Chunk RNN", attention=False, chunk=8),
    "xtal2dos-chunk-rnn-attention": _recurrent("Chunk RNN+Attn", attention=True, chunk=8),
}


def find_config(
    source: RunConfig | str | PathLike[str],
    size: Size | None = None,
    overrides: Mapping[str, object] | None = None,
) -> RunConfig:
    """The settings of a model of the catalog, a YAML run file, or shipped weights.

    Args:
        source: name or path; settings as they are get the overrides alone.
        size: of a model of the catalog, compact by default.
        overrides: dotted settings on top.

    Raises:
        ConfigError: nothing of that name, a wrong setting, or a size for a run file.
    """
    if not isinstance(source, RunConfig) and str(source) in CATALOG:
        return run_config(str(source), size or "compact", overrides)
    if size is not None:
        raise ConfigError(f"--size is for models of the catalog: {', '.join(CATALOG)}")
    if not isinstance(source, RunConfig):
        return load_config(source, dict(overrides or {}))
    if not overrides:
        return source
    return RunConfig.parse(with_overrides(source.model_dump(mode="json"), dict(overrides)))


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


def list_models() -> dict[str, list[str]]:
    """Names of the catalogued models (``"catalog"``) and of the shipped weights (``"weights"``).

    ``vanhove models`` prints their sizes and test numbers.
    """
    return {"catalog": list(CATALOG), "weights": list(shipped_weights())}
