"""The tables, their splits, and the files that generators read and write."""

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
    """One training set: a table, the number of rows, the number of the draw."""

    table: str
    n: int
    draw: int

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return WORK / f"{self.table}-{self.n}-{self.draw}"


@dataclass(frozen=True)
class Rows:
    """Rows to learn from; held-out rows to judge with; fresh rows for closeness; the others."""

    train: ts.Table
    held: ts.Table
    fresh: ts.Table
    other: ts.Table


def cases(tables: tuple[str, ...] = ()) -> Iterator[Case]:
    """Yield all cases, or those of some tables; the quick and most wanted ones come first."""
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
    """Return the rows of a case, with the columns that generators model.

    In a small table all rows outside the training set are both held out and fresh. If fewer rows
    are left than training rows, all of those are fresh.
    """
    pool = _pool(case.table)
    pool = pool.select(pool.schema.modelled)
    order = np.random.default_rng([2407, case.draw]).permutation(len(pool))

    def part(index: np.ndarray) -> ts.Table:
        return pool.take(np.sort(index))

    if case.table in SMALL:
        held_out = part(order[case.n :])
        return Rows(part(order[: case.n]), held_out, held_out, part(order[:0]))
    draw = draw_of("raw", case.table, case.draw)  # the same rows as in the study of biases
    train = draw.few if case.n == N else draw.many
    assert train is not None
    left = order[N + JUDGED + BIG :]
    train, held_out = (t.select(pool.schema) for t in (train, draw.held))
    return Rows(train, held_out, part(left[: case.n]), part(left[case.n :]))


def _is_date(column: ts.Column) -> bool:
    return column.kind == "datetime"


def write_training(case: Case) -> Path:
    """Write the training rows for peers and the kinds of their columns; return the path."""
    train = rows_of(case).train
    kinds = {c.name: "discrete" if c.kind in DISCRETE else "number" for c in train.schema}
    kinds |= {c.name: "date" for c in train.schema if _is_date(c)}
    case.folder.mkdir(parents=True, exist_ok=True)
    path = case.folder / "train.parquet"
    path.with_suffix(".json").write_text(json.dumps(kinds))
    pq.write_table(exchanged(train), path)
    return path


def exchanged(table: ts.Table) -> pa.Table:
    """Return the modelled columns as text, numbers and timestamps, the format of the files."""
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
    """Return a generated table with the columns and types of ``like``.

    Whole numbers are rounded, and dates (days, if they are numbers in the file) are rounded to the
    day: no generator loses points for a grain that a cast restores. Text that is not a category
    becomes a missing cell; the second value is the share of cells with such text.
    """
    frame, columns, unknown = pq.read_table(path), {}, []
    for column in like.schema:
        values = frame[column.name]
        if column.kind not in DISCRETE:
            columns[column.name] = _numbers(column, values)
            continue
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        levels = pa.array([str(level) for level in column.categories])
        text = values.cast(pa.string())
        codes = pc.index_in(text, value_set=levels).fill_null(-1).to_numpy().astype(np.int64)
        columns[column.name] = codes
        is_text = pc.not_equal(text, NO_VALUE).fill_null(False).to_numpy()
        unknown.append(((codes < 0) & is_text).mean())
    table = ts.Table.from_columns(like.schema, like.frame_kind, columns)
    return table, float(np.sum(unknown)) / len(like.schema)


def _numbers(column: ts.Column, values: pa.ChunkedArray) -> np.ndarray:
    if _is_date(column) and not pa.types.is_timestamp(values.type):
        numbers: Any = values.cast(pa.float64()).to_numpy()
        return np.asarray(np.round(numbers) * DAY)
    if _is_date(column):
        values = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return np.asarray(np.round(values.cast(pa.float64(), safe=False).to_numpy() / DAY) * DAY)
    numbers = values.cast(pa.float64(), safe=False).to_numpy()
    return np.round(numbers) if column.kind == "integer" else np.asarray(numbers)
