"""Tables of electron densities of states, measured on ``electron_pbe`` (small, see its notes)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vanhove.evaluation.conditions import Conditions
from vanhove.papers.phonon_tables import DOSTRANSFORMER, MAT2SPEC, SETTINGS, XTAL2DOS
from vanhove.papers.table import Column, Experiment, Row, baseline_rows
from vanhove.papers.transfer_tables import group_columns, ood_rows

_SMOOTH: dict[str, object] = {"model.decoder.energies": "gaussian"}
EPOCHS = {
    "mlp": 60,
    "mlp-energy": 60,
    "graph-network": 40,
    "graph-network-energy": 40,
    "e3nn": 20,
    "e3nn-energy": 20,
    "dostransformer": 60,
    "xtal2dos-parallel": 60,
    "mat2spec": 40,
    "gatgnn": 40,
    "e3nn2dos": 20,
    "xtal2dos-chunk-rnn-attention": 40,
}
"""Validation is best well before their end (DOSTransformer: near it); all else is the catalog's."""
ON_201: dict[str, object] = {"data.dataset": "electron_pbe"}
ON_128: dict[str, object] = {"data.dataset": "electron_pbe_128"}

MSE_X10 = Column("mse_x10", "MSE x 10", "MSEx10", comparable=False)
MAE = Column("mae", "MAE", "MAE", comparable=False)
R2 = Column("r2", "R2", "R2", smaller_is_better=False, comparable=False)
VALIDITY = (
    Column("band_gap_mse", "band gap MSE", "band gap MSE", comparable=False),
    Column("fermi_energy_mse", "Fermi energy MSE", "Fermi energy MSE", comparable=False),
)

_SMALL = (
    "Other data than the paper's, and far fewer: PBE densities of states computed for this project "
    "(416 small crystals, 334 of them to train on, mostly cubic metals with one or two elements) "
    "where the paper has tens of thousands of the Materials Project. Hold the numbers against each "
    "other in their order at most; the set grows."
)
_SMOOTH_NOTE = (
    "DOSTransformer has energy embeddings that vary smoothly along the grid "
    "(model.decoder.energies: gaussian). With a free vector for each of the 201 energies, as "
    "published, it learned from so few crystals hardly more than their mean spectrum (validation "
    "RMSE 0.281 against 0.304 of the mean)."
)
_NO_ENERGIES = "No energies of a calculation are inputs (the released code feeds them)."


def settings_of(model: str, data: Mapping[str, object] = ON_201) -> dict[str, object]:
    """Settings of a catalogued model on electrons."""
    smooth = _SMOOTH if model == "dostransformer" else {}
    return {**data, "training.epochs": EPOCHS[model], **smooth}


_SETTINGS_201 = {model: settings_of(model) for model in EPOCHS}


def _printed(table: str) -> Callable[[str, str], tuple[str, ...]]:
    return lambda title, variant: (DOSTRANSFORMER, table, title, variant, "electron_dos", "random")


BASELINES = baseline_rows("electron-", _SETTINGS_201, _printed("1"))
DOSTRANSFORMER_ROW = Row(
    "DOSTransformer",
    "dostransformer",
    "electron-dostransformer",
    _SETTINGS_201["dostransformer"],
    _printed("1")("DOSTransformer", "energy"),
)


def _table1() -> Experiment:
    return Experiment(
        "DOSTransformer, table 1 (electron part): energy embeddings, and the DOSTransformer",
        (
            *BASELINES,
            DOSTRANSFORMER_ROW,
            Row(
                "Xtal2DoS, parallel",
                "xtal2dos-parallel",
                "electron-xtal2dos-parallel",
                _SETTINGS_201["xtal2dos-parallel"],
            ),
            Row("Mat2Spec", "mat2spec", "electron-mat2spec", _SETTINGS_201["mat2spec"]),
        ),
        (MSE_X10, MAE, R2, *VALIDITY),
        (
            "MSE, MAE and R2 are those of each material, then the mean over materials.",
            _SMALL,
            _SMOOTH_NOTE,
            _NO_ENERGIES,
            "The paper's table has no rows of Xtal2DoS and Mat2Spec.",
        ),
        page="electron",
        properties=("band_gap", "fermi_energy"),
    )


def _system(kind: str, where: str = "decoder") -> dict[str, object]:
    return {"model.crystal_system.kind": kind, "model.crystal_system.where": where}


