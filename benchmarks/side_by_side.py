"""Our models beside the code that others released, and beside potentials, in one run.

Usage:
    python benchmarks/side_by_side.py --dostransformer FOLDER --e3nn FOLDER
    pip install chgnet alignn && python benchmarks/side_by_side.py --alignn . --potentials chgnet

FOLDER is a checkout of that code; it is imported from there, so what it needs must be installed
(torch_geometric, torch_scatter, torch_cluster). What is not given, or cannot be imported, is left
out, and the result says so. All take turns on the standard batch (8 crystals, 12 atoms, 12
neighbours, 51 energies), processor milliseconds of one thread, medians: a forward pass for each
crystal, and a training step with AdamW. Ours are shown at the same size and as shipped.

Potentials, see ``scripts/compare_potentials.py``, give phonons by finite displacements with
phonopy: processor seconds for each of the example crystals, bands along a path and C_V, beside
vanhove-phonon. Of packages on PyPI chgnet holds its weights; mace-torch and matgl fetch theirs from
other places, and alignn is measured without weights; Mat2Spec, Xtal2DoS and Bandformer are no
packages. What cannot be run here is quoted: the figures of ``results/speed/others.json``;
ThreeBodyTB is code in Julia, which is compared by its errors alone (``docs/electrons.md``).

Writes ``results/speed/side-by-side.json``; without FOLDER and potentials it measures ours alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from clock import GEMM, about, machine, matrix_product, say
from inputs import graphs_of
from passes import forward, loss_of, training_step
from run import PUBLISHED_SIZE, WEIGHTS, inference_model, model_of, timed
from torch import Tensor, nn

import vanhove
from vanhove.crystal.graph import Batch, collate
from vanhove.crystal.kpath import gamma_directions, high_symmetry_path
from vanhove.memory import keep_freed_memory
from vanhove.results import write_result
from vanhove.runs.catalog import run_config

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "results" / "speed" / "side-by-side.json"
N_ENERGIES, N_ELEMENTS, N_SYSTEMS, N_PATH = 51, 118, 7, 200


class Fields(dict[str, Any]):
    """What the others' models read of a batch of `torch_geometric`: keys that are attributes."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


def fields_of(batch: Batch) -> Callable[[], Fields]:
    """The standard batch as they know it; anew for each call, since their models write into it."""
    one_hot = torch.nn.functional.one_hot(batch.atomic_numbers - 1, N_ELEMENTS).float()
    return lambda: Fields(
        x=one_hot,
        z=one_hot,
        pos=batch.positions,
        edge_index=batch.edge_index,
        edge_vec=batch.edge_vector,
        edge_attr=batch.edge_vector,
        batch=batch.crystal_of_atom,
        system=batch.crystal_system.clamp(max=N_SYSTEMS - 1),
    )


Released = tuple[nn.Module, Callable[[Any, Tensor], Tensor]]
"""A model, and its loss of what it gave and a target."""


def dostransformer(cutoff: float) -> Released:
    """DOSTransformer for phonons (github.com/HeewoongNoh/DOSTransformer) in its sizes."""
    module = importlib.import_module("embedder_phDOS.DOSTransformer_phonon")
    model = module.DOSTransformer_phonon(3, 2, N_ELEMENTS, 4, 256, torch.device("cpu"), 0.0)

    def loss(found: Any, target: Tensor) -> Tensor:
        both = [((own - target) ** 2).mean().sqrt() for own in (found[0], found[2])]
        return both[0] + both[1]

    return model, loss


