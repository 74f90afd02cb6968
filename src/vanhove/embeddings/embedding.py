"""``vanhove embed``: from structures to an element table, latents and a map."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from vanhove.atomic import held, write_text
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import symbols_of
from vanhove.crystal.embeddings import SUFFIX, read_embedding
from vanhove.datasets import SpectrumDataset, load_dataset
from vanhove.datasets.graph_store import load_graphs
from vanhove.datasets.registry import DATASETS
from vanhove.embeddings.latents import Latents, encoded
from vanhove.embeddings.objective import Objective
from vanhove.embeddings.plot import latent_map
from vanhove.embeddings.potential import potential_features
from vanhove.embeddings.settings import EmbeddingSettings
from vanhove.embeddings.train import Material, build_objective, train_objective
from vanhove.errors import CheckpointError, ConfigError, DataError, StructureError
from vanhove.results import Json, Result
from vanhove.runs.checkpoint import write_safetensors
from vanhove.screening.source import open_source
from vanhove.version import __version__

MAX_ATOMS = 12


@dataclass(frozen=True)
class EmbeddingInfo(Result):
    """How an embedding was made.

    Attributes:
        vanhove: version.
        kind: of the embedding, as of `EmbeddingSettings`.
        source: name of the file, folder or data set of structures.
        structures: SHA-256 (hex) of the crystals that it was learned from.
        n_crystals: how many these are.
        max_atoms: in a cell.
        left_out: which formulas.
        settings: all of them.
        dimension: of the vectors.
        elements: symbols of those with a vector.
        held_out: measures by name, on crystals that were held out of the training.
        encoder: that was applied instead of a training.
        potential: version of the potential whose features these are.
    """

    vanhove: str
    kind: str
    source: str
    structures: str
    n_crystals: int
    max_atoms: int
    left_out: str
    settings: Json
    dimension: int
    elements: str
    held_out: dict[str, float] | None = None
    encoder: str | None = None
    potential: str | None = None


@dataclass(frozen=True, eq=False)
class EmbedResult:
    """What came of it.

    Attributes:
        table: ``[119, d]``, NaN where the crystals lack an element.
        latents: of the atoms of all crystals.
        info: how it was made, and how good it is on crystals that were held out.
    """

    table: np.ndarray
    latents: Latents
    info: EmbeddingInfo


def embed(
    source: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    kind: str = "vae",
    encoder: str | None = None,
    latents: str | PathLike[str] | None = None,
    map_: str | PathLike[str] | None = None,
    limit: int | None = None,
    max_atoms: int = MAX_ATOMS,
    leave_out: str | None = None,
    settings: Mapping[str, object] | None = None,
    quiet: bool = False,
) -> EmbedResult:
    """Learn an embedding of the elements from crystals, or apply one that was learned.

    A training that was stopped or killed continues with the same call, to the same table.

    Args:
        source: a file or folder of structures, see `vanhove.screening.source`, or a named data set,
            of which the training split is used. With labels: a data set or a folder of spectra.
        output: file ``NAME.safetensors`` for the table and the encoder; ``NAME.json`` beside it
            says how it was made. While it trains, ``NAME.state.safetensors`` holds the state.
        kind: ``"vae"``, ``"contrastive"``, ``"contrastive-labels"`` or ``"potential"``.
        encoder: use the encoder of this embedding (shipped, or a file) and train nothing; ``kind``
            and ``settings`` are its own.
        latents: npz file for the latents of the atoms and crystals.
        map_: HTML file for a map of the latent space.
        limit: take so many crystals of the source, at random by the seed; None: all.
        max_atoms: leave out cells with more.
        leave_out: a data set; crystals with a formula of its validation or test split are left out.
        settings: of `EmbeddingSettings`, on top of the defaults.
        quiet: no progress.

    Raises:
        ConfigError: a wrong option or setting.
        CheckpointError: no such encoder, or a damaged state.
        DataError: the source cannot be read, or has no usable crystal.
        MissingExtraError: chgnet or plotly is needed and not installed.
    """
    paths = [Path(path) if path is not None else None for path in (output, latents, map_)]
    out_path, latents_path, map_path = paths
    if not any(paths):
        raise ConfigError("nothing to write: give --output, --latents or --map")
    if out_path is not None and not out_path.name.endswith(SUFFIX):
        raise ConfigError(f"--output {out_path}: the name must end with {SUFFIX}")
    chosen, weights = _settings(kind, encoder, settings)
    if chosen.kind != "potential" and weights is None and out_path is None:
        raise ConfigError("a training needs --output; or give --encoder, to train nothing")
    if limit is not None and limit < 2:
        raise ConfigError(f"limit {limit}; allowed: 2 or more")
    with nullcontext() if out_path is None else held(_lock_folder(out_path), "learning"):
        labelled = chosen.kind == "contrastive-labels" and weights is None
        dataset = load_dataset(str(source)) if labelled or str(source) in DATASETS else None
        crystals = _structures(Path(source)) if dataset is None else list(dataset.crystals)
        rows = np.arange(len(crystals)) if dataset is None else np.asarray(dataset.split("train"))
        rows = _choice(crystals, rows, chosen.seed, limit, max_atoms, leave_out)
        if dataset is None:  # the graphs of a data set are kept for all of it, whoever asks
            crystals, rows = [crystals[row] for row in rows], np.arange(len(rows))
        spectra = _labels(dataset) if dataset is not None and labelled else None
        material = _material(crystals, rows, spectra, chosen, quiet)

        own: dict[str, Tensor] = {}
        held_out = potential = None
        if chosen.kind == "potential":
            found, potential = potential_features(chosen, material, crystals, quiet)
        else:
            if weights is None:
                assert out_path is not None
                state = _state_path(out_path)
                objective, held_out = train_objective(chosen, material, state, quiet)
            else:
                objective = _loaded(chosen, weights, str(encoder))
            found = encoded(objective, material, crystals, quiet)
            own = dict(objective.named_parameters())
        table = found.element_table()
        info = EmbeddingInfo(
            vanhove=__version__,
            kind=chosen.kind,
            source=Path(source).name,
            structures=material.fingerprint,
            n_crystals=len(material.rows) if potential is None else len(found.n_atoms),
            max_atoms=max_atoms,
            left_out=f"formulas of valid and test of {leave_out}" if leave_out else "none",
            settings=chosen.model_dump(mode="json"),
            dimension=table.shape[1],
            elements=symbols_of(np.flatnonzero(~np.isnan(table).any(axis=1))),
            held_out=held_out,
            encoder=None if weights is None else str(encoder),
            potential=potential,
        )

        if latents_path is not None:
            found.write(latents_path)
        if map_path is not None:
            write_text(map_path, latent_map(found, f"Latent space: {chosen.kind}"))
        if out_path is not None:
            _write(out_path, table, own, info)
            _state_path(out_path).unlink(missing_ok=True)
        return EmbedResult(table, found, info)


def _labels(dataset: SpectrumDataset) -> Tensor:
    if dataset.kpoints is not None:
        raise ConfigError(f"{dataset.name} holds bands; contrast by labels needs spectra")
    return torch.from_numpy(np.asarray(dataset.values, dtype=np.float32))


def _state_path(out: Path) -> Path:
    return out.with_name(out.name.removesuffix(SUFFIX) + f".state{SUFFIX}")


def _lock_folder(out: Path) -> Path:
    return out.with_name(f".{out.name.removesuffix(SUFFIX)}")


def _settings(
    kind: str, encoder: str | None, overrides: Mapping[str, object] | None
) -> tuple[EmbeddingSettings, dict[str, np.ndarray] | None]:
    """Settings, and the weights of a trained encoder if one is named."""
    if encoder is None:
        return EmbeddingSettings.parse({"kind": kind, **(overrides or {})}, "embed"), None
    known = read_embedding(encoder)
    try:
        settings = EmbeddingSettings.model_validate(known.info["settings"])
    except (KeyError, ValidationError):
        raise CheckpointError(f"{encoder}: no embedding of this version") from None
    return settings, known.encoder


def _structures(source: Path) -> list[Crystal]:
    reader = open_source(source)
    crystals = []
    for record in reader.records():
        try:
            crystals += reader.read(record)
        except StructureError:
            continue  # a damaged entry among many teaches nothing
    return crystals


def _choice(
    crystals: Sequence[Crystal],
    rows: np.ndarray,
    seed: int,
    limit: int | None,
    max_atoms: int,
    leave_out: str | None,
) -> np.ndarray:
    """Rows to learn from, in a random order."""
    formulas: set[str] = set()
    if leave_out is not None:
        dataset = load_dataset(leave_out)
        for part in ("valid", "test"):
            formulas |= {dataset.crystals[row].formula for row in dataset.splits.get(part, ())}
    small = [row for row in rows.tolist() if crystals[row].n_atoms <= max_atoms]
    order = np.random.default_rng(seed).permutation(np.array(small, dtype=np.int64))
    if not formulas:
        rows = order[:limit]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pymatgen announces what it does not know
            left = (row for row in order if crystals[row].formula not in formulas)
            rows = np.array(list(islice(left, limit)), dtype=np.int64)
    if not len(rows):
        raise DataError(f"no crystal of at most {max_atoms} atoms is left; raise --max-atoms")
    return rows


def _material(
    crystals: Sequence[Crystal],
    rows: np.ndarray,
    spectra: Tensor | None,
    settings: EmbeddingSettings,
    quiet: bool,
) -> Material:
    digest = hashlib.sha256()
    for crystal in (crystals[row] for row in rows):
        digest.update(crystal.lattice.tobytes())
        digest.update(crystal.fractional_coordinates.tobytes())
        digest.update(crystal.atomic_numbers.tobytes())
    if spectra is not None:
        digest.update(spectra[rows].numpy().tobytes())
    graphs = load_graphs(crystals, settings.graph, quiet)
    chosen = torch.from_numpy(rows)
    usable = chosen[graphs.crystal_system[chosen] >= 0]
    if not len(usable):
        raise DataError("none of the structures can be used; try them with vanhove predict")
    return Material(graphs, usable, spectra, digest.hexdigest())


def _loaded(settings: EmbeddingSettings, weights: dict[str, np.ndarray], name: str) -> Objective:
    """The objective with the weights of a trained encoder."""
    objective = build_objective(settings)
    try:
        objective.load_state_dict(
            {key: torch.from_numpy(value).float() for key, value in weights.items()}
        )
    except RuntimeError:
        raise CheckpointError(f"{name} holds no encoder that fits its settings") from None
    return objective


def _write(path: Path, table: np.ndarray, weights: dict[str, Tensor], info: EmbeddingInfo) -> None:
    """The file, and beside it the card; weights in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: weight.half() for name, weight in weights.items()}
    tensors["table"] = torch.from_numpy(table)
    write_safetensors(path, tensors, json.dumps(info.to_json()))
    card = path.with_name(path.name.removesuffix(SUFFIX) + ".json")
    write_text(card, json.dumps(info.to_json(), indent=2) + "\n")
