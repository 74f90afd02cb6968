"""Whether the latent of Mat2Spec says anything: the error when it is another crystal's.

Usage: python scripts/measure_latent.py RUN_FOLDER... [-o results/mat2spec/latents.json]

Of each run the metric that chose its epoch, on the validation split: as it is; with the mixtures of
all crystals permuted among them (mean over 10 permutations); with the mean mixture for all. Where
the three agree, the prediction goes around the latent; where the last two are near the error of the
training mean, everything goes through it. Beside it the share of the units of the encoder's last
hidden layer that are 0 for every crystal: where all are, all crystals have one latent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from vanhove.crystal.graph import collate
from vanhove.evaluation.measures import measure
from vanhove.models.decoders.mat2spec import Mat2SpecDecoder, Mixture
from vanhove.results import Json, write_result
from vanhove.runs.checkpoint import load_model, run_settings
from vanhove.runs.description import DatasetInfo
from vanhove.runs.folder import BEST
from vanhove.runs.prepared import PreparedData, predict_rows, prepare
from vanhove.version import circumstances

PERMUTATIONS = 10
CONVENTION = "the metric of selection on the validation split"


def latent_errors(folder: Path) -> Json:
    """Errors of one run; see above."""
    model, info = load_model(folder / BEST)
    decoder = model.decoder
    if not isinstance(decoder, Mat2SpecDecoder):
        raise SystemExit(f"{folder} holds no Mat2Spec: its decoder is {type(decoder).__name__}")
    data = prepare(info.run_config(), ("train", "valid"), quiet=True)
    key = info.trained.objective.select_by
    generator = torch.Generator().manual_seed(0)
    plain = decoder.feature_mixture

    def error(change) -> float:
        decoder.feature_mixture = lambda crystal: change(plain(crystal))
        found = _error(model, data, key)
        decoder.feature_mixture = plain
        return found

    def permuted(mixture: Mixture) -> Mixture:
        order = torch.randperm(len(mixture.weights), generator=generator)
        return Mixture(mixture.mean[order], mixture.log_variance[order], mixture.weights[order])

    def averaged(mixture: Mixture) -> Mixture:
        return Mixture(*(part.mean(dim=0, keepdim=True).expand_as(part) for part in mixture))

    silent = silent_units(model, data)
    shuffled = [error(permuted) for _ in range(PERMUTATIONS)]
    rows = data.rows("valid")
    train = data.targets[data.rows("train")].mean(dim=0).expand(len(rows), -1)
    return {
        "run": folder.name,
        "form": decoder.settings.form,
        "metric": key,
        "seed": info.seeds[0],
        "epoch": info.trained.epoch,
        "epochs": run_settings(folder).training.epochs,
        "kl_weight": decoder.settings.kl_weight,
        "silent_units": silent,
        "as_it_is": error(lambda mixture: mixture),
        "shuffled": float(np.mean(shuffled)),
        "shuffled_std": float(np.std(shuffled, ddof=1)),
        "averaged": error(averaged),
        "training_mean": _measured(train, data, key),
        "dataset": DatasetInfo.of(data.dataset).model_dump(),
    }


@torch.no_grad()
def silent_units(model, data: PreparedData) -> float:
    """Share of the units before the Gaussians that are 0 for every validation crystal."""
    decoder, own = model.decoder, []
    for rows in data.rows("valid").split(32):
        batch = collate([data.graph(int(row)) for row in rows])
        atoms, system = model.encode(batch)
        own.append(decoder.feature_encoder(decoder.crystal(atoms, batch, system)))
    return float((torch.cat(own) == 0).all(dim=0).float().mean())


def _error(model, data: PreparedData, key: str) -> float:
    rows = data.rows("valid")
    return _measured(predict_rows(model, data, rows, batch_size=len(rows)), data, key)


def _measured(prediction: torch.Tensor, data: PreparedData, key: str) -> float:
    target = data.targets[data.rows("valid")]
    return measure(target.numpy(), prediction.numpy(), data.dataset)[key]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders of Mat2Spec")
    parser.add_argument("-o", "--output", type=Path, help="JSON to write")
    options = parser.parse_args()
    found = [latent_errors(folder) for folder in options.runs]
    print(f"{'run':40s} {'as it is':>10s} {'shuffled':>20s} {'averaged':>10s} {'mean':>10s}")
    for run in found:
        shuffled = f"{run['shuffled']:.5f} +- {run['shuffled_std']:.5f}"
        print(
            f"{run['run']:40s} {run['as_it_is']:10.5f} {shuffled:>20s} {run['averaged']:10.5f} "
            f"{run['training_mean']:10.5f}"
        )
    if options.output:
        content = {"convention": CONVENTION, "split": "valid", "runs": found, **circumstances()}
        write_result(content, options.output)


if __name__ == "__main__":
    main()
