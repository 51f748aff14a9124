"""Trees or a copula, for which columns? The rule behind the default of ``tabseed synth``.

``TABSEED_DATA=... python -m benchmarks.defaults [summary]`` writes ``results/defaults.csv``, a line
for each table, n and draw, and prints the summary; an interrupted run goes on.

Tables that judge the rule nowhere else (Adult, King, breast cancer, heart disease, penguins and
German credit are in ``benchmarks/generators``), whole and with their continuous columns alone; JS
of 2,000 drawn rows from as many held-out ones, coarse view.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from itertools import product
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.draws import JUDGE  # noqa: E402
from experiments.common.jobs import run_jobs  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402
from tabseed.generators import generator_class  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "defaults.csv"
WHOLE = (
    "covertype", "credit_card", "diabetes_cdc", "diabetes_pima", "insurance", "jannis", "news",
    "support2",
)  # fmt: skip
CONTINUOUS = ("eye_movements", "intrusion")
SIZES, DRAWS, JUDGED, SEED = (100, 300, 1_000), 2, 2_000, 2_025
GENERATORS = ("trees", "copula")


def rows(name: str, n: int, draw: int) -> tuple[ts.Table, ts.Table] | None:
    """Return the rows that learn and those that judge, None if they are too few.

    "NAME, numbers" has the continuous columns alone.
    """
    table_name, part, _ = name.partition(", numbers")
    frame = pq.read_table(DATA / f"{table_name}.parquet")
    order = np.random.default_rng([SEED, draw]).permutation(len(frame))
    frame = frame.take(order[: n + JUDGED])
    if len(frame) < 2 * n:
        return None
    table = ts.Table.from_frame(frame)
    schema = table.schema.modelled
    if part:
        schema = ts.Schema(tuple(c for c in schema if c.kind == "continuous"))
    table = table.select(schema)
    return table.take(np.arange(n)), table.take(np.arange(n, len(table)))


def figures(name: str, n: int, draw: int) -> Row:
    """Return the share of continuous columns, and the coarse JS of each generator."""
    found = rows(name, n, draw)
    if found is None:
        return {"continuous": "", "columns": "", **dict.fromkeys(GENERATORS, "")}
    train, held = found
    kinds = [c.kind == "continuous" for c in train.schema]
    told: Row = {"continuous": round(float(np.mean(kinds)), 3), "columns": len(kinds)}
    for generator in GENERATORS:
        model = generator_class(generator)(random_state=draw).fit(train)
        drawn = model.draw(len(held))
        told[generator] = JUDGE.evaluate(held, drawn, random_state=draw).js_coarse.value
    return told


def summary() -> None:
    """Print both generators by table and n, those of the most continuous columns first."""
    cases = defaultdict(list)
    for row in read(RESULTS):
        if row["trees"]:
            cases[float(row["continuous"]), row["name"], int(row["n"])].append(row)
    for (share, name, n), own in sorted(cases.items(), key=lambda c: (-c[0][0], c[0][1], c[0][2])):
        trees, copula = (np.mean([float(row[g]) for row in own]) for g in GENERATORS)
        better = "copula" if copula < trees else "trees"
        print(f"{share:4.0%} continuous  {name:24} n {n:5}  trees {trees:.3f}  copula {copula:.3f}"
              f"  {better}")  # fmt: skip


def main(arguments: list[str]) -> None:
    """Run what is missing, then print the summary."""
    from benchmarks.defaults import figures as work  # by a name that other processes can import

    if arguments != ["summary"]:
        names = [*WHOLE, *(f"{name}, numbers" for name in CONTINUOUS)]
        jobs = [(name, n, draw) for draw, name, n in product(range(DRAWS), names, SIZES)]
        run_jobs(Results(RESULTS, ("name", "n", "draw")), jobs, work)
    summary()


if __name__ == "__main__":
    main(sys.argv[1:])
