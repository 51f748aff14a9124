"""Distance from the training rows against likeness to the law: what ``min_leaf`` trades off.

    TABSEED_DATA=... python -m benchmarks.generators.tradeoff

SequentialTrees on raw Adult and King, 300 rows, three draws, several minimum leaf sizes, also with
honest trees; the points of the other generators come from ``../results/generators.csv``. Writes
``../results/tradeoff.csv`` and ``tradeoff.svg``. A run that is started again continues.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

import tabseed as ts  # noqa: E402
from benchmarks.generators.judge import judged  # noqa: E402
from benchmarks.generators.tables import DRAWS, GENERATED, LARGE, RESULTS, Case, rows_of  # noqa: E402
from experiments.common.draws import N  # noqa: E402
from experiments.common.pictures import save, style  # noqa: E402
from experiments.common.results import Results, read  # noqa: E402

LEAVES = (1, 5, 20, 60)
KINDS = {"": ("SequentialTrees, by min_leaf", "#0b6e4f"), "honest": ("honest ones", "#b5651d")}
TRADE_OFF = RESULTS.with_name("tradeoff.csv")
PICTURE = Path(__file__).parent / "tradeoff.svg"
LABELS = {
    "python-synthpop": "python-synthpop",
    "synthyverse SynthpopGenerator": "synthyverse's synthpop",
    "arfpy": "arfpy",
    "tabseed arf": "AdversarialForest",
    "tabseed copula": "GaussianCopula",
    "tabseed smote": "SMOTE",
    "ctgan TVAE, batch 50": "ctgan's TVAE, batch 50",
}
Point = tuple[float, float]


def measure() -> None:
    """Fit, draw and judge; skip the results that exist."""
    results = Results(TRADE_OFF, ("table", "draw", "honest", "min_leaf"))
    for draw in range(DRAWS):
        for table in LARGE:
            case = Case(table, N, draw)
            for honest, leaf in product(KINDS, LEAVES):
                key = {"table": table, "draw": draw, "honest": honest, "min_leaf": leaf}
                if results.has(**key):
                    continue
                rows = rows_of(case)
                model = ts.SequentialTrees(
                    min_leaf=leaf, honest=bool(honest), random_state=draw
                ).fit(rows.train)
                synthetic = ts.Table.from_frame(model.sample(GENERATED), schema=rows.train.schema)
                results.add({**key, **judged(case, rows, synthetic)})


def means(path: Path, table: str, *by: str) -> dict[tuple[str, ...], Point]:
    """Return mean closeness and coarse JS over draws, by columns of a results file."""
    points_of = defaultdict(list)
    for row in read(path):
        if row["table"] == table and row.get("n", str(N)) == str(N) and row["coarse"]:
            key = tuple(row[column] for column in by)
            points_of[key].append((float(row["closeness"]), float(row["coarse"])))
    return {key: tuple(np.mean(points, axis=0)) for key, points in points_of.items()}


def draw_picture() -> None:
    """Draw a panel per table: closeness on x, divergence on y; lower left is better."""
    style()
    figure, panels = plt.subplots(1, len(LARGE), figsize=(10, 4.4), sharey=True)
    for axes, table in zip(panels, LARGE, strict=True):
        _panel(axes, table)
    panels[0].set_ylabel("coarse Jensen-Shannon divergence, bits (0 is best)")
    figure.tight_layout()
    save(figure, PICTURE)


def _panel(axes: Axes, table: str) -> None:
    curve = means(TRADE_OFF, table, "honest", "min_leaf")
    for honest, (label, color) in KINDS.items():
        x, y = zip(*(curve[honest, str(leaf)] for leaf in LEAVES), strict=True)
        axes.plot(x, y, "o-", color=color, label=label)
        for leaf, *at in zip(LEAVES, x, y, strict=True):
            away = (5, 4) if honest else (-12, -9)
            axes.annotate(str(leaf), at, textcoords="offset points", xytext=away, color=color)
    for (name,), at in means(RESULTS, table, "generator").items():
        if name in LABELS:
            axes.plot(*at, "s", color="#7a7a7a")
            side = "left" if at[0] < 0.9 else "right"
            away = (6, 3) if side == "left" else (-6, 3)
            axes.annotate(LABELS[name], at, textcoords="offset points", xytext=away, ha=side)
    axes.axvline(0.5, color="#bbbbbb", linewidth=1, linestyle=":")
    axes.set_xlim(0.38, 1.02)
    axes.set_ylim(0, 1)
    axes.set_title(f"{table.capitalize()}, {N} rows")
    axes.set_xlabel("rows nearer to a training row than to a fresh one (0.5 is ideal)")
    axes.legend(loc="upper right", frameon=False)


if __name__ == "__main__":
    measure()
    draw_picture()
