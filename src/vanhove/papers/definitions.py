"""Every table and figure that can be reproduced, by name."""

from __future__ import annotations

from vanhove.errors import ConfigError
from vanhove.papers.electron_tables import ELECTRON_EXPERIMENTS
from vanhove.papers.embedding_tables import EMBEDDING_EXPERIMENTS
from vanhove.papers.flagship_tables import FLAGSHIP_EXPERIMENTS
from vanhove.papers.phonon_tables import PHONON_EXPERIMENTS
from vanhove.papers.study_tables import STUDY_EXPERIMENTS
from vanhove.papers.table import Experiment, Row
from vanhove.papers.transfer_tables import TRANSFER_EXPERIMENTS

EXPERIMENTS: dict[str, Experiment] = {
    **PHONON_EXPERIMENTS,
    **FLAGSHIP_EXPERIMENTS,
    **TRANSFER_EXPERIMENTS,
    **ELECTRON_EXPERIMENTS,
    **STUDY_EXPERIMENTS,
    **EMBEDDING_EXPERIMENTS,
}


def find_experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in EXPERIMENTS:
        raise ConfigError(f"experiment {name!r}; allowed: {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def chosen_rows(name: str, wanted: list[str] | None = None) -> list[Row]:
    """The rows of an experiment with the given labels or run names, in the paper's order.

    Raises:
        ConfigError: an unknown row.
    """
    rows = list(find_experiment(name).rows)
    if not wanted:
        return rows
    names = {label for row in rows for label in (row.label.lower(), row.run.lower())}
    for word in wanted:
        if word.lower() not in names:
            raise ConfigError(
                f"row {word!r} of {name}; allowed: {', '.join(row.run for row in rows)} (or "
                "the labels of the table)"
            )
    lower = {word.lower() for word in wanted}
    return [row for row in rows if {row.label.lower(), row.run.lower()} & lower]
