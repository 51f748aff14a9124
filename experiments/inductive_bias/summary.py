"""Fill README.md with the results: means over draws, and paired gains, with 95 % t intervals.

python -m experiments.inductive_bias.summary
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.common.markdown import fill, table
from experiments.common.results import half_interval, read, shown
from experiments.inductive_bias.honest import BIASES, CTGAN, RESULTS, TABLES

CONTROLS = ("none", "small-init", "continued")
Rows = list[dict[str, str]]


def series(rows: Rows, arm: str, column: str) -> dict[str, float]:
    """Return the figures of an arm by draw."""
    return {r["draw"]: float(r[column]) for r in rows if r["arm"] == arm and r[column] != ""}


def gain(rows: Rows, arm: str, control: str, column: str, sign: float = 1.0) -> tuple[float, float]:
    """Return the paired mean over draws of control - arm, and half its interval; times ``sign``."""
    ours, theirs = series(rows, arm, column), series(rows, control, column)
    draws = sorted(set(ours) & set(theirs))
    differences = sign * np.array([theirs[d] - ours[d] for d in draws])
    return float(differences.mean()), half_interval(differences)


def _gain_shown(rows: Rows, arm: str, control: str, column: str, sign: float = 1.0) -> str:
    if not series(rows, arm, column) or not series(rows, control, column):
        return ""
    mean, half = gain(rows, arm, control, column, sign)
    bold = "**" if abs(mean) > half else ""
    return f"{bold}{mean:+.3f} ± {half:.3f}{bold}"


def honest_arms(rows: Rows) -> str:
    """Return the figures of every arm of one table."""
    lines = []
    for arm in dict.fromkeys(r["arm"] for r in rows):
        cells = []
        for column in ("plain", "coarse", "plain mlp", "likelihood", "seconds"):
            values = list(series(rows, arm, column).values())
            cells.append(shown(values) if values else "")
        lines.append([arm, str(len(series(rows, arm, "plain"))), *cells])
    head = ["arm", "draws", "plain JS", "coarse JS", "plain JS, network only"]
    return table([*head, "log-likelihood", "seconds to learn"], lines)


def gains(rows: Rows) -> str:
    """Return the gains in plain JS and in likelihood over each control."""
    lines = []
    present = {r["arm"] for r in rows}
    for arm in BIASES:
        if arm == "none" or arm not in present:
            continue
        line = [arm]
        for control in CONTROLS:
            same = arm == control
            line.append("" if same else _gain_shown(rows, arm, control, "plain"))
        line.append(_gain_shown(rows, arm, "none", "coarse"))
        line.append(_gain_shown(rows, arm, "none", "likelihood", -1.0))
        lines.append(line)
    head = ["arm", *(f"JS over {c}" for c in CONTROLS), "coarse JS over none", "nats over none"]
    return table(head, lines)


def few(rows: Rows) -> str:
    """Return JS from 200 + 200 rows with the judge's own interval, averaged over draws."""
    lines = []
    for arm in dict.fromkeys(r["arm"] for r in rows if r["few plain"]):
        results = [r for r in rows if r["arm"] == arm]
        js, low, high = (
            np.array([float(r[k]) for r in results]) for k in ("few plain", "few low", "few high")
        )
        above = int((low > 0).sum())
        text = f"{low.mean():.3f} to {high.mean():.3f}"
        lines.append([arm, shown(js.tolist()), text, f"{above} of {len(js)}"])
    head = [
        "arm",
        "JS from 200 and 200 rows",
        "its mean interval",
        "draws with the interval above 0",
    ]
    return table(head, lines)


def faithful() -> str:
    """Return published figures, our judge on the authors' tables, and our reconstruction."""
    rows = read(RESULTS / "faithful.csv")
    lines = []
    for r in rows:
        if r["arm"].startswith("authors'"):
            continue
        theirs = [t for t in rows if (t["data"], t["arm"]) == (r["data"], f"authors' {r['arm']}")]
        other = [theirs[0][c] for c in ("plain mlp", "coarse")] if theirs else ["", ""]
        ours = [r["plain mlp"], r["coarse"], r["best loss"], r["mean steps"], r["seconds"]]
        lines.append([r["data"], r["arm"], r["published"], *other, *ours])
    head = ["data", "arm", "published JS", "their table: network", "coarse"]
    columns = ["reconstructed: network", "coarse", "best last loss", "mean steps", "seconds"]
    return table([*head, *columns], lines)


def honest() -> str:
    """Return all tables of the honest study."""
    all_rows = read(RESULTS / "honest.csv")
    parts = []
    for coding in ("authors", "raw"):
        for name in TABLES:
            rows = [r for r in all_rows if (r["coding"], r["data"]) == (coding, name)]
            if rows:
                parts += [f"### {name}, {coding}", honest_arms(rows), gains(rows), few(rows)]
            ctgan = [r | {"arm": r["arm"].removeprefix(CTGAN)} for r in rows if CTGAN in r["arm"]]
            if ctgan:
                parts += ["CTGAN:", gains(ctgan)]
    return "\n\n".join(parts)


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
    ends = [
        [name, *(shown([_chosen(d, *how) for d in draws.values()]) for draws in slow.values())]
        for name, how in ENDINGS.items()
    ]
    return "\n\n".join([table(head, along), table(["the second training ends", *slow], ends)])


SLOW = "0.0002"


def _mean_js(draws: dict[str, Rows], step: str) -> str:
    return shown(
        [
            float(np.mean([float(r["js"]) for r in rows if r["step"] == step]))
            for rows in draws.values()
        ]
    )


def _chosen(rows: Rows, criterion: str, least: int, most: int) -> float:
    """Return the JS of the seed and step of the smallest criterion."""
    among = [r for r in rows if least <= int(r["step"]) <= most]
    return float(min(among, key=lambda r: float(r[criterion]))["js"])


if __name__ == "__main__":
    parts = {"CRITERIA": criteria(), "HONEST": honest(), "COST": cost(), "FAITHFUL": faithful()}
    fill(Path(__file__).parent / "README.md", parts)
