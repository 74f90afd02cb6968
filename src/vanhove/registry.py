"""Named things that modules register when they are imported: models, data sets, kinds of spectrum.

Every module of a registry's own room is imported when the registry is first looked into, and so is
every entry point of the group `GROUP`, by which other packages add theirs:

    [project.entry-points."vanhove.extensions"]
    my_package = "my_package.models"

A plain ``import my_package.models`` before the first use does the same for one Python process.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib.metadata import entry_points
from typing import TypeVar

from vanhove.errors import ConfigError

GROUP = "vanhove.extensions"

T = TypeVar("T")


class Registry(MutableMapping[str, T]):
    """Names, in alphabetical order, and what they stand for.

    Args:
        kind: what is registered, for messages.
        room: the package all of whose modules are imported before the first look.
    """

    def __init__(self, kind: str, room: str):
        self.kind, self.room = kind, room
        self._known: dict[str, T] = {}
        self._searched = False

    def add(self, name: str, thing: T) -> None:
        """Register; the same thing again, as when a module is reloaded, takes its own place.

        Raises:
            ConfigError: something else has that name.
        """
        known = self._known.get(name, thing)
        if _origin(known) != _origin(thing):
            raise ConfigError(
                f"two {self.kind}s are called {name!r}: {_origin(known)} and {_origin(thing)}; "
                "rename one of them"
            )
        self._known[name] = thing

    def _found(self) -> dict[str, T]:
        if not self._searched:
            self._searched = True  # first: what is imported may look itself
            package = importlib.import_module(self.room)
            for module in pkgutil.iter_modules(package.__path__, f"{self.room}."):
                importlib.import_module(module.name)
            load_extensions()
        return self._known

    def __getitem__(self, name: str) -> T:
        return self._found()[name]

    def __setitem__(self, name: str, thing: T) -> None:
        self._found()[name] = thing

    def __delitem__(self, name: str) -> None:
        del self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._found()))

    def __len__(self) -> int:
        return len(self._found())


def _origin(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', repr(thing))}"


@cache
def load_extensions() -> None:
    """Import what other packages add, once; one that cannot be imported is left out, and said."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:  # whatever is wrong with it, vanhove itself works
            warnings.warn(
                f"{point.value}, an extension of vanhove, is left out: "
                f"{type(error).__name__}: {error}",
                stacklevel=2,
            )
