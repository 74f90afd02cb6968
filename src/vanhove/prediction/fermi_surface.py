"""Fermi surfaces: where bands cross the Fermi level, as triangles in the first Brillouin zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.kpath import reciprocal_lattice
from vanhove.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAIRS = {1: [(0, 1), (0, 2), (0, 3)], 3: [(0, 3), (1, 3), (2, 3)]}
_QUADRANGLE = [(0, 2), (0, 3), (1, 3), (1, 2)]
"""Edges of a tetrahedron (corners by energy) that the surface cuts, by corners below the level."""


@dataclass(frozen=True, eq=False)
class FermiSurface:
    """Triangles of the surface, each with its centre in the first Brillouin zone.

    Attributes:
        crystal: whose zone it is.
        triangles: of each band that crosses the Fermi level, by its number from 1; corners in
            1/angstrom, Cartesian with 2 pi, ``[n, 3, 3]``.
    """

    crystal: Crystal
    triangles: dict[int, np.ndarray]

    @property
    def area(self) -> float:
        """Of all triangles, 1/angstrom^2."""
        every = np.concatenate(list(self.triangles.values()))
        sides = np.cross(every[:, 1] - every[:, 0], every[:, 2] - every[:, 0])
        return float(np.linalg.norm(sides, axis=1).sum() / 2)

    def plot(self, path: str | Path | None = None) -> Figure:
        """The surface, a colour for each band, in the outline of the zone.

        Args:
            path: of a picture to write.
        """
        from matplotlib import colormaps
        from matplotlib.figure import Figure
        from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

        figure = Figure(figsize=(5, 5), layout="constrained")
        axes = figure.add_subplot(projection="3d")
        for i, (band, corners) in enumerate(self.triangles.items()):
            colour = colormaps["tab10"](i % 10)
            surface = Poly3DCollection(
                corners, facecolors=[colour], shade=True, label=f"band {band}"
            )
            axes.add_collection3d(surface)
        lines = _zone_edges(reciprocal_lattice(self.crystal.lattice))
        axes.add_collection3d(Line3DCollection(lines, colors="black", linewidths=0.6))
        every = np.concatenate([edge.ravel() for edge in lines])
        reach = np.abs(every).max()
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
        axes.set_box_aspect((1, 1, 1))
        axes.set_axis_off()
        axes.set_title(f"Fermi surface of {self.crystal.formula}")
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def fermi_surface(
    energies: Callable[[np.ndarray], np.ndarray],
    level: float,
    crystal: Crystal,
    divisions: Sequence[int],
) -> FermiSurface:
    """Linear between the points of a mesh (marching tetrahedra); see `Electrons.fermi_surface`.

    Args:
        energies: of fractional k-points ``[n, 3]``, eV, ``[n, n_bands]``.
        level: the Fermi level, eV.
        divisions: of the mesh.

    Raises:
        ConfigError: divisions that are none, or no band crosses the level.
    """
    shape = np.asarray(divisions, dtype=int)
    if shape.shape != (3,) or (shape < 1).any():
        raise ConfigError(f"divisions {divisions}; allowed: three positive numbers")
    index = np.indices(tuple(shape + 1)).reshape(3, -1).T
    fractional = index / shape - 0.5
    found = energies(fractional)
    basis = reciprocal_lattice(crystal.lattice)
    places = fractional @ basis
    corners = np.concatenate([_tetrahedra(shape, order) for order in permutations(range(3))])
    triangles = {}
    for band, own in enumerate(found.T):
        cut = _cut(own[corners] - level, places[corners])
        if len(cut):
            centres = cut.mean(axis=1)
            triangles[band + 1] = cut - (centres - _into_zone(centres, basis))[:, None]
    if not triangles:
        raise ConfigError(
            f"no band of {crystal.formula} crosses the Fermi level: it has no Fermi surface"
        )
    return FermiSurface(crystal, triangles)


def _near(basis: np.ndarray) -> np.ndarray:
    """Reciprocal lattice vectors around Gamma, Gamma first, ``[125, 3]``."""
    steps = np.indices((5, 5, 5)).reshape(3, -1).T - 2
    return steps[np.abs(steps).sum(axis=1).argsort(kind="stable")] @ basis


def _into_zone(places: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The same points next to Gamma, ``[n, 3]``."""
    vectors = _near(basis)
    distance = ((places[:, None] - vectors) ** 2).sum(axis=2)
    distance[:, 0] -= 1e-9  # on the boundary, they stay
    return places - vectors[distance.argmin(axis=1)]


def _zone_edges(basis: np.ndarray) -> list[np.ndarray]:
    """Faces of the first Brillouin zone as closed lines."""
    from scipy.spatial import Voronoi

    cells = Voronoi(_near(basis))
    faces = [
        cells.ridge_vertices[i] for i, pair in enumerate(cells.ridge_points) if 0 in pair.tolist()
    ]
    return [cells.vertices[[*face, face[0]]] for face in faces]


def _tetrahedra(shape: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Numbers of the corners of one tetrahedron of each cell, ``[n_cells, 4]``."""
    first = np.indices(tuple(shape)).reshape(3, -1).T
    walk = np.zeros((4, 3), dtype=int)
    for step, axis in enumerate(order):
        walk[step + 1] = walk[step]
        walk[step + 1, axis] = 1
    return np.ravel_multi_index(tuple((first[:, None] + walk).transpose(2, 0, 1)), tuple(shape + 1))


def _cut(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where tetrahedra are 0: values ``[n, 4]`` at corners ``[n, 4, 3]`` -> ``[m, 3, 3]``."""
    order = values.argsort(axis=1)
    values = np.take_along_axis(values, order, axis=1)
    places = np.take_along_axis(places, order[:, :, None], axis=1)
    below = (values < 0).sum(axis=1)

    def points(inside: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
        a, b = np.array(pairs).T
        low, high = values[inside][:, a], values[inside][:, b]
        share = (-low / (high - low))[:, :, None]
        return places[inside][:, a] * (1 - share) + places[inside][:, b] * share

    quadrangles = points(below == 2, _QUADRANGLE)
    parts = [points(below == n, pairs) for n, pairs in _PAIRS.items()]
    return np.concatenate([*parts, quadrangles[:, [0, 1, 2]], quadrangles[:, [0, 2, 3]]])
