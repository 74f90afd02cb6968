"""How fast vanhove is, part by part, in one run on one machine.

Usage:
    python benchmarks/run.py                       # writes results/speed/benchmark.json
    python benchmarks/run.py --quick -o try.json   # fewer rounds: to see that it runs
    python benchmarks/run.py --part precision      # one part anew, the others are kept
    python scripts/performance_page.py             # docs/performance.md from the JSON

Times are processor seconds of one thread (other work on the machine counts little), medians of
rounds in which everything that is compared takes turns with a float32 matrix product, the
yardstick. The standard batch is 8 made-up crystals without symmetry, 12 atoms with 12 neighbours
each. Parts that need ``phonon_petretto`` are left out where it cannot be had.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import copy
import itertools
import json
import resource
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from clock import (
    GEMM,
    about,
    cold_start,
    core_seconds,
    gflops,
    machine,
    matrix_product,
    megabytes,
    say,
)
from inputs import batch_of, graphs_of, opening, random_crystal, training_batches
from passes import forward, loss_of, training_step
from released import ReleasedWork
from torch.utils.flop_counter import FlopCounterMode

import vanhove
from vanhove.crystal.checks import check_crystal
from vanhove.crystal.crystal import Crystal
from vanhove.crystal.graph import Batch, GraphSettings, build_graph, collate
from vanhove.crystal.neighbors import neighbor_list
from vanhove.crystal.symmetry import standardize
from vanhove.errors import DataError
from vanhove.memory import keep_freed_memory
from vanhove.models.inference import Precision
from vanhove.models.layers import GaussianBasis
from vanhove.models.model import SpectrumModel
from vanhove.results import write_result
from vanhove.runs.catalog import CATALOG, Size, run_config
from vanhove.runs.checkpoint import load_model, read_info
from vanhove.runs.config import RunConfig
from vanhove.runs.prepared import predict_rows, prepare
from vanhove.weights import find_weights

ROOT = Path(__file__).parents[1]
STRUCTURES = ROOT / "examples" / "structures"
OUTPUT = ROOT / "results" / "speed" / "benchmark.json"
ENERGIES = (51, 201)
BATCHES = (1, 8, 64)
WEIGHTS = ("dostransformer-phonon", "vanhove-phonon-fast", "vanhove-phonon")
"""The shipped models of phonons; the last is the default."""
PUBLISHED_SIZE = {"model.encoder.hidden_dim": 256, "model.decoder.hidden_dim": 256} | {
    f"model.{part}.dropout": 0.0 for part in ("encoder", "decoder")
}
"""Our DOSTransformer as wide and deep as the published one."""


def model_of(config: RunConfig, n_points: int) -> SpectrumModel:
    torch.manual_seed(0)
    return SpectrumModel(config.model, config.graph.cutoff, np.linspace(0, 1000, n_points)).eval()


def inference_model(config: RunConfig, n_points: int) -> SpectrumModel:
    """As `vanhove.load` makes it ready."""
    model = model_of(config, n_points)
    model.prepare_inference()
    return model


def against_released(rounds: int) -> dict[str, Any]:
    """The arithmetic of the released DOSTransformer and ours, in turns, on the standard batch; in
    training on batches that differ in shape."""
    batch, batches = batch_of(8), training_batches()
    sizes = {"published": PUBLISHED_SIZE, "compact": {}}
    result: dict[str, Any] = {}
    for n_points in ENERGIES:
        say(f"released arithmetic against ours, {n_points} energies")
        released = ReleasedWork(n_points, electron=n_points == 201)
        target = torch.rand(batch.n_crystals, n_points)
        inference = {GEMM: matrix_product(), "released": forward(released, batch)}
        arithmetic = {"released": gflop(released, batch)}
        training = {
            GEMM: matrix_product(),
            "released": training_step(
                released,
                lambda r=released, t=target, b=itertools.cycle(batches): r.loss(next(b), t),
            ),
        }
        for size, settings in sizes.items():
            config = run_config("dostransformer", "compact", settings)
            model, low, small, trained = (model_of(config, n_points) for _ in range(4))
            arithmetic[size] = gflop(model, batch)
            model.prepare_inference()
            low.prepare_inference("bfloat16")
            small.prepare_inference("int8")
            inference[f"{size}, float32"] = forward(model, batch)
            inference[f"{size}, bfloat16"] = forward(low, batch, low=True)
            inference[f"{size}, int8"] = forward(small, batch)
            for name, mixed in (("float32", False), ("bfloat16", True)):
                loss = loss_of(trained, config, batches)
                training[f"{size}, {name}"] = training_step(trained, loss, mixed)
        result[str(n_points)] = {
            "inference_GFLOP_per_crystal": arithmetic,
            "inference": timed(inference, rounds, per=batch.n_crystals),
            "training_step": timed(training, max(2, rounds // 2)),
        }
    return result


def gflop(model: torch.nn.Module, batch: Batch) -> float:
    """Of matrix products, for a crystal of the batch; of a copy, which needs no gradients."""
    model = copy.deepcopy(model).requires_grad_(False)
    with torch.no_grad():
        model(batch)  # what is computed once and kept does not count
        with FlopCounterMode(display=False, depth=0) as counter:
            model(batch)
    return round(counter.get_total_flops() / 1e9 / batch.n_crystals, 4)


def timed(
    functions: Mapping[str, Callable[[], Any]], rounds: int, per: int = 1, at_least: float = 0.3
) -> dict[str, Any]:
    """Core milliseconds per crystal or call, and the matrix product of the same rounds."""
    seconds = core_seconds(functions, rounds, at_least)
    yardstick = seconds.pop(GEMM)
    return {
        "gemm_GFLOPs": gflops(yardstick),
        "core_ms": {name: round(1e3 * value / per, 3) for name, value in seconds.items()},
    }


def catalog_models(rounds: int, names: list[str]) -> dict[str, Any]:
    """Every model of the catalog, compact: forward at three batch sizes, a training step."""
    batches = {size: batch_of(size) for size in BATCHES}
    result: dict[str, Any] = {}
    for name in names:
        size: Size = "compact"
        config = run_config(name, size)
        result[name] = {"n_parameters": {}, "forward_ms_per_crystal": {}, "training_step_ms": {}}
        for n_points in ENERGIES:
            say(f"model {name}, {n_points} energies")
            model = model_of(config, n_points)
            functions: dict[str, Callable[[], Any]] = {GEMM: matrix_product()}
            ready = inference_model(config, n_points)
            functions |= {str(n): forward(ready, batch) for n, batch in batches.items()}
            times = timed(functions, rounds, at_least=0.1)["core_ms"]
            step = training_step(model, loss_of(model, config, [batches[8]]))
            entry = result[name]
            entry["n_parameters"][str(n_points)] = sum(p.numel() for p in model.parameters())
            entry["forward_ms_per_crystal"][str(n_points)] = {
                n: round(value / int(n), 3) for n, value in times.items()
            }
            entry["training_step_ms"][str(n_points)] = timed(
                {GEMM: matrix_product(), "step": step}, rounds, at_least=0.1
            )["core_ms"]["step"]
    return result


def scaling(rounds: int) -> dict[str, dict[str, float]]:
    """Core ms per crystal of the compact DOSTransformer when one size grows."""
    say("cost against sizes")
    config = run_config("dostransformer")
    standard = {"atoms": 12, "neighbours": 12, "energies": 51, "batch": 8}
    grown = {
        "atoms": (2, 6, 12, 24, 48, 96),
        "neighbours": (6, 12, 24, 48),
        "energies": (51, 101, 201, 401),
        "batch": (1, 2, 8, 32, 128),
    }
    result = {}
    for what, values in grown.items():
        functions, sizes = {GEMM: matrix_product()}, {}
        for value in values:
            size = standard | {what: value}
            batch = batch_of(size["batch"], size["atoms"], size["neighbours"])
            functions[str(value)] = forward(inference_model(config, size["energies"]), batch)
            sizes[str(value)] = size["batch"]
        times = timed(functions, rounds)["core_ms"]
        result[what] = {key: round(times[key] / sizes[key], 3) for key in sizes}
    return result


def example_crystals() -> list[Crystal]:
    return [standardize(c).primitive for c in vanhove.load_dataset("tiny").crystals]


def with_pymatgen(structures: list[Any], cutoff: float, n_basis: int) -> list[tuple]:
    """Neighbours and Gaussians of distances as much public code makes them, edge by edge."""
    centers = np.linspace(0, cutoff, n_basis)
    width = cutoff / (n_basis - 1)
    graphs = []
    for structure in structures:
        source, target, distance, features = [], [], [], []
        for atom, neighbors in enumerate(structure.get_all_neighbors(cutoff)):
            for neighbor in neighbors:
                source.append(neighbor.index)
                target.append(atom)
                distance.append(neighbor.nn_distance)
                features.append(np.exp(-0.5 * ((neighbor.nn_distance - centers) / width) ** 2))
        graphs.append(tuple(map(np.array, (source, target, distance, features))))
    return graphs


def with_vanhove(crystals: list[Crystal], cutoff: float, n_basis: int) -> list[tuple]:
    """The same graphs and features; the Gaussians of all crystals together, as in a batch."""
    found = [neighbor_list(crystal, cutoff) for crystal in crystals]
    distance = torch.from_numpy(np.concatenate([n.distance for n in found])).float()
    lengths, kind = torch.unique(distance, return_inverse=True)
    features = GaussianBasis(n_basis, cutoff)(lengths)[kind].numpy()
    ends = np.cumsum([len(n.source) for n in found])[:-1]
    return [
        (n.source, n.target, n.distance, part)
        for n, part in zip(found, np.split(features, ends), strict=True)
    ]


def same_edges(ours: list[tuple], theirs: list[tuple], cutoff: float) -> bool:
    """Whether ends, distances and features of all edges agree, whatever their order.

    Edges exactly as long as the cutoff do not count: pymatgen has them, and we do not.
    """

    def in_order(graph: tuple) -> np.ndarray:
        source, target, distance, features = graph
        rows = np.column_stack([source, target, distance, features])
        return rows[np.lexsort((distance.round(4), source, target))]

    def inside(graph: tuple) -> tuple:
        return tuple(part[graph[2] < cutoff - 1e-6] for part in graph)

    pairs = [(in_order(inside(a)), in_order(inside(b))) for a, b in zip(ours, theirs, strict=True)]
    return all(a.shape == b.shape and np.allclose(a, b, atol=1e-4) for a, b in pairs)


def graph_building(rounds: int) -> dict[str, Any]:
    """Structure to graph, beside pymatgen and in steps; the symmetry search is told apart."""
    crystals = example_crystals()
    sets = {"examples": crystals, "standard": [random_crystal(12, seed) for seed in range(16)]}
    result: dict[str, Any] = {"n_crystals": len(crystals), "neighbours_and_gaussians": []}
    for (name, chosen), cutoff in itertools.product(sets.items(), (4.0, 8.0)):
        say(f"structure to graph, {name}, {cutoff:g} angstrom")
        structures = [crystal.to_structure() for crystal in chosen]
        ours = partial(with_vanhove, chosen, cutoff, 41)
        theirs = partial(with_pymatgen, structures, cutoff, 41)
        functions = {GEMM: matrix_product(), "vanhove": ours, "pymatgen": theirs}
        times = timed(functions, rounds, per=len(chosen))["core_ms"]
        found = ours()
        result["neighbours_and_gaussians"].append(
            {
                "crystals": name,
                "cutoff": cutoff,
                "edges_per_crystal": round(float(np.mean([len(g[0]) for g in found])), 1),
                "same_edges": same_edges(found, theirs(), cutoff),
                "core_ms": times,
                "ratio": round(times["pymatgen"] / times["vanhove"], 1),
            }
        )
    settings = GraphSettings()
    graphs = [build_graph(crystal, settings) for crystal in crystals]
    steps = {
        GEMM: matrix_product(),
        "check": lambda: [check_crystal(crystal) for crystal in crystals],
        "symmetry": lambda: [standardize(crystal) for crystal in crystals],
        "neighbours": lambda: [neighbor_list(crystal, settings.cutoff) for crystal in crystals],
        "all": lambda: [build_graph(crystal, settings) for crystal in crystals],
        "collate": lambda: collate(graphs),
    }
    result["steps_core_ms"] = timed(steps, rounds, per=len(crystals))["core_ms"]
    standard = {size: graphs_of(size) for size in BATCHES}
    collated = {GEMM: matrix_product()} | {
        str(size): (lambda chosen=chosen: collate(chosen)) for size, chosen in standard.items()
    }
    times = timed(collated, rounds)["core_ms"]
    result["collate_core_ms_per_crystal"] = {
        size: round(times[size] / int(size), 4) for size in times
    }
    return result


def from_files(rounds: int) -> dict[str, Any]:
    """Predicting the example files with the shipped models once they are loaded."""
    say("end to end from CIF")
    predictors = {name: vanhove.load(name) for name in WEIGHTS}
    known = set.intersection(*(set(p.info.elements) for p in predictors.values()))
    paths = [
        path
        for path in sorted(STRUCTURES.glob("*.cif"))
        if set(vanhove.read_crystal(path).atomic_numbers.tolist()) <= known
    ]
    times = timed(
        {
            GEMM: matrix_product(),
            "read": lambda: [vanhove.read_crystal(path) for path in paths],
            **{name: partial(predictor.predict, paths) for name, predictor in predictors.items()},
        },
        rounds,
        per=len(paths),
    )
    return {"n_files": len(paths), **times}


def from_nothing(repeats: int) -> dict[str, Any]:
    say("cold start")
    with tempfile.TemporaryDirectory() as folder:
        structure = str(STRUCTURES / "NaCl.cif")
        predict = ["-m", "vanhove", "predict", structure, "--output", folder, "--quiet"]
        return {
            "vanhove --help": cold_start(["-m", "vanhove", "--help"], repeats),
            'python -c "import torch"': cold_start(["-c", "import torch"], repeats),
            "vanhove predict NaCl.cif": cold_start(predict, repeats),
        }


def precision_loss() -> dict[str, Any] | None:
    """What lower precision costs on validation data."""
    found: dict[str, Any] = {}
    for name in WEIGHTS:
        say(f"lower precision on validation data, {name}")
        path = find_weights(name)
        info = read_info(path)
        try:
            data = prepare(info.run_config(), ("valid",), quiet=True)
        except DataError as error:
            say(f"left out: {error}")
            return None
        rows = data.rows("valid")
        target = data.targets[rows]
        predictions = {}
        for precision in get_args(Precision):
            model, _ = load_model(path)
            model.prepare_inference(precision)
            predictions[precision] = predict_rows(model, data, rows)
        exact = predictions["float32"]
        mae = {kind: float((p - target).abs().mean()) for kind, p in predictions.items()}
        low = [precision for precision in predictions if precision != "float32"]
        found[name] = {
            "mae": mae,
            "mae_change": {p: mae[p] / mae["float32"] - 1 for p in low},
            "largest_difference": {p: float((predictions[p] - exact).abs().max()) for p in low},
        }
    return {
        "dataset": {"name": data.dataset.name, "hash": data.dataset.data_hash},
        "split": "valid",
        "n_materials": len(rows),
        "models": found,
    }


def main() -> None:
    parts: dict[str, Callable[[bool], Any]] = {
        "against_released": lambda quick: against_released(2 if quick else 7),
        "graphs": lambda quick: graph_building(2 if quick else 7),
        "from_files": lambda quick: from_files(2 if quick else 7),
        "cold_start": lambda quick: from_nothing(1 if quick else 5),
        "precision": lambda quick: precision_loss(),
        "prepared": lambda quick: opening(),
        "scaling_core_ms_per_crystal": lambda quick: scaling(2 if quick else 3),
        "models": lambda quick: catalog_models(
            2 if quick else 3,
            ["mlp", "dostransformer"] if quick else CATALOG.trained_on("phonon_petretto"),
        ),
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", "-o", type=Path, default=OUTPUT)
    parser.add_argument("--quick", action="store_true", help="few rounds, few models")
    parser.add_argument("--part", choices=parts, help="measure this one anew, keep the others")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    said = about(WEIGHTS, "random crystals; the validation part of phonon_petretto")
    if options.part:
        result = json.loads(options.output.read_text(encoding="utf-8"))
        result[options.part] = parts[options.part](options.quick)
        result.setdefault("parts", {})[options.part] = said
    else:
        yardstick = core_seconds({GEMM: matrix_product()}, 2 if options.quick else 7)
        result = {
            "benchmark": "speed",
            "quick": options.quick,
            "machine": machine(),
            **said,
            "gemm_GFLOPs": gflops(yardstick[GEMM]),
            **{name: measure(options.quick) for name, measure in parts.items()},
            "peak_MB": megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss),
        }
    write_result(result, options.output)
    say(f"written to {options.output}")


if __name__ == "__main__":
    main()
