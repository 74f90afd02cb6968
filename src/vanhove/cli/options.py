"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from vanhove.errors import ConfigError

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="Other weights: shipped, a checkpoint file or a run folder."
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option("--size", help="Of a catalogued model: compact (default) or published."),
]
PrecisionOption = Annotated[
    Literal["auto", "float32", "bfloat16", "int8"],
    typer.Option(
        "--precision",
        help="auto: the numbers of float32; bfloat16 and int8: less exact, faster on processors "
        "that have instructions for them.",
    ),
]
GivenCellOption = Annotated[
    bool, typer.Option("--given-cell", help="Do not reduce to the primitive cell.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue the run in that folder.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Replace a setting: --set training.epochs=5 (repeatable)."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def checked_size(size: str | None) -> Literal["compact", "published"] | None:
    """A size of the catalog, or `ConfigError`."""
    if size not in (None, "compact", "published"):
        raise ConfigError(f"size {size!r}; allowed: compact, published")
    return size  # type: ignore[return-value]
