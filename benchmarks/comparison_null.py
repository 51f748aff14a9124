"""False alarms of a comparison: two draws of one generator, which do not differ.

Run: TABSEED_DATA=... python -m benchmarks.comparison_null [--repeats 100] [--sizes 60 300]
     [--rows 300] [--table adult] [--target income] [--jobs 1] [-o FILE]

In each repeat n training and n held-out rows are drawn, and two tables by each source: draws of one
fitted copula, shuffled columns, other real rows. Counted are the differences with p < 0.05 (about
5 of 100, or fewer) and those called so after Holm's correction, by measure. A repeat with 60 rows
takes about 25 s on one core.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, delayed

import tabseed as ts

SOURCES = ("copula", "shuffled", "real")
FIELDS = ("table", "n", "rows", "source", "repeats", "measure", "below", "called")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 300])
    parser.add_argument("--rows", type=int, default=300, help="of each synthetic table")
    parser.add_argument("--table", default="adult")
    parser.add_argument("--target", default=None)
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=SOURCES)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    rows = list(_counted(options))
    with options.output.open("w") if options.output else sys.stdout as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def _counted(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    path = Path(os.environ["TABSEED_DATA"]) / f"{options.table}.parquet"
    table = ts.Table.from_frame(pq.read_table(path))
    table = table.select(table.schema.modelled)
    for n in options.sizes:
        for source in options.sources:
            found = Parallel(options.jobs)(
                delayed(_compared)(table, n, options.rows, source, options.target, repeat)
                for repeat in range(options.repeats)
            )
            for measure in found[0]:
                below, called = np.sum([each[measure] for each in found], axis=0)
                yield {
                    "table": options.table,
                    "n": n,
                    "rows": options.rows,
                    "source": source,
                    "repeats": options.repeats,
                    "measure": measure,
                    "below": below,
                    "called": called,
                }


def _compared(
    table: ts.Table, n: int, m: int, source: str, target: str | None, repeat: int
) -> dict[str, tuple[bool, bool]]:
    """Return for each measure whether p < 0.05, before and after Holm's correction."""
    rng = np.random.default_rng([n, repeat])
    order = rng.permutation(len(table))
    train, held, *others = (
        table.take(rows) for rows in np.split(order[: 2 * (n + m)], [n, 2 * n, 2 * n + m])
    )
    if source == "copula":
        copula = ts.GaussianCopula(random_state=0).fit(train)
        others = [copula.draw(m, random_state=seed) for seed in (1, 2)]
    elif source == "shuffled":
        others = [_shuffled(train, m, rng) for _ in others]
    tables = dict(zip("ab", others, strict=True))
    found = ts.compare(train, tables, held, target=target, random_state=repeat, n_jobs=1)
    return {d.measure: (d.p < 0.05, d.p_holm < 0.05) for d in found.differences}


def _shuffled(table: ts.Table, m: int, rng: np.random.Generator) -> ts.Table:
    rows = table.to_arrow()
    columns = {
        name: rows[name].take(pa.array(rng.integers(0, len(rows), m))) for name in rows.column_names
    }
    return ts.Table.from_frame(pa.table(columns, schema=rows.schema), schema=table.schema)


if __name__ == "__main__":
    main()
