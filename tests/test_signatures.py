"""Public signatures name what they give: no anonymous dictionaries."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import vanhove

ANONYMOUS = re.compile(r"\bdict\[str, Any\]|\bdict(?!\[)")
"""Also a `dict` that says nothing of its keys and values."""


def public_annotations(tree: ast.Module):
    """Of functions, methods and fields without a leading underscore."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            given = node.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            yield from (one.annotation for one in every if one is not None)
            yield node.returns
        elif isinstance(node, ast.ClassDef) and node.name[0] != "_":
            yield from (
                field.annotation
                for field in node.body
                if isinstance(field, ast.AnnAssign)
                and not ast.unparse(field.target).startswith("_")
            )


def test_no_public_signature_has_an_anonymous_dictionary():
    root = Path(vanhove.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for annotation in public_annotations(ast.parse(path.read_text(encoding="utf-8")))
        if annotation is not None and ANONYMOUS.search(ast.unparse(annotation))
    }
    assert not found, "name the result: a frozen dataclass, or vanhove.results.Json"
