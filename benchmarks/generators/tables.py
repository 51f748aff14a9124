"""The tables, their splits, and the files through which generators get and give rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import tabseed as ts
from benchmarks.generators.peers.measure import NO_VALUE
from experiments.common.draws import BIG, JUDGED, N, draw_of, population
from tabseed.table.schema import DISCRETE

HERE = Path(__file__).parent
WORK = HERE / ".work"
RESULTS = HERE.parent / "results" / "generators.csv"
GENERATED, DRAWS = 10_000, 3
LARGE, SMALL = (
    ("adult", "king"),
    ("heart_cleveland", "breast_cancer_wdbc", "penguins", "german_credit"),
)
TARGETS = {
    "adult": "income",
    "king": "price",
    "heart_cleveland": "num",
    "breast_cancer_wdbc": "diagnosis",
    "penguins": "species",
    "german_credit": "class",
}
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Case:
    """One training set: a table, its number of rows, which draw of them."""

    table: str
    n: int
    draw: int

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return WORK / f"{self.table}-{self.n}-{self.draw}"


@dataclass(frozen=True)
class Rows:
    """To learn from; to judge with; as many fresh ones for closeness; what is left."""

    train: ts.Table
    held: ts.Table
    fresh: ts.Table
    other: ts.Table


def cases(tables: tuple[str, ...] = ()) -> Iterator[Case]:
    """All cases, or those of some tables; what is quick and asked for first comes first."""
    large = [(name, N, draw) for draw in range(DRAWS) for name in LARGE]
    small = [(name, _few(name), draw) for name in SMALL for draw in range(DRAWS)]
    many = [(name, BIG, 0) for name in LARGE]
    for name, n, draw in [*large, *small, *many]:
        if not tables or name in tables:
            yield Case(name, n, draw)


@lru_cache(maxsize=1)
def _pool(name: str) -> ts.Table:
    return population("raw", name)[0]


def _few(name: str) -> int:
    return min(N, len(_pool(name)) // 2)


@lru_cache(maxsize=1)
def rows_of(case: Case) -> Rows:
    """Split the rows; columns are those that generators model.

    Of a small table the rows that do not train are both held and fresh. Where fewer rows are
    left than train, so many are fresh.
    """
    pool = _pool(case.table)
    pool = pool.select(pool.schema.modelled)
    order = np.random.default_rng([2407, case.draw]).permutation(len(pool))

    def part(places: np.ndarray) -> ts.Table:
        return pool.take(np.sort(places))

    if case.table in SMALL:
        held = part(order[case.n :])
        return Rows(part(order[: case.n]), held, held, part(order[:0]))
    draw = draw_of("raw", case.table, case.draw)  # the same rows as in the study of biases
    train = draw.few if case.n == N else draw.many
    assert train is not None
    left = order[N + JUDGED + BIG :]
    train, held = (t.select(pool.schema) for t in (train, draw.held))
    return Rows(train, held, part(left[: case.n]), part(left[case.n :]))


def _is_date(column: ts.Column) -> bool:
    return column.kind == "datetime"


def write_training(case: Case) -> Path:
    """Write the training rows as peers read them, and the kinds of their columns."""
    train = rows_of(case).train
    kinds = {c.name: "discrete" if c.kind in DISCRETE else "number" for c in train.schema}
    kinds |= {c.name: "date" for c in train.schema if _is_date(c)}
    case.folder.mkdir(parents=True, exist_ok=True)
    path = case.folder / "train.parquet"
    path.with_suffix(".json").write_text(json.dumps(kinds))
    pq.write_table(exchanged(train), path)
    return path


def exchanged(table: ts.Table) -> pa.Table:
    """The modelled columns as text, numbers and timestamps, the form that files have."""
    columns = {}
    for column in table.schema.modelled:
        if column.kind in DISCRETE:
            codes = table.codes(column.name)
            levels = pa.array([str(level) for level in column.categories])
            columns[column.name] = levels.take(pa.array(codes, mask=codes < 0))
            continue
        values = table.numbers(column.name)
        numbers = pa.array(values, mask=np.isnan(values))
        if column.kind == "integer":
            numbers = numbers.cast(pa.int64())
        elif _is_date(column):
            numbers = numbers.cast(pa.int64()).cast(pa.timestamp("us"))
        columns[column.name] = numbers
    return pa.table(columns)


def read_generated(path: Path, like: ts.Table) -> tuple[ts.Table, float]:
    """Bring a generated table to the columns and types of ``like``.

    Whole numbers are rounded, dates (days, where they came as numbers) to the day: no generator
    is marked down for a grain that a cast gives back. A text that is no category becomes a
    missing cell; also given: the share of cells for which that happened.
    """
    frame, columns, strange = pq.read_table(path), {}, []
    for column in like.schema:
        values = frame[column.name]
        if column.kind not in DISCRETE:
            columns[column.name] = _numbers(column, values)
            continue
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        levels = pa.array([str(level) for level in column.categories])
        text = values.cast(pa.string())
        places = pc.index_in(text, value_set=levels).fill_null(-1).to_numpy().astype(np.int64)
        columns[column.name] = places
        is_text = pc.not_equal(text, NO_VALUE).fill_null(False).to_numpy()
        strange.append(((places < 0) & is_text).mean())
    table = ts.Table.from_columns(like.schema, like.frame_kind, columns)
    return table, float(np.sum(strange)) / len(like.schema)


def _numbers(column: ts.Column, values: pa.ChunkedArray) -> np.ndarray:
    if _is_date(column) and not pa.types.is_timestamp(values.type):
        found: Any = values.cast(pa.float64()).to_numpy()
        return np.asarray(np.round(found) * DAY)
    if _is_date(column):
        values = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return np.asarray(np.round(values.cast(pa.float64(), safe=False).to_numpy() / DAY) * DAY)
    found = values.cast(pa.float64(), safe=False).to_numpy()
    return np.round(found) if column.kind == "integer" else np.asarray(found)
