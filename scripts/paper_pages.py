"""docs/papers/*.md: every table and figure of a paper, in its order, ours beside the printed."""

from __future__ import annotations

from dataclasses import dataclass

import bands_page
from claims import RULE
from latent_section import latent_section
from results_page import _claims, _decoding, _experiment, found_metrics, not_run

from vanhove.papers.claims import CLAIMS
from vanhove.papers.published import PAPERS


@dataclass(frozen=True)
class Paper:
    """A paper and what stands on its page.

    Attributes:
        title: name of the model, as `vanhove.papers.published.PAPERS` has it.
        guide: page of the documentation that explains the model.
        about: what the reader must know first.
        contents: number of a table or figure in the paper, and the names of what reproduces it, or
            a sentence why nothing does.
    """

    title: str
    guide: str
    about: str
    contents: tuple[tuple[str, tuple[str, ...] | str], ...]

    @property
    def experiments(self) -> list[str]:
        return [name for _, names in self.contents if not isinstance(names, str) for name in names]


_DATA = (
    "Phonons are those of Petretto et al. on the published split, the papers' own data. The "
    "papers' electrons are tens of thousands of densities of states of the Materials Project; ours "
    "are the few hundred PBE calculations of `electron_pbe`, made for this project, so a table on "
    "electrons is reproduced in its form and its order, not in its numbers (a larger set goes "
    "through the same commands: [data.md](../data.md)). "
)

PAGES = {
    "dostransformer": Paper(
        "DOSTransformer",
        "dostransformer.md",
        _DATA + "Tables 2, 3 and 8 and figure 6 need crystals of many kinds: beside the electrons "
        "they are run on the phonons of JARVIS (its 8,180 crystals without imaginary modes), which "
        "cover all crystal systems and one to six elements.",
        (
            ("Table 1", ("dostransformer-table1", "dostransformer-table1-electron")),
            (
                "Table 2",
                (
                    "dostransformer-table2-electron",
                    "dostransformer-table2-species",
                    "dostransformer-table2-system",
                ),
            ),
            ("Table 3", ("dostransformer-table3",)),
            ("Table 4", ("dostransformer-table4-electron", "dostransformer-table4")),
            (
                "Table 8",
                (
                    "dostransformer-table8-electron",
                    "dostransformer-table8-species",
                    "dostransformer-table8-system",
                ),
            ),
            ("Table 9", ("dostransformer-table9", "dostransformer-table9-electron")),
            ("Table 10", ("dostransformer-table10", "dostransformer-table10-electron")),
            ("Table 11", ("dostransformer-table11", "dostransformer-table11-electron")),
            ("Figure 3", ("dostransformer-figure3", "dostransformer-figure3-electron")),
            ("Figure 4", ("dostransformer-figure4",)),
            ("Figure 5", ("dostransformer-figure5", "dostransformer-figure5-electron")),
            ("Figure 6", ("dostransformer-figure6-species", "dostransformer-figure6-system")),
        ),
    ),
    "xtal2dos": Paper(
        "Xtal2DoS",
        "xtal2dos.md",
        _DATA,
        (
            ("Table 1", ("xtal2dos-table1",)),
            ("Table 2", ("xtal2dos-table2",)),
            ("Table 3", ("xtal2dos-table3",)),
            ("Table 4", ("xtal2dos-table4",)),
            ("Table 5", ("xtal2dos-table5",)),
            (
                "Figures 5 and 6",
                "By topic, for the captions are not at hand: predicted spectra beside calculated "
                "ones, of phonons and of electrons. Which crystals the paper draws cannot be told, "
                "so ours are the typical ones of each fifth of the test part, from the best to the "
                "worst, under tables 1 and 2, of each row that was trained since results hold "
                "them. Maps of attention are not drawn: no number of the paper rests on one.",
            ),
        ),
    ),
    "mat2spec": Paper(
        "Mat2Spec",
        "mat2spec.md",
        _DATA,
        (
            ("Table 1", ("mat2spec-table1",)),
            ("Table 2", ("mat2spec-table2",)),
            ("Ablations", ("mat2spec-ablations-electron", "mat2spec-ablations")),
            ("Does the latent say anything?", ("mat2spec-latent",)),
            ("Figure 3", ("mat2spec-figure3",)),
            ("Figure 4", ("mat2spec-figure4",)),
            (
                "Gaps in the valence bands (figures 5 and 6)",
                ("mat2spec-discovery",),
            ),
            (
                "Figures 5 and 6",
                "By topic, for the captions are not at hand: crystals in whose predicted electron "
                "density a gap lies below the Fermi energy, candidates for transparent conductors "
                "and thermoelectrics, and the densities calculated to check them. Identification "
                "among labelled crystals is in the last columns of table 2; the table above is the "
                "discovery among unlabelled ones, and lists them by name once its rows are run. "
                "New DFT calculations of single candidates are not made here: the check is "
                "`vanhove-electron`, whose own precision and recall on labels stand beside it. "
                "Transport coefficients of candidates are outside of what any model here predicts.",
            ),
            (
                "Figures S1 to S6 and S9",
                "The supplement is not at hand, so these cannot be matched one by one. By topic, "
                "what is left of it to show of a model is each model and setting on phonons and on "
                "electrons, crystal by crystal: that stands under tables 1 and 2 as spectra from "
                "the best to the worst fifth and as errors of single crystals, of each row that "
                "was trained since results hold them. Structures that are not relaxed and "
                "subclasses of crystals are figures S7 and S8, below.",
            ),
            ("Figure S7", ("mat2spec-figureS7",)),
            ("Figure S8", ("mat2spec-figureS8-oxides", "mat2spec-figureS8-fm3m")),
        ),
    ),
}
"""File name -> page; tables and figures that show no result of a model are left out."""

COURSE = (
    "atom-embeddings",
    "atom-embeddings-eighth",
    "atom-embeddings-electron",
    "atom-embeddings-ood-species",
)
"""Tables of the report of the course project."""


def page(name: str, found: dict[str, dict]) -> str:
    """The page of a paper, from all results by name."""
    paper = PAGES[name]
    parts = [
        f"# {paper.title}: every table and figure, ours beside the printed",
        f"{PAPERS[paper.title]}. What the model is: [{paper.guide}](../{paper.guide}). "
        "Generated by `scripts/update_results.py` from `results/*/*.json`, which "
        "`vanhove reproduce` wrote: [reproduce.md](../reproduce.md). "
        "Numbers of tables and figures that are missing here are of those that show no result of "
        "a model: sketches of the method, statistics of the data, settings.",
        paper.about,
    ]
    claims = [claim for claim in CLAIMS if claim.source.startswith(paper.title)]
    if claims:
        parts += ["## What the paper claims", RULE, *_claims(found_metrics(found), claims)]
    for title, names in paper.contents:
        parts.append(f"## {title}")
        if isinstance(names, str):
            parts.append(names)
            continue
        for experiment in names:
            result = found.get(experiment) or not_run(experiment)
            parts += _experiment(experiment, result, "###", "../figures")
    if name == "xtal2dos":
        parts += _decoding()
    if name == "mat2spec":
        parts += latent_section()
    return "\n\n".join(parts) + "\n"


def course(found: dict[str, dict]) -> str:
    """The tables of the course project's report."""
    parts = []
    for experiment in COURSE:
        result = found.get(experiment) or not_run(experiment)
        parts += _experiment(experiment, result, "###", "../figures")
    return "\n\n".join(parts)


def bandformer() -> str:
    """The page of Bandformer, whose results have a form of their own."""
    return bands_page.page().replace("](", "](../")
