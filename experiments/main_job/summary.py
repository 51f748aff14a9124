"""Print the results as Markdown tables: means over draws with 95 % t intervals.

python -m experiments.main_job.summary
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import t as student

RESULTS = Path(__file__).parent / "results"


def interval(values: list[float]) -> str:
    """Mean, and half the 95 % interval where there are several values."""
    mean = np.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean:.3f} ± {half:.3f}"


def table(name: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """One Markdown table, rows in the order of the file."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    with (RESULTS / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            groups[tuple(row[k] for k in keys)].append(row)
    lines = ["| " + " | ".join((*keys, "draws", *columns)) + " |"]
    lines.append("|" + " --- |" * (len(keys) + 1 + len(columns)))
    for key, rows in groups.items():
        cells = [interval([float(r[c]) for r in rows]) for c in columns]
        lines.append("| " + " | ".join((*key, str(len(rows)), *cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table("adult", ("arm",), ("auc", "coarse js", "plain js", "kl")), end="\n\n")
    print(table("coding", ("data", "arm"), ("plain js", "coarse js", "plain trees", "plain mlp")))
