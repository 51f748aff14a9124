"""``python -m experiments.knowledge.pictures`` draws worth.svg; needs ``.[experiments]``."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt

from experiments.common.pictures import save, style
from experiments.common.results import half_interval, read
from experiments.knowledge.study import ARMS, HERE, SIZES
from experiments.knowledge.summary import NOTHING, Rows, over_tables


def picture(rows: Rows) -> None:
    """Draw the gains in coarse JS by number of rows."""
    style()
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    arms = [arm for arm in ARMS if arm != NOTHING]
    for k, arm in enumerate(arms):
        each = [over_tables([r for r in rows if r["n"] == str(n)], arm, "coarse") for n in SIZES]
        some = [(n, g) for n, g in zip(SIZES, each, strict=True) if len(g) > 1]
        if not some:
            continue
        x = [n * 1.03 ** (k - len(arms) / 2) for n, _ in some]
        y, half = [np.mean(g) for _, g in some], [half_interval(np.array(g)) for _, g in some]
        line = "--" if "wrong" in arm else "-"
        axes.errorbar(x, y, half, label=arm, fmt="o", ls=line, ms=4, capsize=2, lw=1.2)
    axes.axhline(0, color="grey", lw=0.8)
    axes.set_xscale("log")
    axes.set_xticks(SIZES, [f"{n:,}" for n in SIZES])
    axes.minorticks_off()
    axes.set_xlabel("rows to learn from")
    axes.set_ylabel("gain in coarse JS (bits) over knowing nothing")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    save(figure, HERE / "worth.svg")


if __name__ == "__main__":
    picture(read(HERE / "results" / "knowledge.csv"))
