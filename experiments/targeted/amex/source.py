"""From the statements to one row a customer, and to the rows of each part.

Notation: n customers, d features.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.model_selection import train_test_split

from experiments.targeted.amex.columns import CUSTOMER, DATE, FULL_ROWS, HELD_ROWS, TARGET, TEXT
from tabseed.errors import FileError, SchemaError
from tabseed.table.files import atomic_write

GAP = -127.0  # what a model sees in a missing cell; as the authors have it
SPLIT_SEED = 42


def last_statements(
    data: Path, labels: Path, out: Path, memory: str = "4GB", threads: int = 2
) -> None:
    """Write the last statement of each customer, with the target, to a Parquet file.

    Rows in the order of customers' names; features float32, words as places in their sorted list.
    The CSV is streamed twice (for the dates, then for the rows that are kept); DuckDB stays below
    ``memory`` and spills beside ``out``. FileError or SchemaError for files of another shape.
    """
    types = _types(data)
    _header(labels, (CUSTOMER, TARGET))
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(out.parent / "spill"),
        "preserve_insertion_order": False,
    }
    files = {"data": str(data), "types": types, "labels": str(labels)}
    places = ", ".join(
        f"list_position((SELECT list(DISTINCT {name} ORDER BY {name}) FROM kept), {name})::FLOAT"
        f" - 1 AS {name}"
        for name in TEXT
        if name in types
    )
    statements = "read_csv($data, header = true, columns = $types)"
    targets = (
        f"(SELECT {CUSTOMER}, {TARGET} FROM read_csv($labels, header = true, "
        f"types = {{'{CUSTOMER}': 'VARCHAR', '{TARGET}': 'TINYINT'}}))"
    )
    try:
        with duckdb.connect(config=config) as sql, atomic_write(out, force=True) as part:
            sql.execute("SET enable_progress_bar = false")
            sql.execute(
                f"CREATE TABLE latest AS SELECT {CUSTOMER}, max({DATE}) AS {DATE} "
                f"FROM {statements} GROUP BY 1",
                {name: files[name] for name in ("data", "types")},
            )
            sql.execute(
                f"CREATE TABLE kept AS SELECT * EXCLUDE ({DATE}) FROM {statements} "
                f"JOIN latest USING ({CUSTOMER}, {DATE}) JOIN {targets} USING ({CUSTOMER})",
                files,
            )
            _check(sql)
            where = str(part).replace("'", "''")
            sql.execute(
                f"COPY (SELECT * EXCLUDE ({CUSTOMER}) {f'REPLACE ({places})' if places else ''} "
                f"FROM kept ORDER BY {CUSTOMER}) TO '{where}' (FORMAT parquet)"
            )
    except duckdb.Error as error:
        raise FileError(f"{data}: cannot be read: {' '.join(str(error).split())[:300]}") from error


def _types(data: Path) -> dict[str, str]:
    types = dict.fromkeys(_header(data, (CUSTOMER, DATE)), "FLOAT")
    types |= dict.fromkeys((name for name in TEXT if name in types), "VARCHAR")
    return types | {CUSTOMER: "VARCHAR", DATE: "DATE"}


def _header(path: Path, needed: tuple[str, ...]) -> list[str]:
    with path.open(newline="") as file:
        names = next(csv.reader(file), [])
    for name in needed:
        if name not in names:
            raise SchemaError(f"{path}: has no column {name!r}; is it the file from Kaggle?")
    return names


def _check(sql: Any) -> None:
    """Raise SchemaError unless there is one row a customer, with a target."""
    known, kept, rows = (
        sql.execute(f"SELECT {count} FROM {table}").fetchone()[0]
        for count, table in (
            ("count(*)", "latest"),
            (f"count(DISTINCT {CUSTOMER})", "kept"),
            ("count(*)", "kept"),
        )
    )
    if kept < known:
        raise SchemaError(f"{known - kept} of {known} customers have no label")
    if rows > kept:
        raise SchemaError(f"{rows - kept} customers have two last statements of one day, or labels")


@dataclass(frozen=True)
class Parts:
    """Places (n,) of the rows that train, that value them and stop the model, and that test."""

    train: np.ndarray
    valuation: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray) -> Parts:
        """Split as the paper does: stratified, in two steps, 50,000 rows of 458,913 held each time.

        Of fewer rows, the same shares.
        """
        held = round(len(y) * HELD_ROWS / FULL_ROWS)
        places = np.arange(len(y))
        rest, test = train_test_split(places, test_size=held, stratify=y, random_state=SPLIT_SEED)
        train, valuation = train_test_split(
            rest, test_size=held, stratify=y[rest], random_state=SPLIT_SEED
        )
        return cls(np.sort(train), np.sort(valuation), np.sort(test))


def read(path: Path) -> tuple[pa.Table, np.ndarray]:
    """Read rows as they were written, target included, and the targets (n,)."""
    rows = pq.read_table(path)
    return rows, rows[TARGET].to_numpy()


def targets(path: Path) -> np.ndarray:
    """Read the targets alone, (n,)."""
    return np.asarray(pq.read_table(path, columns=[TARGET])[TARGET].to_numpy())


def matrix(rows: pa.Table) -> np.ndarray:
    """Give the features of rows as a model sees them, (n, d) float32, gaps filled."""
    names = [name for name in rows.column_names if name != TARGET]
    x = np.empty((len(rows), len(names)), np.float32)
    for j, name in enumerate(names):
        x[:, j] = rows[name].to_numpy()
    x[np.isnan(x)] = GAP
    return x
