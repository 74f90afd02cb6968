"""Element tables: symbols, masses and the feature vectors that atoms start from.

Symbols and standard atomic weights are ASE's (``ase.data``); row ``z`` belongs to atomic number
``z``, row 0 is unused. The tables of other people stand in ``data/``, derived from the package
elementembeddings (MIT) by ``scripts/derive_element_tables.py``. What vanhove learned itself
(`vanhove.crystal.embeddings`) goes by the same names in a run file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from vanhove.crystal.embeddings import ALLOWED_EMBEDDINGS, is_embedding, read_embedding
from vanhove.errors import ConfigError, StructureError

N_ELEMENTS = 118
SYMBOLS: tuple[str, ...] = tuple(chemical_symbols)
ATOMIC_NUMBERS: dict[str, int] = {s: z for s, z in atomic_numbers.items() if 1 <= z <= N_ELEMENTS}
MASSES: np.ndarray = np.asarray(atomic_masses[: N_ELEMENTS + 1], dtype=np.float64)
"""Standard atomic weights in u, shape ``[119]``."""


ISOTOPES = {"D": "H", "T": "H"}
"""Deuterium and tritium: hydrogen to every model."""


def isotope_note(symbol: str) -> str:
    """What is said where an isotope is taken as its element."""
    return (
        f"{symbol} is taken as {ISOTOPES[symbol]}: an isotope's other mass is not known to models"
    )


def mass_notes(numbers: Iterable[int], masses: Iterable[float]) -> tuple[str, ...]:
    """What is said where atoms have stated masses (u) that are not those of the elements."""
    other = {
        f"{SYMBOLS[z]} {mass:.4g}"
        for z, mass in zip(numbers, masses, strict=True)
        if 1 <= z <= N_ELEMENTS and abs(mass / MASSES[z] - 1) > 0.02
    }
    if not other:
        return ()
    return (f"masses of isotopes ({', '.join(sorted(other))} u) are not known to models",)


def symbols_of(numbers: Iterable[int]) -> str:
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
    """Shape ``[119, 200]``: words of papers (Tshitoyan et al., Nature 571, 95 (2019)); H to Lr but
    for some heavy ones. As `_scored`."""
    return _scored("matscholar")


@cache
def magpie() -> np.ndarray:
    """Shape ``[119, 22]``: properties of the elements (Ward et al., npj Comput. Mater. 2, 16028
    (2016), in the selection of CBFV); H to Bk. As `_scored`."""
    return _scored("magpie")


@cache
def oliynyk() -> np.ndarray:
    """Shape ``[119, 44]``: properties of the elements (Oliynyk et al., Chem. Mater. 28, 7324
    (2016)); H to Bi, Th and U. As `_scored`."""
    return _scored("oliynyk")


def _scored(name: str) -> np.ndarray:
    """A stored table, each column z-scored over its elements.

    A number that is not known becomes 0; a row of NaN marks an element that is not in the table.
    """
    resource = files("vanhove.crystal") / "data" / f"{name}.npz"
    with resource.open("rb") as stream, np.load(stream) as archive:
        vectors = archive["vectors"]
        scored = (vectors - np.nanmean(vectors, axis=0)) / np.nanstd(vectors, axis=0)
        table = np.full((N_ELEMENTS + 1, vectors.shape[1]), np.nan, dtype=np.float32)
        table[archive["atomic_numbers"]] = np.nan_to_num(scored)
    return table


@cache
def valence_electrons() -> np.ndarray:
    """Shape ``[119]``: electrons outside a noble-gas core, filled d and f shells left out.

    That is the number of the group for s and d elements, 3 for f elements, and the number of the
    group less 10 for p elements.
    """
    cores = np.array([0, 2, 10, 18, 36, 54, 86])
    z = np.arange(N_ELEMENTS + 1)
    core = cores[np.searchsorted(cores, z, side="left") - 1]
    n = z - core
    n = np.where(core >= 54, np.where(n > 16, n - 14, n.clip(max=3)), n)
    n = np.where((core >= 18) & (n > 12), n - 10, n)
    n[0] = 0
    return n.astype(np.float32)


@cache
def periodic() -> np.ndarray:
    """Shape ``[119, 35]``: where the element stands and what follows from it.

    Group, period and block one-hot; electronegativity (Pauling), covalent radius, first ionisation
    energy, Mendeleev number and valence electrons z-scored (0 where unknown). Elements that are
    alike have like rows, which one-hot rows have not.
    """
    import warnings

    from ase.data import covalent_radii
    from pymatgen.core import Element

    table = np.zeros((N_ELEMENTS + 1, 35))
    numbers = np.full((N_ELEMENTS + 1, 5), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen announces what it does not know
        for z in range(1, N_ELEMENTS + 1):
            element = Element.from_Z(z)
            table[z, element.group - 1] = table[z, 18 + element.row - 1] = 1
            table[z, 25 + "spdf".index(element.block)] = 1
            energies = element.ionization_energies
            numbers[z] = (
                element.X,
                covalent_radii[z] if z < len(covalent_radii) else np.nan,
                energies[0] if energies and energies[0] is not None else np.nan,
                element.mendeleev_no if element.mendeleev_no is not None else np.nan,
                valence_electrons()[z],
            )
    scored = (numbers - np.nanmean(numbers, axis=0)) / np.nanstd(numbers, axis=0)
    table[:, 29:34] = np.nan_to_num(scored)
    table[:, 34] = np.isnan(numbers[:, 0])  # no electronegativity: noble gases
    table[0] = 0
    return table.astype(np.float32)


ELEMENT_TABLES: dict[str, Callable[[], np.ndarray]] = {
    "one_hot": one_hot,
    "mass_weighted_one_hot": mass_weighted_one_hot,
    "matscholar": matscholar,
    "periodic": periodic,
    "magpie": magpie,
    "oliynyk": oliynyk,
}


def element_table(name: str) -> np.ndarray:
    """The feature table ``name``, shape ``[119, n_features]``, float32.

    Raises:
        ConfigError: no table of that name.
        CheckpointError: the file of an embedding is missing or damaged.
    """
    if is_embedding(name):
        return read_embedding(name).vectors
    if name not in ELEMENT_TABLES:
        raise ConfigError(
            f"element table {name!r}; allowed: {', '.join(ELEMENT_TABLES)}, {ALLOWED_EMBEDDINGS}"
        )
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
