"""A structure as OPTIMADE servers give it (Andersen et al., Sci. Data 8, 217 (2021))."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from vanhove.crystal.asymmetric_unit import Sites, check_coinciding, expand
from vanhove.crystal.cif_statements import formula_counts, same_composition
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.elements import ISOTOPES, SYMBOLS, mass_notes
from vanhove.crystal.objects import OCCUPANCY_TOLERANCE, atomic_numbers_of
from vanhove.crystal.space_groups import operations_of
from vanhove.errors import StructureError
from vanhove.results import Json

_FORMULAS = ("chemical_formula_reduced", "chemical_formula_hill")
_FEATURES = {
    "implicit_atoms": "has implicit atoms, which have no place; give every atom a place of its own",
    "site_attachments": "has atoms attached to sites; give every atom a place of its own",
    "assemblies": "has assemblies, groups of alternative sites; only fully ordered crystals can "
    "be used",
}


def parse_optimade(entry: Json, name: str) -> Crystal:
    """The structure of one entry of type ``structures``, or of its ``attributes`` alone.

    An asymmetric unit (``site_coordinate_span``) is expanded by the operations of the entry.

    Raises:
        StructureError: not periodic in three directions, coordinates or species left out,
            disordered, atoms that are mentioned without a place, an unknown element, or not the
            composition or number of sites that the entry states.
    """
    data = entry.get("attributes", entry)
    periodic, lattice = data.get("dimension_types"), data.get("lattice_vectors")
    n_periodic = data.get("nperiodic_dimensions")
    if (periodic is not None and list(periodic) != [1, 1, 1]) or lattice is None:
        raise StructureError("is not periodic in three directions", name or None)
    if n_periodic not in (None, 3):
        raise StructureError("is not periodic in three directions", name or None)
    keys = ("cartesian_site_positions", "species_at_sites")
    missing = [key for key in keys if data.get(key) is None or not len(data[key])]
    if missing:
        raise StructureError(
            f"the OPTIMADE entry has no {' and no '.join(missing)}; ask the server for these "
            "response_fields",
            name or None,
        )
    _check_features(data, name)
    matrix = np.asarray(lattice, dtype=np.float64).reshape(3, 3)
    if not np.isfinite(matrix).all() or np.linalg.det(matrix) == 0:
        raise StructureError("the lattice vectors span no volume", name or None)
    known = {species["name"]: species for species in data.get("species") or []}
    names = list(data["species_at_sites"])
    symbols = [_symbol(known.get(site, {"chemical_symbols": [site]}), name) for site in names]
    numbers, notes = atomic_numbers_of(symbols, name)
    masses = {site: (species.get("mass") or [0])[0] for site, species in known.items()}
    heavy = [(z, masses[site]) for z, site in zip(numbers, names, strict=True) if masses.get(site)]
    notes += mass_notes([z for z, _ in heavy], [mass for _, mass in heavy])
    positions = np.asarray([list(site) for site in data[keys[0]]], dtype=np.float64)
    fractional = positions @ np.linalg.inv(matrix)
    if data.get("nsites") not in (None, len(numbers)):
        raise StructureError(
            f"lists {len(numbers)} sites, but nsites is {data['nsites']}", name or None
        )
    if data.get("site_coordinate_span") == "asymmetric_unit":
        fractional, numbers = _whole_cell(data, Sites(names, numbers, fractional), matrix, name)
    _check_composition(data, numbers, name)
    return Crystal(matrix, fractional, np.array(numbers), name, notes=notes)


def _check_features(data: Json, name: str) -> None:
    features = list(data.get("structure_features") or [])
    if data.get("assemblies"):
        features.append("assemblies")
    if any(sum(species.get("nattached") or [0]) for species in data.get("species") or []):
        features.append("site_attachments")
    for feature in features:
        if feature != "disorder":  # told by the species, which name the site
            raise StructureError(
                _FEATURES.get(feature, f"has structure feature {feature!r}: not known"),
                name or None,
            )
    span = data.get("site_coordinate_span")
    if span not in (None, "unit_cell", "asymmetric_unit"):
        raise StructureError(
            f"site_coordinate_span is {span!r}; allowed: unit_cell, asymmetric_unit", name or None
        )


def _whole_cell(
    data: Json, sites: Sites, lattice: np.ndarray, name: str
) -> tuple[np.ndarray, list[int]]:
    listed = data.get("space_group_symmetry_operations_xyz")
    if not listed:
        raise StructureError(
            "lists the asymmetric unit alone (site_coordinate_span), without "
            "space_group_symmetry_operations_xyz; ask the server for them",
            name or None,
        )
    try:
        operations = operations_of(list(map(str, listed)))
    except ValueError as error:
        raise StructureError(str(error), name or None) from error
    if not operations.fit(lattice):
        raise StructureError(f"{operations.name} do not fit the cell", name or None)
    atoms = expand(sites, operations, name)
    check_coinciding(atoms, sites, name)
    return atoms.coordinates, atoms.numbers.tolist()


def _check_composition(data: Json, numbers: list[int], name: str) -> None:
    """The formulas and shares of the entry count atoms without a place, too."""
    found = Counter(SYMBOLS[z] for z in numbers)
    elements = [ISOTOPES.get(element, element) for element in data.get("elements") or found]
    stated: list[tuple[str, Mapping[str, float]]] = [
        (str(data[key]), counts)
        for key in _FORMULAS
        if data.get(key) and (counts := formula_counts({"_chemical_formula_sum": [str(data[key])]}))
    ]
    ratios = data.get("elements_ratios")
    if ratios is not None and len(ratios) == len(elements):
        stated.append((f"elements_ratios {ratios}", dict(zip(elements, ratios, strict=True))))
    wrong = [text for text, counts in stated if not same_composition(counts, found)]
    if set(elements) != set(found):
        wrong.append(", ".join(sorted(elements)))
    if data.get("nelements") not in (None, len(found)):
        wrong.append(f"{data['nelements']} elements")
    if wrong:
        raise StructureError(
            f"the sites hold {', '.join(f'{x} {n}' for x, n in sorted(found.items()))}, but the "
            f"entry states {wrong[0]}; atoms are missing",
            name or None,
        )


def _symbol(species: Json, name: str) -> str:
    symbols = list(species["chemical_symbols"])
    occupancies = species.get("concentration")
    occupancies = [1.0] if occupancies is None else list(occupancies)
    if len(symbols) != 1 or abs(sum(occupancies) - 1) > OCCUPANCY_TOLERANCE:
        raise StructureError(
            f"a site is shared by {', '.join(map(str, symbols))} or partly empty; only fully "
            "ordered crystals, with one atom on every site, can be used",
            name or None,
        )
    return str(symbols[0])
