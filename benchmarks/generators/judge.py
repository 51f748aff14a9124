"""Judge the tables that lie in ``.work``: divergence, usefulness, closeness, copies.

A line for each table and generator goes to ``benchmarks/results/generators.csv``. Controls: the
training rows, the same repeated to 10,000, and real rows that nothing else used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

import tabseed as ts
from benchmarks.generators.tables import (
    GENERATED,
    RESULTS,
    TARGETS,
    Case,
    Rows,
    read_generated,
    rows_of,
)
from experiments.common.draws import JUDGE, JUDGED, by_judge
from experiments.common.results import Results, Row
from tabseed.metrics.leakage import row_keys
from tabseed.table.schema import DISCRETE

KEYS = ("table", "n", "draw", "generator")
MADE = ("threads", "load", "fit_seconds", "fit_cpu", "sample_seconds", "sample_cpu", "peak_mib")
JUDGEMENTS = (
    "plain", "coarse", "plain trees", "plain mlp", "coarse trees", "coarse mlp",
    "score", "closeness", "copies", "fresh_copies", "no_category",
)  # fmt: skip
CLOSE = 1_000  # synthetic rows whose nearest real rows are sought
TRAINING, REPEATED, REAL = "real: training rows", "real: training rows repeated", "real: other rows"


def run(chosen: list[Case]) -> None:
    """Judge all that is there and was not judged yet."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    results = Results(RESULTS, KEYS)
    for case in chosen:
        key = {"table": case.table, "n": case.n, "draw": case.draw}
        for name in (TRAINING, REPEATED, REAL):
            if case.folder.exists() and not results.has(**key, generator=name):
                results.add(_row(case, name, {}, control(case, name)))
        for name, made in made_for(case):
            if results.has(**key, generator=name):
                continue
            found: Row = {}
            if "error" not in made:
                try:
                    rows = rows_of(case)
                    path = case.folder / made["file"]
                    synthetic, strange = read_generated(path, rows.train)
                    found = {**judged(case, rows, synthetic), "no_category": strange}
                except (ts.TabseedError, ValueError, KeyError) as error:
                    made = {**made, "error": f"judge: {error!r}"}
            results.add(_row(case, name, made, found))


