"""Print the results as Markdown tables: means over draws with 95 % t intervals.

python -m experiments.main_job.summary
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from experiments.common.results import shown

RESULTS = Path(__file__).parent / "results"


def table(name: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """One Markdown table, rows in the order of the file."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    with (RESULTS / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            groups[tuple(row[k] for k in keys)].append(row)
    lines = ["| " + " | ".join((*keys, "draws", *columns)) + " |"]
    lines.append("|" + " --- |" * (len(keys) + 1 + len(columns)))
    for key, rows in groups.items():
        cells = [shown([float(r[c]) for r in rows]) for c in columns]
        lines.append("| " + " | ".join((*key, str(len(rows)), *cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table("adult", ("arm",), ("auc", "coarse js", "plain js", "kl")), end="\n\n")
    print(table("coding", ("data", "arm"), ("plain js", "coarse js", "plain trees", "plain mlp")))
