"""Margins known from elsewhere: rows in which they hold, as near as can be to what was learned.

Notation: p the law that a generator learned from N rows, q the law that is drawn from; known are k
numbers, each the mean of a function f_j of a row, which is 0 on average where the number holds:
for a share s of a condition, f = 1[it holds] - s where that is known and 0 elsewhere; for a mean,
f = x - mean; for a standard deviation, f = (x - mean)^2 - sd^2. s_j is the standard error of E f_j.

q is the law that minimises KL(q || p) + sum_j (E_q f_j)^2 / (2 N s_j^2): what is known exactly
(s_j = 0) holds, and what is known from few cases counts as much as such cases against N rows. Its
density is exp(lambda . f) p up to a factor, and lambda maximises the concave function
-log E_p exp(lambda . f) - N sum_j s_j^2 lambda_j^2 / 2. For shares of levels alone this is raking.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from scipy.optimize import linprog
from scipy.special import logsumexp

from tabseed.errors import KnowledgeWarning, SchemaError
from tabseed.parameters import shown
from tabseed.rules.language import parse_condition
from tabseed.rules.meaning import Meaning
from tabseed.rules.tree import Comparison, Condition, Joined, Number, Word
from tabseed.table import Table
from tabseed.table.display import counted
from tabseed.table.schema import NUMERIC, Column
from tabseed.table.values import is_missing, plain

MOST_KNOWN = 200
STEPS, HALVINGS = 100, 40  # of Newton's method
GRADIENT = 1e-10  # of the dual, in units of each function's spread: where it stops
FARTHEST = 60.0  # lambda in units of each function's spread: farther is out of reach
NUMBERS = ("mean", "sd")
ROUNDED = 1e-6  # of a share: less is not worth a warning
REPEATED = 0.005  # of the rows, at most, that are drawn a second time

Known = Mapping[Any, Any]


@dataclass(frozen=True)
class Share:
    """The share of the rows that meet a condition, of those of which it is known."""

    condition: Condition
    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.condition}: {self.value:g}"

    def of(self, table: Table) -> np.ndarray:
        """Return f of each row (n,), NaN where it is not known."""
        truth = Meaning(table.schema, "").truth(self.condition, table)
        return np.where(truth.known, truth.holds - self.value, np.nan)


@dataclass(frozen=True)
class Moment:
    """The mean, or around it the variance (``power`` 2), of a column's numbers."""

    column: str
    power: int
    mean: float
    value: float
    error: float

    def __str__(self) -> str:
        known = f"mean {self.mean:g}" if self.power == 1 else f"sd {self.value**0.5:g}"
        return f"{known} of {self.column!r}"

    def of(self, table: Table) -> np.ndarray:
        """Return f of each row (n,), NaN where the number is missing."""
        off = table.numbers(self.column) - self.mean
        return off if self.power == 1 else off**2 - self.value


Fact = Share | Moment


@dataclass(frozen=True)
class Functions:
    """f of rows (m, k) with standard errors (k,), and what else must be 0 on average (m, l).

    Where f is not known it counts as 0; so that weight does not flee to such rows, these must stay
    as many as they are.
    """

    f: np.ndarray
    errors: np.ndarray
    held: np.ndarray

    @classmethod
    def of(cls, facts: Sequence[Fact], table: Table) -> Self:
        """Evaluate what is known on rows."""
        f = np.column_stack([fact.of(table) for fact in facts])
        unknown = np.unique(np.isnan(f).astype(float), axis=1)
        unknown = unknown[:, unknown.any(axis=0)]
        errors = np.array([fact.error for fact in facts])
        return cls(np.nan_to_num(f), errors, unknown - unknown.mean(axis=0))

    def weights(self, n_learned: int) -> np.ndarray | None:
        """Return :func:`tilted` weights of the rows."""
        none = np.zeros(self.held.shape[1])
        return tilted(np.column_stack([self.f, self.held]), np.append(self.errors, none), n_learned)


# --- reading ------------------------------------------------------------------------------------


def read_known(known: Known, table: Table) -> list[Fact]:
    """Return what is known of the columns of a table; SchemaError, in one line, for what is not.

    Keys are columns ("sex": shares of levels; "age": mean and sd), tuples of columns (shares of
    tuples of levels), or conditions ("age >= 65 and smoker = yes": share). A number may be a pair
    (number, standard error).
    """
    facts = [fact for key, value in known.items() for fact in _facts(key, value, table)]
    if len(facts) > MOST_KNOWN:
        raise SchemaError(f"known holds {len(facts)} numbers, at most {MOST_KNOWN} are read")
    return facts


