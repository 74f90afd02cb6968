"""Does the familiarity tell crystals with unseen elements from others?

    vanhove train vanhove-phonon --set data.split=elements --set "data.elements=[S,K,Ti,Br]" \
        --set training.epochs=12 -o runs/vanhove-phonon-held-out-seed0
    python benchmarks/familiarity.py runs/vanhove-phonon-held-out-seed0

The run has never seen the elements of its test part. Half of its validation part fits the score,
the other half stands for familiar crystals. Printed and written: the area under the ROC curve, the
probability that a familiar crystal scores higher than one with an unseen element (ties count half),
of the whole score and of its distance alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu

from vanhove.evaluation.uncertainty import member_predictions
from vanhove.models.familiarity import Familiarity
from vanhove.models.model import SpectrumModel
from vanhove.results import write_result
from vanhove.runs.checkpoint import load_model, recorded
from vanhove.runs.prepared import prepare
from vanhove.version import circumstances
from vanhove.weights import find_weights


def auroc(familiar: np.ndarray, strange: np.ndarray) -> float:
    return float(mannwhitneyu(familiar, strange).statistic / (len(familiar) * len(strange)))


def measure(run: str) -> dict:
    model, info = load_model(find_weights(run))
    assert isinstance(model, SpectrumModel)
    assert info.trained.data.split == "elements", "train with data.split=elements, see above"
    data = prepare(info.run_config(), ("train", "valid", "test"))
    rows = {part: data.rows(part) for part in ("train", "valid", "test")}
    states = {part: member_predictions([model], data, own)[1] for part, own in rows.items()}
    graphs = {part: [data.graph(int(row)) for row in own] for part, own in rows.items()}
    half = len(rows["valid"]) // 2
    familiarity = Familiarity(len(rows["train"]), half, states["train"].shape[1])
    familiarity.fit(states["train"], graphs["train"], states["valid"][:half])
    seen, seen_graphs = states["valid"][half:], graphs["valid"][half:]
    scores = [
        familiarity(seen, seen_graphs).numpy(),
        familiarity(states["test"], graphs["test"]).numpy(),
    ]
    distances = [familiarity.distance(seen).numpy(), familiarity.distance(states["test"]).numpy()]
    return {
        "held_out_elements": list(info.trained.data.elements),
        "n_train": len(rows["train"]),
        "n_familiar": len(seen),
        "n_unseen": len(rows["test"]),
        "auroc": auroc(*scores),
        "auroc_distance_alone": auroc(-distances[0], -distances[1]),
        "median_familiar": float(np.median(scores[0])),
        "median_unseen": float(np.median(scores[1])),
        "dataset": info.trained.dataset.model_dump(),
        "config": recorded(run, info),
        **circumstances(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder of a run with data.split=elements")
    parser.add_argument("-o", "--output", default="results/vanhove-phonon/familiarity.json")
    arguments = parser.parse_args()
    result = measure(arguments.run)
    path = Path(arguments.output)
    write_result(result, path)
    print({key: value for key, value in result.items() if key not in ("config", "dataset")})


if __name__ == "__main__":
    main()
