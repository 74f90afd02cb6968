"""The map of the house is true, and the house keeps its limits."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import limits

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "vanhove"
SCREEN = 30
"""Lines that fit on one."""


def table(page: str, heading: str) -> list[list[str]]:
    """Names in the first column of the table under a heading, row by row."""
    text = (ROOT / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1]
    lines = [line for line in text.split("\n## ")[0].splitlines() if line.startswith("| `")]
    return [re.findall(r"`([^`]+)`", line.split("|")[1]) for line in lines]


def test_the_map_of_the_package_is_its_rooms_in_their_layers():
    rows = table("CONTRIBUTING.md", "The house")
    assert len(rows) < SCREEN
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    files = {path.stem for path in PACKAGE.glob("[a-z]*.py")}
    named = [name for row in rows for name in row]
    assert sorted(named) == sorted([f"{room}/" for room in rooms] + list(files))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    layers = [re.split(r" \| ", layer) for layer in contract["layers"]]
    assert [[name.rstrip("/") for name in row] for row in rows] == layers[::-1]


def test_the_map_of_the_repository_is_its_folders():
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return  # an archive without a history
    folders = {line.split("/")[0] for line in done.stdout.splitlines() if "/" in line}
    named = {name.split("/")[0] for row in table("README.md", "The repository") for name in row}
    assert named == {folder for folder in folders if not folder.startswith(".")}


def test_nobody_imports_the_package_itself():
    """Its face imports everything: a room that asked it would ask upwards."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                assert "vanhove" not in [alias.name for alias in node.names], place
            if isinstance(node, ast.ImportFrom) and node.module == "vanhove":
                assert all((PACKAGE / f"{alias.name}.py").exists() for alias in node.names), place


def test_modules_and_functions_keep_their_limits(capsys):
    assert limits.main() == 0, capsys.readouterr().out
