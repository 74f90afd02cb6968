"""What commands share that print more of a crystal than one spectrum: its numbers, in a table."""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vanhove.atomic import write_text
from vanhove.errors import StructureError
from vanhove.prediction.report import STDOUT, SUMMARY, PredictCommand
from vanhove.prediction.summary import Cell, Column, Summary
from vanhove.progress import track
from vanhove.results import Json


@dataclass
class WholeCommand(PredictCommand):
    """One call of such a command; its fields are those of `PredictCommand`."""

    @abstractmethod
    def _loaded(self) -> Any:
        """The predictor, after what was asked for has been checked."""

    @abstractmethod
    def _columns(self) -> list[Column]:
        """Of the table of many structures."""

    @abstractmethod
    def _predicted(self, predictor: Any, source: Any) -> Any:
        """Of one structure; it has a name and metadata."""

    @abstractmethod
    def _content(self, found: Any) -> Json:
        """Its numbers, for JSON; units in the names."""

    @abstractmethod
    def _text(self, found: Any, content: Json, written: list[Path]) -> str:
        """The table of a single structure."""

    @abstractmethod
    def _cells(self, found: Any, content: Json) -> list[Cell]:
        """The row of one of many, in the order of `_columns`."""

    @abstractmethod
    def _write(self, found: Any, content: Json, plot: bool) -> list[Path]:
        """The files that were asked for."""

    def run(self) -> int:
        self._check_output()
        predictor = self._loaded()
        sources = list(self._sources())
        single = len(sources) == 1
        plot = single and self.json_path != STDOUT if self.plot is None else self.plot
        table = Summary(self._columns(), True)
        results: list[Json] = []
        errors: list[dict[str, str]] = []
        for source in track(sources, "predicting", quiet=self.quiet or single):
            try:
                if isinstance(source, StructureError):
                    raise source
                found = self._predicted(predictor, source)
                content = self._content(found)
                written = self._write(found, content, plot)
            except StructureError as error:
                errors.append({"source": error.source or "", "reason": error.reason})
                table.failed(error.source or "", error.reason)
                print(f"error: {error}", file=sys.stderr)
                continue
            results.append(content)
            if single and self.json_path != STDOUT:
                print(self._text(found, content, written), flush=True)
            elif not single:
                is_first = table.is_empty
                row = table.row(found.name, found.metadata, self._cells(found, content))
                self._print_row(table, is_first, row)
        if self.csv and not single:
            write_text(self.output / SUMMARY, table.to_csv())
        if self.json_path is not None:
            self._write_json(predictor, results, errors)
        if not single:
            print(f"{len(results)} predicted, {len(errors)} failed", file=sys.stderr)
        return len(errors)

    def _base(self, found: Any) -> str:
        """How the names of its files begin."""
        return str(self.output / f"{self._stem(found)}-{self.property_name}")


def write_content(base: str, content: Json) -> Path:
    """The numbers as a JSON file."""
    path = Path(f"{base}.json")
    write_text(path, json.dumps(content, allow_nan=False) + "\n")
    return path
