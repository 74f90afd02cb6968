"""Element tables: symbols, masses and the feature vectors that atoms start from.

Symbols and standard atomic weights are ASE's (``ase.data``); row ``z`` belongs to atomic number
``z``, row 0 is unused. The Matscholar table (Tshitoyan et al., Nature 571, 95 (2019), 200 numbers
per element, H to Lr but without some heavy ones) is derived by ``scripts/derive_matscholar.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from vanhove.errors import ConfigError, StructureError

N_ELEMENTS = 118
SYMBOLS: tuple[str, ...] = tuple(chemical_symbols)
ATOMIC_NUMBERS: dict[str, int] = {s: z for s, z in atomic_numbers.items() if 1 <= z <= N_ELEMENTS}
MASSES: np.ndarray = np.asarray(atomic_masses[: N_ELEMENTS + 1], dtype=np.float64)
"""Standard atomic weights in u, shape ``[119]``."""


def symbols_of(numbers) -> str:
    """``[14, 8]`` -> ``"Si, O"``, for messages."""
    return ", ".join(SYMBOLS[int(z)] for z in numbers)


@cache
def one_hot() -> np.ndarray:
    """Shape ``[119, 118]``: a 1 in column z - 1."""
    return np.vstack([np.zeros(N_ELEMENTS), np.eye(N_ELEMENTS)]).astype(np.float32)


@cache
def mass_weighted_one_hot() -> np.ndarray:
    """Shape ``[119, 118]``: the atomic weight (u) in column z - 1 (E3NN, DOSTransformer phonon)."""
    return (one_hot() * MASSES[:, None]).astype(np.float32)


@cache
def matscholar() -> np.ndarray:
    """Shape ``[119, 200]``, each column z-scored over the elements of the table.

    A row of NaN marks an element that the table does not hold.
    """
    resource = files("vanhove.crystal") / "data" / "matscholar.npz"
    with resource.open("rb") as stream, np.load(stream) as archive:
        vectors = archive["vectors"]
        table = np.full((N_ELEMENTS + 1, vectors.shape[1]), np.nan, dtype=np.float32)
        table[archive["atomic_numbers"]] = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    return table


ELEMENT_TABLES: dict[str, Callable[[], np.ndarray]] = {
    "one_hot": one_hot,
    "mass_weighted_one_hot": mass_weighted_one_hot,
    "matscholar": matscholar,
}


def element_table(name: str) -> np.ndarray:
    """The feature table ``name``, shape ``[119, n_features]``, float32.

    Raises:
        ConfigError: no table of that name.
    """
    if name not in ELEMENT_TABLES:
        raise ConfigError(f"element table {name!r}; allowed: {', '.join(ELEMENT_TABLES)}")
    return ELEMENT_TABLES[name]()


def check_supported(numbers: np.ndarray, table: str, source: str | None = None) -> None:
    """Refuse elements for which ``table`` has no vector.

    Raises:
        StructureError: names the elements.
    """
    rows = element_table(table)[np.unique(numbers)]
    missing = np.unique(numbers)[np.isnan(rows).any(axis=1)]
    if len(missing):
        raise StructureError(
            f"element {symbols_of(missing)} has no {table} vector; choose another element table",
            source,
        )
