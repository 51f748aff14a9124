"""The pictures of the study, from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from experiments.common import results
from experiments.common.pictures import save, style

HERE = Path(__file__).parent
COLOURS = {"oracle": "#0b6e4f", "neighbours": "#b0413e"}
NAMES = {"oracle": "responses from the true law", "neighbours": "responses learned by neighbours"}


def read(name: str) -> list[dict[str, str]]:
    """Return the lines of one results file, none if there is no file."""
    return results.read(HERE / "results" / f"{name}.csv")


def draw() -> None:
    """Draw the pictures whose results exist."""
    style()
    for name, picture in (
        ("convergence", _convergence),
        ("ranking", _ranking),
        ("trade_off", _trade_off),
        ("dimension", _dimension),
    ):
        rows = read(name)
        if rows:
            save(picture(rows), HERE / f"{name}.svg")


def _series(rows: list[dict[str, str]], x: str, y: str = "mean") -> tuple[np.ndarray, ...]:
    return tuple(np.array([float(row[key]) for row in rows]) for key in (x, y, "se"))


def _convergence(rows: list[dict[str, str]]) -> plt.Figure:
    """Return two by two panels, right or wrong class by shift; only one corner fails."""
    figure, panels = plt.subplots(2, 2, figsize=(8, 6), sharex=True, sharey=True)
    for i, (name, model_title) in enumerate(
        (("quadratic", "right model (quadratic)"), ("linear", "wrong model (line)"))
    ):
        for j, (mean, feature_title) in enumerate(
            (("0", "features as real"), ("0.5", "features shifted"))
        ):
            axes = panels[i, j]
            for response, colour in COLOURS.items():
                points = [
                    r
                    for r in rows
                    if (r["response"], r["mean of Q"], r["class"]) == (response, mean, name)
                ]
                n, gap, se = _series(points, "n")
                label = NAMES[response]
                axes.errorbar(n, gap, 1.96 * se, fmt="o-", color=colour, markersize=4, label=label)
                checked = [float(r["checked"]) for r in points]
                axes.plot(n, checked, "x", color="black", markersize=6, label="independent check")
            limit = float(points[0]["limit"])
            if limit:
                axes.axhline(limit, color="#7a7a7a", linestyle=":", label="limit")
                axes.text(
                    n[0], limit * 1.25, f"does not vanish: limit {limit:.4g}", color="#444444"
                )
            axes.set(
                xscale="log", yscale="log", title=f"{model_title}, {feature_title}", ylim=(1e-5, 4)
            )
            if j == 0:
                axes.set_ylabel("gap |R(f~) - R(f^)|")
            if i == 1:
                axes.set_xlabel("rows, real and synthetic")
    handles = dict(zip(*reversed(panels[1, 1].get_legend_handles_labels()), strict=True))
    return _laid_out(figure, handles)


def _ranking(rows: list[dict[str, str]]) -> plt.Figure:
    figure, axes = plt.subplots(figsize=(6.5, 3.6))
    for cell, colour, label, theory in (
        ("TSTR", "#0b6e4f", "scored on real rows", 1.6515),
        ("TSTS", "#b0413e", "scored on synthetic rows", 0.3933),
    ):
        m, share, se = _series([r for r in rows if r["cell"] == cell], "mean of Q")
        axes.errorbar(m, share, 1.96 * se, fmt="o-", color=colour, markersize=4, label=label)
        axes.axvline(theory, color=colour, linestyle=":")
        axes.text(theory + 0.03, 0.78, f"theory: {theory}", color=colour, rotation=90, va="center")
    axes.set(
        xlabel="shift m of the synthetic features",
        ylabel="share ranked as by real rows",
        ylim=(-0.05, 1.05),
    )
    return _laid_out(figure, dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)))


def _trade_off(rows: list[dict[str, str]]) -> plt.Figure:
    bends = sorted({float(r["c"]) for r in rows})
    means = sorted({float(r["mean of Q"]) for r in rows})
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    top = max(float(r["limit"]) for r in rows) ** 0.5
    for axes, key, title in (
        (panels[0], "limit", "infinitely many rows, true responses"),
        (panels[1], "mean", "300 rows, responses learned by neighbours"),
    ):
        values = {(float(r["c"]), float(r["mean of Q"])): float(r[key]) for r in rows}
        gap = np.array([[values[c, m] for m in means] for c in bends])
        mesh = axes.pcolormesh(means, bends, gap**0.5, cmap="viridis", vmin=0, vmax=top)
        for (i, j), value in np.ndenumerate(gap):
            light = value**0.5 < 0.6 * top
            axes.text(
                means[j],
                bends[i],
                f"{value:.2f}",
                ha="center",
                va="center",
                color="white" if light else "black",
                fontsize=7,
            )
        axes.set(xlabel="shift m of the features", title=title)
    panels[0].set_ylabel("misspecification c: mean x + c x², a line is fitted")
    bar = figure.colorbar(mesh, ax=panels, pad=0.02)
    bar.set_label("root of the gap")
    return figure


def _dimension(rows: list[dict[str, str]]) -> plt.Figure:
    figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.8), sharey=True)
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, 4))
    for axes, (response, title) in zip(panels, NAMES.items(), strict=True):
        for p, shade in zip((1, 2, 4, 8), shades, strict=True):
            n, gap, se = _series(
                [r for r in rows if r["response"] == response and int(r["p"]) == p], "n"
            )
            slope = np.polyfit(np.log(n), np.log(gap), 1)[0]
            axes.errorbar(
                n,
                gap,
                1.96 * se,
                fmt="o-",
                color=shade,
                markersize=4,
                label=f"p = {p}: n^{slope:.2f}",
            )
        axes.set(xscale="log", yscale="log", xlabel="rows, real and synthetic", title=title)
        axes.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("gap |R(f~) - R(f^)|")
    figure.tight_layout()
    return figure


def _laid_out(figure: plt.Figure, handles: dict[str, Any]) -> plt.Figure:
    """Return the figure with its legend in a row below."""
    figure.legend(
        handles.values(), handles.keys(), loc="lower center", ncols=4, frameon=False, fontsize=8
    )
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    return figure
