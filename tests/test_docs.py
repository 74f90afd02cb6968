"""What the documentation shows works: commands, Python blocks, examples, links, key tables.

The blocks of one page run in order, in one folder that holds ``examples``: in a ``bash``
block each line is a ``vanhove`` command, ``python`` blocks share their names. A comment
right before a block changes that:

    <!-- test: skip, REASON -->     for ``make``, downloads and long training only
    <!-- test: file PATH -->        the block is written to PATH
"""

from __future__ import annotations

import glob
import re
import runpy
import shlex
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from vanhove.cli import main
from vanhove.errors import CheckpointError
from vanhove.weights import DEFAULT_WEIGHTS, shipped_weights

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKDOWN = [
    path
    for pattern in ("*.md", "docs/**/*.md", "src/**/*.md", "results/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
BLOCK = re.compile(
    r"(?:^<!-- test: (?P<order>.+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SKIP_REASONS = (
    "builds a virtual environment",
    "a long training on downloaded data",
    "a training of some minutes",
    "measures on downloaded data",
    "serves until it is stopped",
    "asks a running server",  # tests/server/test_docs.py
    "needs a folder of calculations",
    "needs the extra jobflow",  # tests/prediction/test_calculator.py
)
NO_WEIGHTS = f"no weights '{DEFAULT_WEIGHTS}'"


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    order: str
    place: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        yield Block(
            match["language"], match["code"], match["order"] or "", f"{page.name}, line {line}"
        )


def commands(block: Block) -> list[list[str]]:
    """The arguments of each ``vanhove`` line; wildcards are expanded as a shell does."""
    found = []
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[0] == "vanhove", f"{block.place}: only vanhove commands run here: {line}"
        assert not set(words) & {"|", ">", "&&", ";"}, f"{block.place}: no shell syntax: {line}"
        found.append([w for word in words[1:] for w in (sorted(glob.glob(word)) or [word])])
    return found


def skip_without_weights(problem: str) -> None:
    if not shipped_weights() and NO_WEIGHTS in problem:
        pytest.skip("no weights are shipped yet, and this page uses them")


def run_command(arguments: list[str], place: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["vanhove", *arguments])
    capsys.readouterr()
    status: object = 0
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    errors = capsys.readouterr().err
    skip_without_weights(errors)
    assert status == 0, f"{place}: vanhove {shlex.join(arguments)}\n{errors}"


def run_python(code: str, place: str, module: types.ModuleType) -> None:
    try:
        exec(compile(code, place, "exec", dont_inherit=True), module.__dict__)
    except CheckpointError as error:
        skip_without_weights(str(error))
        raise


@pytest.fixture
def module(monkeypatch) -> types.ModuleType:
    """Where the Python of one page runs: pydantic looks classes up in their module."""
    made = types.ModuleType("documented")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page, folder, module, monkeypatch, capsys):
    for block in blocks(page):
        kind, _, rest = block.order.partition(" ")
        if kind == "skip,":
            assert rest in SKIP_REASONS, f"{block.place}: {rest} is no reason to skip"
        elif kind == "file":
            Path(rest).parent.mkdir(parents=True, exist_ok=True)
            Path(rest).write_text(block.code, encoding="utf-8")
        elif block.order:
            pytest.fail(f"{block.place}: unknown order {block.order!r}")
        elif block.language == "bash":
            for arguments in commands(block):
                run_command(arguments, block.place, monkeypatch, capsys)
        elif block.language == "python":
            run_python(block.code, block.place, module)


EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
WITH_A_RUN = ("01_", "04_", "05_")
"""Examples that get the small run as their model: quick, and there without shipped weights."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name, small_run, tmp_path, monkeypatch, capsys):
    arguments = [str(small_run)] if name.startswith(WITH_A_RUN) else []
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    monkeypatch.chdir(tmp_path)
    try:
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    except CheckpointError as error:
        skip_without_weights(str(error))
        raise
    assert capsys.readouterr().out.strip()
    assert f"](../examples/{name})" in (ROOT / "docs" / "examples.md").read_text()


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)", text)
    missing = [
        target
        for target in targets
        if not re.match(r"(https?|mailto):", target) and not (page.parent / target).exists()
    ]
    assert not missing


def test_the_site_shows_every_page():
    import yaml

    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    shown = set(re.findall(r"[\w-]+\.md", str(nav)))
    missing = {path.name for path in (ROOT / "docs").glob("*.md")} - shown
    assert not missing, f"add {', '.join(sorted(missing))} to nav in mkdocs.yml"
