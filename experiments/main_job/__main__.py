"""Measure VAEBGM at N = 300: on the coding of arXiv 2407.03080's authors, and on raw Adult.

    TABSEED_DATA=... python -m experiments.main_job            # both parts, an hour and a half
    TABSEED_DATA=... python -m experiments.main_job coding     # or one of them: coding, adult

Results go to ``results/*.csv``, each line as soon as it is known; a run that is started again skips
the lines that exist. Needs the extra ``experiments``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.paper1 import LATENT_DIM, coded, generated
from experiments.common.results import Results, Row

RESULTS = Path(__file__).parent / "results"
N, DRAWS, GENERATED = 300, 5, 10_000
JUDGE = ts.DiscriminatorDivergence(permutations=0, folds=3, repeats=1, n_jobs=2)


def scores(real: Any, synthetic: Any, seed: int) -> Row:
    """Return JS in bits, by view and judge; the larger of the two judges counts."""
    result = JUDGE.evaluate(real, synthetic, random_state=seed)
    row: Row = {}
    for view, judges in result.estimates.items():
        row |= {f"{view} {name}": e["js"].value for name, e in judges.items()}
        row[f"{view} js"] = max(e["js"].value for e in judges.values())
    row["kl"] = result.kl.value
    return row


def models(latent_dim: int | None, draw: int) -> Iterator[tuple[str, Any]]:
    """Yield the generators to compare, by name."""
    yield "tabseed VAEBGM", ts.VAEBGM(random_state=draw)
    yield (
        "tabseed VAEBGM paper preset",
        ts.VAEBGM(paper=True, latent_dim=latent_dim, random_state=draw),
    )


# --- the authors' coding ------------------------------------------------------------------------

THEIR_ARMS = ("low_data", "avg", "pretrain", "big_data")


def coding() -> None:
    """Measure the authors' tables and ours with one judge."""
    results = Results(RESULTS / "coding.csv", ("data", "arm", "draw"))
    for name, dim in LATENT_DIM.items():
        pool, held_out = coded(name)
        for arm in THEIR_ARMS:
            key = {"data": name, "arm": f"authors' {arm}", "draw": 0}
            if results.has(**key):
                continue
            row = scores(held_out, generated(name, arm, held_out), 0)
            results.add({**key, **row, "seconds": ""})
        for draw in range(DRAWS):
            rows = np.random.default_rng([2407, draw]).permutation(len(pool))[:N]
            for arm, model in models(dim, draw):
                key = {"data": name, "arm": arm, "draw": draw}
                if results.has(**key):
                    continue
                began = time.perf_counter()
                synthetic = model.fit(pool.take(rows)).sample(GENERATED)
                seconds = round(time.perf_counter() - began, 1)
                results.add({**key, **scores(held_out, synthetic, draw), "seconds": seconds})


# --- raw Adult ----------------------------------------------------------------------------------


def auc(train: pa.Table, test: pa.Table) -> float:
    """Return the AUC on ``test`` of boosted trees trained on ``train``, one-hot categories.

    200 trees of depth 4, learning rate 0.1, otherwise XGBoost's defaults: fixed in advance.
    """
    from sklearn.metrics import roc_auc_score
    from xgboost import XGBClassifier

    columns = []
    for name in train.column_names:
        if name == "income":
            continue
        values = pa.chunked_array([*train[name].chunks, *test[name].chunks])
        if pa.types.is_string(values.type):
            codes = values.dictionary_encode().combine_chunks().indices.fill_null(-1).to_numpy()
            columns.append(codes[:, None] == np.arange(codes.max() + 1))
        else:
            columns.append(values.to_numpy().astype(float)[:, None])
    x = np.hstack(columns).astype(np.float32)
    y = [pc.equal(t["income"], ">50K").to_numpy().astype(int) for t in (train, test)]
    model = XGBClassifier(n_estimators=200, max_depth=4, learning_rate=0.1, n_jobs=2)
    model.fit(x[: len(train)], y[0])
    return float(roc_auc_score(y[1], model.predict_proba(x[len(train) :])[:, 1]))


def adult() -> None:
    """Measure N = 300 of raw Adult; controls: the 300 rows, and the 300 repeated to 10,000."""
    results = Results(RESULTS / "adult.csv", ("arm", "draw"))
    full = pq.read_table(DATA / "adult.parquet")
    for draw in range(DRAWS):
        order = np.random.default_rng([2024, draw]).permutation(len(full))
        train, held_out, test = (
            full.take(np.sort(order[a:b])) for a, b in ((0, N), (N, N + 10_000), (N + 10_000, None))
        )
        table = ts.Table.from_frame(full)  # the same kinds and categories for every draw
        held_table = ts.Table.from_frame(held_out, schema=table.schema)
        arms: list[tuple[str, Any]] = [
            ("the 300 real rows", None),
            ("the 300 real rows repeated to 10,000", ts.Resample(random_state=draw)),
            ("Resample, smoothing 1", ts.Resample(smoothing=1.0, random_state=draw)),
            *models(None, draw),
        ]
        for arm, model in arms:
            if results.has(arm=arm, draw=draw):
                continue
            began = time.perf_counter()
            synthetic = train if model is None else model.fit(train).sample(GENERATED)
            seconds = round(time.perf_counter() - began, 1)
            row = scores(held_table, synthetic, draw)
            results.add(
                {"arm": arm, "draw": draw, "auc": auc(synthetic, test), **row, "seconds": seconds}
            )


PARTS = {"coding": coding, "adult": adult}

if __name__ == "__main__":
    RESULTS.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
