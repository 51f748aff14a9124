"""The pictures of the study, from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from experiments.common.pictures import save, style
from experiments.common.results import half_interval
from experiments.hardness import removal
from experiments.hardness.honest import SHARE, TWO_CLASSES
from experiments.hardness.read import read, series
from experiments.hardness.scores import METHODS, skill
from experiments.hardness.tables import TARGETS

HERE = Path(__file__).parent
COLOURS = {"KNN-Shapley": "#0b6e4f", "Data-IQ": "#b0413e", "random": "#7a7a7a"}
TITLES = {
    "uniform": "mislabelled",
    "near": "near, out of distribution",
    "far": "far, out of distribution",
    "atypical": "atypical",
}


def draw() -> None:
    """Draw the pictures whose results exist."""
    style()
    if read("honest"):
        _skills()
    if read("removal"):
        _curves()


def _save(figure: plt.Figure, name: str, handles: tuple[list[Any], list[Any]]) -> None:
    """Lay out the figure, with the legend in a row below, and write it."""
    figure.legend(*handles, loc="lower center", ncols=len(handles[1]), frameon=False, fontsize=8)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    save(figure, HERE / name)


def _skills() -> None:
    """Draw a panel for each kind: methods on y, a dot for each table, a bar for the mean."""
    skills = series("honest", "average precision", METHODS)
    figure, panels = plt.subplots(1, len(TWO_CLASSES), figsize=(11, 5), sharey=True)
    shades = plt.get_cmap("tab10")
    for axes, kind in zip(panels, TWO_CLASSES, strict=True):
        names = [t for t in TARGETS if (t, kind) in skills]
        means = np.array(
            [[skill(skills[t, kind][m], SHARE).mean() for t in names] for m in METHODS]
        )
        heights = np.arange(len(METHODS))
        for j, name in enumerate(names):
            colour = shades(list(TARGETS).index(name))
            axes.plot(means[:, j], heights, "o", markersize=4, color=colour, label=name)
        axes.plot(means.mean(axis=1), heights, "|", markersize=14, color="black", label="mean")
        axes.axvline(0, color="#bbbbbb", linewidth=1, linestyle=":")
        axes.set_title(TITLES[kind])
        axes.set_xlabel("skill (0 chance, 1 perfect)")
    panels[0].set_yticks(heights, METHODS)
    panels[0].invert_yaxis()
    _save(figure, "skill.svg", panels[0].get_legend_handles_labels())


def _curves() -> None:
    """Draw a column for each table and a row for each share of flipped labels."""
    shape = (len(removal.FLIPPED), len(removal.TABLES))
    figure, panels = plt.subplots(*shape, figsize=(11, 5.5), sharex=True)
    for line, flipped in zip(panels, removal.FLIPPED, strict=True):
        for axes, name in zip(line, removal.TABLES, strict=True):
            _panel(axes, name, flipped)
        line[0].set_ylabel(f"Gini on held-out rows\n{flipped:.0%} of labels flipped")
    for axes in panels[-1]:
        axes.set_xlabel("share of rows removed")
    _save(figure, "removal.svg", panels[0, 0].get_legend_handles_labels())


def _panel(axes: Axes, name: str, flipped: float) -> None:
    for method in removal.METHODS:
        score = method.removesuffix(removal.WITHIN)
        colour, dashes = COLOURS[score], "-" if score == method else "--"
        key = (name, str(flipped), method)
        rows = [r for r in read("removal") if (r["table"], r["flipped"], r["method"]) == key]
        if not rows:
            continue
        curves = np.array([[float(r[str(p)]) for p in removal.REMOVED] for r in rows])
        middle = curves.mean(axis=0)
        axes.plot(removal.REMOVED, middle, dashes, color=colour, label=method)
        if len(rows) > 1:
            half = np.array([half_interval(c) for c in curves.T])
            axes.fill_between(
                removal.REMOVED, middle - half, middle + half, color=colour, alpha=0.2, linewidth=0
            )
    axes.set_title(name)
