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
    """An arm's figures by draw."""
    return {r["draw"]: float(r[column]) for r in rows if r["arm"] == arm and r[column] != ""}


def gain(rows: Rows, arm: str, control: str, column: str, sign: float = 1.0) -> tuple[float, float]:
    """Mean over draws of control - arm, paired, and half its interval; times ``sign``."""
    ours, theirs = series(rows, arm, column), series(rows, control, column)
    draws = sorted(set(ours) & set(theirs))
    found = sign * np.array([theirs[d] - ours[d] for d in draws])
    return float(found.mean()), half_interval(found)


def _gain_shown(rows: Rows, arm: str, control: str, column: str, sign: float = 1.0) -> str:
    if not series(rows, arm, column) or not series(rows, control, column):
        return ""
    mean, half = gain(rows, arm, control, column, sign)
    sure = "**" if abs(mean) > half else ""
    return f"{sure}{mean:+.3f} ± {half:.3f}{sure}"


def honest_arms(rows: Rows) -> str:
    """Every arm of one table."""
    lines = []
    for arm in dict.fromkeys(r["arm"] for r in rows):
        cells = []
        for column in ("plain", "coarse", "plain mlp", "likelihood", "seconds"):
            found = list(series(rows, arm, column).values())
            cells.append(shown(found) if found else "")
        lines.append([arm, str(len(series(rows, arm, "plain"))), *cells])
    head = ["arm", "draws", "plain JS", "coarse JS", "plain JS, network only"]
    return table([*head, "log-likelihood", "seconds to learn"], lines)


def gains(rows: Rows) -> str:
    """Gain in plain JS and in likelihood over each control."""
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
    """What 100 + 100 rows can tell: JS with the judge's own interval, averaged over draws."""
    lines = []
    for arm in dict.fromkeys(r["arm"] for r in rows if r["few plain"]):
        found = [r for r in rows if r["arm"] == arm]
        js, low, high = (
            np.array([float(r[k]) for r in found]) for k in ("few plain", "few low", "few high")
        )
        apart = int((low > 0).sum())
        text = f"{low.mean():.3f} to {high.mean():.3f}"
        lines.append([arm, shown(js.tolist()), text, f"{apart} of {len(js)}"])
    head = ["arm", "JS from 200 and 200 rows", "its mean interval", "draws told from 0"]
    return table(head, lines)


def faithful() -> str:
    """Published figures, the authors' tables under our judge, our rebuilding."""
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
    more = ["rebuilt: network", "coarse", "best last loss", "mean steps", "seconds"]
    return table([*head, *more], lines)


def honest() -> str:
    """All tables of the honest study."""
    everything = read(RESULTS / "honest.csv")
    parts = []
    for coding in ("authors", "raw"):
        for name in TABLES:
            own = [r for r in everything if (r["coding"], r["data"]) == (coding, name)]
            if own:
                parts += [f"### {name}, {coding}", honest_arms(own), gains(own), few(own)]
            ctgan = [r | {"arm": r["arm"].removeprefix(CTGAN)} for r in own if CTGAN in r["arm"]]
            if ctgan:
                parts += ["CTGAN:", gains(ctgan)]
    return "\n\n".join(parts)


def cost() -> str:
    """Seconds and memory of whole runs."""
    rows = read(RESULTS / "honest_cost.csv")
    return table(list(rows[0]), [list(r.values()) for r in rows]) if rows else ""


if __name__ == "__main__":
    parts = {"HONEST": honest(), "COST": cost(), "FAITHFUL": faithful()}
    fill(Path(__file__).parent / "README.md", parts)