def _table4() -> Experiment:
    def row(kind: str, where: str, label: str, printed: str) -> Row:
        return Row(
            label,
            "dostransformer",
            f"electron-dostransformer-{where}-{kind}",
            {**_SETTINGS_201["dostransformer"], **_system(kind, where)},
            _printed("4")("DOSTransformer", printed),
        )

    return Experiment(
        "DOSTransformer, table 4 (electrons): where and how the crystal system enters",
        (
            row("one_hot", "atoms", "one-hot in atom features", "atom features, one-hot"),
            row("prompt", "atoms", "prompt in atom features", "atom features, prompt"),
            row(
                "one_hot",
                "decoder",
                "one-hot before self-attention",
                "before self-attention, one-hot",
            ),
            DOSTRANSFORMER_ROW.relabelled(
                "prompt before self-attention",
                _printed("4")("DOSTransformer", "before self-attention, prompt"),
            ),
        ),
        (MSE_X10, MAE, R2),
        (
            "With the crystal system in the atom features the decoder has one branch, without a "
            "second loss.",
            _SMALL,
            _SMOOTH_NOTE,
        ),
        page="electron",
    )


def _table9() -> Experiment:
    rows: list[Row] = []
    for baseline in BASELINES:
        assert baseline.published is not None
        title, variant = baseline.published[2:4]
        rows.append(baseline)
        for where, place in (("atoms", "in atom features"), ("decoder", "before prediction layer")):
            rows.append(
                Row(
                    f"{baseline.label}, prompt {place}",
                    baseline.model,
                    f"{baseline.run}-prompt-{where}",
                    {**baseline.overrides, **_system("prompt", where)},
                    _printed("9")(title, f"{variant}, prompt {place}"),
                )
            )
    return Experiment(
        "DOSTransformer, table 9 (electron part): baselines with crystal-system prompts",
        tuple(rows),
        (MSE_X10, MAE),
        ("Rows without a prompt are those of table 1.", _SMALL),
        page="electron",
    )


def _species_rows(table: str) -> tuple[Row, ...]:
    return ood_rows(
        "species",
        table,
        prefix="electron-ood",
        data=ON_201,
        epochs={row.model: EPOCHS[row.model] for row in (*BASELINES, DOSTRANSFORMER_ROW)},
        more={"dostransformer": _SMOOTH},
    )


_SPECIES_NOTES = (
    "Trained on binary and ternary crystals, tested on all others: here on 107 elements and one "
    "quaternary crystal, so the paper's columns of quaternary and quinary crystals have no "
    "counterpart. The other scenario (two crystals are monoclinic or triclinic) needs more data "
    "and is run on the phonons of JARVIS.",
    _SMALL,
    _SMOOTH_NOTE,
)


# Mat2Spec, table 2, and Xtal2DoS, tables 2 and 4: 128 energies, states/eV.

_STANDARD: dict[str, object] = {
    "model.output": "raw",
    "training.loss": "mae",
    "training.select_by": "mae",
}
ELECTRON_SETTINGS: dict[str, tuple[str, dict[str, object]]] = {
    "standard": ("Standard, MAE loss", _STANDARD),
    "sum-wd": SETTINGS["sum-wd"],
    "sum-kl": SETTINGS["sum-kl"],
}
"""The three settings of Mat2Spec for electrons: normalisation and loss."""


def _on_128(name: str, title: str, setting: str) -> Row:
    variant, overrides = ELECTRON_SETTINGS[setting]
    return Row(
        f"{title}, {variant.removesuffix(' loss')}",
        name,
        f"electron128-{name}-{setting}",
        {**settings_of(name, ON_128), **overrides},
        (MAT2SPEC, "2", title, variant, "electron_dos_128"),
        scale=None if setting == "standard" else _on_128(name, title, "standard"),
    )


_MODELS_128 = (("e3nn", "E3NN"), ("gatgnn", "GATGNN"), ("mat2spec", "Mat2Spec"))
MAT2SPEC_ROW = _on_128("mat2spec", "Mat2Spec", "sum-kl")

