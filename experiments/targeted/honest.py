"""Rows like the hardest against every control, on small tables as users have them.

A line of ``honest.csv`` is one table, number of rows, share of hard rows, generator and arm: its
mean score, and its gain over none with the corrected interval. All numbers of a cell come from
:func:`tabseed.evaluate_augmentation`: ten splits, three draws, equal numbers of added rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.results import Results, Row
from tabseed.generators import generator_class
from tabseed.table.schema import NUMERIC

RESULTS = Path(__file__).parent / "results"
# table: target, rows to draw (None: all), kind of the target if it differs from the stored one
TABLES: dict[str, tuple[str, int | None, str | None]] = {
    "diabetes_pima": ("class", None, None),
    "heart_cleveland": ("num", None, "binary"),
    "german_credit": ("class", None, None),
    "breast_cancer_wdbc": ("diagnosis", None, None),
    "insurance": ("charges", 500, None),
    "adult": ("income", 500, None),
    "credit_card": ("Y", 1_000, "categorical"),
    "support2": ("death", 1_000, "categorical"),
}
LEFT_OUT = {"support2": ("slos", "d.time", "hospdead", "sfdm2"), "credit_card": ("ID",)}
SHARES = (0.1, 0.2)
GENERATORS = ("trees", "copula")
SPLITS, DRAWS = 10, 3
KEYS = ("table", "rows", "hardest", "generator", "arm")


@dataclass(frozen=True)
class Cell:
    """One table, one setting."""

    table: str
    hardest: float
    generator: str


def cells(tables: list[str]) -> Iterator[Cell]:
    """Yield all cells; every table gets its first setting before any gets its second."""
    for generator in GENERATORS:
        for hardest in SHARES:
            for table in tables or TABLES:
                yield Cell(table, hardest, generator)


def rows_of(name: str) -> tuple[ts.Table, np.ndarray, bool]:
    """Return features, labels, and whether the labels are classes."""
    target, n, kind = TABLES[name]
    arrow = pq.read_table(DATA / f"{name}.parquet").drop_columns(list(LEFT_OUT.get(name, ())))
    if n is not None:
        index = np.random.default_rng(2410).choice(len(arrow), n, replace=False)
        arrow = arrow.take(np.sort(index))
    table = ts.Table.from_frame(arrow, kinds={target: kind} if kind == "categorical" else None)
    features = ts.Schema(tuple(c for c in table.schema.modelled if c.name != target))
    labels = np.array(table.values(target))
    if kind == "binary":
        labels = (labels > 0).astype(int)
    classes = kind is not None or table.schema[target].kind not in NUMERIC
    return table.select(features), labels, classes


def measured(cell: Cell) -> list[Row]:
    """Run the protocol; return a line for each arm."""
    features, labels, classes = rows_of(cell.table)
    augmenter_class: Any = ts.TargetedAugmenter if classes else ts.TargetedRegressionAugmenter
    augmenter = augmenter_class(
        generator_class(cell.generator)(), ts.KNNShapley(), hardest=cell.hardest, per_class=classes
    )
    evaluation = ts.evaluate_augmentation(
        features,
        labels,
        augmenter,
        protocol=ts.AugmentationProtocol(splits=SPLITS, draws=DRAWS),
        random_state=0,
        n_jobs=2,
    )
    cell_key: Row = {
        "table": cell.table,
        "rows": len(labels),
        "hardest": str(cell.hardest),
        "generator": cell.generator,
    }
    return [
        {**cell_key, "arm": line["arm"], "score": evaluation.score, **line}
        for line in arm_lines(evaluation)
    ]


def arm_lines(evaluation: ts.AugmentationEvaluation, digits: int = 4) -> Iterator[Row]:
    """Yield a line for each arm: its score, its gain over none, the gain of "hardest" over it."""
    gains = {d.arm: d for d in evaluation.against_none}
    over_controls = {d.against: d for d in evaluation.over_controls}
    for arm in evaluation.arms:
        line: Row = {"arm": arm, "mean": f"{evaluation.mean(arm):.{digits}f}"}
        for prefix, differences in (("", gains), ("hardest over it ", over_controls)):
            for key in ("mean", "low", "high", "p_holm", "detectable"):
                name = f"{prefix}{'gain' if key == 'mean' else key}"
                line[name] = (
                    f"{getattr(differences[arm], key):.{digits}f}" if arm in differences else ""
                )
        yield {**line, "seconds": evaluation.seconds[arm], "verdict": evaluation.verdict}


def run(tables: list[str]) -> None:
    """Measure the missing cells."""
    results = Results(RESULTS / "honest.csv", KEYS)
    for cell in cells(tables):
        n = len(rows_of(cell.table)[1])
        key = {"table": cell.table, "rows": n, "hardest": str(cell.hardest)}
        key["generator"] = cell.generator
        if results.has(**key, arm="hardest"):
            continue
        results.add_new(measured(cell))
