"""docs/vanhove-phonon.md and the card of its weights, from the JSON of evaluations.

vanhove evaluate runs/STUDY --split valid -o results/vanhove-phonon/validation/STUDY.json
vanhove evaluate vanhove-phonon --split test -o src/vanhove/weights/vanhove-phonon.json
"""

import json
from pathlib import Path

from page_parts import table

from vanhove.weights import shipped_weights

MODEL = "vanhove-phonon"
ROOT = Path(__file__).parents[1]
STUDY = ROOT / "results" / MODEL / "validation"
CARDS = [ROOT / "src" / "vanhove" / "weights" / f"{name}.md" for name in (MODEL, f"{MODEL}-fast")]
PAGE = ROOT / "docs" / f"{MODEL}.md"
METRICS = {
    "mse_x10": ("MSE×10", 4),
    "mae": ("MAE", 4),
    "r2": ("R²", 3),
    "mean_frequency_mae_cm1": ("mean frequency", 1),
    "heat_capacity_300K_mae": ("C_V(300 K)", 3),
}
PROPERTIES = {
    "mean_frequency": "mean frequency, 1/cm",
    "heat_capacity": "C_V(300 K), J/(K mol of atoms)",
    "entropy": "entropy(300 K), J/(K mol of atoms)",
}


def results() -> tuple[dict, dict]:
    """The evaluation of the shipped ensemble, and the table's row of its members."""
    table = json.loads((ROOT / "results" / "phonon" / f"{MODEL}.json").read_text())
    (single,) = [row for row in table["rows"] if row["run"] == MODEL]
    return json.loads(CARDS[0].with_suffix(".json").read_text()), single


def numbers(metrics: dict) -> list[str]:
    return [f"{metrics[key]:.{digits}f}" for key, (_, digits) in METRICS.items()]


def study_table() -> str:
    """One line per evaluation, best first; the file's stem says what it is."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(STUDY.glob("*.json"))}
    titles = json.loads((STUDY.parent / "study.json").read_text())
    best_first = sorted(results, key=lambda stem: results[stem]["mean"]["mse_x10"])
    return table(
        ["model", *(title for title, _ in METRICS.values())],
        [[titles[stem], *numbers(results[stem]["mean"])] for stem in best_first],
    )


def coverage_table(bars: dict) -> str:
    """How often the intervals of spectra hold, from the ``uncertainty`` of a run."""
    return table(
        ["interval", "share of test points inside", "of points with weight"],
        [
            [level, f"{share:.3f}", f"{bars['coverage_with_weight'][level]:.3f}"]
            for level, share in bars["coverage"].items()
        ],
    )


def coverage_words(run: dict, test: dict, key: str, unit: str, digits: int) -> str:
    """Of the electron models: how wide the intervals are and what they are worth.

    Args:
        run: of the evaluation.
        test: its metrics; ``key`` is the MAE in ``unit``.
    """
    bars = run["uncertainty"]
    share, validation = bars["coverage"]["0.9"], run["validation"][key]
    side = "Too narrow" if share < 0.9 else "Wide enough"
    return (
        f"{side} on these: the 90 % interval, ± {bars['half_width']:.{digits}f}{unit} on average, "
        f"holds {share:.0%}. The validation crystals, by which seed and epoch were chosen as well, "
        f"are predicted with an MAE of {validation:.{digits}f}{unit}, the test crystals with "
        f"{test[key]:.{digits}f}{unit}. Rank correlation of a material's mean error bar and its "
        f"MAE: {bars['rank_correlation']:.2f}; of its familiarity and its MAE: "
        f"{bars['familiarity_rank_correlation']:.2f} (negative is good)."
    )


USE = """\
## Use it for

Crystals like those of the data: ordered, inorganic, relaxed, up to 40 atoms in the primitive cell,
and a familiarity that is not close to 0. Elements that neither data set holds are refused.

## Do not use it for

Molecular crystals, defects, surfaces or strongly distorted structures. The density is
relative (`Spectrum.normalise` counts it), not sharper than its broadening.
Bands and stability come from the force constants (`vanhove.phonons`; `docs/phonons.md` tells what
they are worth: stability is a probability, often wrong). The data hold no metals: their charges
mean nothing.
The error bars hold on average over materials like the validation ones, not for each material.
"""


def card(path: Path) -> str:
    result = json.loads(path.with_suffix(".json").read_text())
    trained, run = result["trained_on"], result["runs"][0]
    bars = run["uncertainty"]
    megabytes = shipped_weights()[path.stem].stat().st_size / 1e6
    seeds = ", ".join(map(str, run["seeds"]))
    members = f"{len(run['seeds'])} members (seeds {seeds}: all that were trained)"
    more = ""
    if len(run["seeds"]) == 1:
        members = f"one member (seed {seeds}, the best by validation), for speed,"
        more = (
            ";\n  between the two, 5,766 structures of the Materials Project without spectra, "
            "labelled by\n  `vanhove-phonon`, likewise without formulas of these parts"
        )
    metrics = "\n".join(
        f"| {convention} | {result['mean'][key]:.4g} |"
        for key, convention in result["conventions"].items()
    )
    properties = "\n".join(
        f"| {title} | {own['mae']:.3g} | {own['half_width']:.3g} | {own['coverage']:.3f} |"
        for key, title in PROPERTIES.items()
        for own in [bars["properties"][key]]
    )
    return f"""# {path.stem}

Predicts the phonon density of states of a crystal from its structure, with error bars:
of the whole spectrum, in steps of 2 1/cm, broadened by 12 1/cm.
The numbers below are of the 51 points of the benchmark, 0 to 1000 1/cm, scaled so that the largest
value of a training spectrum is 1.

- **Model**: {members} of {run["n_parameters"] // len(run["seeds"]):,} parameters, half-precision
  file of {megabytes:.1f} MB. What it is made of: `docs/vanhove-phonon.md`.
- **Data**: `{trained["name"]}` ({trained["n_train"]} train, {trained["n_valid"]} valid,
  {trained["n_test"]} test; data hash `{trained["hash"][:16]}`, split hash
  `{trained["split_hash"][:16]}`): DFPT with PBEsol, Petretto et al., Sci. Data 5, 180065 (2018);
  before that, 8,380 crystals of JARVIS without any material or formula of its validation and test
  parts{more}.

| test metric | value |
|---|---|
{metrics}

{coverage_table(bars)}

| property | MAE | mean half width of the 90 % interval | share inside |
|---|---|---|---|
{properties}

Rank correlation of a material's mean error bar and its MAE: {bars["rank_correlation"]:.2f}.

{USE}"""
