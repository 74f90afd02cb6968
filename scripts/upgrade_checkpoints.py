"""Rewrite checkpoints in the current format; their tensors stay as they are, bit for bit.

Usage:
    python scripts/upgrade_checkpoints.py src/vanhove/weights/*.safetensors
"""

import sys
from pathlib import Path

from vanhove.runs.checkpoint import read_info, read_safetensors, save_model

if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        save_model(path, read_safetensors(path)[0], read_info(path))
        print(f"{path}  format {read_info(path).format}")
