"""From statements to one row per customer, and to the rows of each part.

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

from experiments.targeted.amex.columns import CUSTOMER, DATE, FULL_ROWS, HELD_OUT_ROWS, TARGET, TEXT
from tabseed.errors import FileError, SchemaError
from tabseed.table.files import atomic_write

GAP = -127.0  # value of a missing cell for a model, as in the authors' code
SPLIT_SEED = 42


def last_statements(
    data: Path, labels: Path, out: Path, memory: str = "4GB", threads: int = 2
) -> None:
    """Write the last statement of each customer, with the target, to a Parquet file.

    Rows are in the order of customers' names; features are float32, a word is its index in the
    sorted list of words. DuckDB streams the CSV twice (for the dates, then for the last rows),
    stays below ``memory`` and spills beside ``out``. Raises FileError or SchemaError for files of
    another shape.
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
    indices = ", ".join(
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
            target_path = str(part).replace("'", "''")
            sql.execute(
                f"COPY (SELECT * EXCLUDE ({CUSTOMER}) {f'REPLACE ({indices})' if indices else ''} "
                f"FROM kept ORDER BY {CUSTOMER}) TO '{target_path}' (FORMAT parquet)"
            )
    except duckdb.Error as error:
        raise FileError(f"{data}: cannot read it: {' '.join(str(error).split())[:300]}") from error


def _types(data: Path) -> dict[str, str]:
    types = dict.fromkeys(_header(data, (CUSTOMER, DATE)), "FLOAT")
    types |= dict.fromkeys((name for name in TEXT if name in types), "VARCHAR")
    return types | {CUSTOMER: "VARCHAR", DATE: "DATE"}


def _header(path: Path, needed: tuple[str, ...]) -> list[str]:
    with path.open(newline="") as file:
        names = next(csv.reader(file), [])
    for name in needed:
        if name not in names:
            raise SchemaError(f"{path} has no column {name!r}; is it the file from Kaggle?")
    return names


def _check(sql: Any) -> None:
    """Raise SchemaError unless every customer has one row with a target."""
    customers, labelled, rows = (
        sql.execute(f"SELECT {count} FROM {table}").fetchone()[0]
        for count, table in (
            ("count(*)", "latest"),
            (f"count(DISTINCT {CUSTOMER})", "kept"),
            ("count(*)", "kept"),
        )
    )
    if labelled < customers:
        raise SchemaError(f"{customers - labelled} of {customers} customers have no label")
    if rows > labelled:
        raise SchemaError(
            f"{rows - labelled} customers have two last statements on one day, or two labels"
        )


@dataclass(frozen=True)
class Parts:
    """Indices (n,) of rows that train, that value these and stop the model, and that test."""

    train: np.ndarray
    valuation: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray) -> Parts:
        """Split as in the paper: stratified, in two steps, each holds out 50,000 of 458,913 rows.

        Fewer rows are split in the same shares.
        """
        n_held_out = round(len(y) * HELD_OUT_ROWS / FULL_ROWS)
        index = np.arange(len(y))
        rest, test = train_test_split(
            index, test_size=n_held_out, stratify=y, random_state=SPLIT_SEED
        )
        train, valuation = train_test_split(
            rest, test_size=n_held_out, stratify=y[rest], random_state=SPLIT_SEED
        )
        return cls(np.sort(train), np.sort(valuation), np.sort(test))


def read(path: Path) -> tuple[pa.Table, np.ndarray]:
    """Return the rows as they are in the file, target included, and the targets (n,)."""
    rows = pq.read_table(path)
    return rows, rows[TARGET].to_numpy()


def targets(path: Path) -> np.ndarray:
    """Return only the targets, (n,)."""
    return np.asarray(pq.read_table(path, columns=[TARGET])[TARGET].to_numpy())


def matrix(rows: pa.Table) -> np.ndarray:
    """Return the features as a model sees them, (n, d) float32, missing cells filled."""
    names = [name for name in rows.column_names if name != TARGET]
    x = np.empty((len(rows), len(names)), np.float32)
    for j, name in enumerate(names):
        x[:, j] = rows[name].to_numpy()
    x[np.isnan(x)] = GAP
    return x
