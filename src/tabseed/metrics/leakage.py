"""Leakage: whether the judging rows were seen in training; bringing tables to one schema."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import poisson

from tabseed.errors import LeakageError, SchemaError, shortened
from tabseed.table import UNSEEN, Frame, Table
from tabseed.table.display import MAX_CELL
from tabseed.table.schema import DISCRETE, NUMERIC, Column, Schema

LEAK_SIGMAS = 5.0  # false alarms below 1e-6 per table if the normal approximation is right
FEW_CELLS = 10  # fewer cells may all be unknown by chance
LEAK_SHARE = 0.02  # a smaller excess of equal rows moves no metric beyond its interval


def _schema_of(*frames: Any) -> Schema:
    for frame in frames:
        if isinstance(frame, Table):
            return frame.schema
    return Table.from_frame(frames[0]).schema


def conform(frame: Frame, schema: Schema, name: str) -> Table:
    """Return a frame or Table with the columns of ``schema``; errors begin with ``name``.

    SchemaError also if no value of a discrete column is known: the two tables then write the same
    values in different ways, or are of different columns.
    """
    if isinstance(frame, Table) and all(
        c.name in frame.schema and frame.schema[c.name] == c for c in schema
    ):
        return frame.select(schema)
    try:
        table = Table.from_frame(frame, schema=schema)
        for column in schema:
            # numbers that are codes, such as years, may all be new: a note says so
            if column.kind in DISCRETE and column.categories and not column.coded:
                _refuse_strange(table, column)
        return table
    except SchemaError as error:
        raise SchemaError(f"{name} table: {error}") from error


def _refuse_strange(table: Table, column: Column) -> None:
    codes = table.codes(column.name)
    if (codes >= 0).any() or (codes == UNSEEN).sum() < FEW_CELLS:
        return
    theirs = _first(np.unique(_texts(table, column.name, codes == UNSEEN)).tolist())
    raise SchemaError(
        f"column {column.name!r}: none of its values ({theirs}) is among those of the training "
        f"table ({_first(column.categories)}); write both alike, or leave the column out (kind id)"
    )


def _first(values: Sequence[Any], most: int = 3) -> str:
    short = (v if len(v) <= MAX_CELL else shortened(v, MAX_CELL) for v in map(str, values[:most]))
    shown = ", ".join(map(repr, short))  # with the spaces at their ends, which may be the matter
    return shown + ", ..." * (len(values) > most)


def unknown_values(tables: Mapping[str, Table]) -> list[str]:
    """Say of each discrete column how many cells of a table have a value that the schema lacks."""
    notes = []
    for name, table in tables.items():
        for column in table.schema:
            if (
                column.kind not in DISCRETE
                or not (unseen := table.codes(column.name) == UNSEEN).any()
            ):
                continue
            values = _first(np.unique(_texts(table, column.name, unseen)).tolist())
            notes.append(
                f"Column {column.name!r}: {unseen.sum()} of {len(table)} cells of the {name} table "
                f"have values that the training table lacks ({values})."
            )
    return notes


def pooled_codes(tables: list[Table], name: str) -> list[np.ndarray]:
    """Return a discrete column of several tables as int64 codes over one vocabulary.

    The schema's categories come first. Values that it does not know follow, each with its own
    code, the same in every table. Missing is MISSING (-1).
    """
    codes = [table.codes(name) for table in tables]
    unseen = [_texts(table, name, c == UNSEEN) for table, c in zip(tables, codes, strict=True)]
    extra = np.unique(np.concatenate(unseen))
    known = len(tables[0].schema[name].categories)
    pooled = [code.copy() for code in codes]
    for code, texts in zip(pooled, unseen, strict=True):
        code[code == UNSEEN] = known + np.searchsorted(extra, texts)
    return pooled


def _texts(table: Table, name: str, rows: np.ndarray) -> np.ndarray:
    """Return the cells at ``rows`` (a mask) as text; the loop runs over distinct values only."""
    if not rows.any():
        return np.zeros(0, dtype=np.str_)
    cells = table.to_arrow()[name].filter(pa.array(rows)).combine_chunks()
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    levels = np.array([str(v) for v in cells.dictionary.to_pylist()], dtype=np.str_)
    return np.asarray(levels[cells.indices.to_numpy()])


def row_keys(tables: list[Table]) -> list[np.ndarray]:
    """Return a number for each row, which two rows share exactly if all their cells are equal.

    Missing equals missing. Cost: one sort of all rows per column.
    """
    ends = np.cumsum([len(t) for t in tables])
    keys = np.zeros(ends[-1], dtype=np.int64)
    for column in tables[0].schema:
        if column.kind in NUMERIC:
            cells = np.concatenate([t.numbers(column.name) for t in tables])
        else:
            cells = np.concatenate(pooled_codes(tables, column.name))
        codes = np.unique(cells, return_inverse=True)[1]
        # both factors stay below the number of rows, so the product fits 64 bits
        keys = np.unique(keys * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return np.split(keys, ends[:-1])


@dataclass(frozen=True)
class Overlap:
    """How many held-out rows equal some training row, and how many chance alone would give."""

    n_equal: int
    n_expected: float
    n_holdout: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {
            "n_equal": self.n_equal,
            "n_expected": self.n_expected,
            "n_holdout": self.n_holdout,
        }

    def __str__(self) -> str:
        return (
            f"{self.n_equal} of {self.n_holdout} held-out rows equal a training row, "
            f"about {self.n_expected:.0f} expected by natural repetition"
        )


def check_leakage(train: Table, holdout: Table) -> Overlap:
    """Count held-out rows that equal a training row; refuse where chance cannot explain them.

    By Good and Turing a new row repeats one of n training rows with probability q = 1 - f1/n,
    where f1 values occur once and f2 twice; the variance of that estimate is about
    v = (f1 (1 - f1/n) + 2 f2)/n^2 (Esty, Annals of Statistics 1983). Raises LeakageError where
    the count exceeds its expectation h q (h held-out rows) by more than 5 standard deviations
    sqrt(h q' (1 - q') + h^2 v), q' = max(q, 1/n), and by more than max(3, 2 % of h) rows; or
    where the tables are equal row for row although two honest draws would be equal with
    probability below 1e-6 (the sum of squared row shares, to the power h). A leak of fewer rows
    passes, so the counts are returned and belong in the report.
    """
    keys, holdout_keys = row_keys([train, holdout])
    overlap, beyond_chance = count_equal(keys, holdout_keys)
    shares = np.unique(keys, return_counts=True)[1] / len(keys)
    log_same = len(holdout_keys) * math.log(np.square(shares).sum())
    if beyond_chance or (np.array_equal(keys, holdout_keys) and log_same < math.log(1e-6)):
        raise LeakageError(
            f"the holdout repeats the training rows: {overlap}; "
            "judge with rows that trained nothing"
        )
    return overlap


def check_unseen(train: Table, synthetic: Table, holdout: Table) -> None:
    """Refuse a holdout that the generator has seen: synthetic rows equal rows that only it has.

    Counted are the held-out rows that no training row equals and some synthetic row does. A row not
    among n training rows, f1 of which occur once and f2 twice, has by Good and Turing a probability
    of about 2 (f2 + 1)/(n f1), so m honest synthetic rows would hit a Poisson number of them, with
    mean 2 (f2 + 1) m h/(n f1) for h such rows. Raises LeakageError beyond 4 rows and 2 % of them,
    if that number is so large with probability below 1e-6.
    """
    keys, drawn, other = row_keys([train, synthetic, holdout])
    new = np.setdiff1d(other, keys)
    hits = int(np.isin(new, drawn).sum())
    counts = np.unique(keys, return_counts=True)[1]
    f1, f2 = max(int((counts == 1).sum()), 1), int((counts == 2).sum())
    expected = 2 * (f2 + 1) * len(drawn) * len(new) / (len(keys) * f1)
    if hits > max(4, LEAK_SHARE * len(new)) and poisson.sf(hits - 1, expected) < 1e-6:
        raise LeakageError(
            f"{hits} of {len(other)} held-out rows equal synthetic rows but no training row: the "
            "generator has seen rows that should judge it; draw the synthetic rows again from the "
            "training rows alone"
        )


def count_equal(keys: np.ndarray, other: np.ndarray) -> tuple[Overlap, bool]:
    """Count ``other`` rows that equal one of n training rows (:func:`row_keys` of both).

    Returns the counts, and whether chance cannot explain them (see :func:`check_leakage`).
    """
    n, h = len(keys), len(other)
    counts = np.unique(keys, return_counts=True)[1]
    f1, f2 = int((counts == 1).sum()), int((counts == 2).sum())
    q = 1 - f1 / n
    overlap = Overlap(int(np.isin(other, keys).sum()), h * q, h)
    floor = max(q, 1 / n)
    sd = math.sqrt(h * floor * (1 - floor) + h**2 * (f1 * (1 - f1 / n) + 2 * f2) / n**2)
    excess = overlap.n_equal - overlap.n_expected
    return overlap, excess > LEAK_SIGMAS * sd and excess > max(3, LEAK_SHARE * h)
