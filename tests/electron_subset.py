"""A part of `electron_pbe`: the whole set takes as long as many tests together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from vanhove.datasets import electron_pbe
from vanhove.datasets.electron_store import pack, unpack


def write_subset(folder: Path, every: int) -> None:
    """All materials of the validation and test split, and each so-manyeth of the others."""
    first = json.loads(electron_pbe.FIRST_PARTS.read_text())
    fixed = {*first["valid"], *first["test"]}
    kept, n_others = [], 0
    for path in sorted(electron_pbe.FOLDER.glob("part-*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            records = unpack({name: archive[name] for name in archive.files})
        for record in records:
            n_others += record.id not in fixed
            if record.id in fixed or n_others % every == 0:
                kept.append(record)
    np.savez(folder / "part-1.npz", **pack(kept))
