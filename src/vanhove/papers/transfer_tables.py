"""Out-of-distribution scenarios and subclasses, on the phonons of JARVIS (``phonon_jarvis_clean``).

The papers ran them on electron densities of states of the Materials Project. ``electron_pbe`` is
too small for most of them; the definitions of the scenarios are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from vanhove.papers.phonon_tables import DOSTRANSFORMER, SETTINGS
from vanhove.papers.table import Column, Experiment, Row, baseline_rows

JARVIS: dict[str, object] = {"data.dataset": "phonon_jarvis_clean"}

# Five times the crystals of phonon_petretto: about as many steps as there.
EPOCHS = {
    "mlp": 15,
    "mlp-energy": 15,
    "graph-network": 8,
    "graph-network-energy": 8,
    "e3nn": 6,
    "e3nn-energy": 6,
    "dostransformer": 10,
}
SCENARIOS = {
    "species": ("species", "ood_atom_species", ("unary", "quaternary", "quinary")),
    "system": ("crystal_system", "ood_crystal_system", ("monoclinic", "triclinic")),
}
"""Scenario -> our split, the paper's, and the groups that are held out."""
FRACTIONS = (0.05, 0.1, 0.15, 0.2)
_TUNED_SPLIT = "ood_crystal_system, 10% of test for fine-tuning"

MSE_X10 = Column("mse_x10", "MSE x 10", "MSEx10", comparable=False)
MAE = Column("mae", "MAE", "MAE", comparable=False)
R2 = Column("r2", "R2", "R2", smaller_is_better=False, comparable=False)

_OTHER_DATA = (
    "Other data than the paper's: phonons of JARVIS-DFT (finite differences, OptB88vdW, 66 points, "
    "maximum 1; crystals with less than 1 % imaginary weight) where the paper has electrons of the "
    "Materials Project. Hold the numbers against each other in their order, not in their size."
)
_SCENARIO_NOTES = {
    "species": "Trained on binary and ternary crystals (a tenth of them validates), tested on all "
    "others. The paper validates on half of the held-out crystals; here nothing of them is seen "
    "before the test.",
    "system": "Trained on cubic, hexagonal, tetragonal, trigonal and orthorhombic crystals (a "
    "tenth of them validates), tested on monoclinic and triclinic ones. Their prompts are the mean "
    "of those that were trained.",
}


def ood_rows(
    scenario: str,
    table: str,
    *,
    prefix: str = "ood",
    data: Mapping[str, object] = JARVIS,
    epochs: Mapping[str, int] = EPOCHS,
    more: Mapping[str, Mapping[str, object]] | None = None,
) -> tuple[Row, ...]:
    """The rows of table 2 or 8 in one scenario.

    Args:
        scenario: key of `SCENARIOS`.
        table: of the paper.
        prefix: of the names of the runs.
        data: dotted settings of the data set.
        epochs: of each model.
        more: catalog name -> further settings.
    """
    split, printed, _ = SCENARIOS[scenario]
    settings = {
        model: {
            **data,
            "data.split": split,
            "training.epochs": number,
            **(more or {}).get(model, {}),
        }
        for model, number in epochs.items()
    }
    start = f"{prefix}-{scenario}-"
    baselines = baseline_rows(
        start,
        settings,
        lambda title, variant: (DOSTRANSFORMER, table, title, variant, "electron_dos", printed),
    )
    return (
        *baselines,
        Row(
            "DOSTransformer",
            "dostransformer",
            f"{start}dostransformer",
            settings["dostransformer"],
            (DOSTRANSFORMER, table, "DOSTransformer", "energy", "electron_dos", printed),
        ),
    )


def tuned_row(
    base: Row,
    fraction: float,
    *,
    only_prompt: bool = False,
    label: str = "",
    published: tuple[str, ...] | None = None,
) -> Row:
    """A row of ``base``, fine-tuned on a fraction of its test part."""
    what = "only prompt" if only_prompt else "all"
    return Row(
        label or f"{base.label}, {fraction:.0%}, {what}",
        base.model,
        f"{base.run}-{'prompts' if only_prompt else 'tuned'}-{100 * fraction:.0f}",
        {},
        published,
        start=base,
        tuning_fraction=fraction,
        only_prompt=only_prompt,
    )


def _table2(scenario: str) -> Experiment:
    return Experiment(
        f"DOSTransformer, table 2, out of distribution by {_what(scenario)} (phonons of JARVIS)",
        ood_rows(scenario, "2"),
        (MSE_X10, MAE, R2),
        (_SCENARIO_NOTES[scenario], _OTHER_DATA),
        page="transfer",
    )


def group_columns(groups: tuple[str, ...]) -> tuple[Column, ...]:
    """MSE and MAE of each group."""
    return tuple(
        Column(
            f"{column.key}[{group}]",
            f"{column.title}, {group}",
            f"{column.published}[{group}]",
            comparable=False,
        )
        for group in groups
        for column in (MSE_X10, MAE)
    )