COLUMNS_128 = (
    R2,
    Column("r2_flat", "R2 flat", "R2", smaller_is_better=False, comparable=False),
    Column("mae", "MAE (states/eV)", "MAE (states/eV)", comparable=False),
    Column("mse", "MSE", "MSE", comparable=False),
    Column("wasserstein_eV", "WD (eV)", "WD (eV)", comparable=False),
)
_GAPS = (
    *(
        Column(
            f"valence_gap_{key}",
            f"VB gap {title}",
            f"VB gap {title}",
            smaller_is_better=False,
            comparable=False,
        )
        for key, title in (("f1", "F1"), ("precision", "precision"), ("recall", "recall"))
    ),
    Column("valence_gap_n_true", "crystals with VB gap", digits=0, smaller_is_better=False),
)
_SCALE_NOTE = (
    "A SumNorm model gives shapes; the sum of each spectrum is that of the same encoder's Standard "
    "model, as in the Mat2Spec paper; the sum of the true spectrum is never used."
)
_STATES_NOTE = (
    "States per eV and cell of crystals with 2 atoms on average; the papers' cells are larger, and "
    "so are their errors."
)


def _table2_mat2spec() -> Experiment:
    return Experiment(
        "Mat2Spec, table 2: electron density of states (128 energies, states/eV)",
        tuple(
            _on_128(name, title, setting)
            for setting in ELECTRON_SETTINGS
            for name, title in _MODELS_128
        ),
        (*COLUMNS_128, *_GAPS),
        (
            _SCALE_NOTE,
            "Which R2 the paper prints is not known: ours is given per material and over all "
            "points.",
            _STATES_NOTE,
            _SMALL,
        ),
        page="electron",
    )


def _xtal2dos(name: str, title: str, table: str, printed: str, variant: str = "") -> Row:
    return Row(
        title,
        name,
        f"electron128-{name}",
        settings_of(name, ON_128) | SETTINGS["sum-kl"][1],
        (XTAL2DOS, table, printed, variant, "electron_dos_128"),
        scale=_on_128("mat2spec", "Mat2Spec", "standard"),
    )


_XTAL2DOS_COLUMNS = (
    Column("r2_per_bin", "R2 per bin", "R2", smaller_is_better=False, comparable=False),
    *COLUMNS_128[2:4],
    Column("wasserstein_eV", "WD (eV)", "WD", comparable=False),
    R2,
)
_XTAL2DOS_NOTES = (
    "Each SumNorm shape is scaled with the sum that the Standard model of Mat2Spec (for E3NN and "
    "GATGNN: their own) predicts; the released code of Xtal2DoS multiplies with the true sum.",
    "R2 of Xtal2DoS is that of each energy over the materials, weighted with the variance; its "
    "Wasserstein distances are printed without a unit.",
    "Xtal2DoS is the parallel form, which the released code runs.",
    _STATES_NOTE,
    _SMALL,
)


def _relabelled_128(name: str, title: str, setting: str, printed: str) -> Row:
    row = _on_128(name, title, setting)
    return row.relabelled(row.label, (XTAL2DOS, "2", printed, "", "electron_dos_128"))


def _table2_xtal2dos() -> Experiment:
    return Experiment(
        "Xtal2DoS, table 2: electron density of states (128 energies)",
        (
            _relabelled_128("e3nn", "E3NN", "standard", "E3NN"),
            _relabelled_128("e3nn", "E3NN", "sum-kl", "E3NN-new"),
            _relabelled_128("gatgnn", "GATGNN", "sum-kl", "GATGNN"),
            _xtal2dos("e3nn2dos", "E3NN2DoS", "2", "E3NN2DoS"),
            _relabelled_128("mat2spec", "Mat2Spec", "sum-kl", "Mat2Spec"),
            _xtal2dos("xtal2dos-parallel", "Xtal2DoS", "2", "Xtal2DoS"),
        ),
        _XTAL2DOS_COLUMNS,
        (
            *_XTAL2DOS_NOTES,
            "Inferred: the paper's E3NN row is near Mat2Spec's Standard-MAE row of E3NN.",
        ),
        page="electron",
    )


def _table4_xtal2dos() -> Experiment:
    return Experiment(
        "Xtal2DoS, table 4: decoders on electrons (128 energies)",
        (
            _xtal2dos(
                "xtal2dos-chunk-rnn-attention",
                "Xtal2DoS, Chunk RNN+Attn",
                "4",
                "Xtal2DoS",
                "Chunk RNN+Attn decoder",
            ),
            _xtal2dos("xtal2dos-parallel", "Xtal2DoS", "4", "Xtal2DoS", "Transformer decoder"),
        ),
        _XTAL2DOS_COLUMNS,
        _XTAL2DOS_NOTES,
        page="electron",
    )