def made_for(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """The generators that ran on a case, and their figures."""
    for path in sorted(case.folder.glob("*.json")):
        if path.stem != "train":
            made = json.loads(path.read_text())
            yield made["generator"], {**made, "file": path.with_suffix(".parquet").name}


def _row(case: Case, name: str, made: dict[str, Any], found: Row) -> Row:
    return {
        "table": case.table, "n": case.n, "draw": case.draw, "generator": name,
        **{key: found.get(key, "") for key in JUDGEMENTS},
        **{key: made.get(key, "") for key in MADE},
        "error": " ".join(str(made.get("error", "")).split())[:200],
    }  # fmt: skip


def judged(case: Case, rows: Rows, synthetic: ts.Table) -> Row:
    """Everything about one generated table."""
    return {
        **divergence(case, rows, synthetic),
        "score": score(case, synthetic, rows.held),
        "closeness": closeness(case, rows, synthetic),
        "copies": copies(rows.train, synthetic),
    }


def control(case: Case, name: str) -> Row:
    """What real rows get: training rows have a score only."""
    rows = rows_of(case)
    n = len(rows.train)
    if name == TRAINING:
        return {"score": score(case, rows.train, rows.held)}
    if name == REPEATED:
        repeated = rows.train.take(np.arange(GENERATED) % n)
        return {"score": score(case, repeated, rows.held)}
    alike = copies(rows.train, rows.fresh)
    if len(rows.other) < JUDGED:  # too few rows that neither judge nor measure closeness
        return {"fresh_copies": alike}
    other = rows.other.take(np.arange(min(GENERATED, len(rows.other))))
    return {**judged(case, rows, other), "fresh_copies": alike}


def _some(case: Case, table: ts.Table, most: int) -> ts.Table:
    rng = np.random.default_rng([2024, case.draw])
    return table.take(np.sort(rng.permutation(len(table))[:most]))


def divergence(case: Case, rows: Rows, synthetic: ts.Table) -> Row:
    """JS in bits against the held rows: the larger of two judges, then each, by view."""
    held = rows.held.take(np.arange(min(JUDGED, len(rows.held))))
    found = JUDGE.evaluate(held, _some(case, synthetic, JUDGED), random_state=case.draw)
    return {"plain": found.js.value, "coarse": found.js_coarse.value, **by_judge(found)}


# --- train on synthetic rows, test on real ones -------------------------------------------------


def score(case: Case, train: ts.Table, test: ts.Table) -> float:
    """Boosted trees (scikit-learn's defaults) learnt from ``train``, on ``test``.

    AUC of two classes, accuracy of more, R2 of a number. Heart disease: any against none.
    """
    name = TARGETS[case.table]
    (x, y), (x_test, y_test) = (_inputs(case, t, name) for t in (train, test))
    seed = case.draw
    mask = [c.kind in DISCRETE for c in train.schema if c.name != name]
    if case.table == "king":
        regressor = HistGradientBoostingRegressor(categorical_features=mask, random_state=seed)
        return float(r2_score(y_test, regressor.fit(x, y).predict(x_test)))
    binary = len(np.unique(y_test)) == 2
    if len(np.unique(y)) < 2:  # nothing to learn: the same answer for every row
        return 0.5 if binary else float(np.mean(y_test == y[0]))
    model = HistGradientBoostingClassifier(categorical_features=mask, random_state=seed)
    model.fit(x, y)
    if binary:
        return float(roc_auc_score(y_test, model.predict_proba(x_test)[:, 1]))
    return float(accuracy_score(y_test, model.predict(x_test)))


def _inputs(case: Case, table: ts.Table, target: str) -> tuple[np.ndarray, np.ndarray]:
    columns = {c.name: _cells(table, c) for c in table.schema}
    y = columns.pop(target)
    known = ~np.isnan(y)
    y = (y > 0).astype(float) if case.table == "heart_cleveland" else y
    return np.stack(list(columns.values()), axis=1)[known], y[known]


def _cells(table: ts.Table, column: ts.Column) -> np.ndarray:
    """A column as floats (n,): numbers or codes, NaN where missing."""
    if column.kind not in DISCRETE:
        return table.numbers(column.name)
    codes = table.codes(column.name).astype(float)
    return np.where(codes < 0, np.nan, codes)


# --- closeness to the training rows -------------------------------------------------------------


def closeness(case: Case, rows: Rows, synthetic: ts.Table) -> float:
    """Share of synthetic rows nearer to a training row than to any of as many fresh rows.

    Gower's distance; a tie counts half. 0.5 is what rows of the law itself get.
    """
    size = min(len(rows.train), len(rows.fresh))
    train, fresh = (_some(case, t, size) for t in (rows.train, rows.fresh))
    drawn = _some(case, synthetic, CLOSE)
    near_train, near_fresh = (_nearest(drawn, real, (train, fresh)) for real in (train, fresh))
    tie = np.abs(near_train - near_fresh) < 1e-6
    return float(np.mean(np.where(tie, 0.5, near_train < near_fresh)))


def _nearest(drawn: ts.Table, real: ts.Table, known: tuple[ts.Table, ts.Table]) -> np.ndarray:
    """Gower distance of each drawn row to its nearest real row, (n,)."""
    total = np.zeros((len(drawn), len(real)), dtype=np.float32)
    for column in drawn.schema:
        a, b = (_cells(t, column).astype(np.float32) for t in (drawn, real))
        if column.kind in DISCRETE:
            gap = (a[:, None] != b[None]).astype(np.float32)
        else:
            seen = np.concatenate([_cells(t, column) for t in known])
            width = np.nanmax(seen) - np.nanmin(seen) if not np.isnan(seen).all() else 0.0
            gap = np.abs(a[:, None] - b[None]) / np.float32(width or 1.0)
        gone_a, gone_b = np.isnan(a)[:, None], np.isnan(b)[None]
        if gone_a.any() or gone_b.any():  # missing is like missing, unlike all else
            gap = np.where(gone_a | gone_b, (gone_a ^ gone_b).astype(np.float32), gap)
        total += np.minimum(gap, 1)
    return np.asarray(total.min(axis=1) / len(drawn.schema))


def copies(train: ts.Table, table: ts.Table) -> float:
    """Share of rows that equal a training row in every column."""
    keys, found = row_keys([train, table])
    return float(np.isin(found, keys).mean())
