"""What is found that is none, what is missed, what a rule costs, and how long a rare row takes.

``TABSEED_DATA=... python -m benchmarks.knowledge [found] [planted] [signs] [rare] [taught] [kept]``
writes ``results/knowledge.csv``, a line for each table, and prints the summary (``summary``: that
alone); an interrupted run goes on where it stopped. Some ten minutes of one core.

found: 200 tables of 60 to 500 rows and 15 columns of all kinds, each drawn by itself: rules found.
planted: 100 rows with one rule of each kind, 100 tables: is it found?
signs: 300 rows in which one column rises with another (rank correlation near 0.3): is the wrong
direction doubted, is the right one?
rare: 1,000 rows under conditions that one row in 10,000 of the law meets, by each generator.
taught: 57 rows in which y rises with x: by how much the mean of y falls along six bins of x, in
10,000 rows of a VAEBGM alone, taught by trees, and by trees that know the direction.
kept: 300 rows of six real tables: the coarse JS of trees with a rule that is true of all rows, less
that without it, three draws.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.results import Results, Row, read  # noqa: E402
from tabseed.errors import KnowledgeWarning  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "knowledge.csv"
KEYS = ("part", "case", "draw")
N, COLUMNS, TABLES, DRAWS = 100, 15, 200, 100
REAL = {  # table: columns to leave out, a rule that holds in every row
    "king": (["id", "date"], "sqft_living = sqft_above + sqft_basement"),
    "adult": ([], "17 <= age <= 90"),
    "news": ([], "self_reference_min_shares <= self_reference_avg_sharess"),
    "german_credit": ([], "age >= 19"),
    "insurance": ([], "18 <= age <= 64"),
    "heart_cleveland": ([], "trestbps > 0"),
}
GENERATORS: dict[str, Callable[[], ts.Generator]] = {
    "trees": lambda: ts.SequentialTrees(random_state=0),
    "copula": lambda: ts.GaussianCopula(random_state=0),
    "arf": lambda: ts.AdversarialForest(random_state=0),
    "vaebgm": lambda: ts.VAEBGM(random_state=0),
    "mixture": lambda: ts.FineTuned(ts.VAEBGM(), ts.SeedMixture(), random_state=0),
}
JUDGE = ts.DiscriminatorDivergence(permutations=0, folds=3, repeats=1, n_jobs=1)


def noise(n: int, seed: int, columns: int) -> dict[str, np.ndarray]:
    """Return columns of all kinds, each drawn by itself; some cells missing."""
    rng = np.random.default_rng([19, 77, seed])
    makers: tuple[Callable[[], np.ndarray], ...] = (
        lambda: np.round(rng.normal(50, 10, n), 1),
        lambda: rng.integers(0, 30, n).astype(float),
        lambda: np.round(rng.lognormal(2, 1, n), 2),
        lambda: np.where(rng.random(n) < 0.5, 0.0, np.round(rng.gamma(2, 2, n), 1)),
        lambda: rng.choice(["a", "b", "c"], n),
        lambda: np.datetime64("2020-01-01") + rng.integers(0, 900, n),
    )
    made = {f"x{i}": makers[i % len(makers)]() for i in range(columns)}
    for name in ("x0", "x2"):
        made[name] = np.where(rng.random(n) < 0.2, np.nan, made[name])
    return made


def table_of(columns: dict[str, np.ndarray]) -> ts.Table:
    """Return columns as a table, NaN missing."""
    return ts.Table.from_frame(
        pa.table({name: pa.array(cells, from_pandas=True) for name, cells in columns.items()})
    )


def found(_: str, draw: int) -> Row:
    """Return how many rules are found in columns that have none."""
    n = int(np.random.default_rng([19, draw]).integers(60, 501))
    rules = ts.find_rules(table_of(noise(n, draw, COLUMNS)))
    return {"value": len(rules), "note": "; ".join(str(rule.statement) for rule in rules)}


def planted(kind: str, draw: int) -> Row:
    """Return whether the rule that was planted is found."""
    rng = np.random.default_rng([19, 78, draw])
    base, other = np.round(rng.normal(50, 10, N), 1), np.round(rng.gamma(2, 5, N), 1)
    high = base > 50
    days, stay = rng.integers(0, 400, N), rng.integers(0, 60, N)
    begin = np.datetime64("2020-01-01")
    columns, *texts = {
        "sum": ({"a": np.round(base + other, 1), "b": base, "c": other}, "a = b + c"),
        "multiple": ({"a": np.round(2.5 * base, 2), "b": base}, "a = 2.5 * b", "b = 0.4 * a"),
        "equal": ({"a": base, "b": base}, "a = b", "b = a"),
        "order": ({"a": base, "b": base + other}, "a <= b"),
        "zero": (
            {"a": np.where(high, 0, base), "b": np.where(high, 0, other + 1)},
            "a = 0 <-> b = 0",
        ),
        "missing": (
            {"a": np.where(high, np.nan, base), "b": np.where(high, np.nan, other)},
            "a missing <-> b missing",
        ),
        "days": ({"a": begin + days, "b": begin + days + stay, "c": stay}, "c = b - a"),
    }[kind]
    rules = [str(p.statement) for p in ts.find_rules(table_of(noise(N, draw, 8) | columns))]
    return {"value": int(bool(set(texts) & set(rules))), "note": "; ".join(rules)}


def signs(sign: str, draw: int) -> Row:
    """Return whether a direction is doubted."""
    rng = np.random.default_rng([19, 23, draw])
    x = rng.normal(size=300)
    table = table_of({"x": np.round(x, 2), "y": np.round(0.33 * x + rng.normal(size=300), 2)})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        known = {"y": {"x": 1 if sign == "right" else -1}}
        ts.SequentialTrees(n_orders=1, n_trees=1, monotone=known).fit(table)
    return {"value": int(any(issubclass(w.category, KnowledgeWarning) for w in said)), "note": ""}


def rare(name: str, draw: int) -> Row:
    """Return the seconds that 1,000 rows take which one row in some 10,000 of the law is like."""
    del draw
    adult = ts.Table.from_frame(pq.read_table(DATA / "adult.parquet"))
    few = adult.take(np.random.default_rng(19).permutation(len(adult))[:1_000])
    model = GENERATORS[name]().fit(few)
    asked = {"sex": "Female", "race": "Black", "education": "Masters", "age": (60, None)}
    share = np.ones(len(adult), bool)
    for column in ("sex", "race", "education"):
        share &= np.array(adult.values(column)) == asked[column]
    share &= adult.numbers("age") >= 60
    began = time.perf_counter()
    try:
        rows = len(model.draw(1_000, conditions=asked))
        note = f"{rows} rows; of the whole table {share.mean():.5f}"
    except ts.TabseedError as error:
        note = str(error)
    return {"value": round(time.perf_counter() - began, 2), "note": note}


def kept(name: str, draw: int) -> Row:
    """Return the coarse JS with a true rule less that without it."""
    drop, rule = REAL[name]
    frame = pq.read_table(DATA / f"{name}.parquet").drop_columns(drop)
    order = np.random.default_rng([19, draw]).permutation(len(frame))
    n = min(300, len(frame) // 2)
    few, held = frame.take(order[:n]), frame.take(order[n : n + 4_000])
    scores = []
    for rules in ((rule,), ()):
        table = ts.Table.from_frame(few, rules=rules)
        encoder = ts.TableEncoder(identities=False).fit(table)
        model = ts.SequentialTrees(random_state=draw).fit(table, encoder=encoder)
        real = ts.Table.from_frame(held, schema=ts.Table.from_frame(few).schema)
        drawn = model.draw(min(4_000, 10 * len(held)))
        plain = ts.Table.from_frame(drawn.to_arrow(), schema=real.schema)
        scores.append(JUDGE.evaluate(real, plain, random_state=draw).js_coarse.value)
    return {"value": round(scores[0] - scores[1], 4), "note": f"{scores[0]:.4f} {scores[1]:.4f}"}


def taught(arm: str, draw: int) -> Row:
    """Return by how much the mean of y falls along x, in all."""
    rng = np.random.default_rng([19, 57, draw])
    x, z = np.round(rng.normal(size=57), 2), np.round(rng.normal(size=57), 2)
    table = table_of({"x": x, "y": np.round(0.3 * x + rng.normal(size=57), 2), "z": z})
    model: ts.Generator = ts.VAEBGM(random_state=draw)
    if arm != "network":
        known = {"y": {"x": 1}} if arm == "taught, direction" else None
        teacher = ts.SequentialTrees(monotone=known, random_state=draw)
        bias = ts.Pretraining(teacher=teacher)
        model = ts.FineTuned(ts.VAEBGM(), bias, random_state=draw)
    rows = model.fit(table).draw(10_000, random_state=1)
    x, y = rows.numbers("x"), rows.numbers("y")
    inner = np.quantile(x, np.arange(1, 6) / 6)
    bins = np.searchsorted(inner, x)
    steps = np.diff([y[bins == b].mean() for b in range(6)])
    return {"value": round(float(-steps[steps < 0].sum()), 4), "note": ""}


KINDS = ("sum", "multiple", "equal", "order", "zero", "missing", "days")
PARTS: dict[str, tuple[Callable[[str, int], Row], tuple[str, ...], int]] = {
    "found": (found, ("noise",), TABLES),
    "planted": (planted, KINDS, DRAWS),
    "signs": (signs, ("wrong", "right"), DRAWS),
    "rare": (rare, tuple(GENERATORS), 1),
    "taught": (taught, ("network", "taught", "taught, direction"), 20),
    "kept": (kept, tuple(REAL), 3),
}


def main(parts: list[str]) -> None:
    """Run what is missing of the parts, then print what was found."""
    results = Results(RESULTS, KEYS)
    for part in parts:
        figures, cases, draws = PARTS[part]
        for case in cases:
            for draw in range(draws):
                key = {"part": part, "case": case, "draw": draw}
                if not results.has(**key):
                    results.add(key | figures(case, draw))
    rows = read(RESULTS)
    for part, case in sorted({(row["part"], row["case"]) for row in rows}):
        own = [float(r["value"]) for r in rows if (r["part"], r["case"]) == (part, case)]
        print(f"{part}, {case}: {len(own)} draws, sum {sum(own):g}, mean {np.mean(own):.4f}")


if __name__ == "__main__":
    asked = [argument for argument in sys.argv[1:] if argument in PARTS]
    main(asked or ([] if "summary" in sys.argv else list(PARTS)))
