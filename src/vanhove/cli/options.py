"""Options that several commands have, and what is read from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from vanhove.errors import ConfigError

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="The weights to use: the name of shipped weights, a checkpoint file or a run folder.",
    ),
]
SizeOption = Annotated[
    Literal["compact", "published"] | None,
    typer.Option(
        "--size", help="Which settings of a named model: compact (the default) or published."
    ),
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
    bool,
    typer.Option(
        "--given-cell", help="Keep the cell of the file; do not reduce it to the primitive cell."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, on stdout.")]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Continue the interrupted run in the output folder.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Replace a setting, such as --set training.epochs=5 (may be repeated)."
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", help="Seed of the random numbers, in place of that of the settings."),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress on standard error.")
]


def parse_seeds(text: str) -> list[int]:
    """``"3"`` -> [0, 1, 2]; ``"0,2"`` -> [0, 2]; ``"4,"`` -> [4].

    Raises:
        ConfigError: no numbers.
    """
    try:
        if "," not in text:
            seeds = list(range(int(text)))
        else:
            seeds = [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise ConfigError(f"seeds {text!r}; give how many (3) or which (0,1,2)")
    return seeds


def parse_rows(words: Sequence[str]) -> list[str]:
    """Run names with commas between them, or labels as they are (labels hold ", ")."""
    found: list[str] = []
    for word in words:
        found += [word] if ", " in word else [part for part in word.split(",") if part]
    return found
