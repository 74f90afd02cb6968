"""The longest modules and functions, and whether they keep the limits: python scripts/limits.py

A module has at most 450 lines, a function at most 60 lines of body (its docstring is not counted).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "scripts", "benchmarks", "tests")
MODULE, BODY = 450, 60
SHOWN = 10


def modules() -> Iterator[tuple[int, str]]:
    """Lines and path of every module."""
    for path in paths():
        yield len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(ROOT))


def functions() -> Iterator[tuple[int, str]]:
    """Lines of body and place of every function; of one inside another, both."""
    for path in paths():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield _body(node), f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def paths() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _body(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    has_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = node.body[1:] if has_text and isinstance(first.value.value, str) else node.body
    if not body:
        return 0
    return (node.end_lineno or 0) - body[0].lineno + 1


def main() -> int:
    kept = True
    for title, found, limit in (
        ("modules, lines", modules(), MODULE),
        ("functions, lines of body", functions(), BODY),
    ):
        longest = sorted(found, reverse=True)
        beyond = sum(length > limit for length, _ in longest)
        print(f"{title} (at most {limit}; {beyond} beyond):")
        for length, place in longest[: max(SHOWN, beyond)]:
            print(f"{length:6d}  {place}")
        kept &= beyond == 0
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
