"""Print the results as Markdown tables: means over draws with 95 % t intervals.

python -m experiments.main_job.summary
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from experiments.common.markdown import table
from experiments.common.results import read, shown

RESULTS = Path(__file__).parent / "results"


def means(name: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """Return a Markdown table, rows in the order of the file."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in read(RESULTS / f"{name}.csv"):
        groups[tuple(row[k] for k in keys)].append(row)
    lines = [
        [*key, str(len(rows)), *(shown([float(r[c]) for r in rows]) for c in columns)]
        for key, rows in groups.items()
    ]
    return table([*keys, "draws", *columns], lines)


if __name__ == "__main__":
    print(means("adult", ("arm",), ("auc", "coarse js", "plain js", "kl")), end="\n\n")
    print(means("coding", ("data", "arm"), ("plain js", "coarse js", "plain trees", "plain mlp")))
