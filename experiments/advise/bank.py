"""The cases of the bank: a table or a law, n rows of it, what they show, what synthetic rows did.

Each case learns n rows; up to 4,000 others judge. The gain is the AUC or R2 of a linear model, a
forest and boosted trees (mean) that learn the n rows and synthetic ones, less that of the same
models that learn the n rows alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.results import Row
from tabseed.advice.bank import features
from tabseed.advice.look import look
from tabseed.metrics.usefulness import costs_of_use

SIZES, DRAWS, JUDGED, SEED = (60, 150, 300, 1_000), 1, 4_000, 2_020
MORE = 4  # times as many synthetic rows as real ones
TABLES: dict[str, tuple[str, str | None, tuple[str, ...]]] = {  # target, its kind, left out
    "adult": ("income", None, ()),
    "breast_cancer_wdbc": ("diagnosis", None, ()),
    "covertype": ("Cover_Type", "categorical", ()),
    "credit_card": ("Y", "categorical", ("ID",)),
    "diabetes_cdc": ("Diabetes_binary", "categorical", ()),
    "diabetes_pima": ("class", None, ()),
    "eye_movements": ("label", "categorical", ("titleNo", "wordNo", "lineNo", "assgNo")),
    "german_credit": ("class", None, ()),
    "heart_cleveland": ("num", "categorical", ()),
    "insurance": ("charges", None, ()),
    "intrusion": ("label", None, ()),
    "jannis": ("class", "categorical", ()),
    "king": ("price", None, ("id", "date", "zipcode")),
    "penguins": ("species", None, ()),
    "support2": ("death", "categorical", ("slos", "d.time", "hospdead", "sfdm2", "id")),
}
LAWS = ("line", "line, few of one class", "products", "curves", "numbers", "noise")


def law(name: str, n: int, seed: int) -> pa.Table:
    """Return rows of a law of ten columns; y depends on three of them, or on none."""
    rng = np.random.default_rng([SEED, seed])
    x = rng.normal(size=(n, 10))
    x[:, 5:] = np.round(np.exp(x[:, 5:]), 1)
    signal = {
        "line": x[:, 0] + x[:, 1] - x[:, 2],
        "line, few of one class": x[:, 0] + x[:, 1] - x[:, 2] - 3,
        "products": 3 * x[:, 0] * x[:, 1] + x[:, 2],
        "curves": 2 * np.sin(2 * x[:, 0]) + x[:, 1] ** 2 - 1,
        "numbers": x[:, 0] + np.abs(x[:, 1]) + 0.5 * x[:, 2],
        "noise": np.zeros(n),
    }[name]
    columns: dict[str, Any] = {f"x{j}": x[:, j] for j in range(10)}
    columns["x9"] = np.where(x[:, 9] > 1, "high", "low")
    y = signal + rng.logistic(size=n)
    columns["y"] = np.round(y, 2) if name == "numbers" else np.where(y > 0, "yes", "no")
    return pa.table(columns)


@lru_cache(maxsize=2)
def table_of(name: str) -> tuple[ts.Table, str]:
    """Return the rows of a table or a law, and its target."""
    if name in LAWS:
        return ts.Table.from_frame(law(name, 6_000, LAWS.index(name))), "y"
    target, kind, left_out = TABLES[name]
    frame = pq.read_table(DATA / f"{name}.parquet")
    frame = frame.drop_columns([c for c in left_out if c in frame.column_names])
    if len(frame) > 20_000:
        some = np.random.default_rng(SEED).permutation(len(frame))[:20_000]
        frame = frame.take(np.sort(some))
    kinds = {} if kind is None else {target: kind}
    table = ts.Table.from_frame(frame, kinds=kinds)
    return table.select(table.schema.modelled), target


def figures(name: str, n: int, draw: int) -> Row:
    """Return the features of a case, and the gain of each recipe."""
    table, target = table_of(name)
    order = np.random.default_rng([SEED, draw]).permutation(len(table))
    if n > len(table) // 2:
        return {"why": "too few rows"}
    train, held = table.take(order[:n]), table.take(order[n : n + JUDGED])
    stream = np.random.SeedSequence([SEED, draw])
    try:
        seen = look(train, target, stream)
        trees = ts.SequentialTrees(random_state=draw).fit(train, target=target)
        chosen = ts.FeatureResponse(ts.SequentialTrees(), "auto", random_state=draw)
        drawn = {
            "as many rows of trees": trees.draw(n),
            "four times as many rows of trees": trees.draw(MORE * n),
            "four times as many, response chosen": chosen.fit(train, target=target).draw(MORE * n),
        }
        both = [
            ts.Table.from_frame(
                pa.concat_tables([train.to_arrow(), rows.to_arrow()]), schema=train.schema
            )
            for rows in drawn.values()
        ]
        known = np.isin(held.values(target), train.values(target))
        if seen.task == "classification":
            held = held.take(np.flatnonzero(known))
        costs = costs_of_use(train, both, held, target, stream)
    except ts.TabseedError as error:
        return {"why": str(error)[:100]}
    gains = {recipe: -cost.cost.value for recipe, cost in zip(drawn, costs, strict=True)}
    return {**features(seen), **gains, "why": ""}


COLUMNS = (
    "rows (log10)", "columns (log10)", "categorical", "rarest class (log10)", "numbers", "score",
    "gain of twice the rows", "as many rows of trees", "four times as many rows of trees",
    "four times as many, response chosen", "why",
)  # fmt: skip


def whole(name: str, n: int, draw: int) -> dict[str, object]:
    """Return the figures of a case, every column there."""
    row = figures(name, n, draw)
    return {column: row.get(column, "") for column in COLUMNS}
