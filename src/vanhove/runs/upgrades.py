"""Descriptions of checkpoints that older versions wrote, brought to the current format.

Whoever renames or moves a key of `vanhove.runs.description.ModelInfo`, or of the settings in it,
adds one to its `FORMAT`, a function here, and a header of the old format to the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vanhove.runs.description import FORMAT

Content = dict[str, Any]


def _without_a_runs_settings(content: Content) -> Content:
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


def _with_a_domain(content: Content) -> Content:
    """2 -> 3: says which materials it was trained on; nobody knows that of an older one."""
    return content


UPGRADES: dict[int, Callable[[Content], Content]] = {
    1: _without_a_runs_settings,
    2: _with_a_domain,
}
"""Format -> what makes the next one of it; may change what it is given."""


def upgraded(content: object) -> Content:
    """The description in the current format.

    Raises:
        ValueError: of a newer format, or of none that was ever written; the message says which.
    """
    if not isinstance(content, dict):
        raise ValueError("its description is no JSON object")
    # The first format had no number.
    number = content.get("format", 1 if "config" in content else None)
    if isinstance(number, int) and number > FORMAT:
        raise ValueError(
            f"written in format {number} by a newer vanhove "
            f"({content.get('version', 'of unknown version')}); this one reads up to {FORMAT}: "
            "update vanhove"
        )
    if number != FORMAT and number not in UPGRADES:
        raise ValueError(f"format {number!r} was never written by vanhove; it reads 1 to {FORMAT}")
    while number != FORMAT:
        content = UPGRADES[number](content)
        number += 1
        content["format"] = number
    return content
