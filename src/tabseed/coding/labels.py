"""A table as a model sees it: rows as points, labels as numbers.

Notation: n rows, d columns, w coordinates of a point.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone

from tabseed._random import int_seed
from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.schema import DISCRETE, NUMERIC, Schema

Task = Literal["classification", "regression"]
SCORES: dict[Task, str] = {"regression": "R2", "classification": "AUC"}
MIN_SD = 1e-12  # of y: below it nothing is left to explain
MAX_CLASSES = 20  # whole numbers with more values are a regression's, unless the caller says
HALF = np.sqrt(0.5)  # two different categories then lie 1 apart


class Features(BaseEstimator):
    """Turn rows into points (n, w), finite float64; scale and levels come from the rows fitted.

    Numbers are standardised. A category becomes indicators times sqrt(1/2), so that two rows that
    differ in it are 1 apart; a level not seen when fitted lies at 0 in all of them. A missing
    number lies at the mean, and a column that had missing cells gets an indicator for them; a
    missing category is a level. A constant column, an id or free text tells nothing and is left
    out. A plain array is all numbers.

    Parameters
    ----------
    scale : bool
        Standardise the numbers; without it they stay as they are.

    Cost: one pass over the columns.
    """

    def __init__(self, scale: bool = True) -> None:
        self.scale = scale

    def fit(self, rows: Any) -> Self:
        """Learn means, spreads and levels from a frame, a Table or an array (n, d)."""
        self.schema_ = None
        if not isinstance(rows, np.ndarray):
            table = Table.from_frame(rows)
            self.schema_ = table.schema.modelled
        numbers, levels = self._columns(rows)
        self.n_features_in_ = numbers.shape[1] + len(levels)
        held = ~np.isnan(numbers)
        count = np.maximum(held.sum(axis=0), 1)
        filled = np.where(held, numbers, 0.0)
        mean = filled.sum(axis=0) / count
        spread = np.sqrt((np.where(held, numbers - mean, 0.0) ** 2).sum(axis=0) / count)
        # a spread of rounding errors is none
        self.varies_ = spread > 1e-12 * np.maximum(np.abs(mean), np.finfo(float).tiny)
        self.mean_ = mean
        self.spread_ = np.where(self.varies_, spread, 1.0) if self.scale else np.ones_like(spread)
        self.gaps_ = (~held).any(axis=0) & held.any(axis=0)
        self.levels_ = [np.unique(codes) for codes in levels]
        return self

    def transform(self, rows: Any) -> np.ndarray:
        """Give the points, (n, w)."""
        numbers, levels = self._columns(rows)
        missing = np.isnan(numbers)
        centre = self.mean_ if self.scale else 0.0
        places = (np.where(missing, self.mean_, numbers) - centre) / self.spread_
        parts = [places[:, self.varies_], HALF * missing[:, self.gaps_]]
        for codes, known in zip(levels, self.levels_, strict=True):
            if len(known) > 1:
                parts.append(HALF * (codes[:, None] == known))
        return np.ascontiguousarray(np.column_stack(parts), dtype=np.float64)

    def fit_transform(self, rows: Any) -> np.ndarray:
        """Learn from the rows and give their points."""
        return self.fit(rows).transform(rows)

    def _columns(self, rows: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        """Give the numbers (n, .) and the codes of each discrete column."""
        if self.schema_ is None:
            return _plain(rows), []
        table = Table.from_frame(rows, schema=self.schema_)
        numbers = [table.numbers(c.name) for c in self.schema_ if c.kind in NUMERIC]
        levels = [table.codes(c.name) for c in self.schema_ if c.kind not in NUMERIC]
        return np.column_stack([np.empty((len(table), 0)), *numbers]), levels


def _plain(rows: Any) -> np.ndarray:
    """Take an array of numbers; NaN is a missing cell."""
    array = np.asarray(rows)
    if array.ndim != 2:
        raise SchemaError(f"rows are a table or an array of two dimensions, got {array.ndim}")
    try:
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"an array of rows holds numbers only ({error}); pass a frame for other kinds"
        ) from error
    bad = np.argwhere(np.isinf(array))
    if len(bad):
        raise SchemaError(f"row {bad[0, 0] + 1}, column {bad[0, 1]}: the number is infinite")
    return array


# --- labels -------------------------------------------------------------------------------------


def task_of(schema: Schema, target: str) -> Task:
    """Say which task a column poses as the target: classes, or numbers to regress on."""
    kind = schema[target].kind
    if kind in DISCRETE:
        return "classification"
    if kind in NUMERIC:
        return "regression"
    raise SchemaError(f"column {target!r} is {kind}, not a label; set another kind")


def features_and_labels(table: Table, target: str) -> tuple[Table, np.ndarray]:
    """Give the other modelled columns, and the labels (n,); SchemaError where either is wanting."""
    others = Schema(tuple(c for c in table.schema.modelled if c.name != target))
    if not len(others):
        raise SchemaError(f"no column beside {target!r} to predict it by")
    return table.select(others), labels_of(table, target)


def labels_of(table: Table, target: str) -> np.ndarray:
    """Give the labels, (n,): numbers, or values of a discrete column; SchemaError for a gap."""
    if table.schema[target].kind in NUMERIC:
        labels = table.numbers(target)
        gap = np.isnan(labels)
    else:
        values = table.values(target)
        labels = np.empty(len(values), dtype=object)
        labels[:] = values
        gap = np.array([v is None for v in values], dtype=bool)
    if gap.any():
        raise SchemaError(
            f"column {target!r}, row {int(np.flatnonzero(gap)[0]) + 1}: the label is missing; "
            "leave out rows without one"
        )
    return labels


def code_labels(
    labels: list[Any], task: Task | None = None
) -> tuple[Task, np.ndarray, list[np.ndarray]]:
    """Say which task the labels (of one or two tables) pose; give its classes and coded labels.

    Without ``task``, numbers are targets of a regression unless they are whole and take at most
    MAX_CLASSES values. Classes are sorted, by their text if they cannot be compared.
    """
    arrays = [_one_dimension(values) for values in labels]
    ends = np.cumsum([len(a) for a in arrays])[:-1]
    pooled = np.concatenate([a.astype(object) for a in arrays])
    numeric = all(a.dtype.kind in "iuf" for a in arrays)
    if task is None:
        levels = np.unique(pooled.astype(float)) if numeric else pooled[:0]
        whole = len(levels) <= MAX_CLASSES and bool((levels == np.round(levels)).all())
        task = "regression" if numeric and not whole else "classification"
    if task == "regression":
        try:
            numbers = pooled.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise SchemaError(f"the labels of a regression are numbers ({error})") from error
        return task, np.empty(0), np.split(numbers, ends)
    distinct = list(dict.fromkeys(pooled.tolist()))
    try:
        classes = sorted(distinct)
    except TypeError:
        classes = sorted(distinct, key=str)
    number = {label: k for k, label in enumerate(classes)}
    coded = np.array([number[label] for label in pooled.tolist()], dtype=np.int64)
    known = np.empty(len(classes), dtype=object)
    known[:] = classes
    return task, known, np.split(coded, ends)


def _one_dimension(values: Any) -> np.ndarray:
    """Take labels as an array; SchemaError, with the row, for a gap."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise SchemaError(f"labels are one a row, got an array of {array.ndim} dimensions")
    if array.dtype.kind == "O":
        gap = np.array([v is None or v != v for v in array.tolist()], dtype=bool)
    else:
        gap = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(len(array), dtype=bool)
    if gap.any():
        raise SchemaError(
            f"row {int(np.flatnonzero(gap)[0]) + 1} has no label, or an infinite one; "
            "leave such rows out"
        )
    return array


