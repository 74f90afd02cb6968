"""The ``vanhove`` command: one file for each verb, which reads options and calls one function.

Only typer is imported up front, so that ``vanhove --help`` answers at once.
"""

from __future__ import annotations

import errno
import sys

# In the order in which --help lists them.
# isort: off
from vanhove.cli import predict, screen, serve
from vanhove.cli import train, embed, finetune, tune, ensemble, export, models
from vanhove.cli import evaluate, reproduce, sweep, data, doctor
# isort: on

from vanhove.cli.root import app, data_app
from vanhove.errors import VanhoveError

__all__ = [
    "app",
    "data",
    "data_app",
    "doctor",
    "embed",
    "ensemble",
    "evaluate",
    "export",
    "finetune",
    "main",
    "models",
    "predict",
    "reproduce",
    "screen",
    "serve",
    "sweep",
    "train",
    "tune",
]

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def main() -> None:
    """Run the command; an expected error is one line on stderr and exit status 2."""
    try:
        app()
    except VanhoveError as error:
        print(f"vanhove: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a disk that is full, or over its quota, wherever it was written to
        if error.errno not in _NO_SPACE:
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"vanhove: {place}cannot be written ({error.strerror})", file=sys.stderr)
        sys.exit(2)
