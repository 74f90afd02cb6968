"""Rewrite checkpoints in the current format; their tensors stay as they are, bit for bit.

One that does not say which materials it was trained on learns it, where those data are here
(VANHOVE_DATA); of a fine-tuned one, those of its last training.

Usage:
    python scripts/upgrade_checkpoints.py src/vanhove/weights/*.safetensors
"""

import sys
from pathlib import Path

from vanhove.evaluation.seen import domain_of_data
from vanhove.runs.checkpoint import read_info, read_safetensors, save_model

if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        info = read_info(path)
        if info.trained.domain is None:
            trained = info.trained.model_copy(update={"domain": domain_of_data(info)})
            info = info.model_copy(update={"trained": trained})
        save_model(path, read_safetensors(path)[0], info)
        known = "unknown" if info.trained.domain is None else "known"
        print(f"{path}  format {read_info(path).format}, materials {known}")
