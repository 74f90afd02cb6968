"""The ``vanhove`` command: a thin shell over the functions of the package.

Only typer is imported up front, so that ``vanhove --help`` answers at once.
"""

from __future__ import annotations

import sys

# In the order in which --help lists their commands.
# isort: off
from vanhove.cli import use, train, measure, data
# isort: on

from vanhove.cli.root import app, data_app
from vanhove.errors import VanhoveError

__all__ = ["app", "data", "data_app", "main", "measure", "train", "use"]


def main() -> None:
    """Run the command; an expected error is one line on stderr and exit status 2."""
    try:
        app()
    except VanhoveError as error:
        print(f"vanhove: {error}", file=sys.stderr)
        sys.exit(2)
