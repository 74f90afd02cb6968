"""The table of docs/phonons.md: bands and thermodynamics of vanhove-phonon against DFPT.

vanhove evaluate vanhove-phonon --phonons --split test -o results/vanhove-phonon/phonons.json
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "phonons.md"
RESULT = ROOT / "results" / "vanhove-phonon" / "phonons.json"


def table() -> str:
    result = json.loads(RESULT.read_text())
    members = result["members"]
    lines = [
        f"Test split of `phonon_petretto_full`, {result['n_materials']} crystals that no stage of "
        "training saw; DFPT of Petretto et al. (2018). ± is the standard error over crystals "
        f"(bootstrap). {len(members)} members (seeds {', '.join(map(str, result['seeds']))}).",
        "",
        "| | together | members alone |",
        "|---|---|---|",
    ]
    for name, text in result["conventions"].items():
        value, error = result["mean"][name], result["standard_error"][name]
        if value is None or name == "seconds":
            continue
        alone = [member[name] for member in members if member[name] is not None]
        shown = ", ".join(f"{own:.3g}" for own in alone)
        lines.append(f"| {text} | {value:.3g} ± {error:.2g} | {shown} |")
    lines += [
        "",
        f"Crystals whose softest mode lies below {result['stability_threshold_cm1']:g} 1/cm are "
        "called unstable; the threshold was chosen on the validation split.",
    ]
    return "\n".join(lines)
