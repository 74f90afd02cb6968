"""Element tables that were learned from crystals: files that ``vanhove embed`` writes.

A file is safetensors with a JSON header: the table, and the weights of the encoder that made it.
Some ship with vanhove (``data/NAME.safetensors``, beside each a card ``NAME.json``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from vanhove.errors import CheckpointError
from vanhove.results import Json

SUFFIX = ".safetensors"
_FOLDER = Path(str(files("vanhove.crystal"))) / "data"
EMBEDDINGS: dict[str, Path] = {
    path.name.removesuffix(SUFFIX): path for path in sorted(_FOLDER.glob(f"*{SUFFIX}"))
}
"""Name -> path of those that ship."""
ALLOWED_EMBEDDINGS = (
    ", ".join([*EMBEDDINGS, "learned"]) + f", or a file NAME{SUFFIX} that vanhove embed wrote"
)
HEADER = "vanhove"


@dataclass(frozen=True, eq=False)
class Embedding:
    """A learned element table.

    Attributes:
        vectors: ``[119, d]`` float32, columns z-scored over the elements; a row of NaN marks an
            element that it was not learned for.
        info: how it was made.
        encoder: name -> weight of the network that made it; empty if that is not ours.
    """

    vectors: np.ndarray
    info: Json
    encoder: dict[str, np.ndarray]


def is_embedding(name: str) -> bool:
    """Whether a name in ``atom_features`` is that of an embedding: a shipped one, or a file."""
    return name in EMBEDDINGS or name.endswith(SUFFIX)


def embedding_path(name: str) -> Path:
    """Where an embedding stands."""
    return EMBEDDINGS.get(name) or Path(name).expanduser()


def read_embedding(name: str) -> Embedding:
    """The embedding of that name, or in that file.

    Raises:
        CheckpointError: no such file, or it is damaged or something else.
    """
    path = embedding_path(name)
    try:
        with safe_open(path, framework="numpy") as archive:
            header = (archive.metadata() or {}).get(HEADER)
            arrays = {key: archive.get_tensor(key) for key in archive.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(
            f"{path}: no such embedding; vanhove embed writes one, shipped are: "
            f"{', '.join(EMBEDDINGS) or 'none'}"
        ) from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from None
    if header is None or "table" not in arrays:  # a checkpoint has such a header too
        raise CheckpointError(f"{path}: not an embedding; vanhove embed writes them")
    vectors = arrays.pop("table").astype(np.float32)
    return Embedding(vectors, json.loads(header), arrays)
