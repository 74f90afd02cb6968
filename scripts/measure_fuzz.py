"""Reads many damaged files: how many were refused, and what went wrong.

Usage: python scripts/measure_fuzz.py 100000 results/reliability/fuzz.json
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.fuzz import TOO_LONG, other_files, run, structure_files

from vanhove.results import write_result
from vanhove.version import circumstances

SEED = 0


def good_files() -> str:
    """SHA-256 (hex) of the files that the damaged ones are made of."""
    digest = hashlib.sha256()
    for name, content in sorted((structure_files() | other_files()).items()):
        digest.update(name.encode() + content)
    return digest.hexdigest()


def main() -> None:
    with TemporaryDirectory() as folder:
        result = run(Path(folder), int(sys.argv[1]), seed=SEED)
    about = {
        "dataset": {"name": "files of tests/fuzz.py", "hash": good_files(), "split": "all"},
        "config": {"too_long_s": TOO_LONG},
        **circumstances(),
    }
    write_result(result | about, Path(sys.argv[2]))
    print({key: value for key, value in result.items() if key != "wrong"}, result["wrong"][:5])


if __name__ == "__main__":
    main()
