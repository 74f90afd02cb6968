"""What the key/value cache saves when the Xtal2DoS decoder writes a spectrum point by point.

Usage:
    python benchmarks/decoding.py                                    # the default sizes
    python benchmarks/decoding.py --hidden-dim 512 --layers 6 --heads 8 --output decoding.json

Prints a table on stdout (and writes JSON to ``--output``), progress on stderr. Everything runs on
one thread of the CPU, for batches of the tiny data set; atom states are random numbers. Times are
per batch, in ms of processor time, so that other work on the machine counts little. ``cached``
computes one point per step, ``uncached`` everything anew for each point, ``one pass`` is the
parallel mode.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from clock import about

import vanhove
from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.models.decoders.xtal2dos import Xtal2DoSDecoder, Xtal2DoSSettings
from vanhove.results import write_result

N_POINTS = (51, 201)
BATCH_SIZES = (1, 8)
ATOM_DIM = 128
REPEATS = 5


def best_ms(function: Callable[[], Any]) -> float:
    """Least processor time of ``REPEATS`` calls after a warm-up, in ms."""
    function()
    times = []
    for _ in range(REPEATS):
        before = time.process_time()
        function()
        times.append(1e3 * (time.process_time() - before))
    return round(min(times), 2)


def batch_of(size: int) -> Batch:
    crystals = itertools.islice(itertools.cycle(vanhove.load_dataset("tiny").crystals), size)
    return collate([build_graph(crystal, GraphSettings()) for crystal in crystals])


def decoder_of(mode: str, n_points: int, sizes: dict[str, int]) -> Xtal2DoSDecoder:
    torch.manual_seed(0)
    settings = Xtal2DoSSettings.model_validate({"mode": mode, **sizes})
    return Xtal2DoSDecoder(
        settings, atom_dim=ATOM_DIM, system_dim=0, n_points=n_points, output="raw"
    ).eval()


@torch.inference_mode()
def measure(n_points: int, batch_size: int, sizes: dict[str, int]) -> dict[str, Any]:
    batch = batch_of(batch_size)
    inputs = (torch.randn(len(batch.atomic_numbers), ATOM_DIM), batch, torch.zeros(batch_size, 0))
    decoder = decoder_of("autoregressive", n_points, sizes)
    parallel = decoder_of("parallel", n_points, sizes)
    difference = (decoder.decode(*inputs) - decoder.decode(*inputs, cached=False)).abs().max()
    cached = best_ms(lambda: decoder.decode(*inputs))
    uncached = best_ms(lambda: decoder.decode(*inputs, cached=False))
    return {
        "n_points": n_points,
        "batch_size": batch_size,
        "cached_ms": cached,
        "uncached_ms": uncached,
        "one_pass_ms": best_ms(lambda: parallel(*inputs)),
        "cached_over_uncached": round(cached / uncached, 4),
        "largest_difference": float(difference),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    defaults = Xtal2DoSSettings()
    parser.add_argument("--hidden-dim", type=int, default=defaults.hidden_dim)
    parser.add_argument("--layers", type=int, default=defaults.n_layers)
    parser.add_argument("--heads", type=int, default=defaults.n_heads)
    parser.add_argument("--output", "-o", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {
        "hidden_dim": options.hidden_dim,
        "n_layers": options.layers,
        "n_heads": options.heads,
    }

    print(f"{'points':>6} {'batch':>5} {'cached':>9} {'uncached':>9} {'one pass':>9} {'ratio':>7}")
    rows = []
    for n_points, batch_size in itertools.product(N_POINTS, BATCH_SIZES):
        print(f"{n_points} points, batch of {batch_size}", file=sys.stderr, flush=True)
        row = measure(n_points, batch_size, sizes)
        rows.append(row)
        print(
            f"{n_points:6} {batch_size:5} {row['cached_ms']:9.1f} {row['uncached_ms']:9.1f} "
            f"{row['one_pass_ms']:9.1f} {row['cached_over_uncached']:7.3f}"
        )
    if options.output is not None:
        result = {
            "benchmark": "decoding",
            "decoder": sizes,
            "times": rows,
            "threads": torch.get_num_threads(),
            "machine": {"system": platform.system(), "architecture": platform.machine()},
            **about((), "random states"),
        }
        write_result(result, options.output)


if __name__ == "__main__":
    main()
