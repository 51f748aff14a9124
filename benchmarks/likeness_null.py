"""False alarms of likeness, and what it finds: real rows and torn ones in place of synthetic rows.

Run: TABSEED_DATA=... python -m benchmarks.likeness_null [--repeats 100] [--sizes 60 200 1000]
     [--tables adult support2 ...] [--jobs 1] [-o benchmarks/results/likeness_null.csv]

For each table and size n, three disjoint sets of n rows are drawn: training, held-out and "new"
rows. New rows are judged as if they were synthetic: a difference is a false alarm, in at most 5 of
100 draws if the p-values hold. The same rows with one column shuffled ("torn") should be found.
Counted are the verdicts and each sort of numbers, at 5 % with all looks paid for.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from joblib import Parallel, delayed

import tabseed as ts
from tabseed.evaluation.likeness_report import LOOKS

FIELDS = ("table", "n", "rows", "repeats", "differ", "untold", *LOOKS, "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 200, 1_000])
    parser.add_argument("--tables", nargs="+", default=["adult", "support2", "diabetes130us"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    rows = list(_counted(options))
    with options.output.open("w") if options.output else sys.stdout as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def _counted(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    folder = Path(os.environ["TABSEED_DATA"])
    for name in options.tables:
        table = ts.Table.from_frame(pq.read_table(folder / f"{name}.parquet"))
        table = table.select(table.schema.modelled)
        for n in options.sizes:
            began = time.perf_counter()
            found = Parallel(options.jobs)(
                delayed(_judged)(table, n, repeat) for repeat in range(options.repeats)
            )
            seconds = (time.perf_counter() - began) / options.repeats / 2
            for at, what in enumerate(("new", "torn")):
                reports = [pair[at] for pair in found]
                line = {key: sum(report[key] for report in reports) for key in reports[0]}
                yield {
                    "table": name,
                    "n": n,
                    "rows": what,
                    "repeats": options.repeats,
                    **line,
                    "seconds": round(seconds, 2),
                }


def _judged(table: ts.Table, n: int, repeat: int) -> list[dict[str, bool]]:
    """Return what is found for new rows and for torn ones."""
    rng = np.random.default_rng([18, n, repeat])
    train, holdout, new = (table.take(r) for r in np.split(rng.permutation(len(table))[: 3 * n], 3))
    found = []
    for rows in (new, _torn(new, rng)):
        report = ts.Likeness(judges=False).evaluate(train, rows, holdout, random_state=repeat)
        sorts = {name: report.p_values.get(name, 1.0) <= 0.05 for name in LOOKS}
        found.append({"differ": report.differ is True, "untold": report.differ is None, **sorts})
    return found


def _torn(table: ts.Table, rng: np.random.Generator) -> ts.Table:
    """Shuffle one column of a table, chosen at random."""
    arrow, at = table.to_arrow(), int(rng.integers(len(table.schema)))
    shuffled = arrow[at].take(rng.permutation(len(table)))
    torn = arrow.set_column(at, arrow.schema.field(at), shuffled)
    return ts.Table.from_frame(torn, schema=table.schema)


if __name__ == "__main__":
    main()
