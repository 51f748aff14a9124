"""How often do 100 + 100 rows tell synthetic rows from real ones, by which judge? And real rows?

``TABSEED_DATA=... python -m benchmarks.judge_power [power] [null] [growth] [summary]`` writes
``results/judge_power.csv``, a line for each draw, and prints the summary. An interrupted run goes
on where it stopped. About 11 minutes of one core for ``power`` and 10 for ``null``.

power: ten pairs of a table and a generator, 30 draws each. Of a draw, 300 rows train, 100 others
judge, and 100 rows are generated. "mixed" is no generator: 100 other real rows, of a third of which
the columns are shuffled apart. Both judges see the same rows, and the rows that trained:
``DiscriminatorDivergence`` tells the tables apart if the interval of JS lies above 0,
``TwoSampleTest`` if its p-value is at most 0.05. The test was designed on other tables (blobs,
breast cancer, covertype, diabetes 130, Pima, eye movements, news), which judge nothing here.

null: disjoint real rows against real rows of one table, 60, 200 and 1,000 a side, beside 300 rows
that trained; 400 draws of each size, half of each table.

growth: the coarse JS that the discriminators find between the same rows of VAEBGM (from 300 rows of
Adult) and the same real rows, by the number of rows that they get.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402
from tabseed.metrics import TwoSampleTest  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "judge_power.csv"
PAIRS = (
    ("adult", "copula"),
    ("adult", "vaebgm"),
    ("adult", "resample"),
    ("king", "trees"),
    ("support2", "copula"),
    ("diabetes_cdc", "copula"),
    ("diabetes_cdc", "mixed"),
    ("credit_card", "trees"),
    ("german_credit", "vaebgm"),
    ("insurance", "trees"),
)
GENERATORS = {
    "copula": lambda seed: ts.GaussianCopula(random_state=seed),
    "trees": lambda seed: ts.SequentialTrees(random_state=seed),
    "vaebgm": lambda seed: ts.VAEBGM(random_state=seed),
    "resample": lambda seed: ts.Resample(smoothing=1.0, random_state=seed),
}
IDS = {"support2": ["id"], "king": ["id", "date"], "credit_card": ["ID"]}
TRAIN, JUDGED, DRAWS, MIXED = 300, 100, 30, 1 / 3
NULL_TABLES, NULL_SIZES, NULL_DRAWS = ("adult", "king"), (60, 200, 1_000), 400
GROWTH = (1_000, 4_000, 10_000)
SEED = 2_717


@lru_cache
def table(name: str) -> ts.Table:
    return ts.Table.from_frame(
        pq.read_table(DATA / f"{name}.parquet").drop_columns(IDS.get(name, []))
    )


def rows(name: str, draw: int, sizes: tuple[int, ...]) -> Iterator[ts.Table]:
    """Yield disjoint parts of a table, in random order."""
    whole = table(name)
    order = np.random.default_rng([SEED, draw]).permutation(len(whole))
    for part in np.split(order, np.cumsum(sizes))[: len(sizes)]:
        yield whole.take(part)


def mixed(real: ts.Table, draw: int) -> ts.Table:
    """Return real rows, of a third of which each column is shuffled on its own."""
    frame, rng = real.to_arrow(), np.random.default_rng([SEED, draw, 1])
    k = round(MIXED * len(real))
    apart = [column.slice(0, k).take(pa.array(rng.permutation(k))) for column in frame.columns]
    changed = pa.table(dict(zip(frame.column_names, apart, strict=True)), schema=frame.schema)
    return ts.Table.from_frame(pa.concat_tables([changed, frame.slice(k)]), schema=real.schema)


def power(name: str, kind: str, draw: int) -> Row:
    """Return what both judges say of one draw."""
    train, held, other = rows(name, draw, (TRAIN, JUDGED, JUDGED))
    if kind == "mixed":
        synthetic = mixed(other, draw)
    else:
        synthetic = GENERATORS[kind](draw).fit(train).sample(JUDGED, random_state=draw + 1)
    judge = ts.DiscriminatorDivergence(views=("plain",), permutations=0, n_jobs=1)
    js = judge.evaluate(held, synthetic, train=train, random_state=draw).js
    test = TwoSampleTest().evaluate(held, synthetic, train=train, random_state=draw)
    return {
        "part": "power",
        "table": name,
        "rows from": kind,
        "rows a side": JUDGED,
        "draw": draw,
        "js": js.value,
        "js low": js.low,
        "p": test.p_value,
        "by": next(iter(test.signs)),
    }


def null(name: str, size: int, draw: int) -> Row:
    """Return the p-value of real rows against real rows."""
    train, one, other = rows(name, draw, (TRAIN, size, size))
    test = TwoSampleTest().evaluate(one, other, train=train, random_state=draw)
    return {
        "part": "null",
        "table": name,
        "rows from": "real",
        "rows a side": size,
        "draw": draw,
        "js": "",
        "js low": "",
        "p": test.p_value,
        "by": next(iter(test.signs)),
    }


def growth(size: int) -> Row:
    """Return the coarse JS of the first rows of one synthetic table."""
    train, held = rows("adult", 0, (TRAIN, GROWTH[-1]))
    synthetic = GENERATORS["vaebgm"](0).fit(train).sample(GROWTH[-1], random_state=1)
    first = np.arange(size)
    judge = ts.DiscriminatorDivergence(
        views=("coarse",), permutations=0, folds=3, repeats=1, n_jobs=1
    )
    synthetic = ts.Table.from_frame(synthetic, schema=train.schema)
    js = judge.evaluate(held.take(first), synthetic.take(first)).js_coarse
    return {
        "part": "growth",
        "table": "adult",
        "rows from": "vaebgm",
        "rows a side": size,
        "draw": 0,
        "js": js.value,
        "js low": js.low,
        "p": "",
        "by": "",
    }


def summary() -> None:
    """Print detections by pair, and rejections by size."""
    lines = read(RESULTS)
    total = np.zeros(3, dtype=int)
    for name, kind in PAIRS:
        those = [
            r for r in lines if (r["part"], r["table"], r["rows from"]) == ("power", name, kind)
        ]
        counts = np.array(
            [
                sum(float(r["js low"]) > 0 for r in those),
                sum(float(r["p"]) <= 0.05 for r in those),
                len(those),
            ]
        )
        total += counts
        print(f"{name} {kind}: JS above 0 in {counts[0]}, test in {counts[1]} of {counts[2]}")
    print(f"all: {total[0]} and {total[1]} of {total[2]}, ratio {total[1] / max(total[0], 1):.2f}")
    for size in NULL_SIZES:
        p = np.array(
            [float(r["p"]) for r in lines if r["part"] == "null" and r["rows a side"] == str(size)]
        )
        if len(p):
            print(f"real rows, {size} a side: {(p <= 0.05).sum()} of {len(p)} rejected")
    for r in lines:
        if r["part"] == "growth":
            print(f"the same rows of VAEBGM, {r['rows a side']} a side: coarse JS {r['js']}")


def main(parts: list[str]) -> None:
    results = Results(RESULTS, ("part", "table", "rows from", "rows a side", "draw"))
    if "power" in parts:
        for draw in range(DRAWS):  # so that an interrupted run has draws of every pair
            for name, kind in PAIRS:
                if not results.has(**{"part": "power", "table": name, "rows from": kind,
                                      "draw": draw}):  # fmt: skip
                    results.add(power(name, kind, draw))
    if "null" in parts:
        for size in NULL_SIZES:
            for name in NULL_TABLES:
                for draw in range(1_000, 1_000 + NULL_DRAWS // len(NULL_TABLES)):
                    if not results.has(**{"part": "null", "table": name, "rows a side": size,
                                          "draw": draw}):  # fmt: skip
                        results.add(null(name, size, draw))
    if "growth" in parts:
        for size in GROWTH:
            if not results.has(**{"part": "growth", "rows a side": size}):
                results.add(growth(size))
    summary()


if __name__ == "__main__":
    main(sys.argv[1:] or ["power", "null", "growth"])
