"""The version of the package, and with what a number was measured."""

from __future__ import annotations

import platform
from typing import Any

__version__ = "0.1.0"


def circumstances() -> dict[str, Any]:
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
