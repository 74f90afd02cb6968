"""High-symmetry paths through the Brillouin zone, and k-points along them.

Fractional k-points are in the basis of the reciprocal lattice of a crystal's own cell; lengths are
in 1/angstrom and hold the factor 2 pi.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any, Literal, get_args

import numpy as np

from vanhove.crystal.crystal import Crystal
from vanhove.crystal.symmetry import SYMMETRY_TOLERANCE
from vanhove.errors import ConfigError, DataError, MissingExtraError, StructureError

PathConvention = Literal["setyawan_curtarolo", "latimer_munro", "hinuma"]
GAMMA = "Γ"
_SAME = 1e-9
"""1/angstrom: a step this short is a jump."""
_STRETCH = 3.0
"""A step so many times the median one, between points with labels, is a jump; else twice that."""


def reciprocal_lattice(lattice: np.ndarray) -> np.ndarray:
    """Row vectors b with ``a_i . b_j = 2 pi`` for i = j, 0 else; 1/angstrom, ``[3, 3]``."""
    return 2 * np.pi * np.linalg.inv(lattice).T


@dataclass(frozen=True, eq=False)
class KPoints:
    """Points along a path.

    Attributes:
        fractional: in the reciprocal basis of ``lattice``, ``[n_kpoints, 3]``.
        lattice: of the crystal (not reciprocal), row vectors, angstrom, ``[3, 3]``.
        distances: along the path, 1/angstrom, ``[n_kpoints]``; never decreasing. Two points at the
            same distance are the two sides of a jump.
        labels: one for each point, empty where it has none.

    Raises:
        DataError: shapes that do not fit, numbers that are not finite, distances that decrease.
    """

    fractional: np.ndarray
    lattice: np.ndarray
    distances: np.ndarray
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        for name, shape in (("fractional", (-1, 3)), ("lattice", (3, 3)), ("distances", (-1,))):
            array = np.asarray(getattr(self, name), dtype=np.float64).reshape(shape)
            if not np.isfinite(array).all():
                raise DataError(f"the {name} of the k-points hold NaN or infinity")
            set_(self, name, array)
        set_(self, "labels", tuple(map(str, self.labels)))
        n = len(self.fractional)
        if n < 2 or len(self.distances) != n or len(self.labels) != n:
            raise DataError(
                f"{n} k-points with {len(self.distances)} distances and {len(self.labels)} labels; "
                "a path has two points or more, and one distance and label for each"
            )
        if (np.diff(self.distances) < 0).any():
            raise DataError("distances along a path must not decrease")

    def __len__(self) -> int:
        return len(self.fractional)

    @property
    def cartesian(self) -> np.ndarray:
        """1/angstrom, ``[n_kpoints, 3]``."""
        return self.fractional @ reciprocal_lattice(self.lattice)

    @property
    def route(self) -> str:
        """The labels in order, ``Γ-X-W|U-X``: the path jumps at a stroke."""
        text = ""
        for first, last in self.segments:
            start, end = self.labels[first], self.labels[last]
            is_joined = bool(text) and first - 1 not in self.jumps
            text += f"-{end}" if is_joined else f"{'|' if text else ''}{start}-{end}"
        return text

    @cached_property
    def jumps(self) -> np.ndarray:
        """Points after which the path jumps, ``[n_jumps]``."""
        return np.flatnonzero(np.diff(self.distances) < _SAME)

    @cached_property
    def segments(self) -> list[tuple[int, int]]:
        """First and last point of each stretch between labelled points or jumps, in order."""
        last = len(self) - 1
        labelled = [i for i, label in enumerate(self.labels) if label]
        ends = sorted({0, last, *labelled, *self.jumps.tolist(), *(self.jumps + 1).tolist()})
        jumps = set(self.jumps.tolist())
        return [(a, b) for a, b in pairwise(ends) if a not in jumps]

    def take(self, pieces: Sequence[np.ndarray], joined: Sequence[bool]) -> KPoints:
        """Pieces of the path one after another.

        Args:
            pieces: numbers of points, each piece inside one stretch.
            joined: for each piece, whether it begins with the point that the one before ended with;
                that point is then not repeated. Otherwise the path jumps.
        """
        index, distances, end = [], [], 0.0
        for piece, is_joined in zip(pieces, joined, strict=True):
            steps = np.abs(np.diff(self.distances[piece]))
            along = end + np.concatenate([[0.0], steps.cumsum()])
            skip = 1 if is_joined else 0
            index.append(piece[skip:])
            distances.append(along[skip:])
            end = float(along[-1])
        order = np.concatenate(index)
        return KPoints(
            self.fractional[order],
            self.lattice,
            np.concatenate(distances),
            tuple(self.labels[i] for i in order),
        )


def allot(lengths: Sequence[float] | np.ndarray, n_intervals: int) -> list[int]:
    """Share intervals among stretches by their length, at least one each.

    Raises:
        ConfigError: fewer intervals than stretches.
    """
    if n_intervals < len(lengths):
        raise ConfigError(
            f"{n_intervals} steps cannot cover {len(lengths)} stretches of a path: ask for more "
            "points"
        )
    # Rounded: the last digits, other ones in each cell, would share out what is equally long.
    share = np.maximum(np.round(np.asarray(lengths, dtype=np.float64), 4), _SAME)
    counts = np.ones(len(share), dtype=int)
    for _ in range(n_intervals - len(share)):
        counts[np.argmax(share / counts)] += 1  # the longest step is halved, and so on
    return counts.tolist()


@dataclass(frozen=True, eq=False)
class KPath:
    """Special points and the straight segments between them.

    Attributes:
        crystal: in the cell to which the fractional points refer.
        points: fractional coordinates by label, each ``[3]``.
        segments: pairs of labels; where one does not begin where the last ended, the path jumps.
        convention: where it comes from.
    """

    crystal: Crystal
    points: dict[str, np.ndarray]
    segments: tuple[tuple[str, str], ...]
    convention: str

    def __str__(self) -> str:
        text = self.segments[0][0]
        for before, (start, end) in zip((None, *self.segments), self.segments, strict=False):
            text += f"-{end}" if before is None or before[1] == start else f"|{start}-{end}"
        return text

    @property
    def lengths(self) -> np.ndarray:
        """Of the segments, 1/angstrom, ``[n_segments]``."""
        basis = reciprocal_lattice(self.crystal.lattice)
        steps = [self.points[b] - self.points[a] for a, b in self.segments]
        return np.linalg.norm(np.array(steps) @ basis, axis=1)

    def continuous(self) -> KPath:
        """Without jumps, as far as its segments hang together: see `continuous_order`."""
        order = continuous_order(self.segments, self.lengths)
        segments = [self.segments[i][::-1] if turned else self.segments[i] for i, turned in order]
        return KPath(self.crystal, self.points, tuple(segments), self.convention)

    def sample(self, n_points: int = 256) -> KPoints:
        """So many points, special ones included, in steps as equal as these allow.

        Raises:
            ConfigError: fewer points than the path has special ones.
        """
        starts = [
            i
            for i, (start, _) in enumerate(self.segments)
            if i == 0 or self.segments[i - 1][1] != start
        ]
        steps = allot(self.lengths, n_points - len(starts))
        fractional, labels, distances = [], [], []
        at = 0.0
        for i, ((start, end), n, length) in enumerate(
            zip(self.segments, steps, self.lengths, strict=True)
        ):
            part = np.linspace(0, 1, n + 1)
            skip = 0 if i in starts else 1
            line = (1 - part)[:, None] * self.points[start] + part[:, None] * self.points[end]
            fractional.append(line[skip:])
            distances.append((at + part * length)[skip:])
            labels += [start, *[""] * (n - 1), end][skip:]
            at += length
        return KPoints(
            np.concatenate(fractional),
            self.crystal.lattice,
            np.concatenate(distances),
            tuple(labels),
        )


def plain_label(label: str | None) -> str:
    r"""``\Gamma``, ``GAMMA`` and ``G`` -> ``Γ``; ``X_1`` -> ``X1``; None -> an empty one."""
    text = str(label or "").replace("\\", "")
    for sign in "_{}$":
        text = text.replace(sign, "")
    return GAMMA if text in ("GAMMA", "Gamma", "G") else text


def path_through(
    fractional: np.ndarray, labels: Sequence[str], lattice: np.ndarray
) -> tuple[KPoints, np.ndarray]:
    """The path of points as other programs list them: repeated points once, jumps found.

    A jump is a step between two labelled points, or between two without a label and far apart.

    Args:
        fractional: in the reciprocal basis of ``lattice``, ``[n_points, 3]``.
        labels: one for each point, empty where it has none.
        lattice: of the crystal, row vectors, angstrom, ``[3, 3]``.

    Returns:
        the path, and the numbers of the points it kept.

    Raises:
        DataError: fewer than two points, or numbers that are not finite.
    """
    labels = list(labels)
    steps = np.linalg.norm(np.diff(fractional, axis=0) @ reciprocal_lattice(lattice), axis=1)
    repeats = steps < 1e-6
    kept = np.flatnonzero(np.concatenate([[True], ~repeats]))
    for i in np.flatnonzero(repeats):
        labels[i + 1] = labels[i + 1] or labels[i]
        labels[i] = labels[i] or labels[i + 1]
    fractional, labels = fractional[kept], [labels[i] for i in kept]
    steps = steps[~repeats]
    typical = float(np.median(steps)) if len(steps) else 0.0
    both = np.array([bool(a) and bool(b) for a, b in pairwise(labels)])
    steps[both & (steps > _STRETCH * typical) | (steps > 2 * _STRETCH * typical)] = 0.0
    distances = np.concatenate([[0.0], steps.cumsum()])
    return KPoints(fractional, lattice, distances, tuple(labels)), kept


def gamma_directions(path: KPoints) -> np.ndarray:
    """From where points at Gamma are approached along a path, fractional; 0 at other points."""
    at_gamma = np.abs(path.fractional - np.rint(path.fractional)).max(axis=1) < 1e-9
    result = np.zeros_like(path.fractional)
    jumps = set(path.jumps.tolist())
    for i in np.flatnonzero(at_gamma).tolist():
        before = i > 0 and i - 1 not in jumps
        beside = i - 1 if before else min(i + 1, len(path) - 1)
        result[i] = path.fractional[beside] - path.fractional[i]
    return result


def high_symmetry_path(
    crystal: Crystal,
    convention: PathConvention = "setyawan_curtarolo",
    tolerance: float = SYMMETRY_TOLERANCE,
) -> KPath:
    """The path of a convention, in the standard primitive cell that the convention asks for.

    Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010) and Munro et al., npj Comput. Mater.
    6, 112 (2020) through pymatgen; Hinuma et al., Comput. Mater. Sci. 128, 140 (2017) through
    seekpath.

    Args:
        crystal: in any cell.
        convention: see above.
        tolerance: of the symmetry search, angstrom.

    Raises:
        ConfigError: another convention.
        StructureError: no symmetry or no path found.
        MissingExtraError: ``"hinuma"`` without seekpath.
    """
    if convention not in get_args(PathConvention):
        raise ConfigError(f"path {convention!r}; allowed: {', '.join(get_args(PathConvention))}")
    finders = {
        "setyawan_curtarolo": _setyawan_curtarolo,
        "latimer_munro": _latimer_munro,
        "hinuma": _hinuma,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns when the given cell is not the standard
        try:
            cell, points, branches = finders[convention](crystal, tolerance)
        except MissingExtraError:
            raise
        except Exception as error:
            words = " ".join(str(error).split())[:200] or type(error).__name__
            raise StructureError(
                f"no {convention} path found ({words}); try another convention or tolerance",
                crystal.name or None,
            ) from error
    return KPath(
        crystal=cell,
        points={plain_label(k): np.asarray(v, dtype=np.float64) for k, v in points.items()},
        segments=tuple(
            (plain_label(a), plain_label(b))
            for branch in branches
            for a, b in pairwise(branch)
            if a != b
        ),
        convention=convention,
    )


def continuous_order(
    segments: Sequence[tuple[str, str]], lengths: Sequence[float] | np.ndarray
) -> list[tuple[int, bool]]:
    """In which order, and which way round, to walk segments without a jump (an Eulerian path).

    Such a walk exists where at most two points have an odd number of segments. The others are
    connected in pairs along segments that are there, so some are walked twice; the pairs are those
    of the least total length, and the longest connection is left out: the walk begins and ends
    there. Segments that do not hang together stay apart by a jump.

    Args:
        segments: pairs of labels.
        lengths: of the segments.

    Returns:
        numbers of segments, True where it is walked from its second label to its first.
    """
    import networkx as nx

    graph = nx.MultiGraph()
    for i, ((start, end), length) in enumerate(zip(segments, lengths, strict=True)):
        # Rounded: among equally long ways the last digits, other ones in each cell, would choose.
        graph.add_edge(start, end, key=(i, 0), weight=round(float(length), 4))
    order: list[tuple[int, bool]] = []
    left = list(graph.nodes)  # in the order of the given path
    while left:
        part = nx.node_connected_component(graph, left[0])
        walk = graph.subgraph(part).copy()
        nodes = [node for node in left if node in part]
        left = [node for node in left if node not in part]
        for a, b in _connections(walk, [n for n in nodes if walk.degree(n) % 2]):
            for u, v in pairwise(nx.shortest_path(walk, a, b, weight="weight")):
                (i, copy), edge = min(walk[u][v].items(), key=lambda item: item[1]["weight"])
                walk.add_edge(u, v, key=(i, len(walk[u][v]) + copy), weight=edge["weight"])
        odd = [node for node in nodes if walk.degree(node) % 2]
        for u, _, (i, _) in nx.eulerian_path(walk, source=(odd or nodes)[0], keys=True):
            order.append((i, segments[i][0] != u))
    return order


def _connections(graph: Any, odd: list[str]) -> list[tuple[str, str]]:
    """The pairs of odd points to connect."""
    import networkx as nx

    if len(odd) <= 2:
        return []
    pairs = nx.Graph()
    for a, b in combinations(odd, 2):
        pairs.add_edge(a, b, weight=nx.shortest_path_length(graph, a, b, weight="weight"))
    # Sorted: a matching is a set, and sets of strings change their order from run to run.
    matching = sorted(tuple(sorted(pair)) for pair in nx.min_weight_matching(pairs))
    matching.remove(max(matching, key=lambda pair: pairs.edges[pair]["weight"]))
    return matching


def _setyawan_curtarolo(
    crystal: Crystal, tolerance: float
) -> tuple[Crystal, dict[str, Any], list[Any]]:
    from pymatgen.symmetry.kpath import KPathSetyawanCurtarolo

    path = KPathSetyawanCurtarolo(crystal.to_structure(), symprec=tolerance)
    return _crystal(path.prim, crystal.name), path.kpath["kpoints"], path.kpath["path"]


def _latimer_munro(crystal: Crystal, tolerance: float) -> tuple[Crystal, dict[str, Any], list[Any]]:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
    from pymatgen.symmetry.kpath import KPathLatimerMunro

    cell = SpacegroupAnalyzer(crystal.to_structure(), symprec=tolerance)
    primitive = cell.get_primitive_standard_structure(international_monoclinic=False)
    path = KPathLatimerMunro(primitive, symprec=tolerance)
    return _crystal(primitive, crystal.name), path.kpath["kpoints"], path.kpath["path"]


def _hinuma(crystal: Crystal, tolerance: float) -> tuple[Crystal, dict[str, Any], list[Any]]:
    try:
        import seekpath
    except ImportError as error:
        raise MissingExtraError("seekpath", "seekpath", "the path of Hinuma et al.") from error
    cell = (crystal.lattice, crystal.fractional_coordinates, crystal.atomic_numbers)
    path = seekpath.get_path(cell, symprec=tolerance)
    primitive = Crystal(
        path["primitive_lattice"],
        path["primitive_positions"],
        path["primitive_types"],
        crystal.name,
    )
    return primitive, path["point_coords"], path["path"]


def _crystal(structure: Any, name: str) -> Crystal:
    numbers = [site.specie.Z for site in structure]
    return Crystal(structure.lattice.matrix, structure.frac_coords, np.array(numbers), name)
