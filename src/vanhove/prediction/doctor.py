"""What vanhove runs on, in a form to paste into an issue."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

import torch

from vanhove.errors import VanhoveError
from vanhove.prediction.loading import load
from vanhove.version import __version__
from vanhove.weights import HAMILTONIANS, shipped_weights

EXTRAS = ("phonopy", "plotly", "fastapi", "pyarrow", "ijson", "xarray", "e3nn", "optuna", "ray")
"""Optional packages that are listed where they are installed."""


@dataclass(frozen=True)
class Findings:
    """What was found, in sections of name and value.

    Attributes:
        sections: title -> name -> value.
        problems: sentences; empty: all is well.
    """

    sections: dict[str, dict[str, str]]
    problems: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        return not self.problems

    def to_text(self) -> str:
        """Aligned lines, and a verdict."""
        lines = []
        for title, rows in self.sections.items():
            width = max(map(len, rows))
            lines.append(f"{title}:")
            lines += [f"  {name:{width}s}  {value}" for name, value in rows.items()]
        return "\n".join([*lines, *(self.problems or ("All is well.",))])

    def to_json_text(self) -> str:
        """The same as JSON."""
        return json.dumps({**self.sections, "problems": list(self.problems)}, indent=1)


def examine() -> Findings:
    """Versions, processor, weights and data, each weight file read once."""
    weights, problems = _weights()
    packages, missing = _packages()
    sections = {
        "vanhove": {"version": __version__, "Python": platform.python_version()},
        "machine": _machine(),
        "packages": packages,
        "weights": weights,
        "data": _data(),
    }
    return Findings(sections, (*problems, *missing))


def _machine() -> dict[str, str]:
    on_gpu = torch.cuda.is_available()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": f"{os.cpu_count()}, {torch.get_num_threads()} threads of torch",
        "instructions": f"{torch.backends.cpu.get_cpu_capability()}; float32 unless asked",
        "GPU": torch.cuda.get_device_name(0) if on_gpu else "none that torch sees",
    }


def _packages() -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    missing = []
    for line in requires("vanhove") or ():
        if "extra ==" in line:
            continue
        name = line.split(">")[0].split("=")[0].split("<")[0].split(";")[0].strip()
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            missing.append(f"{name} is not installed: pip install {name!r}")
    for name in EXTRAS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found, missing


def _weights() -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    problems = []
    for name in (*shipped_weights(), *HAMILTONIANS):
        try:
            predictor = load(name)
        except VanhoveError as error:
            problems.append(f"weights {name}: {error}")
            continue
        found[name] = f"{predictor.info.quantity}, {len(predictor.info.elements)} elements"
    return found, problems


def _data() -> dict[str, str]:
    folder = os.environ.get("VANHOVE_DATA")
    if not folder:
        return {"VANHOVE_DATA": "not set: downloaded data go to the folder of the user"}
    is_there = os.path.isdir(folder)
    n = len(os.listdir(folder)) if is_there else 0
    return {"VANHOVE_DATA": f"set, {n} entries" if is_there else "set, but there is no such folder"}
