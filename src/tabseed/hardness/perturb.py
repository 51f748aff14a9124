"""Make rows hard on purpose and return which ones: a ground truth for testing hardness scorers.

The types and kinds are those of H-CAT (arXiv 2403.04551), adapted to any table: every flagged row
does change, and noise is relative to the spread of each column. Notation: n rows, d columns,
C classes, k perturbed rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed._random import RandomState, generator
from tabseed.coding.labels import code_labels
from tabseed.coding.levels import pick
from tabseed.coding.points import Features
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.hardness.stored_rows import ArrayRows, Cells, TableRows, range_of, rows_of
from tabseed.parameters import InstanceOf, OneOf, Real, as_numbers, checked, or_none, shown
from tabseed.table.labels import name_of

PERTURBATIONS: dict[str, str] = {
    "uniform": "mislabelled",
    "asymmetric": "mislabelled",
    "adjacent": "mislabelled",
    "instance": "mislabelled",
    "shift": "mislabelled",
    "near": "out of distribution",
    "far": "out of distribution",
    "atypical": "atypical",
}
AMOUNTS = {"shift": 3.0, "near": 0.5, "far": 5.0, "atypical": 0.01}
ROUNDS = 200  # maximum number of draws for a row that rounding leaves unchanged
AMOUNT = or_none(Real())
LABELS = or_none(InstanceOf((list, tuple, np.ndarray), "a list of columns, or None"))


@dataclass(frozen=True)
class Perturbed:
    """The rows of a table, some of them made hard.

    ``X`` has the same type as the input, ``y`` is an array (n,), and ``changed`` (n,) bool marks
    the rows that differ from the input: exactly the perturbed ones.
    """

    X: Any
    y: np.ndarray
    changed: np.ndarray
    kind: str

    @property
    def hardness_type(self) -> str:
        """The type of hardness: "mislabelled", "out of distribution" or "atypical"."""
        return PERTURBATIONS[self.kind]


@checked(kind=OneOf(tuple(PERTURBATIONS)), share=Real(0, 1), amount=AMOUNT, columns=LABELS)
def perturb(
    X: Any,
    y: Any,
    kind: str,
    *,
    share: float = 0.1,
    amount: float | None = None,
    rates: Any = None,
    columns: Sequence[Any] | None = None,
    random_state: RandomState = 0,
) -> Perturbed:
    """Make round(n * share) rows hard, chosen at random; all other rows stay as they are.

    Kinds that change labels (X is returned as it is):

    - ``uniform``: another class, each with the same probability.
    - ``asymmetric``: another class, with probabilities drawn once for each class from a
      Dirichlet(1, ..., 1).
    - ``adjacent``: the previous or the next class in the order of the labels; the first and the
      last class have only one neighbour.
    - ``instance``: the class of the nearest row of another class. With ``rates`` (C, C), class a
      becomes b with probability proportional to ``rates[a, b]``, classes in sorted order.
    - ``shift``: the target of a regression moves up or down by ``amount`` (3) standard deviations.

    Kinds that change columns (y is returned as a copy). Missing cells stay missing, and ids and
    free text stay as they are:

    - ``near``: a number gets Gaussian noise of ``amount`` (0.5) standard deviations; a category is
      redrawn from its column with probability ``amount``.
    - ``far``: a number moves above or below all others of its column, and at least ``amount`` (5)
      interquartile ranges away from its median; a category becomes any other category.
    - ``atypical``: a number becomes one from the upper or lower ``amount`` (0.01) of its column,
      ties included; a category becomes a level that is as rare. This changes one column per row,
      drawn from the numeric ones (from the categories if no numeric one has such cells), or all of
      ``columns`` if they are named.

    Parameters
    ----------
    X : frame, Table or array (n, d) of numbers
    y : (n,) labels
        Classes for the first four kinds, numbers for ``shift``.
    columns : names, or column indices of an array
        Columns to perturb; None: all.

    Whole numbers stay whole, and every value fits the type of its column: a change that would leave
    the type's range goes in the other direction, or stops at the end of the range. The index of a
    pandas frame is replaced by 0, 1, ...

    Cost: one pass over the columns and a sort of each; ``instance`` searches the neighbours of k
    rows.

    Raises TabseedError for options that do not go together or rows that cannot be changed this way,
    SchemaError for unsuitable data.
    """
    size = _amount(kind, amount)
    labels = np.array(y)
    rows_of_x = rows_of(X)
    if labels.ndim != 1 or len(rows_of_x) != len(labels):
        raise SchemaError(f"X and y differ in length: {len(rows_of_x)} rows, labels {labels.shape}")
    rng = generator(random_state)
    count = round(len(labels) * share)
    if rates is not None and kind != "instance":
        raise TabseedError(f"rates go with instance, not with {kind}; leave them out")
    if PERTURBATIONS[kind] != "mislabelled":
        perturbed, changed = _perturb_columns(rows_of_x, kind, count, size, columns, rng)
        return Perturbed(perturbed, labels, changed, kind)
    if columns is not None:
        raise TabseedError(f"{kind} changes labels and takes no columns; leave them out")
    rows = np.sort(rng.choice(len(labels), count, replace=False))
    if kind == "shift":
        labels[rows] = _shift(labels, rows, size, rng)
    else:
        _, classes, (code,) = code_labels([labels], "classification")
        if len(classes) < 2:
            raise TooFewRowsError("all labels are alike; mislabelling needs at least two classes")
        if kind == "instance" and rates is None:
            labels[rows] = classes[_nearest_other(Features().fit_transform(X), code, rows)]
        else:
            law = _transitions(kind, len(classes), rates, rng)
            labels[rows] = classes[pick(law[code[rows]].cumsum(axis=1), rng.random(count))]
    return Perturbed(X, labels, np.isin(np.arange(len(labels)), rows), kind)


def _amount(kind: str, amount: float | None) -> float:
    if amount is not None and kind not in AMOUNTS:
        raise TabseedError(f"{kind} takes no amount; leave it out (a label changes or it does not)")
    size = AMOUNTS.get(kind, 0.0) if amount is None else float(amount)
    most = 0.5 if kind == "atypical" else 1e6
    if kind in AMOUNTS and not 0 < size <= most:
        raise TabseedError(f"amount={amount}: for {kind} it is above 0 and up to {most:g}")
    return size


# --- labels -------------------------------------------------------------------------------------


def _transitions(kind: str, n_classes: int, rates: Any, rng: np.random.Generator) -> np.ndarray:
    """Return the weight (C, C) of changing each class (row) to each other; 0 on the diagonal."""
    if kind == "uniform":
        return 1.0 - np.eye(n_classes)
    if kind == "adjacent":
        return np.eye(n_classes, k=1) + np.eye(n_classes, k=-1)
    if kind == "asymmetric":  # normalised exponentials follow a Dirichlet(1, ..., 1)
        return rng.exponential(size=(n_classes, n_classes)) * (1.0 - np.eye(n_classes))
    law = as_numbers("rates", rates)
    if law.shape != (n_classes, n_classes):
        raise TabseedError(f"rates must have shape ({n_classes}, {n_classes}), not {law.shape}")
    if not np.isfinite(law).all() or (law < 0).any() or np.diag(law).any():
        raise TabseedError("rates must be finite, not negative, and 0 on the diagonal")
    if not law.any(axis=1).all():
        none = int(np.flatnonzero(~law.any(axis=1))[0])
        raise TabseedError(
            f"row {none + 1} of rates has no class to change to; give one a rate above 0"
        )
    return law


def _nearest_other(x: np.ndarray, code: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the class (k,) of the row nearest to each of ``rows`` that has another class."""
    from sklearn.neighbors import NearestNeighbors

    if not x.shape[1]:
        raise SchemaError("no column tells the rows apart, so none of them is nearest")
    far = np.full((len(rows), code.max() + 1), np.inf)
    for c in range(far.shape[1]):
        other = code[rows] != c
        if other.any():
            near = NearestNeighbors(n_neighbors=1).fit(x[code == c])
            far[other, c] = near.kneighbors(x[rows[other]])[0][:, 0]
    return np.asarray(far.argmin(axis=1))


