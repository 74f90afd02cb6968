"""The version of the package, and with what a number was measured."""

from __future__ import annotations

import platform
from typing import TypedDict

__version__ = "0.2.0"


class Circumstances(TypedDict):
    """Versions by package, and ``"x86_64, CPU"`` or the like."""

    versions: dict[str, str]
    machine: str


def circumstances() -> Circumstances:
    """Versions and machine, as every result in JSON states them."""
    import torch

    return {
        "versions": {
            "vanhove": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "machine": f"{platform.machine()}, {'CUDA' if torch.cuda.is_available() else 'CPU'}",
    }
