"""Fill README.md with the results: means over draws, and paired gains, with 95 % t intervals.

python -m experiments.inductive_bias.summary
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.common.markdown import fill, table
from experiments.common.results import read, shown
from experiments.inductive_bias import compared, parts_tables
from experiments.inductive_bias.criteria import ALL
from experiments.inductive_bias.honest import RESULTS
from experiments.inductive_bias.honest_tables import honest

Rows = list[dict[str, str]]


def cost() -> str:
    """Return seconds and memory of complete runs."""
    rows = read(RESULTS / "honest_cost.csv")
    return table(list(rows[0]), [list(r.values()) for r in rows]) if rows else ""


# how a second training ends: the criterion, and the steps among which it chooses
ENDINGS: dict[str, tuple[str, int, int]] = {
    "at the start": ("bound", 0, 0),
    "validation loss, start included (as before)": ("bound", 0, 800),
    "likelihood of drawn rows, start included": ("drawn", 0, 800),
    "energy distance, start included": ("energy", 0, 800),
    "after 50 steps": ("bound", 50, 50),
    "after 100 steps": ("bound", 100, 100),
    "after 400 steps": ("bound", 400, 400),
    "at least 25 steps, then validation loss": ("bound", 25, 800),
    "**at least 50 steps, then validation loss**": ("bound", 50, 800),
    "at least 100 steps, then validation loss": ("bound", 100, 800),
    "at least 50 steps, then likelihood of drawn rows": ("drawn", 50, 800),
    "the best for the judge": ("js", 0, 800),
}


def criteria() -> str:
    """Return JS along second trainings, and JS where each way to end them would have ended."""
    rows = [r for r in read(RESULTS / "criteria.csv") if r["js"]]
    paths: dict[tuple[str, str], dict[str, Rows]] = {}
    for r in rows:
        paths.setdefault((r["bias"], r["rate"]), {}).setdefault(r["draw"], []).append(r)
    steps = list(dict.fromkeys(r["step"] for r in rows))
    along = [
        [bias, rate, *(_mean_js(draws, step) for step in steps)]
        for (bias, rate), draws in paths.items()
    ]
    head = ["bias", "rate", *(f"{step} steps" for step in steps)]
    slow = {bias: draws for (bias, rate), draws in paths.items() if rate == SLOW}
    whole = {bias.removesuffix(ALL): slow.pop(bias) for bias in list(slow) if bias.endswith(ALL)}
    ends = [
        [name, *(shown([_chosen(d, *how) for d in draws.values()]) for draws in slow.values())]
        for name, how in ENDINGS.items()
    ]
    refitted = [
        shown([_refitted(d, whole[bias][draw]) for draw, d in draws.items()])
        if bias in whole
        else ""
        for bias, draws in slow.items()
    ]
    ends.append(["at least 50 steps, then validation loss, then again on all rows", *refitted])
    return "\n\n".join([table(head, along), table(["the second training ends", *slow], ends)])


SLOW = "0.0002"


def _mean_js(draws: dict[str, Rows], step: str) -> str:
    return shown(
        [
            float(np.mean([float(r["js"]) for r in rows if r["step"] == step]))
            for rows in draws.values()
        ]
    )


def _best(rows: Rows, criterion: str, least: int, most: int) -> dict[str, str]:
    """Return the line, a seed and a step, of the smallest criterion."""
    among = [r for r in rows if least <= int(r["step"]) <= most]
    return min(among, key=lambda r: float(r[criterion]))


def _chosen(rows: Rows, criterion: str, least: int, most: int) -> float:
    return float(_best(rows, criterion, least, most)["js"])


def _refitted(rows: Rows, whole: Rows) -> float:
    """Return the JS of a training on all rows that ends where the validation loss ended another."""
    best = _best(rows, "bound", 50, 800)
    same = [r for r in whole if (r["seed"], r["step"]) == (best["seed"], best["step"])]
    return float(same[0]["js"])


if __name__ == "__main__":
    parts = {"CRITERIA": criteria(), "HONEST": honest(), "COST": cost()}
    fill(Path(__file__).parent / "README.md", parts | parts_tables.parts() | compared.parts())
