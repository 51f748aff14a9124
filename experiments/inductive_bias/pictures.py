"""The picture of the faithful study: published against reconstructed relative gains.

python -m experiments.inductive_bias.pictures
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from experiments.common.pictures import save, style
from experiments.inductive_bias.compared import METRICS, TECHNIQUES, gains, judged, published
from experiments.inductive_bias.faithful import TABLES

COLORS = dict(zip(TECHNIQUES, ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=True))
MARKERS = dict(zip(TABLES, "os^D", strict=True))


def picture() -> None:
    """Draw published against reconstructed relative gains, JS and KL, one point for each table."""
    style()
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
    theirs, ours = published(), judged("ours", "network")
    for at, (metric, ax) in enumerate(zip(METRICS, axes, strict=True)):
        for arm in TECHNIQUES:
            printed, found = gains(theirs, arm), gains(ours, arm)
            for name, values in found.items():
                label = arm if name == next(iter(found)) else None
                y = values[:, at]
                x = np.full(len(y), printed[name][0, at])
                ax.plot(x, y, "-", color=COLORS[arm], lw=0.8, alpha=0.6)
                ax.plot(x[:1], [y.mean()], MARKERS[name], color=COLORS[arm], label=label, ms=6)
        ax.axhline(0, color="0.7", lw=0.8, zorder=0)
        ax.axvline(0, color="0.7", lw=0.8, zorder=0)
        ends = ax.get_xlim()
        ax.plot(ends, ends, ":", color="0.5", lw=0.8, zorder=0)
        ax.set(title=f"relative gain in {metric}", xlabel="published", ylabel="reconstructed")
    for name in TABLES:
        axes[1].plot([], [], MARKERS[name], color="0.4", label=name)
    axes[1].legend(fontsize=7)
    axes[0].legend(fontsize=7)
    save(figure, Path(__file__).parent / "gains.svg")


if __name__ == "__main__":
    picture()