_INFERRED_FIGURE = (
    "Which figure of the supplement shows this is inferred from what it is said to hold; it prints "
    "no numbers that are at hand."
)


def _figure_s3() -> Experiment:
    whole = MAT2SPEC_ROW
    parts = []
    for divisor in (1, 2, 4, 8):
        only: dict[str, object] = {"data.train_fraction": 1 / divisor} if divisor > 1 else {}
        suffix = f"-part{divisor}" if divisor > 1 else ""
        standard = whole.scale
        assert standard is not None
        parts.append(
            Row(
                "all" if divisor == 1 else f"1/{divisor}",
                "mat2spec",
                whole.run + suffix,
                {**whole.overrides, **only},
                scale=Row("", "mat2spec", standard.run + suffix, {**standard.overrides, **only}),
            )
        )
    return Experiment(
        "Mat2Spec, figure S3: size of the training set (128 energies)",
        tuple(parts),
        COLUMNS_128,
        (
            "Mat2Spec with SumNorm-KL on a part of the training crystals; smaller parts lie in "
            "larger ones. The Standard model that gives the sum sees the same part.",
            _INFERRED_FIGURE,
            _SMALL,
        ),
        figures=("sizes",),
        common_materials=True,
        page="electron",
    )


def _figure_s7() -> Experiment:
    relaxed = MAT2SPEC_ROW
    rows = [relaxed.relabelled("relaxed")]
    for displacement in (0.02, 0.05, 0.1):
        row = relaxed.relabelled(f"moved by {displacement:g} angstrom")
        rows.append(
            Row(
                row.label,
                row.model,
                row.run,
                row.overrides,
                (
                    (
                        MAT2SPEC,
                        "S7",
                        "Mat2Spec",
                        "SumNorm, KL, unrelaxed structures",
                        "electron_dos_128",
                    )
                    if displacement == 0.05
                    else None
                ),
                scale=relaxed.scale,
                conditions=Conditions(displacement=displacement),
            )
        )
    return Experiment(
        "Mat2Spec, figure S7: structures that are not relaxed (128 energies)",
        tuple(rows),
        (
            COLUMNS_128[1],
            Column("mae", "MAE (states/eV)"),
            Column("mae_ratio", "MAE, ratio", "mean MAE ratio unrelaxed/relaxed", comparable=False),
        ),
        (
            "The paper took structures from before their relaxation. Here the relaxed ones are "
            "moved at random: each coordinate by a normal number of the given standard deviation, "
            "the cell by a strain of 0.2 of it per angstrom (0.05 angstrom: 1 %). The printed "
            "ratio stands beside the middle row for want of a better place. The sum of each "
            "spectrum is that of the Standard model on the relaxed structure.",
            _SMALL,
        ),
        figures=("dots",),
        page="electron",
        reference="relaxed",
    )


ELECTRON_EXPERIMENTS: dict[str, Experiment] = {
    "dostransformer-table1-electron": _table1(),
    "dostransformer-table2-electron": Experiment(
        "DOSTransformer, table 2 (electrons), out of distribution by number of elements",
        _species_rows("2"),
        (MSE_X10, MAE, R2),
        _SPECIES_NOTES,
        page="electron",
    ),
    "dostransformer-table4-electron": _table4(),
    "dostransformer-table8-electron": Experiment(
        "DOSTransformer, table 8 (electrons), the same by group",
        _species_rows("8"),
        group_columns(("unary",)),
        _SPECIES_NOTES,
        page="electron",
    ),
    "dostransformer-table9-electron": _table9(),
    "mat2spec-table2": _table2_mat2spec(),
    "mat2spec-figure4": Experiment(
        "Mat2Spec, figure 4: electron densities of states, from the best to the worst",
        (MAT2SPEC_ROW,),
        COLUMNS_128,
        ("The figure prints no numbers.", _SCALE_NOTE, _SMALL),
        figures=("quintiles",),
        page="electron",
    ),
    "mat2spec-figureS3": _figure_s3(),
    "mat2spec-figureS7": _figure_s7(),
    "xtal2dos-table2": _table2_xtal2dos(),
    "xtal2dos-table4": _table4_xtal2dos(),
}
