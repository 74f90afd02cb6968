"""Join members of `vanhove-electron` into the weights that the package ships.

    python scripts/ship_electrons.py RUN [RUN ...]

Each RUN is a folder of `scripts/train_electrons.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vanhove.models.tight_binding.weights import load_members, save_members
from vanhove.prediction.electron_predictor import FOLDER, NAME

if __name__ == "__main__":
    models, facts = [], []
    for folder in sys.argv[1:]:
        members, own = load_members(Path(folder) / "member.safetensors")
        models += members
        facts.append(own)
    FOLDER.mkdir(exist_ok=True)
    save_members(models, {"members": facts}, FOLDER / f"{NAME}.safetensors")
    print(f"{len(models)} members: {FOLDER / NAME}.safetensors")
