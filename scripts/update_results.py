"""Write measured numbers into the README, the docs, the model card and the package.

Usage:
    vanhove evaluate runs/dostransformer-phonon-seed* --split test \
        -o results/phonon/dostransformer.json
    vanhove evaluate runs/STUDY --split valid -o results/phonon/validation/STUDY.json
    vanhove evaluate dostransformer-phonon --split test \
        -o src/vanhove/weights/dostransformer-phonon.json
    vanhove reproduce EXPERIMENT --measured-only -o results/PAGE --figures docs/figures
    python scripts/update_results.py            # or --check, for continuous integration

``--check`` fails when something is stale, or when a row that is far from its paper has no reason in
`scripts/reasons.py`.
"""

import json
import sys
from pathlib import Path

import bands_page
import electrons_page
import finetuning_page
import flagship_page
import jarvis_page
import model_pages
import paper_pages
import phonons_page
import readme_top
import reliability_page
import results_page
import tuning_page
from page_parts import between, table

from vanhove.papers.published import PAPERS, PHONON_DATA, PublishedRow, published_rows
from vanhove.results import json_text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "phonon"
STUDY = RESULTS / "validation"
CARD = ROOT / "src" / "vanhove" / "weights" / "dostransformer-phonon.md"
MEASURED = CARD.with_suffix(".json")
ELECTRON_CARD = CARD.with_name("dostransformer-electron.md")
BANDS_CARD = CARD.with_name("bandformer-electron.md")
SHIPPED = ROOT / "src" / "vanhove" / "experiments" / "measured.json"
PAGE = ROOT / "docs" / "results-phonon.md"
KEYS = ("mse_x10", "mae", "r2")
PAPER_KEYS = {"MSEx10": "mse_x10", "MAE": "mae", "R2": "r2"}


def shown(metrics: dict, spread: dict | None, digits: int = 3) -> list[str]:
    return [
        f"{metrics[key]:.{digits}f}"
        + (f" ± {spread[key]:.{digits}f}" if spread and key in spread else "")
        for key in KEYS
    ]


def published_beside() -> list[PublishedRow]:
    """Per-material metrics of the same data and split."""
    return [
        row
        for row in published_rows()
        if (row.dataset, row.split) == PHONON_DATA
        and row.table in ("1", "experiments log")
        and set(PAPER_KEYS) <= row.values.keys()
    ]


def in_our_names(values: dict[str, float]) -> dict[str, float]:
    return {ours: values[theirs] for theirs, ours in PAPER_KEYS.items() if theirs in values}


def readme_table(result: dict, ensemble: dict, single: dict) -> str:
    """Of DOSTransformer's runs, the shipped ensemble, and the runs that are its members."""
    seeds = len(result["seeds"])
    rows: list[list[str]] = []
    members = ensemble["runs"][0]["seeds"]
    rows.append(
        [
            "**vanhove-phonon** (shipped)",
            *shown(ensemble["mean"], None),
            f"{len(members)} members together, with error bars",
        ]
    )
    rows.append(
        [
            "**vanhove-phonon**, one member before it learned bands",
            *shown(single["mean"], single["std"]),
            f"{len(single['seeds'])} seeds, mean ± spread",
        ]
    )
    rows.append(
        [
            "**vanhove, DOSTransformer**",
            *shown(result["mean"], result["std"]),
            f"{seeds} seeds, mean ± spread",
        ]
    )
    for row in sorted(published_beside(), key=lambda row: row.values["MSEx10"]):
        metrics, spread = in_our_names(row.values), in_our_names(row.spread)
        energy = " (energy)" if row.variant == "energy" and row.model != "DOSTransformer" else ""
        where = row.table if row.note else f"table {row.table}"
        source = f"{row.note or 'paper'}, {PAPERS.get(row.source, row.source)}, {where}"
        rows.append([row.model + energy, *shown(metrics, spread), source])
    others = "\n".join(
        f"| {convention} | {ensemble['mean'][key]:.4g} |"
        for key, convention in ensemble["conventions"].items()
    )
    return (
        f"Test split of `phonon_petretto`, {result['n_materials']} crystals, spectra scaled as the "
        "data are (maximum 1); each metric of each material, then the mean over materials:\n\n"
        + table(["model", "MSE×10", "MAE", "R²", "source"], rows)
        + "\n\nThe shipped model in every convention:\n\n| metric | value |\n|---|---|\n"
        + others
    )


def flat(settings: dict, prefix: str = "") -> dict[str, object]:
    """Dotted key -> value; read as they are: an old file may hold keys that are gone."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        found |= inner
    return found


def study_table() -> str:
    """Validation metrics of one seed per choice, each beside what it changes in the reference."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(STUDY.glob("*.json"))}
    reference = flat(results["reference"]["config"])
    rows = []
    for result in sorted(results.values(), key=lambda result: result["mean"]["mse_x10"]):
        changes = [
            f"`{key}: {value}`"
            for key, value in flat(result["config"]).items()
            if value != reference.get(key) and key != "name"
        ]
        numbers = shown(result["mean"], None, digits=4)
        rows.append([", ".join(changes) or "none (reference)", *numbers])
    return table(["change", "MSE×10", "MAE", "R²"], rows)


def model_card(result: dict, family: dict) -> str:
    trained = result["trained_on"]
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
  of {family["config"]["training"]["epochs"]}) by validation RMSE; validation: {validation}.
