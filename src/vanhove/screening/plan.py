"""What a screening is: its source, its model, its options. Two equal plans give equal bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from vanhove.atomic import LOCK, temporary, write_bytes
from vanhove.errors import ConfigError
from vanhove.version import __version__

PLAN = "plan.json"
PARTITION_SIZE = 512
"""Records in a partition: some seconds of work, and the most that a kill can lose."""
_LIBRARIES = ("torch", "numpy", "spglib", "vesin", "pyarrow")
"""Other versions of these may give other bytes."""


@dataclass(frozen=True)
class Plan:
    """All that the partitions of a screening depend on.

    Attributes:
        source: fingerprint of the structures.
        model: name of the model.
        weights: SHA-256 of its checkpoint.
        properties: their names, in the order of the columns.
        where: the expression that selects, or None.
        primitive: whether structures are reduced to their primitive cell.
        partition_size: records in a partition.
        limit: records taken from the source, or None for all.
        precision: of the matrix products.
        versions: of vanhove and of what its numbers depend on.
    """

    source: str
    model: str
    weights: str
    properties: tuple[str, ...]
    where: str | None
    primitive: bool
    partition_size: int
    limit: int | None
    precision: str
    versions: dict[str, str]

    def enter(self, out: Path) -> None:
        """Make ``out`` the folder of this screening, or check that it is.

        Raises:
            ConfigError: the folder holds another screening, or something else.
        """
        path = out / PLAN
        mine = json.loads(json.dumps(asdict(self)))
        try:
            out.mkdir(parents=True, exist_ok=True)
            if path.exists():
                theirs = json.loads(path.read_text(encoding="utf-8"))
                _check_same(theirs, mine, out)
                return
            temporary(path).unlink(missing_ok=True)  # what a kill left
            if any(path.name != LOCK for path in out.iterdir()):
                raise ConfigError(
                    f"--output {out}: holds other files and no {PLAN}; give a new folder, or "
                    "that of an unfinished screening"
                )
            write_bytes(path, (json.dumps(mine, indent=1) + "\n").encode())
        except OSError as error:
            raise ConfigError(f"--output {out}: {error.strerror}") from None
        except ValueError as error:
            raise ConfigError(f"{path}: not the plan of a screening ({error})") from None


def library_versions() -> dict[str, str]:
    """Of vanhove and of the libraries that its numbers depend on."""
    return {"vanhove": __version__, **{name: version(name) for name in _LIBRARIES}}


def _check_same(theirs: dict, mine: dict, out: Path) -> None:
    for key, value in mine.items():
        if theirs.get(key) != value:
            was, now = (str(plan)[:80] for plan in (theirs.get(key), value))
            raise ConfigError(
                f"--output {out} holds a screening with {key} {was}, this one has {now}; "
                "give the same source, model and options to continue it, or another folder"
            )