# --- models -------------------------------------------------------------------------------------


def seeded(model: Any, stream: np.random.SeedSequence) -> Any:
    """Give an unfitted copy whose every ``random_state``, nested ones too, is set by the stream."""
    made = clone(model)
    keys = [key for key in made.get_params() if key.split("__")[-1] == "random_state"]
    return made.set_params(**dict.fromkeys(keys, int_seed(stream)))


def score_rows(task: Task, y: np.ndarray, said: np.ndarray) -> np.ndarray | None:
    """Give AUC or R2 as contributions (..., h) of rows: their mean is the score.

    ``said`` is (..., h, C) class shares, or (..., h) numbers. Their variance over rows, over h,
    is that of the score: of DeLong (Biometrics 44 (1988)) for the AUC of two classes, by
    linearisation for R2. The AUC of more classes is the mean of one against the rest over those
    that occur. None where no score exists: one class, or a constant.
    """
    if task == "regression":
        spread = y - y.mean()
        variance = float((spread**2).mean())
        if variance <= MIN_SD * float((y**2).mean()):
            return None
        error = (said - y) ** 2
        mean = error.mean(axis=-1, keepdims=True)
        share = mean / variance
        return np.asarray(1 - share - (error - share * spread**2) / variance)
    count = said.shape[-1]
    occur = [c for c in range(count) if 0 < int((y == c).sum()) < len(y)]
    if count == 2:
        occur = occur[-1:]
    if not occur:
        return None
    return np.asarray(np.mean([_auc_rows(y == c, said[..., c]) for c in occur], axis=0))


def _auc_rows(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Give contributions (..., h) to the AUC from scores (..., h); see :func:`score_rows`."""
    h, n1 = len(positive), int(positive.sum())
    n0 = h - n1
    rank = rankdata(score, axis=-1)
    wins = np.empty_like(score, dtype=np.float64)  # share of the other class that a row beats
    own = rankdata(score[..., positive], axis=-1)
    wins[..., positive] = (rank[..., positive] - own) / n0
    own = rankdata(score[..., ~positive], axis=-1)
    wins[..., ~positive] = 1 - (rank[..., ~positive] - own) / n1
    area = wins[..., positive].mean(axis=-1, keepdims=True)
    n = np.where(positive, n1, n0)
    # scaled so that s^2 / h over all rows is s1^2 / n1 + s0^2 / n0
    weight = np.sqrt(h * (h - 1) / (n * np.maximum(n - 1, 1)))
    return np.asarray(area + weight * (wins - area))


def split_error(differences: np.ndarray, ratio: float) -> np.ndarray:
    """Give the standard error (...) of the mean of paired differences (J, ...) over J splits.

    Splits share rows, so that the variance of the mean is not s^2 / J but about (1/J + ratio) s^2,
    ``ratio`` = rows that test over rows that train (Nadeau and Bengio, Machine Learning 52 (2003),
    doi:10.1023/A:1024068626366): an approximation, exact only if scores on two splits correlate
    by n2 / (n1 + n2).
    """
    return np.sqrt((1 / len(differences) + ratio) * np.var(differences, axis=0, ddof=1))
