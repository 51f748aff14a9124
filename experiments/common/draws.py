"""The rows that train and the rows that judge: the same in the study of biases and elsewhere.

Each draw: N rows at random; JUDGED other real rows judge (for Intrusion, whose rows repeat, the
table is made of its distinct rows first).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.paper1 import coded
from experiments.common.results import Row

N, BIG, JUDGED = 300, 10_000, 4_000
JUDGE = ts.DiscriminatorDivergence(permutations=0, folds=3, repeats=1, n_jobs=1)


@dataclass(frozen=True)
class Draw:
    """One draw of the rows: to learn from, many to learn from, to judge with."""

    few: ts.Table
    many: ts.Table | None
    held: ts.Table


def population(coding: str, name: str) -> tuple[ts.Table, ts.Table | None]:
    """Rows to draw from and, where the authors fixed them, the rows that judge."""
    if coding == "authors":
        pool, held = coded(name)
        if name != "intrusion":
            return pool, held
        whole = ts.Table.from_frame(
            distinct(
                pq.read_table(
                    DATA / "paper1_processed" / f"{name}.parquet", columns=pool.schema.names
                )
            ),
            schema=pool.schema,
        )
        return whole, None
    frame = pq.read_table(DATA / f"{name}.parquet")
    return ts.Table.from_frame(distinct(frame) if name == "intrusion" else frame), None


def distinct(frame: Any) -> Any:
    """Give the rows of a frame once each."""
    return frame.group_by(frame.column_names, use_threads=False).aggregate([])


def fixed(judges: ts.Table) -> ts.Table:
    """Take those JUDGED of the authors' own judging rows that judge in every draw."""
    order = np.random.default_rng(2407).permutation(len(judges))
    return judges.take(np.sort(order[:JUDGED]))


@lru_cache(maxsize=1)
def draw_of(coding: str, name: str, draw: int) -> Draw:
    """Split the rows for one draw."""
    rows, judges = population(coding, name)
    order = np.random.default_rng([2407, draw]).permutation(len(rows))
    few = rows.take(np.sort(order[:N]))
    if judges is not None:  # fixed: the authors' tables are judged by the same rows
        return Draw(few, rows, fixed(judges))
    held = rows.take(np.sort(order[N : N + JUDGED]))
    many = order[N + JUDGED : N + JUDGED + BIG]
    return Draw(few, rows.take(np.sort(many)) if len(many) == BIG else None, held)


def by_judge(found: ts.DivergenceResult) -> Row:
    """JS in bits by view and judge; the larger of two judges is what counts."""
    return {
        f"{view} {name}": estimate["js"].value
        for view, judges in found.estimates.items()
        for name, estimate in judges.items()
    }
