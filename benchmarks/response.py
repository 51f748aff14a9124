"""Does a model gain that learns many rows whose labels come from a better calibrated law?

``TABSEED_DATA=... python -m benchmarks.response [few] [many]`` writes ``results/response.csv``, a
line for each table, n, draw and way, and prints the summary; an interrupted run goes on.

few: eight tables, N = 300, ten draws; up to 4,000 other rows judge. many: King, N = 10,000, three
draws. Boosted trees (scikit-learn's defaults) learn the real rows; the real rows repeated to
10,000; 10,000 rows of SequentialTrees; 10,000 rows whose features are those of the trees and
whose response is that of ``FeatureResponse(response="forest")``, its default, or "auto". The
control, "chosen model, real rows", is the pool of models of "auto" itself, asked about the rows
that judge: what one would have by training the better model on the real rows. Score: AUC for two
classes (of the second one), R2 for numbers.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from sklearn.ensemble import (  # noqa: E402
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.metrics import r2_score, roc_auc_score  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.data import DATA  # noqa: E402
from experiments.common.jobs import run_jobs  # noqa: E402
from experiments.common.results import Results, Row, half_interval, read, shown  # noqa: E402
from tabseed.table.schema import DISCRETE  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "response.csv"
TABLES = {  # target, left out
    "adult": ("income", ()),
    "breast_cancer_wdbc": ("diagnosis", ()),
    "credit_card": ("Y", ("ID",)),
    "diabetes_pima": ("class", ()),
    "german_credit": ("class", ()),
    "insurance": ("charges", ()),
    "king": ("price", ("id", "date", "zipcode")),
    "support2": ("death", ("slos", "d.time", "hospdead", "sfdm2", "id")),
}
NUMBERS = ("insurance", "king")
FEW, MANY, DRAWN, JUDGED, SEED = 300, 10_000, 10_000, 4_000, 2_024
DRAWS = {FEW: 10, MANY: 3}
REAL, REPEATED, TREES = "real rows", "real rows repeated", "trees"
FOREST, AUTO, POOL = "response forest", "response auto", "chosen model, real rows"
WAYS = (REAL, REPEATED, TREES, FOREST, AUTO, POOL)


def rows(name: str, n: int, draw: int) -> tuple[ts.Table, ts.Table]:
    """Return the rows that learn and those that judge; their target is known."""
    target, left_out = TABLES[name]
    frame = pq.read_table(DATA / f"{name}.parquet")
    frame = frame.drop_columns([c for c in left_out if c in frame.column_names])
    frame = frame.filter(frame[target].is_valid())
    kinds = {} if name in NUMBERS else {target: "categorical"}
    table = ts.Table.from_frame(frame, kinds=kinds)
    table = table.select(table.schema.modelled)
    order = np.random.default_rng([SEED, draw]).permutation(len(table))
    return table.take(np.sort(order[:n])), table.take(np.sort(order[n : n + JUDGED]))


def inputs(table: ts.Table, target: str) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    """Return features and target as numbers or codes, NaN missing, and which are codes."""
    columns = {c.name: _cells(table, c) for c in table.schema}
    y = columns.pop(target)
    named = [c.kind in DISCRETE for c in table.schema if c.name != target]
    return np.stack(list(columns.values()), axis=1), y, named


def _cells(table: ts.Table, column: ts.Column) -> np.ndarray:
    if column.kind not in DISCRETE:
        return table.numbers(column.name)
    codes = table.codes(column.name).astype(float)
    return np.where(codes < 0, np.nan, codes)


def score(name: str, train: ts.Table, held: ts.Table) -> float:
    """Return the score on ``held`` of boosted trees that learned ``train``."""
    target = TABLES[name][0]
    (x, y, named), (x_held, y_held, _) = inputs(train, target), inputs(held, target)
    known = ~np.isnan(y)
    x, y = x[known], y[known]
    if name in NUMBERS:
        model = HistGradientBoostingRegressor(categorical_features=named, random_state=0)
        return float(r2_score(y_held, model.fit(x, y).predict(x_held)))
    if len(np.unique(y)) < 2:
        return 0.5
    model = HistGradientBoostingClassifier(categorical_features=named, random_state=0)
    return float(roc_auc_score(y_held, model.fit(x, y).predict_proba(x_held)[:, 1]))


def figures(name: str, n: int, draw: int) -> Row:
    """Return the score of each way."""
    train, held = rows(name, n, draw)
    target = TABLES[name][0]
    trees = ts.SequentialTrees(random_state=draw).fit(train, target=target)
    told: Row = {
        REAL: score(name, train, held),
        REPEATED: score(name, train.take(np.arange(DRAWN) % n), held),
        TREES: score(name, trees.draw(DRAWN), held),
    }
    for way, response in ((FOREST, "forest"), (AUTO, "auto")):
        model = ts.FeatureResponse(ts.SequentialTrees(), response, random_state=draw)
        model.fit(train, target=target)
        told[way] = score(name, model.draw(DRAWN), held)
    mean, truth = model.response_mean(held), inputs(held, target)[1]
    if name in NUMBERS:
        told[POOL] = float(r2_score(truth, mean))
    else:
        second = model.classes_.index(train.schema[target].categories[1])
        told[POOL] = float(roc_auc_score(truth, mean[:, second]))
    says = next((line for line in model.summary() if "%" in line), "")
    return {**told, "pool": says}


def summary() -> None:
    """Print the scores by table and n, and the gain of "auto" over both controls, paired."""
    cases = defaultdict(list)
    for row in read(RESULTS):
        cases[row["name"], row["n"]].append(row)
    good = 0
    for (name, n), own in cases.items():
        told = {way: np.array([float(row[way]) for row in own]) for way in WAYS}
        print(f"{name}, N = {n}: " + "; ".join(f"{w} {shown(v.tolist())}" for w, v in told.items()))
        gains = [told[AUTO] - told[control] for control in (REAL, REPEATED)]
        halves = [half_interval(gain) if len(gain) > 1 else np.inf for gain in gains]
        text = [f"{g.mean():+.4f} ± {h:.4f}" for g, h in zip(gains, halves, strict=True)]
        print(f"    auto less real rows {text[0]}, less real rows repeated {text[1]}")
        above = all(g.mean() > h for g, h in zip(gains, halves, strict=True))
        good += above and n == str(FEW)
    print(f"auto above both, intervals above 0, N = {FEW}: {good} tables")


def main(parts: list[str]) -> None:
    """Run what is missing, then print the summary."""
    parts = parts or ["few", "many"]
    jobs = []
    if "few" in parts:
        jobs += [(name, FEW, draw) for draw in range(DRAWS[FEW]) for name in TABLES]
    if "many" in parts:
        jobs += [("king", MANY, draw) for draw in range(DRAWS[MANY])]
    from benchmarks.response import figures as work  # by a name that other processes can import

    run_jobs(Results(RESULTS, ("name", "n", "draw")), jobs, work)
    summary()


if __name__ == "__main__":
    main(sys.argv[1:])
