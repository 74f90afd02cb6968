"""Why a row is far from its paper, where it is: shown on docs/results-phonon.md.

A key is the name of a run, or EXPERIMENT/RUN where one table needs its own words.
`scripts/update_results.py` lists the rows that are far from their paper and have no reason.
"""

from __future__ import annotations

REASONS: dict[str, str] = {}


def reason(experiment: str, run: str) -> str:
    """The reason for a row; empty when there is none."""
    return REASONS.get(f"{experiment}/{run}", REASONS.get(run, ""))
