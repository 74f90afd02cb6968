"""What a page says of settings, in its table of differences from a paper, is true of the code."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import pytest
import yaml

from vanhove.runs.catalog import run_config

ROOT = Path(__file__).parents[2]
SETTING = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+): ([^`]+)`")


def stated(page: str) -> list[tuple[str, dict[str, object]]]:
    """The last cell of each row that names settings, and these."""
    text = (ROOT / "docs" / f"{page}.md").read_text().split("Differences\n")[1].split("\n## ")[0]
    cells = [line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("| ")]
    found = [(c, {key: yaml.safe_load(value) for key, value in SETTING.findall(c)}) for c in cells]
    return [(cell, settings) for cell, settings in found if settings]


@pytest.mark.parametrize(("page", "model"), [("bands", "bandformer")])
def test_the_table_of_differences(page, model):
    """A cell that begins with settings states ours; others state what can be had instead."""
    rows = stated(page)
    assert len(rows) > 5
    ours = run_config(model).model_dump(mode="json")
    for cell, settings in rows:
        run_config(model, overrides=settings)  # raises where there is no such setting
        default = {key: reduce(dict.__getitem__, key.split("."), ours) for key in settings}
        if cell.startswith("`"):
            assert settings == default, cell
        else:
            assert all(settings[key] != default[key] for key in settings), cell
