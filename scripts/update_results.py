"""Write measured numbers into the README and the model card, from the JSON that measured them.

Usage:
    vanhove evaluate runs/dostransformer-phonon-seed* --split test \
        -o results/phonon/dostransformer.json
    vanhove evaluate runs/STUDY --split valid -o results/phonon/validation/STUDY.json
    vanhove evaluate dostransformer-phonon --split test \
        -o src/vanhove/weights/dostransformer-phonon.json
    python scripts/update_results.py            # or --check, for continuous integration
"""

import json
import sys
from pathlib import Path

from vanhove.experiments.published import published_rows
from vanhove.training.config import RunConfig, flat_settings

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "phonon"
STUDY = RESULTS / "validation"
CARD = ROOT / "src" / "vanhove" / "weights" / "dostransformer-phonon.md"
MEASURED = CARD.with_suffix(".json")
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
KEYS = ("mse_x10", "mae", "r2")


def shown(metrics: dict, spread: dict | None, digits: int = 3) -> list[str]:
    return [
        f"{metrics[key]:.{digits}f}"
        + (f" ± {spread[key]:.{digits}f}" if spread and key in spread else "")
        for key in KEYS
    ]


def readme_table(result: dict) -> str:
    seeds = len(result["seeds"])
    rows = [["model", "MSE×10", "MAE", "R²", "source"]]
    rows.append(
        [
            "**vanhove, DOSTransformer**",
            *shown(result["mean"], result["std"]),
            f"{seeds} seeds, mean ± spread",
        ]
    )
    for row in published_rows("phonon_petretto"):
        rows.append([row.model, *shown(row.metrics, row.spread), f"{row.note}, {row.source}"])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    mean, std = result["mean"], result["std"]
    others = "\n".join(
        f"| {convention} | {mean[key]:.4g} ± {std[key]:.2g} |"
        for key, convention in result["conventions"].items()
    )
    return (
        f"Test split of `phonon_petretto`, {result['n_materials']} crystals, spectra scaled as the "
        "data are (maximum 1); each metric of each material, then the mean over materials:\n\n"
        + "\n".join(lines)
        + "\n\nThe same predictions in every convention:\n\n| metric | value |\n|---|---|\n"
        + others
    )


def study_table() -> str:
    """Validation metrics of one seed per choice, each beside what it changes in the reference."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(STUDY.glob("*.json"))}
    reference = RunConfig.parse(results["reference"]["config"])
    lines = [
        "| change | MSE×10 | MAE | R² |",
        "|---|---|---|---|",
    ]
    for result in sorted(results.values(), key=lambda result: result["mean"]["mse_x10"]):
        config = RunConfig.parse(result["config"])
        changes = [
            f"`{key}: {value}`"
            for key, value in flat_settings(config).items()
            if key in reference.differences(config) and key != "name"
        ]
        numbers = " | ".join(shown(result["mean"], None, digits=4))
        lines.append(f"| {', '.join(changes) or 'none (reference)'} | {numbers} |")
    return "\n".join(lines)


def model_card(result: dict, family: dict) -> str:
    trained, config = result["trained_on"], result["config"]
    metrics = "\n".join(
        f"| {convention} | {result['mean'][key]:.4g} "
        f"| {family['mean'][key]:.4g} ± {family['std'][key]:.2g} |"
        for key, convention in result["conventions"].items()
    )
    run = result["runs"][0]
    validation = ", ".join(f"{key} {value:.4f}" for key, value in run["validation"].items())
    return f"""# dostransformer-phonon

Predicts the phonon density of states of a crystal from its structure: 51 points, 0 to 1000 1/cm,
scaled so that the largest value of a training spectrum is 1.

- **Model**: graph network encoder and DOSTransformer decoder (Lee et al., arXiv 2311.12856),
  {run["n_parameters"]:,} parameters, half-precision file. How it differs from the paper and from
  the released code: `docs/dostransformer.md`.
- **Data**: `{trained["name"]}` ({trained["n_train"]} train, {trained["n_valid"]} valid,
  {trained["n_test"]} test; data hash `{trained["hash"][:16]}`, split hash
  `{trained["split_hash"][:16]}`): DFPT with PBEsol, Petretto et al., Sci. Data 5, 180065 (2018).
- **Choice**: the best of {len(family["seeds"])} seeds (seed {run["seed"]}, epoch {run["epoch"] + 1}
  of {config["training"]["epochs"]}) by validation RMSE; validation: {validation}.
- **Settings**: in the file itself, and `configs/phonon/dostransformer.yaml`.

| test metric | this file | all seeds, mean ± spread |
|---|---|---|
{metrics}

## Use it for

Crystals like those of the data: ordered, inorganic, semiconducting or insulating, relaxed, mostly
up to 12 atoms in the primitive cell (40 at most). Elements that the training split does not hold
are refused.

## Do not use it for

Metals (the data are of semiconductors and insulators), molecular crystals, defects, surfaces,
strongly distorted or unstable structures (the data hold no imaginary modes), frequencies above 1000
1/cm (stretching of light atoms is cut off), or absolute numbers of modes (the scale is relative).
It gives no error bars.
"""


def between_markers(text: str, content: str) -> str:
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{content}\n{END}{rest.split(END)[1]}"


def main(check: bool) -> int:
    family = json.loads((RESULTS / "dostransformer.json").read_text())
    measured = json.loads(MEASURED.read_text())
    readme, page = ROOT / "README.md", ROOT / "docs" / "dostransformer.md"
    new = {
        readme: between_markers(readme.read_text(), readme_table(family)),
        page: between_markers(page.read_text(), study_table()),
        CARD: model_card(measured, family),
    }
    stale = [
        path for path, content in new.items() if not path.exists() or path.read_text() != content
    ]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is stale: run python scripts/update_results.py")
        else:
            path.write_text(new[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
