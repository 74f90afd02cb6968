"""How fast ``vanhove screen`` is, how much memory it takes, and whether either grows with the size.

Usage:
    python benchmarks/screening.py                                # 1k, 10k and all structures
    python benchmarks/screening.py --sizes 2000 8000 --workers 1 --output screening.json
    python benchmarks/screening.py -m vanhove-electron --where "band_gap > 1" --sort=-band_gap

Each size is a random part of the source (an npz archive, by default ``structures_mp.npz`` under
``VANHOVE_DATA``) in random order, written to a file of its own, so that sizes differ in nothing
else. Prints JSON on stdout (and writes it to ``--output``), progress on stderr.

``seconds`` is the whole command, cold start and report included; ``structures_per_second`` is the
rate of that, ``steady_per_second`` between the first and the last partition. Structures that are
refused (elements that the model does not know) are counted, and ``predicted`` says how many were
not. ``core_ms_per_structure`` is the processor time of all processes, sampled (up to a quarter of
a second is missed); other work on the machine changes it less than the rates. ``peak_pss_MB`` is
the largest sum of memory over all processes of the command, pages that they share counted once;
``peak_rss_MB`` counts them in each process. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clock import about

from vanhove.results import json_text, write_result
from vanhove.weights import DEFAULT_WEIGHTS

SIZES = (1_000, 10_000, 78_974)
SECONDS_PER_SAMPLE = 0.25
ARRAYS = ("natoms", "Z", "frac")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def gemm_gflops(n: int = 1024, seconds: float = 1.0) -> float:
    """The yardstick: best rate of a float32 matrix product on one thread."""
    a, b = torch.randn(n, n), torch.randn(n, n)
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 4 or time.perf_counter() - started < seconds:
        before = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - before)
    return round(2 * n**3 / 1e9 / min(times), 1)


def write_part(source: Path, path: Path, n: int, seed: int) -> int:
    """``n`` random structures of an npz archive (all, if it has fewer); how many."""
    with np.load(source) as archive:
        n_atoms, numbers, coordinates = (archive[key] for key in ARRAYS)
        others = {key: archive[key] for key in archive.files if key not in ARRAYS}
    ends = np.cumsum(n_atoms)
    chosen = np.random.default_rng(seed).permutation(len(n_atoms))[:n]
    atoms = np.concatenate([np.arange(ends[i] - n_atoms[i], ends[i]) for i in chosen])
    kept = {
        key: value[chosen]
        for key, value in others.items()
        if key in ("ids", "lattice", "cellpar") and len(value) == len(n_atoms)
    }
    np.savez(path, natoms=n_atoms[chosen], Z=numbers[atoms], frac=coordinates[atoms], **kept)
    return len(chosen)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        for path in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            try:
                waiting += map(int, path.read_text().split())
            except OSError:  # it ended
                continue
    return found


def core_seconds(pid: int) -> float:
    """Processor time of one process so far, 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(members: list[int]) -> tuple[float, float]:
    """PSS and RSS of processes, MB."""
    pss = rss = 0.0
    for member in members:
        try:
            text = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        values = {key: int(n) for key, n in re.findall(r"^(Pss|Rss): +(\d+) kB", text, re.M)}
        pss += values.get("Pss", 0) * 1024 / 1e6
        rss += values.get("Rss", 0) * 1024 / 1e6
    return pss, rss


def measure(source: Path, n: int, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "vanhove", "screen", str(source), "--output", str(out)]
    command += ["--model", options.model, "--workers", str(options.workers), "--quiet"]
    command += ["--where", options.where, f"--sort={options.sort}"]
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak_pss = peak_rss = 0.0
    used: dict[int, float] = {}
    while process.poll() is None:
        members = family(process.pid)
        used.update({member: max(core_seconds(member), used.get(member, 0)) for member in members})
        pss, rss = memory(members)
        peak_pss, peak_rss = max(peak_pss, pss), max(peak_rss, rss)
        time.sleep(SECONDS_PER_SAMPLE)
    seconds = time.perf_counter() - before
    printed = process.stdout.read() if process.stdout else ""
    counts = re.match(r"(\d+) predicted, (\d+) selected, (\d+) failed", printed)
    if process.returncode or counts is None:
        raise SystemExit(f"{' '.join(command)} failed")
    written = sorted(path.stat().st_mtime for path in (out / "properties").glob("part-*"))
    steady = None
    if len(written) > options.workers:
        # The first partition of each worker, and the time to it, is left out.
        done = n * (len(written) - options.workers) / len(written)
        steady = round(done / (written[-1] - written[options.workers - 1]), 1)
    predicted, selected, failed = map(int, counts.groups())
    return {
        "structures": n,
        "predicted": predicted,
        "selected": selected,
        "failed": failed,
        "seconds": round(seconds, 2),
        "structures_per_second": round(n / seconds, 1),
        "predicted_per_second": round(predicted / seconds, 1),
        "steady_per_second": steady,
        "core_ms_per_structure": round(1e3 * sum(used.values()) / n, 2),
        "peak_pss_MB": round(peak_pss, 1),
        "peak_rss_MB": round(peak_rss, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    data = Path(os.environ.get("VANHOVE_DATA", ".")) / "structures_mp" / "structures_mp.npz"
    parser.add_argument("--source", type=Path, default=data, help="an npz archive of structures")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of structures")
    parser.add_argument("--model", "-m", default=DEFAULT_WEIGHTS, help="weights, file or run")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--where", default="mean_frequency > 400", help="expression that selects")
    parser.add_argument("--sort", default="-mean_frequency", help="property that orders them")
    parser.add_argument("--output", "-o", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.source.is_file():
        raise SystemExit(f"{options.source}: no such file; name one with --source")

    load = [round(x, 2) for x in os.getloadavg()]
    yardstick = gemm_gflops()
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            part = Path(folder) / f"part-{size}.npz"
            n = write_part(options.source, part, size, seed=0)
            say(f"{n} structures")
            runs.append(measure(part, n, Path(folder) / f"out-{size}", options))
            say(json.dumps(runs[-1]))
    result = {
        "benchmark": "screening",
        "source": options.source.name,
        "model": options.model,
        "workers": options.workers,
        "gemm_float32_GFLOPs": yardstick,
        "runs": runs,
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "logical_cpus": os.cpu_count(),
            "load_average_before": load,
        },
        **about([options.model], options.source.name, options.source),
    }
    print(json_text(result))
    if options.output is not None:
        write_result(result, options.output)


if __name__ == "__main__":
    main()
