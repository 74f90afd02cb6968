"""Results that are kept for a while, so that a link to one can be shared."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from dataclasses import dataclass

from vanhove.server.settings import ServerSettings
from vanhove.version import __version__


@dataclass(frozen=True)
class Result:
    """What was asked, and the answer."""

    content: bytes
    name: str
    body: bytes
    since: float

    @property
    def size(self) -> int:
        return len(self.content) + len(self.body)


def result_id(content: bytes, name: str, models: list[str]) -> str:
    """Of structure, name, models and version: the same question has the same link."""
    what = json.dumps([name, models, __version__]).encode()
    return hashlib.sha256(what + b"\0" + content).hexdigest()[:24]


class Results:
    """The last results, in memory.

    Args:
        settings: how many, and for how long.
    """

    def __init__(self, settings: ServerSettings):
        self.settings = settings
        self._kept: OrderedDict[str, Result] = OrderedDict()
        self._size = 0

    def keep(self, id_: str, content: bytes, name: str, body: bytes) -> None:
        """Remember a result; the oldest make room."""
        self._drop(id_)
        self._kept[id_] = Result(content, name, body, time.monotonic())
        self._size += self._kept[id_].size
        most = self.settings.max_result_bytes
        while len(self._kept) > self.settings.max_results or (self._size > most and self._kept):
            self._drop(next(iter(self._kept)))

    def get(self, id_: str) -> Result | None:
        """None: never asked, or dropped since."""
        found = self._kept.get(id_)
        if found is None or time.monotonic() - found.since > self.settings.result_seconds:
            self._drop(id_)
            return None
        self._kept.move_to_end(id_)
        return found

    def _drop(self, id_: str) -> None:
        found = self._kept.pop(id_, None)
        self._size -= found.size if found else 0
