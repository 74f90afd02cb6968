"""Structures in JSON: pymatgen's, ASE's, OPTIMADE's, JARVIS's, and vanhove's own."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from vanhove.crystal.cif_statements import formula_counts, same_composition
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.objects import atomic_numbers_of, crystal_of_arrays, crystal_of_structure
from vanhove.crystal.optimade import parse_optimade
from vanhove.errors import StructureError
from vanhove.results import Json

if TYPE_CHECKING:
    from pymatgen.core import Structure

_CELL = ("volume", "a", "b", "c", "alpha", "beta", "gamma")
_CELL_TOLERANCE = 0.01
_ENTRY_TOLERANCE = 0.02
_PLACE_TOLERANCE = 0.05
"""Angstrom between a site's fractional and Cartesian coordinates: files are rounded."""


def split_json(text: str, name: str) -> list[Any]:
    """The entries of a file: of a list, of an answer of an OPTIMADE server, of ASE's database.

    Raises:
        StructureError: it is no JSON.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise StructureError(f"is not valid JSON: {error}", name) from error
    if isinstance(data, dict) and isinstance(data.get("ids"), list):  # ASE's database
        return [data[str(i)] for i in data["ids"]]
    if isinstance(data, dict) and isinstance(data.get("data"), (list, dict)):  # a server's answer
        data = data["data"]
    return data if isinstance(data, list) else [data]


def crystal_of_json(data: Any, name: str) -> Crystal:
    """The crystal of one entry.

    Raises:
        StructureError: it is no structure, or one that cannot be used.
    """
    if isinstance(data, dict) and isinstance(data.get("structure"), str):
        data = data | {"structure": json.loads(data["structure"])}
    if isinstance(data, dict) and isinstance(data.get("structure"), dict):
        crystal = crystal_of_json(data["structure"], name)
        _check_entry(data, crystal, name)
        return crystal
    keys = set(data) if isinstance(data, dict) else set()
    if "attributes" in keys or {"lattice_vectors", "cartesian_site_positions"} <= keys:
        return parse_optimade(data, name)
    if isinstance(data, dict) and isinstance(data.get("atoms"), dict):  # an entry of JARVIS
        data = data["atoms"]
        keys = set(data)
    if {"lattice_mat", "coords", "elements"} <= keys:
        return _jarvis(data, name)
    if {"lattice", "fractional_coordinates", "atomic_numbers"} <= keys:
        return Crystal(
            data["lattice"], data["fractional_coordinates"], data["atomic_numbers"], name
        )
    if {"lattice", "sites"} <= keys:
        from pymatgen.core import Structure

        structure = Structure.from_dict(_geometry(data))
        _check_stated(data, structure, name)
        return crystal_of_structure(structure, name)
    if {"numbers", "positions", "cell"} <= keys:
        return crystal_of_arrays(
            _ase_array(data["cell"]),
            _ase_array(data["positions"]),
            _ase_array(data["numbers"]),
            _ase_array(data.get("pbc", False)),
            name,
        )
    if "sites" in keys:
        raise StructureError("has no lattice: a molecule, not a crystal", name)
    raise StructureError(
        "is JSON but no structure; allowed: pymatgen's Structure.as_dict, an entry with a "
        "\"structure\", ASE's Atoms, an OPTIMADE entry, JARVIS's atoms",
        name,
    )


def _geometry(data: Json) -> Json:
    """Lattice, species and places of pymatgen's dictionary.

    The rest is left out: decoding "@module" entries in site properties would import that module.
    """
    sites = [
        {
            "species": [
                {key: kind[key] for key in ("element", "occu", "oxidation_state") if key in kind}
                for kind in site["species"]
            ],
            **{key: site[key] for key in ("abc", "xyz", "label") if key in site},
        }
        for site in data["sites"]
    ]
    lattice = data["lattice"]
    return {"lattice": {key: lattice[key] for key in lattice if key[:1] != "@"}, "sites": sites}


def _check_stated(data: Json, structure: Structure, name: str) -> None:
    """pymatgen states the cell three times and each place twice: they must agree."""
    lattice = data["lattice"]
    for key in _CELL:
        value, own = lattice.get(key), float(getattr(structure.lattice, key))
        if value is not None and not abs(float(value) - own) <= _CELL_TOLERANCE * own:
            raise StructureError(
                f'the lattice states "{key}" {value}, but its matrix gives {own:.6g}', name or None
            )
    for i, (site, own) in enumerate(zip(data["sites"], structure.cart_coords, strict=True)):
        if "abc" in site and "xyz" in site:
            apart = float(np.abs(np.asarray(site["xyz"], dtype=np.float64) - own).max())
            if not apart <= _PLACE_TOLERANCE:
                raise StructureError(
                    f'site {i + 1}: "abc" and "xyz" are {apart:.3g} angstrom apart', name or None
                )


def _check_entry(entry: Json, crystal: Crystal, name: str) -> None:
    """What an entry of the Materials Project states beside its structure."""
    found = Counter(SYMBOLS[z] for z in crystal.atomic_numbers)
    for key in ("formula_pretty", "pretty_formula"):
        counts = formula_counts({"_chemical_formula_sum": [str(entry.get(key) or "")]})
        if counts and not same_composition(counts, found):
            raise StructureError(
                f"the structure is of {crystal.formula}, but {key} is {entry[key]}", name or None
            )
    volume, n_sites = entry.get("volume"), entry.get("nsites")
    if isinstance(volume, int | float) and isinstance(n_sites, int) and volume > 0 and n_sites > 0:
        own = crystal.volume / crystal.n_atoms
        if abs(own * n_sites / volume - 1) > _ENTRY_TOLERANCE:
            raise StructureError(
                f"the structure has {own:.4g} cubic angstrom for each atom, but volume {volume:g} "
                f"and nsites {n_sites} state {volume / n_sites:.4g}",
                name or None,
            )


def _jarvis(data: Json, name: str) -> Crystal:
    """``lattice_mat``, ``coords``, ``elements``, ``cartesian`` (Choudhary et al., 2020)."""
    numbers, notes = atomic_numbers_of(list(map(str, data["elements"])), name)
    lattice = np.asarray(data["lattice_mat"], dtype=np.float64).reshape(3, 3)
    lengths = np.linalg.norm(lattice, axis=1)
    if "abc" in data and not np.allclose(data["abc"], lengths, rtol=_CELL_TOLERANCE):
        raise StructureError(
            f'"abc" is {data["abc"]}, but the lattice has lengths {lengths.round(4).tolist()}',
            name or None,
        )
    coordinates = np.asarray(data["coords"], dtype=np.float64).reshape(-1, 3)
    cartesian = data.get("cartesian", False)
    if not isinstance(cartesian, bool):
        raise StructureError(f'"cartesian" is {cartesian!r}; allowed: true, false', name or None)
    if cartesian:
        crystal = crystal_of_arrays(lattice, coordinates, numbers, True, name, notes=notes)
    else:
        crystal = Crystal(lattice, coordinates, np.array(numbers), name, notes=notes)
    return crystal


def _ase_array(value: Any) -> Any:
    """Undo ASE's JSON encoding of arrays."""
    if isinstance(value, dict) and "array" in value:
        value = value["array"]
    if isinstance(value, dict) and "__ndarray__" in value:
        shape, dtype, flat = value["__ndarray__"]
        if not re.fullmatch(r"(int|float|bool)\d{0,3}", str(dtype)):
            raise ValueError(f"an array of {dtype!r}")
        return np.array(flat, dtype=dtype).reshape(shape)
    return value