def _shift(y: np.ndarray, rows: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Return the targets (k,) of ``rows``, moved by ``size`` standard deviations."""
    _, _, (numbers,) = code_labels([y], "regression")
    spread = float(np.std(numbers))
    if not spread > 0:
        raise TooFewRowsError("all targets are alike; a shift needs targets that vary")
    whole, low, high = range_of(y.dtype)
    step = max(size * spread, 1.0) if whole else size * spread
    targets = _above_or_below(numbers[rows] + step, numbers[rows] - step, (low, high), rng)
    return np.round(targets) if whole else targets


# --- columns ------------------------------------------------------------------------------------


def _near(cells: Cells, values: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    if cells.numeric:
        noise = size * cells.present.std() * rng.standard_normal(len(values))
        return cells.fitted(values + noise)
    redrawn = rng.random(len(values)) < size
    return np.where(redrawn & ~np.isnan(values), rng.choice(cells.present, len(values)), values)


def _far(cells: Cells, values: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    present = cells.present
    if not cells.numeric:
        levels = np.unique(present)
        step = rng.integers(1, max(len(levels), 2), len(values))
        codes = np.searchsorted(levels, np.where(np.isnan(values), levels[0], values))
        return np.where(np.isnan(values), values, levels[(codes + step) % len(levels)])
    lower, middle, upper = np.quantile(present, [0.25, 0.5, 0.75])
    reach = size * (upper - lower)
    spread = (upper - lower) or present.std()
    distance = rng.uniform(1, 2, len(values)) * (max(spread, 1.0) if cells.whole else spread)
    above = max(middle + reach, present.max()) + distance
    below = min(middle - reach, present.min()) - distance
    moved = cells.fitted(_above_or_below(above, below, cells.limits, rng))
    return np.where(np.isnan(values), values, moved)


def _atypical(
    cells: Cells, values: np.ndarray, size: float, rng: np.random.Generator
) -> np.ndarray:
    return rng.choice(cells.tail(size), len(values))


_Draw = Callable[[Cells, np.ndarray, float, np.random.Generator], np.ndarray]
_DRAWS: dict[str, _Draw] = {"near": _near, "far": _far, "atypical": _atypical}


def _above_or_below(
    above: np.ndarray, below: np.ndarray, limits: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Choose one at random, or the one that lies within the limits."""
    up = rng.random(len(above)) < 0.5
    up = np.where(above > limits[1], False, np.where(below < limits[0], True, up))
    return np.clip(np.where(up, above, below), *limits)


def _perturb_columns(
    table: ArrayRows | TableRows,
    kind: str,
    count: int,
    size: float,
    columns: Sequence[Any] | None,
    rng: np.random.Generator,
) -> tuple[Any, np.ndarray]:
    names, one_per_row = _columns_to_perturb(table, kind, size, columns)
    cells = [table.cells[name] for name in names]
    before = np.column_stack([c.values for c in cells])
    movable = ~np.isnan(before)
    if kind == "atypical":  # a cell with the only rare value cannot change
        tails = [c.tail(size) for c in cells]
        only = [t[0] if np.ptp(t) == 0 else np.nan for t in tails]
        movable = before != only
    movable_rows = np.flatnonzero(movable.any(axis=1))
    if len(movable_rows) < count:
        raise TooFewRowsError(
            f"{kind} is to change {count} rows, but only {len(movable_rows)} have a value that "
            "can; lower share"
        )
    rows = np.sort(rng.choice(movable_rows, count, replace=False))
    before, after = before[rows], before[rows]
    unchanged = np.arange(count)
    for _ in range(ROUNDS):
        new_columns = [
            _DRAWS[kind](c, b, size, rng) for c, b in zip(cells, before[unchanged].T, strict=True)
        ]
        new = np.column_stack(new_columns)
        if one_per_row:
            chosen = rng.integers(len(cells), size=(len(unchanged), 1)) == np.arange(len(cells))
            new = np.where(chosen, new, before[unchanged])
        after[unchanged] = table.stored(names, new)
        moved = _differ(before, after)
        unchanged = np.flatnonzero(~moved.any(axis=1))
        if not len(unchanged):
            break
    else:
        raise TabseedError(
            f"{kind} with amount {size:g} does not change row {rows[unchanged[0]] + 1}: its "
            "columns are too coarse; choose a larger amount"
        )
    changed = np.zeros(len(table), dtype=bool)
    changed[rows] = True
    return table.replaced(names, rows, after, moved), changed


def _differ(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))


def _columns_to_perturb(
    table: ArrayRows | TableRows, kind: str, size: float, columns: Sequence[Any] | None
) -> tuple[list[Any], bool]:
    """Return the columns to perturb, and whether each row changes in only one of them."""
    if columns is not None:
        named = isinstance(table, TableRows)
        columns = [name_of(label) if named else label for label in columns]
    for name in columns or ():
        if not isinstance(name, Hashable) or name not in table.cells:
            raise SchemaError(f"there is no column {shown(name)} to perturb")
    candidates = list(table.cells) if columns is None else list(columns)
    if kind != "atypical":
        usable = [c for c in candidates if table.cells[c].varies]
    else:
        usable = [c for c in candidates if len(table.cells[c].tail(size))]
        if columns is not None and len(usable) < len(candidates):
            lacking = next(c for c in candidates if c not in usable)
            raise TabseedError(
                f"column {lacking!r} has no value as rare as {size:g} of its rows; name another "
                "column or choose a larger amount"
            )
        if columns is None:
            usable = [c for c in usable if table.cells[c].numeric] or usable
    if not usable:
        raise TabseedError(f"there is no column that {kind} can change")
    return usable, kind == "atypical" and columns is None
