"""Fill README.md: paired gains of each kind of knowledge.

Over tables: the mean of each table's draws first, then a 95 % t interval over tables. Of one table:
a t interval over its draws.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from experiments.common.markdown import fill, table
from experiments.common.results import read, shown
from experiments.knowledge.study import ARMS, CASES, FEW, HERE, SIZES, SMALL

Rows = list[dict[str, str]]
NOTHING = "nothing"
MEASURES = {
    "coarse": "coarse JS",
    "plain": "plain JS",
    "margins": "distance of margins",
    "useful": "AUC or R2",
    "closeness": "closeness",
}
LARGER_IS_BETTER = ("useful",)


def gains(rows: Rows, arm: str, measure: str) -> dict[str, list[float]]:
    """Return by how much an arm betters a measure, by table, in all draws that both have."""
    values = {
        (r["arm"], r["table"], r["n"], r["draw"]): float(r[measure])
        for r in rows
        if r[measure] not in ("", "nan")
    }
    sign = -1 if measure in LARGER_IS_BETTER else 1
    found = defaultdict(list)
    for (own, *key), value in values.items():
        if own == arm and (NOTHING, *key) in values:
            found[key[0]].append(sign * (values[(NOTHING, *key)] - value))
    return found


def over_tables(rows: Rows, arm: str, measure: str) -> list[float]:
    """Return the mean gain on each table."""
    return [float(np.mean(each)) for each in gains(rows, arm, measure).values()]


def fill_readme() -> None:
    """Write all tables."""
    rows = read(HERE / "results" / "knowledge.csv")
    fill(
        HERE / "README.md",
        {
            "BY-SIZE": by_size(rows),
            "BY-TABLE": by_table(rows),
            "MARGINS": at_few(rows),
            "MEASURES": measures(rows),
        },
    )


def by_size(rows: Rows) -> str:
    """Return the gains in coarse JS of each arm by number of rows."""
    lines = []
    for arm in ARMS:
        if arm != NOTHING:
            each = [
                over_tables([r for r in rows if r["n"] == str(n)], arm, "coarse") for n in SIZES
            ]
            lines.append([arm, *(shown(g) if len(g) > 1 else "" for g in each)])
    return table(["gain in coarse JS", *(f"{n:,} rows" for n in SIZES)], lines)


def by_table(rows: Rows) -> str:
    """Return the mean gains in coarse JS of each arm by table, and in how many draws it gains."""
    lines = []
    for arm in ARMS:
        found = gains(rows, arm, "coarse")
        if arm != NOTHING:
            cells = [
                f"{np.mean(g):.3f} ({sum(v > 0 for v in g)} of {len(g)})" if g else ""
                for g in (found.get(name, []) for name in CASES)
            ]
            lines.append([arm, *cells])
    return table(["gain in coarse JS", *CASES], lines)


def at_few(rows: Rows) -> str:
    """Return what margins gain at few rows, on each small table, over its draws."""
    some = [r for r in rows if r["n"] == str(FEW)]
    lines = []
    for name in SMALL:
        each = [gains(some, "margins", measure).get(name, []) for measure in ("margins", "coarse")]
        lines.append([name, *(shown(g) if len(g) > 1 else "" for g in each), str(len(each[0]))])
    return table([f"{FEW} rows, margins known", "distance of margins", "coarse JS", "draws"], lines)


def measures(rows: Rows) -> str:
    """Return the gains of each arm in each measure, over all tables and sizes."""
    lines = []
    for arm in ARMS:
        own = [r for r in rows if r["arm"] == arm]
        refused = sum(bool(r["refused"]) for r in own)
        doubted = sum(bool(r["said"]) for r in own)
        each = [over_tables(rows, arm, m) for m in MEASURES] if arm != NOTHING else []
        cells = [shown(g) if len(g) > 1 else "" for g in each] or [""] * len(MEASURES)
        lines.append([arm, *cells, str(refused), str(doubted), str(len(own))])
    return table(["gain in", *MEASURES.values(), "refused", "doubted", "lines"], lines)
