"""Reads many damaged files: how many were refused, and what went wrong.

Usage: python scripts/measure_fuzz.py 100000 results/reliability/fuzz.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.fuzz import run

from vanhove.results import write_result


def main() -> None:
    with TemporaryDirectory() as folder:
        result = run(Path(folder), int(sys.argv[1]), seed=0)
    write_result(result, Path(sys.argv[2]))
    print({key: value for key, value in result.items() if key != "wrong"}, result["wrong"][:5])


if __name__ == "__main__":
    main()
