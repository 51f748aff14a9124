"""Kinds of columns found against kinds written down by hand.

    TABSEED_DATA=... python -m benchmarks.detection LABEL

Replaces the lines of LABEL (``before``, ``after``) in ``benchmarks/results/detection.csv``. Takes
half a minute. To measure another version, put its source in front:

    git worktree add --detach /tmp/old 394e1ee
    TABSEED_DATA=... PYTHONPATH=/tmp/old/src:. python -m benchmarks.detection before

An answer is ``right``; ``said``: wrong, but the column is left out, or the table refused, or the
doubt named, each with a reason that the user sees; or ``silent``: a kind from which wrong values or
real people would come out without a word.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tabseed as ts
from benchmarks.detection.made import Made, made
from benchmarks.detection.tables import CASES, REAL
from tabseed.errors import TabseedError

RESULTS = Path(__file__).parents[1] / "results" / "detection.csv"
FIELDS = ("version", "table", "column", "rows", "truth", "found", "answer", "reason")
ROWS = (57, 300, 0)  # 0: all
FEW = 20  # a quantity of at most so many values may be ordinal: only they are drawn then
RIGHT = {
    "quantity": {"integer", "continuous"},
    "flag": {"boolean", "categorical", "ordinal"},
    "code": {"categorical", "ordinal"},
    "class": {"categorical", "ordinal"},
    "date": {"datetime"},
    "row": {"id", "text"},
    "person": {"id", "text"},
}


def judged(truth: str, kind: str, reason: str, n_distinct: int) -> str:
    """Return ``right``, ``said`` or ``silent``."""
    if truth == "bad cell":
        named = kind in ("id", "text", "refused") and "row " in reason
        return "right" if named else "said" if kind in ("id", "text", "refused") else "silent"
    right = set(RIGHT[truth])
    if truth in ("quantity", "code") and n_distinct <= FEW:
        right |= {"ordinal", "boolean"}
    if n_distinct <= 1:
        right |= {"integer", "categorical", "boolean"}
    if kind in right:
        return "right"
    said = kind in ("id", "text", "refused") or "could be" in reason
    return "said" if said else "silent"


def real_tables(folder: Path) -> list[dict[str, Any]]:
    """Judge every column of the real tables that has a true kind."""
    lines = []
    for name, truths in REAL.items():
        whole = pq.read_table(folder / f"{name}.parquet")
        for n in ROWS:
            rng = np.random.default_rng(n)
            some = rng.choice(len(whole), n, replace=False) if n else np.arange(len(whole))
            schema = ts.Table.from_frame(whole.take(some)).schema
            for truth, columns in truths.items():
                for column in columns.split():
                    found = schema[column]
                    distinct = len(whole[column].take(some).drop_null().unique())
                    answer = judged(truth, found.kind, found.reason, distinct)
                    lines.append(
                        {"table": name, "column": column, "rows": len(some), "truth": truth}
                        | {"found": found.kind, "answer": answer, "reason": found.reason}
                    )
    return lines


def cases(folder: Path) -> list[dict[str, Any]]:
    """Judge the columns of the small files that failed once."""
    lines = []
    for name, (column, truth, low, high) in CASES.items():
        kind, reason, table = _read(folder / f"{name}.csv", column)
        n = 0 if table is None else len(table)
        distinct = 0 if table is None else len(table.to_arrow()[column].unique())
        answer = judged(truth, kind, reason, distinct or 2)
        if answer == "right" and low is not None and table is not None:
            numbers = table.numbers(column)
            if numbers.min() < low or numbers.max() > high:
                answer, reason = "silent", f"other values than written; {reason}"
        lines.append(
            {"table": name, "column": column, "rows": n, "truth": truth}
            | {"found": kind, "answer": answer, "reason": reason}
        )
    return lines


def _read(path: Path, column: str) -> tuple[str, str, ts.Table | None]:
    """Return the kind of a column of a file, the reason, and the table, None if refused."""
    try:
        table = ts.Table.from_frame(ts.read_table(path))
    except TabseedError as error:
        return "refused", str(error), None
    return table.schema[column].kind, table.schema[column].reason, table


def made_up(column: Made, folder: Path) -> dict[str, Any]:
    """Judge one made-up column, read from a CSV file."""
    path = folder / "made.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([column.name, "other"])
        writer.writerows([cell, f"{i % 7}.5"] for i, cell in enumerate(column.cells))
    kind, reason, table = _read(path, column.name)
    answer = judged(column.truth, kind, reason, len(set(column.cells)))
    if answer == "right" and table is not None and not _as_written(table, column):
        answer, reason = "silent", f"other values than written; {reason}"
    label = f"{column.name} ({column.note})" if column.note else column.name
    return {
        "table": "made", "column": label, "rows": len(column.cells), "truth": column.truth,
        "found": kind, "answer": answer, "reason": reason,
    }  # fmt: skip


def _as_written(table: ts.Table, column: Made) -> bool:
    values = column.values
    if values is None:
        return True
    if table.schema[column.name].kind in ("ordinal", "boolean", "categorical"):
        levels = table.schema[column.name].categories
        return set(map(float, levels)) == set(map(float, values))
    if column.truth == "date":
        values = values.astype("datetime64[us]").astype(np.int64).astype(float)
    read = table.numbers(column.name)
    return bool(np.allclose(read, values, rtol=1e-12, atol=0, equal_nan=True)) or bool(
        np.allclose(read * 100, values, rtol=1e-12, atol=0)  # a percent as a share
    )


def main(label: str) -> None:
    """Measure this version of tabseed and write its lines."""
    pa.set_cpu_count(2)
    data = Path(os.environ["TABSEED_DATA"])
    lines = real_tables(data) + cases(data.parent / "cases")
    with tempfile.TemporaryDirectory() as folder:
        lines += [made_up(column, Path(folder)) for column in made()]
    old = []
    if RESULTS.exists():
        with RESULTS.open(encoding="utf-8", newline="") as file:
            old = [line for line in csv.DictReader(file) if line["version"] != label]
    with RESULTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(old)
        writer.writerows({"version": label} | line for line in lines)
    for line in lines:
        if line["answer"] != "right":
            print(*(line[f] for f in FIELDS[1:]), sep=" | ")
    for group, tables in (("real", set(REAL)), ("cases", set(CASES)), ("made", {"made"})):
        answers = Counter(line["answer"] for line in lines if line["table"] in tables)
        total = sum(answers.values())
        print(f"{label}, {group}: {total} columns, {dict(answers)}, {answers['right'] / total:.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "after")
