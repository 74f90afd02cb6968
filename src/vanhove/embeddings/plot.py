"""A map of latents in two dimensions, as an interactive page."""

from __future__ import annotations

from typing import Any

import numpy as np

from vanhove.crystal.elements import SYMBOLS
from vanhove.crystal.symmetry import CRYSTAL_SYSTEMS
from vanhove.embeddings.latents import Latents
from vanhove.errors import MissingExtraError

MOST_POINTS = 4000
"""Crystals, and atoms, that are drawn; more are thinned out evenly."""


def principal_plane(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two directions in which ``values`` ``[n, d]`` vary most.

    Returns:
        Their mean ``[d]``, the directions ``[2, d]`` (the largest component is positive, so that
        the map does not flip), and the share of the variance that each holds ``[2]``.
    """
    mean = values.mean(axis=0)
    _, sizes, directions = np.linalg.svd(values - mean, full_matrices=False)
    plane = np.zeros((2, values.shape[1]))
    plane[: len(directions[:2])] = directions[:2]
    for direction in plane:
        direction *= np.sign(direction[np.abs(direction).argmax()]) or 1
    shares = np.zeros(2)
    shares[: len(sizes[:2])] = (sizes**2 / max(float((sizes**2).sum()), 1e-30))[:2]
    return mean, plane, shares


def latent_map(latents: Latents, title: str) -> str:
    """A page with two maps and a button for each: crystals by system, atoms by element.

    Each map is the plane in which its points vary most. It holds all it needs (about 5 MB of it is
    plotly's script).

    Raises:
        MissingExtraError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingExtraError("plotly", "html", "an interactive plot") from error

    chart = go.Figure()
    crystal_axes = _add_crystals(chart, latents)
    atom_axes = _add_atoms(chart, latents)
    by_system = [index < len(CRYSTAL_SYSTEMS) for index in range(len(chart.data))]
    chart.update_layout(
        title=title,
        template="plotly_white",
        xaxis_title=crystal_axes[0],
        yaxis_title=crystal_axes[1],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "x": 0,
                "xanchor": "left",
                "y": 1.08,
                "buttons": [
                    _button("crystals by crystal system", by_system, crystal_axes),
                    _button("atoms by element", [not shown for shown in by_system], atom_axes),
                ],
            }
        ],
    )
    return chart.to_html(include_plotlyjs=True, full_html=True, div_id="map")


def _button(label: str, visible: list[bool], axes: list[str]) -> dict[str, Any]:
    titles = {"xaxis.title.text": axes[0], "yaxis.title.text": axes[1]}
    return {"label": label, "method": "update", "args": [{"visible": visible}, titles]}


def _add_crystals(chart: Any, latents: Latents) -> list[str]:
    """Crystals, coloured by crystal system; titles of the axes."""
    crystals = _thinned(len(latents.n_atoms))
    places, axes = _flat(latents.crystals)
    for index, system in enumerate(CRYSTAL_SYSTEMS):
        shown = crystals[latents.crystal_system[crystals] == index]
        chart.add_scatter(
            x=places[shown, 0].tolist(),
            y=places[shown, 1].tolist(),
            text=[latents.ids[row] for row in shown],
            name=system,
            mode="markers",
            marker={"size": 4, "opacity": 0.7},
        )
    return axes


def _add_atoms(chart: Any, latents: Latents) -> list[str]:
    """Atoms, coloured by element, whose symbol stands at their centre; titles of the axes."""
    from plotly.colors import sample_colorscale

    atoms = _thinned(len(latents.atomic_numbers))
    places, axes = _flat(latents.atoms)
    present = np.unique(latents.atomic_numbers)
    colours = sample_colorscale("Turbo", np.linspace(0, 1, max(len(present), 2)).tolist())
    for z, colour in zip(present, colours, strict=False):
        mine = latents.atomic_numbers == z
        shown, centre = atoms[mine[atoms]], places[mine].mean(axis=0)
        chart.add_scatter(
            x=[*places[shown, 0].tolist(), float(centre[0])],
            y=[*places[shown, 1].tolist(), float(centre[1])],
            text=[*[""] * len(shown), SYMBOLS[z]],
            name=SYMBOLS[z],
            mode="markers+text",
            marker={
                "size": [*[3] * len(shown), 9],
                "opacity": [*[0.35] * len(shown), 1],
                "color": colour,
            },
            textposition="top center",
            visible=False,
        )
    return axes


def _flat(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Places on the principal plane ``[n, 2]`` and titles of the axes."""
    mean, plane, shares = principal_plane(values.astype(np.float64))
    titles = [f"component {i} ({share:.0%} of the variance)" for i, share in enumerate(shares, 1)]
    return (values - mean) @ plane.T, titles


def _thinned(n: int) -> np.ndarray:
    """Indices of at most `MOST_POINTS` of ``n``, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(int))
