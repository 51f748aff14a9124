"""Fill README.md: paired gains of each kind of knowledge, with 95 % t intervals over draws."""

from __future__ import annotations

import numpy as np

from experiments.common.markdown import fill, table
from experiments.common.results import read, shown
from experiments.knowledge.study import ARMS, CASES, HERE, SIZES

Rows = list[dict[str, str]]
NOTHING = "nothing"
MEASURES = {"coarse": "coarse JS", "plain": "plain JS", "margins": "distance of margins"}


def gains(rows: Rows, arm: str, measure: str) -> np.ndarray:
    """Return by how much an arm lowers a measure, over all draws that both have."""
    values = {
        (r["arm"], r["table"], r["n"], r["draw"]): float(r[measure]) for r in rows if r[measure]
    }
    return np.array(
        [
            values[(NOTHING, *key)] - value
            for (own, *key), value in values.items()
            if own == arm and (NOTHING, *key) in values
        ]
    )


def fill_readme() -> None:
    """Write all tables."""
    rows = read(HERE / "results" / "knowledge.csv")
    fill(
        HERE / "README.md",
        {
            "BY-SIZE": by(rows, "n", [str(n) for n in SIZES], "coarse"),
            "BY-TABLE": by(rows, "table", list(CASES), "coarse"),
            "MEASURES": measures(rows),
        },
    )


def by(rows: Rows, key: str, values: list[str], measure: str) -> str:
    """Return the gains of each arm by a key."""
    lines = []
    for arm in ARMS:
        if arm != NOTHING:
            each = [gains([r for r in rows if r[key] == v], arm, measure) for v in values]
            lines.append([arm, *(shown(list(g)) if len(g) > 1 else "" for g in each)])
    return table([f"gain in {MEASURES[measure]}", *values], lines)


def measures(rows: Rows) -> str:
    """Return the gains of each arm in each measure, over all tables and sizes."""
    lines = []
    for arm in ARMS:
        own = [r for r in rows if r["arm"] == arm]
        refused = sum(bool(r["refused"]) for r in own)
        doubted = sum(bool(r["said"]) for r in own)
        each = [gains(rows, arm, m) for m in MEASURES] if arm != NOTHING else []
        cells = [shown(list(g)) if len(g) > 1 else "" for g in each] or [""] * len(MEASURES)
        lines.append([arm, *cells, str(refused), str(doubted), str(len(own))])
    return table(["", *MEASURES.values(), "refused", "doubted", "lines"], lines)
