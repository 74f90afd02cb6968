"""What is made of the errors of single crystals."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from vanhove.evaluation.phonon_numbers import (
    CONVENTIONS,
    PhononErrors,
    balanced_accuracy,
    best_threshold,
    standard_errors,
    summary,
)
from vanhove.evaluation.phonons import PhononEvaluation


def errors(**values: float) -> PhononErrors:
    empty = {field.name: np.nan for field in fields(PhononErrors)}
    return PhononErrors(**{**empty, **values})


@pytest.fixture
def found() -> list[PhononErrors]:
    common = {"lowest_bands": 1.0, "seconds": 0.1}
    return [
        errors(bands=4, highest=500, highest_error=3, softest=-50, is_unstable=1, **common),
        errors(bands=6, highest=900, highest_error=-5, softest=2, is_unstable=0, **common),
        errors(bands=20, highest=1500, highest_error=7, softest=-8, is_unstable=0, **common),
        errors(bands=30, highest=3000, highest_error=1, softest=-12, is_unstable=1, **common),
    ]


def test_means_by_class(found):
    values = summary(found, -10.0)
    assert values["bands"] == 15
    assert values["bands_median"] == 13
    assert (values["bands_low"], values["bands_high"]) == (5, 25)
    assert values["highest"] == 4
    assert values["balanced_accuracy"] == 1
    assert values["heat_capacity_300K"] is None
    assert set(values) == set(CONVENTIONS)


def test_the_threshold_separates_what_can_be_separated(found):
    threshold = best_threshold(found)
    assert -12 < threshold <= -8
    assert balanced_accuracy(found, threshold) == 1
    assert balanced_accuracy(found, -0.5) == 0.75


def test_the_table_leaves_out_what_is_unknown(found):
    result = PhononEvaluation(
        model="model",
        split="valid",
        n_materials=len(found),
        dataset={},
        seeds=[0],
        stability_threshold_cm1=-10.0,
        conventions=CONVENTIONS,
        mean=summary(found, -10.0),
        standard_error=standard_errors(found, -10.0),
        members=[],
        materials={},
        config={},
        versions={},
        machine="",
    )
    text = str(result)
    assert CONVENTIONS["bands_high"] in text
    assert CONVENTIONS["heat_capacity_300K"] not in text
    assert result.standard_error["bands"] > 0
