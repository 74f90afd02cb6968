"""Make the embeddings that ship: ``src/vanhove/crystal/data/NAME.safetensors`` and their cards.

Usage:
    VANHOVE_DATA=... python scripts/make_embeddings.py structures_mp.npz [FOLDER]

About ten minutes on one core. What is there already is kept; what was stopped continues. Needs
``pip install 'vanhove[potential]'``.
"""

import sys
from pathlib import Path

from vanhove.embeddings import embed

TARGET = Path(__file__).parents[1] / "src" / "vanhove" / "crystal" / "data"


def main(structures: str, folder: str = str(TARGET)) -> None:
    unlabelled = {"limit": 12_000, "leave_out": "phonon_petretto"}
    calls: dict[str, tuple[str, dict]] = {
        # Not JARVIS: its clean part holds no caesium.
        "contrastive_labels": ("phonon_petretto", {"max_atoms": 40, "settings": {"epochs": 40}}),
        "potential": (structures, unlabelled),
        "vae": (structures, unlabelled | {"settings": {"epochs": 8}}),
        "contrastive": (structures, unlabelled | {"settings": {"epochs": 6}}),
    }
    for name, (source, options) in calls.items():
        out = Path(folder) / f"{name}.safetensors"
        if not out.exists():
            kind = name.replace("_", "-")
            result = embed(source, out, kind=kind, quiet=False, **options)
            print(out, result.info.held_out)


if __name__ == "__main__":
    main(*sys.argv[1:])
