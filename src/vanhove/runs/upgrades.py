"""Descriptions of checkpoints that older versions wrote, brought to the current format.

Whoever renames or moves a key of `vanhove.runs.description.ModelInfo`, or of the settings in it,
adds one to its `FORMAT`, a function here, and a header of the old format to the tests.
"""

from __future__ import annotations

from vanhove.results import Json
from vanhove.runs.formats import Format, Upgrade


def _without_a_runs_settings(content: Json) -> Json:
    """1 -> 2: a whole run's settings (``config``) become model, graph and a short provenance."""
    config = content.pop("config")
    known = {"loss": "rmse", "beta": 1.0, "shape_weight": 0.0, "select_by": "rmse"}
    training = known | config.get("training", {})
    start = config.get("start", {})
    moved = {key: content.pop(key) for key in ("dataset", "epoch", "validation")}
    return content | {
        "name": config.get("name", "run"),
        "model": config.get("model", {}),
        "graph": config.get("graph", {}),
        "trained": {
            "seed": config.get("seed", 0),
            "data": config.get("data", {}),
            "objective": {key: training[key] for key in known},
            "fine_tuned": start.get("checkpoint") is not None,
            **moved,
        },
    }


def _with_a_domain(content: Json) -> Json:
    """2 -> 3: says which materials it was trained on; nobody knows that of an older one."""
    return content


UPGRADES: dict[int, Upgrade] = {1: _without_a_runs_settings, 2: _with_a_domain}
"""Format -> what makes the next one of it."""
MODEL_FORMAT = Format(UPGRADES, lambda content: "config" in content)
