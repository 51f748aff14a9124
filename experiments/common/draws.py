"""The rows that train and the rows that judge: the same in every study.

Each draw takes N rows at random to train and JUDGED other real rows to judge. Rows of Intrusion
repeat, so only its distinct rows count. A divergence found by few rows is smaller than one found by
many, because judges learn from the rows that they judge: the coarse JS of VAEBGM on raw Adult is
0.286 by 4,000 + 4,000 rows (experiments/inductive_bias) and 0.386 by 10,000 + 10,000
(experiments/main_job). So JUDGED is one number for all that is compared.
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
    """One draw: few rows and many rows to learn from, and held-out rows to judge with."""

    few: ts.Table
    many: ts.Table | None
    held: ts.Table


def population(coding: str, name: str) -> tuple[ts.Table, ts.Table | None]:
    """Return the rows to draw from and, where the authors fixed them, the rows that judge."""
    if coding == "authors":
        pool, held_out = coded(name)
        if name != "intrusion":
            return pool, held_out
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
    """Return the distinct rows of a frame."""
    return frame.group_by(frame.column_names, use_threads=False).aggregate([])


def fixed(judges: ts.Table) -> ts.Table:
    """Return the JUDGED of the authors' judging rows that judge in every draw."""
    order = np.random.default_rng(2407).permutation(len(judges))
    return judges.take(np.sort(order[:JUDGED]))


@lru_cache(maxsize=1)
def draw_of(coding: str, name: str, draw: int) -> Draw:
    """Return the rows of one draw of N rows."""
    return n_rows_of(coding, name, draw, N)


def n_rows_of(coding: str, name: str, draw: int, n: int) -> Draw:
    """Return the rows of one draw, n of them to learn from: fewer are among the more.

    The rows that judge and the many rows are the same up to N; for more they are others.
    """
    rows, judges = population(coding, name)
    order = np.random.default_rng([2407, draw]).permutation(len(rows))
    few, most = rows.take(np.sort(order[:n])), max(n, N)
    if judges is not None:  # fixed: the same rows judge the authors' tables
        return Draw(few, rows, fixed(judges))
    held_out = rows.take(np.sort(order[most : most + JUDGED]))
    index = order[most + JUDGED : most + JUDGED + BIG]
    return Draw(few, rows.take(np.sort(index)) if len(index) == BIG else None, held_out)


def by_judge(result: ts.DivergenceResult) -> Row:
    """Return JS in bits by view and judge; the larger of the two judges counts."""
    return {
        f"{view} {name}": estimate["js"].value
        for view, judges in result.estimates.items()
        for name, estimate in judges.items()
    }