def _facts(key: Any, value: Any, table: Table) -> Iterator[Fact]:
    if isinstance(key, tuple):
        columns = [table.schema[name] for name in key]
        for levels, share in _mapping(key, value).items():
            if not isinstance(levels, tuple) or len(levels) != len(columns):
                raise _refused(key, f"{shown(levels)} is not a tuple of {len(columns)} levels")
            each = zip(columns, levels, strict=True)
            parts = tuple(_is_level(column, level, table) for column, level in each)
            yield Share(Joined("and", parts), *_share(key, share))
        return
    if not isinstance(key, str):
        raise _refused(key, "is no column, tuple of columns or condition")
    if key not in table.schema:
        try:
            condition = parse_condition(key)
        except SchemaError:
            if not set(key) & set("<>=!"):
                table.schema[key]  # raises, with the nearest name
            raise
        Meaning(table.schema, f"known {shown(key)}").check(condition, table)
        yield Share(condition, *_share(key, value))
        return
    column = table.schema[key]
    if column.kind in NUMERIC and column.kind != "datetime":
        yield from _moments(column, _mapping(key, value))
        return
    shares = {level: _share(key, share) for level, share in _mapping(key, value).items()}
    total = sum(share for share, _ in shares.values())
    if total > 1 + 1e-9:
        raise _refused(key, f"its shares add up to {total:g}, more than 1")
    yield from _of_levels(column, shares, table)


def _of_levels(
    column: Column, shares: Mapping[Any, tuple[float, float]], table: Table
) -> Iterator[Share]:
    """Yield the shares of levels; those of levels that no row has go to the others in proportion.

    KnowledgeWarning then: few rows to learn from often lack a rare level.
    """
    meaning = Meaning(table.schema, "")
    found = {level: _is_level(column, level, table) for level in shares}
    seen = {
        level: condition
        for level, condition in found.items()
        if meaning.truth(condition, table).holds.any()
    }
    has = np.unique(table.codes(column.name))
    unlisted = (has >= 0).sum() > len(seen)  # levels of which nothing is known
    listed, kept = (sum(shares[level][0] for level in levels) for levels in (shares, seen))
    whole = listed if unlisted else 1.0
    if whole - kept > ROUNDED and kept > 0:
        warnings.warn(
            f"known {column.name!r}: {whole - kept:.2g} of the rows have levels that the model "
            "has not seen; their share goes to the others",
            KnowledgeWarning,
            stacklevel=6,
        )
    for level, condition in (seen if kept > 0 else found).items():
        share, error = shares[level]
        yield Share(condition, share * (whole / kept if kept > 0 else 1.0), error)


def _moments(column: Column, value: Mapping[Any, Any]) -> Iterator[Moment]:
    unknown = [name for name in value if name not in NUMBERS]
    if unknown or "mean" not in value:
        raise _refused(
            column.name, "a column of numbers has a mean and, beside it, an sd; shares of it are "
            f"conditions, such as '{column.name} >= 65'",
        )  # fmt: skip
    mean, mean_error = _number(column.name, value["mean"])
    yield Moment(column.name, 1, mean, mean, mean_error)
    if "sd" in value:
        sd, sd_error = _number(column.name, value["sd"])
        if sd <= 0:
            raise _refused(column.name, f"sd {sd:g} is not above 0")
        yield Moment(column.name, 2, mean, sd**2, 2 * sd * sd_error)


def _is_level(column: Column, level: Any, table: Table) -> Condition:
    """Return the condition that a column has a level."""
    level = plain(level)
    value: Word | Number = Word(str(level), "level")
    if isinstance(level, int | float) and not isinstance(level, bool):
        value = Number(float(level))
    condition = Comparison((Word(column.name), value), ("=",))
    Meaning(table.schema, f"known {column.name!r}").check(condition, table)
    return condition


def _mapping(key: Any, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping) or not value:
        raise _refused(key, f"{shown(value)} is no mapping of levels to shares")
    return value


def _share(key: Any, value: Any) -> tuple[float, float]:
    share, error = _number(key, value)
    if not 0 <= share <= 1:
        raise _refused(key, f"{share:g} is no share from 0 to 1")
    return share, error


def _number(key: Any, value: Any) -> tuple[float, float]:
    """Return a number and its standard error, 0 if none is given."""
    pair = list(value) if isinstance(value, tuple | list) else [value, 0.0]
    numbers = [plain(one) for one in pair]
    if len(pair) != 2 or not all(
        isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    ):
        raise _refused(key, f"{shown(value)} is no number, nor a pair of it and its standard error")
    if numbers[1] < 0 or is_missing(numbers[0]):
        raise _refused(key, f"a standard error of {numbers[1]:g} is below 0")
    return float(numbers[0]), float(numbers[1])


def _refused(key: Any, why: str) -> SchemaError:
    return SchemaError(f"known {shown(key)}: {why}")


