"""The hardness report of a table: each row with its hardness, error, hint and map position."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tabseed.coding.labels import features_and_labels, target_note, task_of
from tabseed.coding.points import Features, principal_coordinates
from tabseed.errors import FormerName, TooFewRowsError, renamed
from tabseed.estimates.estimate import finite
from tabseed.estimates.scores import Task
from tabseed.estimates.words import few_rows
from tabseed.hardness import drawing
from tabseed.hardness.base import HardnessScorer
from tabseed.hardness.hints import HINTS, hints
from tabseed.pages import Finding, Heading, Row, settings_of
from tabseed.pages.intervals import ticks
from tabseed.parameters import InstanceOf, checked, shown
from tabseed.table import Frame, Table, table_to_learn
from tabseed.table.display import counted

SINGLE = 3  # classes of a single row that a note names
HARDEST = 0.1  # share of rows, the hardest, whose hints are counted separately


@dataclass(frozen=True, repr=False)
class HardnessAssessment(Finding):
    """How hard each of n rows is.

    ``hardness`` (n,), larger is harder; ``standard_error`` (n,), or None if the method has none;
    ``rank`` (n,), 1 for the hardest, with equally hard rows in table order; ``hint`` (n,), keys of
    HINTS; ``coordinates`` (n, 2), the first two principal coordinates of the rows' points;
    ``labels`` as they are in the ``table``; ``settings`` of the scorer, as text.
    """

    title = "Which rows are hard"
    _template = "hardness/page.html"

    target: str
    task: Task
    method: str
    labels: list[Any]
    hardness: np.ndarray
    standard_error: np.ndarray | None
    rank: np.ndarray
    hint: np.ndarray
    coordinates: np.ndarray

    places = FormerName("coordinates")
    table: Table = field(compare=False)
    settings: dict[str, str] = field(compare=False)

    @property
    def verdict(self) -> str:
        """How many of the hardest rows may be hard for each reason, in one sentence."""
        counts = self.counts()
        hard = sum(few for _, few in counts.values())
        rows = f"Of the hardest {hard:,} rows" if hard != 1 else "Of the hardest row"
        reasons = [f"{few:,} may be {hint}" for hint, (_, few) in counts.items() if hint and few]
        if not reasons:
            return f"{rows}, none stands out among its neighbours."
        return f"{rows}, {', '.join(reasons)}."

    @property
    def notes(self) -> tuple[str, ...]:
        """How to treat hard rows, which cannot be ranked reliably, how the target was read."""
        notes = [
            "A hard row is not a wrong row: look at it before you drop it; rare cases are hard too."
        ]
        if self.standard_error is not None:
            notes.append(
                "Rows whose hardness differs by less than two standard errors cannot be ranked "
                "reliably."
            )
        if self.task == "classification":
            counts = Counter(self.labels)
            single = [shown(label) for label, count in counts.items() if count == 1]
            if single:
                notes.append(
                    f"Only one row has the class {' or '.join(single[:SINGLE])}"
                    f"{' or others' * (len(single) > SINGLE)}: nothing says how typical it is."
                )
        notes += few_rows({"scored": len(self.hardness)})
        return (*notes, *target_note(self.table.schema, self.target))

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The columns: row number, label, hardness, standard error and hint."""
        return (
            Heading("row", ("row",)),
            Heading("label", ("label",), str, numeric=False),
            Heading.number("hardness", "hardness", ".3g"),
            Heading.number("standard error", "standard_error", ".3g"),
            Heading.text("hint", "hint"),
        )

    def rows(self) -> list[Row]:
        """Return the rows, the hardest first; :meth:`to_arrow` keeps the order of the table.

        "standard_error" is None if the method has none.
        """
        error, regression = self.standard_error, self.task == "regression"
        return [
            finite(
                {
                    "row": int(i) + 1,
                    "label": self.labels[i] if regression else str(self.labels[i]),
                    "hardness": float(self.hardness[i]),
                    "standard_error": None if error is None else float(error[i]),
                    "rank": int(self.rank[i]),
                    "hint": str(self.hint[i]),
                }
            )
            for i in self.hardest(len(self.rank))
        ]

    def hardest(self, count: int) -> np.ndarray:
        """Return the indices of the hardest rows, the hardest first."""
        return np.argsort(self.rank)[:count]

    def counts(self, share: float = HARDEST) -> dict[str, tuple[int, int]]:
        """Count each hint in all rows and in the hardest ``share`` of them (at least one row)."""
        hard = self.hint[self.hardest(max(1, round(share * len(self.hint))))]
        return {h: (int((self.hint == h).sum()), int((hard == h).sum())) for h in HINTS}

    def to_arrow(self) -> pa.Table:
        """Return a table of row (from 1), label, hardness, standard_error, rank and hint."""
        n = len(self.hardness)
        columns: dict[str, Any] = {
            "row": np.arange(1, n + 1),
            "label": [None if v is None else str(v) for v in self.labels],
            "hardness": self.hardness,
            "rank": self.rank,
            "hint": self.hint.tolist(),
        }
        if self.task == "regression":
            columns["label"] = np.array(self.labels, dtype=np.float64)
        if self.standard_error is not None:
            error = self.standard_error
            columns["standard_error"] = pa.array(error, mask=np.isnan(error))
        order = ("row", "label", "hardness", "standard_error", "rank", "hint")
        return pa.table({name: columns[name] for name in order if name in columns})

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the positions on the map, JSON-ready."""
        return {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "target": self.target,
            "task": self.task,
            "method": self.method,
            "hints": self.hint_counts(),
            "rows": self.rows(),
            "settings": dict(self.settings),
        }

    def hint_counts(self) -> dict[str, dict[str, int]]:
        """Count each hint by name ("none" for no hint) in all rows and in the hardest."""
        return {
            hint or "none": {"all": every, "hardest": few}
            for hint, (every, few) in self.counts().items()
        }

    def _page(self) -> dict[str, Any]:
        counts = self.counts()
        listed = self.hardest(drawing.LISTED)
        return {
            "n": len(self.hardness),
            "n_hard": sum(few for _, few in counts.values()),
            "counts": counts,
            "meanings": HINTS,
            "classes": drawing.CLASSES,
            "rows": self.rows()[: drawing.LISTED],
            "cells": drawing.Cells.of(self.table, self.target, listed),
            "bars": drawing.bars(self.hardness, self.hint),
            "low": float(self.hardness.min()),
            "high": float(self.hardness.max()),
            "highest": drawing.highest(self.hardness),
            "hardness_ticks": ticks(float(self.hardness.min()), float(self.hardness.max())),
            "map": drawing.Map.of(self.coordinates, self.rank, self.hint, self._shown_classes()),
            "sizes": (drawing.WIDTH, drawing.HEIGHT, drawing.MAP),
        }

    def _shown_classes(self) -> list[str] | None:
        """Return the label of each row as text, None if the target is a number."""
        return None if self.task == "regression" else [str(label) for label in self.labels]

    def _settings(self) -> dict[str, str]:
        return {"target": self.target, "method": self.method, **self.settings}


@renamed(frame="table")
@checked(scorer=InstanceOf(HardnessScorer, "a scorer such as KNNShapley()"))
def assess_hardness(
    table: Frame,
    target: str,
    scorer: HardnessScorer,
    *,
    reference: Frame | None = None,
    folds: int | None = None,
) -> HardnessAssessment:
    """Score how hard ``target`` is to learn from the other columns in each row, and guess why.

    ``target`` is the column with the labels: by its kind in the schema, a discrete one is
    classified and a number is the target of a regression. ``reference`` contains rows with the
    same columns to score by (:meth:`HardnessScorer.fit`). The scorer is fitted in place.
    SchemaError if a label is missing or there is no other column.
    """
    table = table_to_learn(table)
    target = table.schema[target].name
    task = task_of(table.schema, target)
    rows, y = features_and_labels(table, target)
    if len(table) < 2:
        raise TooFewRowsError(
            f"a table of {counted(len(table), 'row')} is too small to score; at least 2 are needed"
        )
    pair = None
    if reference is not None:
        further = Table.from_frame(reference, schema=table.schema)
        pair = features_and_labels(further, target)
    scorer.fit(rows, y, reference=pair, folds=folds, task=task)
    order = np.argsort(-scorer.scores_, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return HardnessAssessment(
        target=target,
        task=task,
        method=type(scorer).__name__,
        labels=table.values(target),
        hardness=scorer.scores_,
        standard_error=scorer.standard_errors_,
        rank=rank,
        hint=hints(rows, y, task=task),
        coordinates=principal_coordinates(Features().fit_transform(rows)),
        table=table,
        settings=settings_of(scorer),
    )
