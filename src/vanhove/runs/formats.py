"""Headers that outlive their code: a format number, and what brings older ones up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from vanhove.results import Json

Upgrade: TypeAlias = Callable[[Json], Json]
"""Makes the next format; may change what it is given."""


@dataclass(frozen=True)
class Format:
    """One kind of header, JSON or YAML with a key ``format``.

    Attributes:
        upgrades: by the number of the format that they take; those of all older ones.
        is_first: whether a header without a number is of format 1, which had none.
    """

    upgrades: Mapping[int, Upgrade]
    is_first: Callable[[Json], bool]

    @property
    def current(self) -> int:
        """The number that this version writes."""
        return len(self.upgrades) + 1

    def upgraded(self, content: object) -> Json:
        """The header in the current format.

        Raises:
            ValueError: of a newer format, or of none that was ever written; the message says which.
        """
        if not isinstance(content, dict):
            raise ValueError("its description is no JSON object")
        stated = content.get("format", 1 if self.is_first(content) else None)
        number = stated if isinstance(stated, int) else 0
        if number > self.current:
            raise ValueError(
                f"written in format {number} by a newer vanhove "
                f"({content.get('version', 'of unknown version')}); this one reads up to "
                f"{self.current}: update vanhove"
            )
        if number < 1:
            raise ValueError(
                f"format {stated!r} was never written by vanhove; it reads 1 to {self.current}"
            )
        while number < self.current:
            content = self.upgrades[number](content)
            number += 1
            content["format"] = number
        return content
