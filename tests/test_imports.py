"""No circle of imports between modules, those inside functions and for type checkers included."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import vanhove

ROOT = Path(vanhove.__file__).parent
PATHS = {
    ".".join(("vanhove", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}
"""Module -> its file."""


def imported(path: Path) -> set[str]:
    """Modules of vanhove that a file imports; of a package alone what it is imported for."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write whole names"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in PATHS else node.module for name in names}
    return found & PATHS.keys()


def test_imports_make_no_circle():
    """`TopologicalSorter` raises a CycleError, which names the circle."""
    graph = {module: imported(path) - {module} for module, path in PATHS.items()}
    assert sum(map(len, graph.values())) > 1000
    assert len(list(TopologicalSorter(graph).static_order())) == len(PATHS)