def e3nn(cutoff: float) -> Released:
    """The tutorial of Chen et al. (github.com/ninarina12/phononDoS_tutorial) in its sizes."""
    network = importlib.import_module("utils.utils_model").Network
    embedding = 64

    class Periodic(nn.Module):
        """What the notebook puts around the network."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Linear(N_ELEMENTS, embedding)
            self.network = network(
                irreps_in=f"{embedding}x0e",
                irreps_out=f"{N_ENERGIES}x0e",
                irreps_node_attr=f"{embedding}x0e",
                layers=2,
                mul=32,
                lmax=1,
                max_radius=cutoff,
                num_neighbors=12.0,
                reduce_output=False,
            )

        def forward(self, data: Fields) -> Tensor:
            data.x = data.z = torch.relu(self.embedding(data.x))
            atoms = torch.relu(self.network(data))
            mean = atoms.new_zeros(int(data.batch.max()) + 1, N_ENERGIES)
            mean = mean.index_reduce(0, data.batch, atoms, "mean", include_self=False)
            return mean / mean.amax(dim=1, keepdim=True)

    return Periodic(), lambda found, target: ((found - target) ** 2).mean()


def alignn(cutoff: float) -> Released:
    """ALIGNN of the package alignn, its code without DGL, in the published size (FOLDER may be .).

    Its line graph is made once, as by its data loader; ours makes it anew in each pass.
    """
    kind = importlib.import_module("alignn.models.alignn_atomwise_pure")
    graphs = importlib.import_module("alignn.torch_graph_builder")
    settings = kind.ALIGNNAtomWisePureConfig(
        name="alignn_atomwise_pure",
        alignn_layers=4,
        gcn_layers=4,
        atom_input_features=N_ELEMENTS,
        hidden_features=256,
        output_features=N_ENERGIES,
        calculate_gradient=False,
        energy_mult_natoms=False,
        use_penalty=False,
    )

    class OfFields(nn.Module):
        """What its data loader does before."""

        def __init__(self) -> None:
            super().__init__()
            self.network = kind.ALIGNNAtomWisePure(settings)
            self.pair: Any = None

        def forward(self, data: Fields) -> Tensor:
            if self.pair is None:
                source, target = data.edge_index
                graph = graphs.TorchGraph(len(data.x), source, target)
                graph.ndata["atom_features"], graph.edata["r"] = data.x, data.edge_vec
                graph.batch_num_nodes = torch.bincount(data.batch)
                ends = graphs._line_graph_edges(source, target, len(data.x))
                self.pair = graph, graphs.TorchGraph(len(source), *ends)
            return self.network((*self.pair, None))["out"]

    return OfFields(), lambda found, target: ((found - target) ** 2).mean()


OTHERS = {"dostransformer": dostransformer, "e3nn": e3nn, "alignn": alignn}
"""How each is driven; the key is also the name of our own model of its kind."""


def imported(name: str, folder: Path, cutoff: float) -> Any:
    """Model and loss of a checkout.

    Raises:
        Exception: whatever the import or the making of the model raises.
    """
    sys.path.insert(0, str(folder))
    try:
        return OTHERS[name](cutoff)
    finally:
        sys.path.remove(str(folder))


def networks(folders: dict[str, Path | None], rounds: int) -> dict[str, Any]:
    """Forward pass and training step of each kind of model, in turns."""
    graphs = graphs_of(8)
    batch = collate(graphs)
    target = torch.rand(batch.n_crystals, N_ENERGIES)
    result: dict[str, Any] = {}
    for name, folder in folders.items():
        config = run_config(name, "compact", PUBLISHED_SIZE if name == "dostransformer" else {})
        if name != "dostransformer":
            config = run_config(name, "published", {})
        trained = model_of(config, N_ENERGIES)
        inference = {
            GEMM: matrix_product(),
            "ours": forward(inference_model(config, N_ENERGIES), batch),
        }
        training = {GEMM: matrix_product()}
        training["ours"] = training_step(trained, loss_of(trained, config, [batch]))
        left_out = "no folder given" if folder is None else None
        if folder is not None:
            try:
                model, loss = imported(name, folder, config.graph.cutoff)
                data = fields_of(batch)
                model(data())
                inference["released"] = forward(lambda _, m=model, d=data: m(d()), batch)
                training["released"] = training_step(
                    model, lambda m=model, d=data, f=loss: f(m(d()), target)
                )
            except Exception as error:  # others' code: whatever it raises is the reason
                left_out = f"{type(error).__name__}: {error}"
                say(f"{name} left out: {left_out}")
        result[name] = {
            "released_left_out": left_out,
            "inference": timed(inference, rounds, per=batch.n_crystals),
            "training_step": timed(training, max(2, rounds // 2)),
        }
        say(f"{name}: {result[name]}")
    shipped: dict[str, Callable[[], Any]] = {GEMM: matrix_product()}
    for name in WEIGHTS:
        model = vanhove.load(name, grid="training").model
        shipped[name] = lambda m=model: m.predict(graphs)
    result["shipped"] = {"inference": timed(shipped, rounds, per=batch.n_crystals)}
    say(f"shipped: {result['shipped']}")
    return result


def phonons(potentials: list[str], n_crystals: int) -> dict[str, Any]:
    """Processor seconds of bands and C_V for each example crystal."""
    sys.path.insert(0, str(ROOT / "scripts"))
    compared = importlib.import_module("compare_potentials")
    files = sorted((ROOT / "examples" / "structures").glob("*.cif"))[:n_crystals]
    crystals = [vanhove.crystal.primitive_cell(vanhove.read_crystal(file)) for file in files]
    predictor = vanhove.load("vanhove-phonon", precision="float32")
    result: dict[str, Any] = {"crystals": [file.stem for file in files], "left_out": {}}
    for name in ("vanhove-phonon", *potentials):
        try:
            calculator = None if name == "vanhove-phonon" else compared.POTENTIALS[name]()
        except ImportError as error:
            result["left_out"][name] = str(error)
            continue
        seconds = []
        for crystal in [crystals[0], *crystals]:  # the first once more, to be warm
            points = high_symmetry_path(crystal).sample(N_PATH)
            started = time.process_time()
            if calculator is None:
                towards = gamma_directions(points)
                compared.with_vanhove(predictor, crystal, points.fractional, towards)
            else:
                compared.with_potential(calculator, crystal, points.fractional)
            seconds.append(round(time.process_time() - started, 4))
        result[name] = {"core_seconds": seconds[1:]}
        say(f"{name}: {result[name]}")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, make in OTHERS.items():
        text = (make.__doc__ or "").splitlines()[0]
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=text)
    parser.add_argument(
        "--potentials", nargs="*", default=[], help="of scripts/compare_potentials.py"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--crystals", type=int, default=10, help="of the examples, for phonons")
    parser.add_argument("--output", "-o", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    load = [round(x, 2) for x in os.getloadavg()]
    folders = {name: getattr(options, name) for name in OTHERS}
    quoted = json.loads((ROOT / "results" / "speed" / "others.json").read_text(encoding="utf-8"))
    content = {
        "benchmark": "side by side",
        "networks": networks(folders, options.rounds),
        "phonons": phonons(options.potentials, options.crystals),
        "quoted": {"released_codes": quoted["released_codes"], "potential": quoted["potential"]},
        **about(WEIGHTS, "random crystals; example structures"),
        "machine": machine(),
        "load_average_before": load,
    }
    write_result(content, options.output)
    say(f"written to {options.output}")


if __name__ == "__main__":
    main()
