"""Judge the tables in ``.work``: divergence, usefulness, closeness, copies.

Writes a line for each table and generator to ``benchmarks/results/generators.csv``. Controls: the
training rows, the training rows repeated to 10,000, and real rows that have no other use.
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
COST = ("threads", "load", "fit_seconds", "fit_cpu", "sample_seconds", "sample_cpu", "peak_mib")
JUDGEMENTS = (
    "plain", "coarse", "plain trees", "plain mlp", "coarse trees", "coarse mlp",
    "score", "closeness", "copies", "fresh_copies", "no_category",
)  # fmt: skip
CLOSE = 1_000  # synthetic rows in the search for the nearest real rows
TRAINING, REPEATED, REAL = "real: training rows", "real: training rows repeated", "real: other rows"


def run(selection: list[Case]) -> None:
    """Judge every table that exists and is not judged yet."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    results = Results(RESULTS, KEYS)
    for case in selection:
        key = {"table": case.table, "n": case.n, "draw": case.draw}
        for name in (TRAINING, REPEATED, REAL):
            if case.folder.exists() and not results.has(**key, generator=name):
                results.add(_row(case, name, {}, control(case, name)))
        for name, record in records_of(case):
            if results.has(**key, generator=name):
                continue
            judgements: Row = {}
            if "error" not in record:
                try:
                    rows = rows_of(case)
                    path = case.folder / record["file"]
                    synthetic, no_category = read_generated(path, rows.train)
                    judgements = {**judged(case, rows, synthetic), "no_category": no_category}
                except (ts.TabseedError, ValueError, KeyError) as error:
                    record = {**record, "error": f"judge: {error!r}"}
            results.add(_row(case, name, record, judgements))


def records_of(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the generators that ran on a case, and the record of each run."""
    for path in sorted(case.folder.glob("*.json")):
        if path.stem != "train":
            record = json.loads(path.read_text())
            yield record["generator"], {**record, "file": path.with_suffix(".parquet").name}


def _row(case: Case, name: str, record: dict[str, Any], judgements: Row) -> Row:
    return {
        "table": case.table, "n": case.n, "draw": case.draw, "generator": name,
        **{key: judgements.get(key, "") for key in JUDGEMENTS},
        **{key: record.get(key, "") for key in COST},
        "error": " ".join(str(record.get("error", "")).split())[:200],
    }  # fmt: skip


def judged(case: Case, rows: Rows, synthetic: ts.Table) -> Row:
    """Return all judgements of one generated table."""
    return {
        **divergence(case, rows, synthetic),
        "score": score(case, synthetic, rows.held),
        "closeness": closeness(case, rows, synthetic),
        "copies": copies(rows.train, synthetic),
    }


def control(case: Case, name: str) -> Row:
    """Return the judgements of real rows; training rows have only a score."""
    rows = rows_of(case)
    n = len(rows.train)
    if name == TRAINING:
        return {"score": score(case, rows.train, rows.held)}
    if name == REPEATED:
        repeated = rows.train.take(np.arange(GENERATED) % n)
        return {"score": score(case, repeated, rows.held)}
    alike = copies(rows.train, rows.fresh)
    if len(rows.other) < JUDGED:  # too few rows besides those that judge or measure closeness
        return {"fresh_copies": alike}
    other = rows.other.take(np.arange(min(GENERATED, len(rows.other))))
    return {**judged(case, rows, other), "fresh_copies": alike}


def _some(case: Case, table: ts.Table, most: int) -> ts.Table:
    rng = np.random.default_rng([2024, case.draw])
    return table.take(np.sort(rng.permutation(len(table))[:most]))


def divergence(case: Case, rows: Rows, synthetic: ts.Table) -> Row:
    """Return JS in bits against held-out rows: the larger of two judges and each one, by view."""
    held_out = rows.held.take(np.arange(min(JUDGED, len(rows.held))))
    result = JUDGE.evaluate(held_out, _some(case, synthetic, JUDGED), random_state=case.draw)
    return {"plain": result.js.value, "coarse": result.js_coarse.value, **by_judge(result)}


# --- train on synthetic rows, test on real ones -------------------------------------------------


def score(case: Case, train: ts.Table, test: ts.Table) -> float:
    """Return the score on ``test`` of boosted trees (scikit-learn's defaults) fitted to ``train``.

    AUC for two classes, accuracy for more, R2 for a number. Heart disease: any against none.
    """
    name = TARGETS[case.table]
    (x, y), (x_test, y_test) = (_inputs(case, t, name) for t in (train, test))
    seed = case.draw
    mask = [c.kind in DISCRETE for c in train.schema if c.name != name]
    if case.table == "king":
        regressor = HistGradientBoostingRegressor(categorical_features=mask, random_state=seed)
        return float(r2_score(y_test, regressor.fit(x, y).predict(x_test)))
    binary = len(np.unique(y_test)) == 2
    if len(np.unique(y)) < 2:  # nothing to learn: the same prediction for every row
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
    """Return a column as floats (n,): numbers or codes, NaN where missing."""
    if column.kind not in DISCRETE:
        return table.numbers(column.name)
    codes = table.codes(column.name).astype(float)
    return np.where(codes < 0, np.nan, codes)


# --- closeness to the training rows -------------------------------------------------------------


def closeness(case: Case, rows: Rows, synthetic: ts.Table) -> float:
    """Return the share of synthetic rows that are nearer to a training row than to a fresh one.

    As many fresh rows as training rows; Gower's distance; a tie counts half. Rows of the true law
    get 0.5.
    """
    size = min(len(rows.train), len(rows.fresh))
    train, fresh = (_some(case, t, size) for t in (rows.train, rows.fresh))
    synthetic = _some(case, synthetic, CLOSE)
    near_train, near_fresh = (_nearest(synthetic, real, (train, fresh)) for real in (train, fresh))
    tie = np.abs(near_train - near_fresh) < 1e-6
    return float(np.mean(np.where(tie, 0.5, near_train < near_fresh)))


def _nearest(
    synthetic: ts.Table, real: ts.Table, scale_tables: tuple[ts.Table, ts.Table]
) -> np.ndarray:
    """Return the Gower distance of each synthetic row to its nearest real row, (n,)."""
    total = np.zeros((len(synthetic), len(real)), dtype=np.float32)
    for column in synthetic.schema:
        a, b = (_cells(t, column).astype(np.float32) for t in (synthetic, real))
        if column.kind in DISCRETE:
            gap = (a[:, None] != b[None]).astype(np.float32)
        else:
            values = np.concatenate([_cells(t, column) for t in scale_tables])
            value_range = (
                np.nanmax(values) - np.nanmin(values) if not np.isnan(values).all() else 0.0
            )
            gap = np.abs(a[:, None] - b[None]) / np.float32(value_range or 1.0)
        gone_a, gone_b = np.isnan(a)[:, None], np.isnan(b)[None]
        if gone_a.any() or gone_b.any():  # two missing cells are alike, one is not
            gap = np.where(gone_a | gone_b, (gone_a ^ gone_b).astype(np.float32), gap)
        total += np.minimum(gap, 1)
    return np.asarray(total.min(axis=1) / len(synthetic.schema))


def copies(train: ts.Table, table: ts.Table) -> float:
    """Return the share of rows that equal a training row in every column."""
    training_keys, keys = row_keys([train, table])
    return float(np.isin(keys, training_keys).mean())