- **Settings**: those of the named model `dostransformer` (`vanhove models dostransformer`).

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


def electron_card(result: dict, table: dict) -> str:
    """The card of the electron weights; ``table`` is DOSTransformer's table 1 of electrons."""
    trained, run = result["trained_on"], result["runs"][0]
    (family,) = [row for row in table["rows"] if row["run"] == "electron-dostransformer"]
    metrics = "\n".join(
        f"| {convention} | {result['mean'][key]:.4g} "
        f"| {family['mean'][key]:.4g} ± {family['std'][key]:.2g} |"
        for key, convention in result["conventions"].items()
        if key in family["mean"]
    )
    validation = ", ".join(f"{key} {value:.4f}" for key, value in run["validation"].items())
    bars = run["uncertainty"]
    return f"""# dostransformer-electron

Predicts the electron density of states of a crystal from its structure: 201 points, -5 to 5 eV from
the valence band maximum (metals: the Fermi level), smoothed over 0.85 eV, minimum 0, maximum 1.

- **Model**: graph network encoder and DOSTransformer decoder with energy embeddings that vary
  smoothly along the grid, {run["n_parameters"]:,} parameters, half-precision file.
- **Data**: `{trained["name"]}` ({trained["n_train"]} train, {trained["n_valid"]} valid,
  {trained["n_test"]} test; data hash `{trained["hash"][:16]}`, split hash
  `{trained["split_hash"][:16]}`): PBE, computed for this project; mostly cubic metals with one or
  two elements and few atoms.
- **Choice**: the best of {len(family["seeds"])} seeds (seed {run["seed"]}, epoch {run["epoch"] + 1}
  of {family["config"]["training"]["epochs"]}) by validation RMSE; validation: {validation}.

| test metric | this file | all seeds, mean ± spread |
|---|---|---|
{metrics}

Error bars were calibrated on the {trained["n_valid"]} validation crystals. On the test crystals:

{flagship_page.coverage_table(bars)}

{flagship_page.coverage_words(run, result["mean"], "mae", "", 3)}

## Use it for

Trends among small crystals like those of the data: where bands lie, whether a compound is clearly
an insulator.

## Do not use it for

Gaps, the density at the Fermi level, magnetic materials, large cells, or anything that needs a
number: {trained["n_train"]} crystals are far too few, and its R² on the test crystals is about
zero. Elements that were not trained on are refused.
"""


def main(check: bool) -> int:
    family = json.loads((RESULTS / "dostransformer.json").read_text())
    measured = json.loads(MEASURED.read_text())
    found = results_page.results()
    shipped = results_page.measured(found)
    readme, page = ROOT / "README.md", ROOT / "docs" / "dostransformer.md"
    new = {
        readme: between(
            between(readme.read_text(), readme_table(family, *flagship_page.results())),
            readme_top.table(published_beside()),
            readme_top.MARK,
        ),
        page: between(page.read_text(), study_table()),
        CARD: model_card(measured, family),
        PAGE: results_page.page(found),
        SHIPPED: json_text(shipped) + "\n",
    }
    for name in model_pages.PAGES:
        path = ROOT / "docs" / f"{name}.md"
        content = model_pages.table(name, shipped, family["n_materials"], family["dataset"]["name"])
        new[path] = between(path.read_text(), content)
    of_electrons = results_page.results("electron")["dostransformer-table1-electron"]
    electron = json.loads(ELECTRON_CARD.with_suffix(".json").read_text())
    new[ELECTRON_CARD] = electron_card(electron, of_electrons)
    new[BANDS_CARD] = bands_page.card(json.loads(BANDS_CARD.with_suffix(".json").read_text()))
    papers, everything = ROOT / "docs" / "papers", results_page.every_result()
    new[papers / "bandformer.md"] = paper_pages.bandformer()
    for name in paper_pages.PAGES:
        new[papers / f"{name}.md"] = paper_pages.page(name, everything)
    course = papers / "course.md"
    new[course] = between(course.read_text(), paper_pages.course(everything))
    electrons, card = electrons_page.PAGE, electrons_page.CARD
    new[electrons] = between(electrons.read_text(), electrons_page.section())
    new[card] = between(card.read_text(), electrons_page.card_section())
    new[ROOT / "docs" / "results-jarvis.md"] = jarvis_page.page()
    new[ROOT / "docs" / "results-finetuning.md"] = finetuning_page.page()
    new[reliability_page.PAGE] = reliability_page.page()
    if tuning_page.FOLDER.exists():
        tune = tuning_page.PAGE
        new[tune] = between(tune.read_text(), tuning_page.section())
    if phonons_page.RESULT.exists():
        phonons = phonons_page.PAGE
        new[phonons] = between(phonons.read_text(), phonons_page.table())
    flagship = flagship_page.PAGE
    new |= {path: flagship_page.card(path) for path in flagship_page.CARDS}
    new[flagship] = between(flagship.read_text(), flagship_page.study_table())
    for name in results_page.OTHER_PAGES:
        content = results_page.other_page(name, results_page.results(name))
        new[ROOT / "docs" / f"results-{name}.md"] = content
    stale = [
        path for path, content in new.items() if not path.exists() or path.read_text() != content
    ]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is stale: run python scripts/update_results.py")
        else:
            path.write_text(new[path])
    unexplained = results_page.missing_reasons(found)
    for name in unexplained:
        print(f"{name} is far from its paper: say why in scripts/reasons.py")
    return 1 if check and (stale or unexplained) else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