def _table8(scenario: str) -> Experiment:
    return Experiment(
        f"DOSTransformer, table 8, the same by group: {_what(scenario)} (phonons of JARVIS)",
        ood_rows(scenario, "8"),
        group_columns(SCENARIOS[scenario][2]),
        (_SCENARIO_NOTES[scenario], _OTHER_DATA),
        page="transfer",
    )


def _what(scenario: str) -> str:
    return {"species": "number of elements", "system": "crystal system"}[scenario]


def _printed_tuned(title: str, variant: str) -> tuple[str, ...]:
    return (DOSTRANSFORMER, "3", title, variant, "electron_dos", _TUNED_SPLIT)


def _table3() -> Experiment:
    rows: list[Row] = []
    for base in ood_rows("system", "2"):
        assert base.published is not None
        title, variant = base.published[2:4]
        rows.append(base.relabelled(f"{base.label}, not tuned"))
        if base.model == "dostransformer":
            variant = "fine-tune all"
        rows.append(
            tuned_row(
                base,
                0.1,
                label=f"{base.label}, tuned",
                published=_printed_tuned(title, variant),
            )
        )
    rows.append(
        tuned_row(
            ood_rows("system", "2")[-1],
            0.1,
            only_prompt=True,
            label="DOSTransformer, tuned only prompt",
            published=_printed_tuned("DOSTransformer", "fine-tune only prompt"),
        )
    )
    return Experiment(
        "DOSTransformer, table 3, fine-tuning on 10 % of the held-out crystals (phonons of JARVIS)",
        tuple(rows),
        (MSE_X10, MAE, R2),
        (_SCENARIO_NOTES["system"], _TUNING_NOTE, _OTHER_DATA),
        page="transfer",
        common_materials=True,
    )


_TUNING_NOTE = (
    "All rows are measured on the same four fifths of the held-out crystals; fine-tuning sees at "
    "most the other fifth, of which a fifth validates. All: 30 epochs at a learning rate of 3e-4 "
    "for every weight; only prompt: for the crystal-system prompts and the last layer."
)


def _figure6(scenario: str) -> Experiment:
    base = ood_rows(scenario, "2")[-1]
    return Experiment(
        f"DOSTransformer, figure 6, fine-tuning on 5 to 20 %: {_what(scenario)} (phonons of "
        "JARVIS)",
        (
            base.relabelled("not tuned"),
            *(
                tuned_row(base, fraction, only_prompt=only_prompt, label=f"{what}, {fraction:.0%}")
                for only_prompt, what in ((False, "all"), (True, "only prompt"))
                for fraction in FRACTIONS
            ),
        ),
        (MSE_X10, MAE, R2),
        ("The figure prints no numbers.", _SCENARIO_NOTES[scenario], _TUNING_NOTE, _OTHER_DATA),
        figures=("fractions",),
        page="transfer",
        common_materials=True,
    )


_MAT2SPEC = JARVIS | SETTINGS["sum-kl"][1] | {"training.epochs": 12}
_WHOLE = Row("all crystals", "mat2spec", "jarvis-mat2spec", _MAT2SPEC)
_KINDS = {"ternary_oxides": "ternary oxides", "space_group_225": "space group 225"}


def _subclass(kind: str) -> Experiment:
    title = _KINDS[kind]
    name = kind.replace("_", "-")
    only = {"data.subclass": kind}
    return Experiment(
        f"Mat2Spec, figure S8: {title}, fine-tuned or trained alone (phonons of JARVIS)",
        (
            Row(
                f"trained on {title} alone",
                "mat2spec",
                f"jarvis-mat2spec-{name}-alone",
                _MAT2SPEC | only | {"training.epochs": 60},
            ),
            _WHOLE.relabelled("trained on all crystals"),
            Row(
                f"trained on all, tuned on {title}",
                "mat2spec",
                f"jarvis-mat2spec-{name}-tuned",
                only,
                start=_WHOLE,
            ),
        ),
        (MAE, MSE_X10, R2, Column("wasserstein_cm1", "WD (1/cm)", digits=1)),
        (
            f"All rows are measured on the {title} of the published test part. "
            + (
                "Without rare earths (Sc, Y, La to Lu)."
                if kind == "ternary_oxides"
                else "The space group is that of the structure as given, within 0.01 angstrom."
            ),
            "The figure prints no numbers that are at hand; which of the supplement's figures "
            "shows it is inferred.",
            "Mat2Spec with SumNorm-KL at the catalog's compact size; the paper tuned on electrons "
            "of the Materials Project.",
        ),
        page="transfer",
        common_materials=True,
    )


TRANSFER_EXPERIMENTS: dict[str, Experiment] = {
    "dostransformer-table2-species": _table2("species"),
    "dostransformer-table2-system": _table2("system"),
    "dostransformer-table8-species": _table8("species"),
    "dostransformer-table8-system": _table8("system"),
    "dostransformer-table3": _table3(),
    "dostransformer-figure6-species": _figure6("species"),
    "dostransformer-figure6-system": _figure6("system"),
    "mat2spec-figureS8-oxides": _subclass("ternary_oxides"),
    "mat2spec-figureS8-fm3m": _subclass("space_group_225"),
}
