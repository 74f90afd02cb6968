"""Names of the weights that ship with the package."""

from __future__ import annotations

from importlib.resources import files
from os import PathLike
from pathlib import Path

from vanhove.errors import CheckpointError, ConfigError
from vanhove.spectra.quantities import PHONON_DOS, QUANTITIES

SUFFIX = ".safetensors"
TIGHT_BINDING = Path(str(files("vanhove.weights"))) / "tight_binding"
"""Hamiltonians, which are stored in a form of their own."""
HAMILTONIANS = tuple(sorted(path.stem for path in TIGHT_BINDING.glob(f"*{SUFFIX}")))
DEFAULT_WEIGHTS = str(PHONON_DOS.weights)


def shipped_weights() -> dict[str, Path]:
    """Name -> path of every shipped checkpoint."""
    folder = Path(str(files("vanhove.weights")))
    return {path.name.removesuffix(SUFFIX): path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def card_of(name: str) -> str:
    """What is known of shipped weights, Markdown: data, errors, limits; "" of others."""
    for folder in (Path(str(files("vanhove.weights"))), TIGHT_BINDING):
        if (folder / f"{name}.md").is_file():
            return (folder / f"{name}.md").read_text()
    return ""


def predicted_properties() -> dict[str, str]:
    """What ``--property`` may ask for -> the shipped weights for it."""
    return {kind.asked_as: kind.weights for kind in QUANTITIES.values() if kind.weights}


def default_weights(property_name: str) -> str:
    """The shipped weights for what ``vanhove predict --property`` asks for.

    Raises:
        ConfigError: an unknown property, or one without shipped weights.
    """
    shipped = predicted_properties()
    if property_name not in shipped:
        raise ConfigError(f"property {property_name!r}; allowed: {', '.join(shipped)}")
    return shipped[property_name]


def find_weights(name_or_path: str | PathLike[str]) -> Path:
    """Path of a checkpoint given by shipped name, file, or run folder.

    Raises:
        CheckpointError: neither a name nor an existing path; lists the names.
    """
    shipped = shipped_weights()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    beside = TIGHT_BINDING / f"{name_or_path}{SUFFIX}"
    if beside.is_file():
        return beside
    path = Path(name_or_path)
    if path.is_dir() and (path / f"best{SUFFIX}").is_file():
        return path / f"best{SUFFIX}"
    if path.is_file():
        return path
    if path.is_dir():
        raise CheckpointError(f"{path}: no best{SUFFIX} in this folder; is it the folder of a run?")
    raise CheckpointError(
        f"no weights {str(name_or_path)!r}; give a checkpoint file, a run folder, or one of: "
        f"{', '.join((*shipped, *HAMILTONIANS)) or '(none shipped)'}"
    )
