"""Every table and figure that can be reproduced, by name, read from ``tables/*.yaml``.

A file has five parts; settings and runs serve in the later files too:

- ``settings``: dotted settings under a name.
- ``columns``: numbers of ours under a name, which is the metric unless ``key`` says another; the
  other keys are those of `Column`.
- ``notes``: sentences under a name, which several tables show.
- ``runs``: name of a run -> the named model, which ``settings`` it takes (``use``) and which of its
  own (``set``); or the run that it is fine-tuned from (``start``). A run with the name of a model,
  whose settings are as they are, is not listed.
- ``tables``: name -> what `Experiment` holds. ``paper`` says where the printed rows stand; a row
  gives its model and variant there (``printed``), or a place of its own (``published``).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml

from vanhove.errors import ConfigError
from vanhove.evaluation.conditions import Conditions
from vanhove.papers.published import PHONON_DATA
from vanhove.papers.table import Column, Experiment, Row

FILES = ("phonon", "vanhove-phonon", "transfer", "electron", "studies", "embeddings")
"""In the order of the pages of results."""


class _Reader:
    """Reads one file after the other."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, object]] = {}
        self.runs: dict[str, dict[str, Any]] = {}

    def read(self, content: Mapping[str, Any]) -> dict[str, Experiment]:
        self.settings |= content.get("settings", {})
        self.runs |= content.get("runs", {})
        columns = {
            name: Column(**{"key": name, **column}) for name, column in content["columns"].items()
        }
        notes = content.get("notes", {})
        return {
            name: Experiment(
                rows=tuple(self.row(row, table.get("paper")) for row in table["rows"]),
                columns=tuple(columns[column] for column in table["columns"]),
                notes=tuple(notes.get(note, note) for note in table.get("notes", ())),
                **{key: _plain(value) for key, value in table.items() if key not in _BUILT},
            )
            for name, table in content["tables"].items()
        }

    def row(self, content: Mapping[str, Any], paper: Mapping[str, str] | None) -> Row:
        row = dict(content)
        run = row.pop("run")
        printed = row.pop("printed", None)
        if printed is not None:
            assert paper is not None
            model, variant = (printed, "") if isinstance(printed, str) else printed
            place = (paper.get("dataset", PHONON_DATA[0]), paper.get("split", ""))
            row["published"] = (paper["source"], paper["table"], model, variant, *place)
        elif "published" in row:
            row["published"] = tuple(row["published"])
        if "conditions" in row:
            row["conditions"] = Conditions(**row["conditions"])
        return self.run(run, **row)

    def run(self, name: str, label: str = "", **row: Any) -> Row:
        """The row of a run; rows that it starts from or is scaled with have no label."""
        own = dict(self.runs.get(name, {"model": name}))
        overrides: dict[str, object] = {}
        for used in own.pop("use", ()):
            overrides |= self.settings[used]
        overrides |= own.pop("set", {})
        for other in ("start", "scale"):
            if other in own:
                own[other] = self.run(own[other])
        model = own.pop("model", None) or own["start"].model
        return Row(label, model, name, overrides, **own, **row)


_BUILT = ("rows", "columns", "notes", "paper")


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read_all() -> dict[str, Experiment]:
    reader = _Reader()
    found: dict[str, Experiment] = {}
    for name in FILES:
        path = files("vanhove.papers") / "tables" / f"{name}.yaml"
        found |= reader.read(yaml.safe_load(path.read_text(encoding="utf-8")))
    return found


EXPERIMENTS: dict[str, Experiment] = _read_all()


def find_experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in EXPERIMENTS:
        raise ConfigError(f"experiment {name!r}; allowed: {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def chosen_rows(name: str, wanted: list[str] | None = None) -> list[Row]:
    """The rows of an experiment with the given labels or run names, in the paper's order.

    Without names all but those that are not to be run.

    Raises:
        ConfigError: an unknown row.
    """
    rows = list(find_experiment(name).rows)
    if not wanted:
        return [row for row in rows if not row.not_run]
    names = {label for row in rows for label in (row.label.lower(), row.run.lower())}
    for word in wanted:
        if word.lower() not in names:
            raise ConfigError(
                f"row {word!r} of {name}; allowed: {', '.join(row.run for row in rows)} (or "
                "the labels of the table)"
            )
    lower = {word.lower() for word in wanted}
    return [row for row in rows if {row.label.lower(), row.run.lower()} & lower]
