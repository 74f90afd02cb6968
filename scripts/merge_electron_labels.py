"""Add PBE electron states to the files of `electron_pbe` that the package ships.

    python scripts/merge_electron_labels.py LABELS...

Each of LABELS is a file of `scripts/label_electrons.py` (one material), a folder of such files, or
an archive of many in the same layout. Materials that are there already, by id, are skipped; what is
there is never changed. Files are kept below 7 MB: new materials fill the last, then a new one.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np

from vanhove.datasets.electron_pbe import FOLDER
from vanhove.datasets.electron_store import (
    Record,
    labels_of_archive,
    pack,
    record_of_label,
    unpack,
)
from vanhove.errors import DataError

MOST_EIGENVALUES = 1_700_000
"""Of one file; about 7 MB."""


def read_labels(path: Path) -> list[Record]:
    """Labels of a file or folder; damaged or unfinished ones are named and left out."""
    if path.is_dir():
        return [record for file in sorted(path.glob("*.npz")) for record in read_labels(file)]
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = {name: archive[name] for name in archive.files}
        labels = labels_of_archive(data) if "ids" in data else [data]
        return [record_of_label(label) for label in labels]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, DataError) as error:
        print(f"left out {path}: {error}", file=sys.stderr)
        return []


def main(sources: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    paths = sorted(FOLDER.glob("part-*.npz"))
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as archive:
            parts.append(unpack({name: archive[name] for name in archive.files}))
    known = {record.id for part in parts for record in part}
    n_before = len(known)
    for source in sources:
        for record in read_labels(Path(source)):
            if record.id in known:
                continue
            known.add(record.id)
            size = record.mesh.size + record.path.size
            room = (
                MOST_EIGENVALUES - sum(r.mesh.size + r.path.size for r in parts[-1]) if parts else 0
            )
            if size > room:
                parts.append([])
            parts[-1].append(record)
    for k, part in enumerate(parts, 1):
        np.savez_compressed(FOLDER / f"part-{k}.npz", **pack(part))
    print(f"{len(known) - n_before} new materials, {len(known)} in {len(parts)} files")


if __name__ == "__main__":
    main(sys.argv[1:])