# --- tilting ------------------------------------------------------------------------------------


def tilted(f: np.ndarray, errors: np.ndarray, n_learned: int) -> np.ndarray | None:
    """Return weights (m,) of rows with the functions f (m, k), None if none make them 0 on average.

    ``errors`` (k,) are standard errors of the means of f; the weights add up to 1.
    """
    spread = f.std(axis=0)
    varies = spread > 0
    if (np.abs(f[:, ~varies]) > 0).any() and (errors[~varies] == 0).any():
        return None
    f, spread = f[:, varies], spread[varies]
    if not f.shape[1]:
        return np.full(len(f), 1 / len(f))
    z, ridge = f / spread, n_learned * (errors[varies] / spread) ** 2
    lam = np.zeros(f.shape[1])

    def dual(lam: np.ndarray) -> float:
        return float(-logsumexp(z @ lam) - 0.5 * ridge @ lam**2)

    best = dual(lam)
    for _ in range(STEPS):
        logits = z @ lam
        w = np.asarray(np.exp(logits - logsumexp(logits)))
        mean = w @ z
        gradient = -mean - ridge * lam
        if np.abs(gradient).max() < GRADIENT:
            return w
        if np.abs(lam).max() > FARTHEST:
            return None
        hessian = (z * w[:, None]).T @ z - np.outer(mean, mean) + np.diag(ridge)
        step = np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0]
        for _ in range(HALVINGS):
            tried = dual(lam + step)
            if tried >= best:
                break
            step = step / 2
        lam, best = lam + step, max(best, tried)
    logits = z @ lam
    return np.exp(logits - logsumexp(logits)) if np.abs(gradient).max() < 1e-6 else None


def conflict(facts: Sequence[Fact], functions: Functions) -> str:
    """Say which known numbers no law of the rows can have together."""
    f = functions.f
    exact = [j for j, fact in enumerate(facts) if fact.error == 0]
    for size in (1, 2, len(exact)):
        for chosen in combinations(exact, size):
            if not _possible(np.column_stack([f[:, list(chosen)], functions.held])):
                named = " and ".join(str(facts[j]) for j in chosen)
                if size == 1:
                    drawn = _drawn(facts[chosen[0]], f[:, chosen[0]])
                    return f"the model draws no rows with which {named} could hold{drawn}"
                return f"{named} cannot hold together in rows that the model draws"
    for j, fact in enumerate(facts):
        own = np.column_stack([f[:, [j]], functions.held])
        errors = np.append(fact.error, np.zeros(functions.held.shape[1]))
        if tilted(own, errors, 1) is None:
            return f"{fact} is too far from what the model draws{_drawn(fact, f[:, j])}"
    return f"{' and '.join(map(str, facts))} are together too far from what the model draws"


def _drawn(fact: Fact, f: np.ndarray) -> str:
    """Return what the model draws of a column, in words."""
    if not isinstance(fact, Moment):
        return f": there it holds in {(f + fact.value).mean():.2g} of them"
    if fact.power == 2:
        return f": there it is {max((f + fact.value).mean(), 0) ** 0.5:.3g}"
    x = f + fact.mean
    return f": there it is {x.mean():.4g}, of numbers from {x.min():g} to {x.max():g}"


def _possible(f: np.ndarray) -> bool:
    """Return whether weights of the rows make the mean of each function 0."""
    rows = np.unique(f, axis=0)
    a = np.vstack([rows.T, np.ones(len(rows))])
    b = np.append(np.zeros(f.shape[1]), 1.0)
    return bool(linprog(np.zeros(len(rows)), A_eq=a, b_eq=b, method="highs").status == 0)


def chosen(weights: np.ndarray, f: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n rows by their weights (m,), so that each known number holds up to a row or so.

    Systematic sampling along the functions f (m, k): rows alike in what is known lie side by side.
    """
    order = np.lexsort(np.column_stack([rng.random(len(f)), f[:, ::-1]]).T)
    points = (np.arange(n) + rng.random()) / n
    upto = np.cumsum(weights[order])
    return np.asarray(rng.permutation(order[np.searchsorted(upto / upto[-1], points)]))


def repeated(weights: np.ndarray, n: int) -> float:
    """Return the share of n rows, drawn by their weights (m,), that another one equals."""
    return float(np.maximum(weights * n - 1, 0).sum() / n)


def effective(weights: np.ndarray) -> float:
    """Return how many rows of equal weight would count as much (Kish)."""
    return float(1 / (weights**2).sum())


def far_away(effective_rows: float, n: int, drawn: int) -> str:
    """Say that too few rows carry the weight."""
    return (
        f"of {drawn} drawn rows only {counted(int(effective_rows), 'row')} would count, too few to "
        f"draw {n}: what is known is too far from the rows that were learned"
    )
