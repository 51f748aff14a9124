"""Tables as points, for code that needs distances or a design matrix."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from tabseed._random import one_thread
from tabseed.coding.fitted import Fitted
from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.schema import NUMERIC

HALF = np.sqrt(0.5)  # puts two different categories at distance 1


class Features(Fitted, BaseEstimator):
    """Turn rows into points (n, w), finite float64; the fitted rows give the scale and the levels.

    Numbers are standardised; so are coded numbers (ordinal levels 1, 2, 3). A category becomes
    indicators times sqrt(1/2), so that two rows that differ in it are at distance 1; a level not
    seen in fitting is 0 in all indicators. A missing number takes the mean, and a column that had
    missing cells gets an indicator for them; a
    missing category is a level. Constant columns, ids and free text carry no information and are
    left out. In a plain array all columns are numbers.

    Parameters
    ----------
    scale : bool
        Whether to standardise the numbers; otherwise they stay as they are.

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
        present = ~np.isnan(numbers)
        count = np.maximum(present.sum(axis=0), 1)
        filled = np.where(present, numbers, 0.0)
        mean = filled.sum(axis=0) / count
        spread = np.sqrt((np.where(present, numbers - mean, 0.0) ** 2).sum(axis=0) / count)
        # a spread as small as rounding errors counts as none
        self.varies_ = spread > 1e-12 * np.maximum(np.abs(mean), np.finfo(float).tiny)
        self.mean_ = mean
        self.spread_ = np.where(self.varies_, spread, 1.0) if self.scale else np.ones_like(spread)
        self.gaps_ = (~present).any(axis=0) & present.any(axis=0)
        self.levels_ = [np.unique(codes) for codes in levels]
        return self

    def transform(self, rows: Any) -> np.ndarray:
        """Return the points, (n, w)."""
        numbers, levels = self._columns(rows)
        missing = np.isnan(numbers)
        centre = self.mean_ if self.scale else 0.0
        coordinates = (np.where(missing, self.mean_, numbers) - centre) / self.spread_
        parts = [coordinates[:, self.varies_], HALF * missing[:, self.gaps_]]
        for codes, known in zip(levels, self.levels_, strict=True):
            if len(known) > 1:
                parts.append(HALF * (codes[:, None] == known))
        return np.ascontiguousarray(np.column_stack(parts), dtype=np.float64)

    def fit_transform(self, rows: Any) -> np.ndarray:
        """Learn from the rows and return their points."""
        return self.fit(rows).transform(rows)

    def _columns(self, rows: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the numbers (n, .) and the codes (n,) of each discrete column."""
        if self.schema_ is None:
            return _numbers(rows), []
        table = Table.from_frame(rows, schema=self.schema_)
        is_number = {c.name: c.kind in NUMERIC or c.coded for c in self.schema_}
        numbers = [table.numbers(name) for name, number in is_number.items() if number]
        levels = [table.codes(name) for name, number in is_number.items() if not number]
        return np.column_stack([np.empty((len(table), 0)), *numbers]), levels


def _numbers(rows: Any) -> np.ndarray:
    """Return an array of numbers as float64; NaN is a missing cell."""
    array = np.asarray(rows)
    if array.ndim != 2:
        raise SchemaError(f"rows must be a table or an array of two dimensions, got {array.ndim}")
    try:
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"an array of rows must hold only numbers ({error}); pass a frame for other kinds"
        ) from error
    bad = np.argwhere(np.isinf(array))
    if len(bad):
        raise SchemaError(f"row {bad[0, 0] + 1}, column {bad[0, 1]}: the number is infinite")
    return array


def principal_coordinates(points: np.ndarray) -> np.ndarray:
    """Return the first two principal coordinates, (n, 2), with fixed signs; 0 for missing ones."""
    centred = points - points.mean(axis=0)
    with one_thread():
        _, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes[:, ::-1][:, :2]
        if len(axes):
            axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        coordinates = centred @ axes
    return np.pad(coordinates, ((0, 0), (0, 2 - coordinates.shape[1])))
