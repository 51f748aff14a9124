"""Find the equations between columns that the rows of a table keep.

Notation: n rows of p columns with values. Every pair, and every triple of the first columns, is
screened by variances on few rows; what passes is checked on all rows, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy.stats import binom

from tabseed.rules.patterns import (
    ALIKE,
    Equation,
    Evidence,
    Product,
    Sum,
    has_values,
    values_of,
)
from tabseed.rules.tree import UNITS
from tabseed.table import Table

MOST_PAIRS, MOST_TRIPLES, MOST_DATES = 200, 80, 8  # columns searched
SCREENED, SCREENS = 30, 5  # rows to screen with, and how often
MOST_CANDIDATES = 300  # checked of each kind
KEPT = 0.98  # of the rows keep an equation: single cells may be wrong
LEAST_ROWS = 20  # that a rule must rule
FALSE_ALARM = 1e-6  # of the whole search, if values were dealt at random
LOOSE = 0.05  # of a column's spread: what a screening lets pass
CLOSE = 0.01  # of it: what nearly exact means
CORRELATED = 0.98  # and more: what a screening of pairs lets pass
GAIN = 0.05  # an equation's variance, at most, of that without one of its columns
SHARE = 0.02  # of a column's spread that a term of a weighted sum explains, at least
MOST_TERMS = 30


@dataclass(frozen=True)
class Values:
    """The columns that have values: (n, p), which are dates (p,), their grain and spread (p,)."""

    names: tuple[str, ...]
    x: np.ndarray
    dates: np.ndarray
    grain: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, table: Table) -> Values:
        """Return the columns of a table that have values, and not all the same one."""
        found: dict[str, np.ndarray] = {}
        for column in table.schema:
            if len(found) < MOST_PAIRS and has_values(column):
                x = values_of(table, column.name)
                present = x[~np.isnan(x)]
                if len(present) >= LEAST_ROWS and np.ptp(present) > 0:
                    found[column.name] = x
        return cls(
            names=tuple(found),
            x=np.column_stack([*found.values()]) if found else np.zeros((len(table), 0)),
            dates=np.array([table.schema[n].kind == "datetime" for n in found], dtype=bool),
            grain=np.array([_grain(x) for x in found.values()]),
            spread=np.array([_spread(x) for x in found.values()]),
        )

    def cells(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Return the values of columns by name."""
        return {name: self.x[:, self.names.index(name)] for name in names}

    def rounding(self, target: int, factors: dict[int, float]) -> float:
        """Return how far rounding moves target - sum of factor x column, at most."""
        grains = self.grain[target] + sum(abs(f) * self.grain[j] for j, f in factors.items())
        return float(0.505 * grains + 1e-9 * np.nanmax(np.abs(self.x[:, target])))


def _grain(x: np.ndarray) -> float:
    """Return the last decimal's unit, 0 if there are more than 6; a few cells may have more."""
    x = x[~np.isnan(x)]
    for decimals in range(7):
        if np.isclose(np.round(x, decimals), x, rtol=1e-12, atol=1e-9).mean() >= KEPT:
            return float(10.0**-decimals)
    return 0.0


def _spread(x: np.ndarray) -> float:
    """Return the standard deviation, also of numbers whose squares would overflow."""
    most = float(np.nanmax(np.abs(x)))
    return float(np.nanstd(x / most)) * most


def equations(values: Values) -> Iterator[Equation]:
    """Yield believed equations; a column that one determines takes part in no later one."""
    determined: set[str] = set()
    for candidates in (_pairs, _durations, _sums, _totals, _products):
        free = np.array([j for j, n in enumerate(values.names) if n not in determined], dtype=int)
        for rule in candidates(values, free):
            if determined.isdisjoint(rule.columns):
                proved = _proved(values, rule)
                if proved is not None:
                    determined.add(rule.target)
                    yield proved


def _proved(values: Values, rule: Equation) -> Equation | None:
    """Return a rule with tolerance and evidence, or None if it is not believed."""
    cells = values.cells(rule.columns)
    rule = _shifted(values, rule, cells)
    residual = np.abs(rule.residual_of(cells))
    residual = residual[~np.isnan(residual)]
    n = len(residual)
    if n < LEAST_ROWS:
        return None
    tight = 0.505 * values.grain[values.names.index(rule.target)] + 1e-9 * rule.spread
    if residual.max() <= tight < rule.tolerance:  # only the target was rounded
        rule = replace(rule, tolerance=float(tight))
    if (residual <= rule.tolerance).mean() < KEPT:
        near = float(np.quantile(residual, KEPT, method="higher")) * 1.001
        if near > CLOSE * rule.spread:
            return None
        rule = replace(rule, tolerance=near)
    kept = int((residual <= rule.tolerance).sum())
    chance = max(_by_chance(rule, cells, name) for name in rule.columns)
    tries = max(len(values.names), 2) ** min(len(rule.columns), 3)
    if binom.logsf(kept - 1, n, chance) > math.log(FALSE_ALARM / tries):
        return None
    return rule.believed(Evidence(n, kept, chance))


def _shifted(values: Values, rule: Equation, cells: dict[str, np.ndarray]) -> Equation:
    """Return a sum with the constant that most rows have, which rounding might hide: a + b + 1."""
    if not isinstance(rule, Sum) or rule.dates:
        return rule
    off = rule.residual_of(cells)
    if np.isnan(off).all():
        return rule
    shift, grain = float(np.nanmedian(off)), float(values.grain[values.names.index(rule.target)])
    shift = round(shift / grain) * grain if grain else shift
    noise = 1e-9 * float(np.nanmax(np.abs(cells[rule.target]))) if grain else 1e-6 * rule.spread
    if abs(shift) <= noise:
        return rule
    return replace(rule, constant=float(f"{rule.constant + shift:.12g}"))


def _by_chance(rule: Equation, cells: dict[str, np.ndarray], name: str) -> float:
    """Return the share of rows that keep a rule if a column's values are shuffled."""
    shuffled = np.random.default_rng(0).permutation(cells[name])
    residual = np.abs(rule.residual_of({**cells, name: shuffled}))
    residual = residual[~np.isnan(residual)]
    return float(((residual <= rule.tolerance).sum() + 1) / (len(residual) + 2))


def _pairs(values: Values, free: np.ndarray) -> Iterator[Equation]:
    """Yield target = factor x column + constant for pairs close to a line, both ways."""
    for pair in _correlated(values, free):
        ways: list[tuple[bool, int, int, Equation]] = []
        for j, i in (pair, pair[::-1]):
            line = _line(values.x[:, j], values.x[:, i])
            if line is not None and (line[0] == 1 or not values.dates[j]):
                rule = Sum(
                    evidence=None,
                    target=values.names[j],
                    tolerance=values.rounding(j, {i: line[0]}),
                    spread=values.spread[j],
                    terms=((values.names[i], line[0]),),
                    constant=line[1],
                    dates=bool(values.dates[j]),
                )
                gaps = np.isnan(values.x[:, [i, j]]).sum(axis=0)
                # by the column that has more cells; 1.19 before 0.84034
                ways.append((bool(gaps[0] > gaps[1]), len(rule.text), len(ways), rule))
        yield from (rule for *_, rule in sorted(ways, key=lambda way: way[:3]))


def _correlated(values: Values, free: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of numbers, or of dates, whose correlation is near 1 or -1 in some screening."""
    found: set[tuple[int, int]] = set()
    if not len(free):
        return []
    x = values.x[:, free] / values.spread[free]
    for z, mask in _screens(x - np.nanmean(x, axis=0)):
        n = np.maximum(mask.T @ mask, 1)
        mean = z.T @ mask / n  # of the row's column over the cells that both have
        covariance = z.T @ z / n - mean * mean.T
        variance = (z**2).T @ mask / n - mean**2
        alike = covariance**2 > CORRELATED**2 * variance * variance.T
        alike &= (values.dates[free][:, None] == values.dates[free]) & (n >= LEAST_ROWS // 2)
        found |= {(int(free[i]), int(free[j])) for i, j in np.argwhere(np.triu(alike, 1))}
    return sorted(found)


def _line(y: np.ndarray, x: np.ndarray) -> tuple[float, float] | None:
    """Return factor and constant of y = factor x + constant, None if y is not close to a line."""
    both = np.flatnonzero(~np.isnan(y) & ~np.isnan(x))
    if len(both) < LEAST_ROWS:
        return None
    few = both[np.linspace(0, len(both) - 1, SCREENED).round().astype(int)]
    if np.ptp(x[few]) == 0 or np.ptp(y[few]) == 0:
        return None
    order = np.argsort(x[few], kind="stable")
    sx, sy = x[few][order], y[few][order]
    half = len(few) // 2
    dx = sx[half:] - sx[: len(few) - half]
    slopes = (sy[half:] - sy[: len(few) - half])[dx > 0] / dx[dx > 0]
    if not len(slopes):
        return None
    factor = float(np.median(slopes))
    off = np.abs(sy - factor * sx - np.median(sy - factor * sx))
    if factor == 0 or np.median(off) > LOOSE * y[few].std():
        return None
    x, y = x[both], y[both]
    for _ in range(3):  # least squares on the rows that fit
        residual = y - factor * x
        off = np.abs(residual - np.median(residual))
        fits = off <= np.quantile(off, KEPT)
        centred = x[fits] - x[fits].mean()
        square = float(centred @ centred)
        if square == 0:
            return None
        factor = float(centred @ y[fits]) / square
    return _plainest(x[fits], y[fits], factor)


def _plainest(x: np.ndarray, y: np.ndarray, factor: float) -> tuple[float, float]:
    """Return factor and constant in the fewest digits that fit about as well as all digits."""
    exact = y - factor * x
    constant = float(np.median(exact))
    most = 1.25 * float(np.abs(exact - constant).max()) + 1e-9 * float(np.abs(y).max())
    for digits in range(1, 8):
        short = float(f"{factor:.{digits}g}")
        residual = y - short * x
        if short == 0 or np.ptp(residual) > 2 * most:
            continue
        middle = float(residual.max() + residual.min()) / 2
        for places in range(-1, 7):
            shift = round(middle, places)
            if np.abs(residual - shift).max() <= most:
                return short, shift
    return factor, constant


def _nice(value: float, precision: float) -> float:
    """Return the number of fewest digits that is as close as the precision, at least 1e-9."""
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) <= max(precision, 1e-9 * abs(value)):
            return short
    return value


def _durations(values: Values, free: np.ndarray) -> Iterator[Equation]:
    """Yield target = factor x (end - start) for dates, which may be rounded down."""
    dates = np.flatnonzero(values.dates)[:MOST_DATES]
    for one, two in combinations(dates, 2):
        days = values.x[:, two] - values.x[:, one]
        for j in free[~values.dates[free]]:
            line = _line(values.x[:, j], days)
            if line is None:
                continue
            factor = line[0]
            end, start = (two, one) if factor > 0 else (one, two)
            factor = _unit(abs(factor))
            yield Sum(
                evidence=None,
                target=values.names[j],
                tolerance=1.01 * float(values.grain[j]) + 1e-6,  # rounded down, perhaps
                spread=values.spread[j],
                terms=((values.names[end], factor), (values.names[start], -factor)),
                dates=True,
            )


def _unit(factor: float) -> float:
    near = [1 / days for days in UNITS.values() if abs(factor * days - 1) < ALIKE]
    return near[0] if near else factor


def _screens(x: np.ndarray) -> Iterator[np.ndarray]:
    """Yield (SCREENED, p) parts of x with zeros for missing cells, and their masks, stacked."""
    missing = np.isnan(x).sum(axis=1)
    enough = max(len(x) // 2, min(SCREENED, len(x)) - 1)
    pool = np.flatnonzero(missing <= np.partition(missing, enough)[enough])
    for screen in range(SCREENS):
        rows = np.random.default_rng(screen).permutation(pool)[:SCREENED]
        part = x[rows]
        yield np.stack([np.nan_to_num(part), ~np.isnan(part)])


def _triples(
    x: np.ndarray, forms: tuple[tuple[float, float], ...]
) -> list[tuple[int, int, int, int]]:
    """Return (target, first, second, form) whose target - b first - c second hardly varies.

    x (n, p) may have missing cells. The best first, each triple once. Variances are sums of
    products of three columns: one product of matrices for each target and term.
    """
    scale = np.nanstd(x, axis=0)
    x = x - np.nanmean(x, axis=0)
    found: dict[tuple[int, int, int, int], float] = {}
    for z, mask in _screens(x):
        for form, (b, c) in enumerate(forms):
            for j in range(x.shape[1]):
                variance = _variance(z, mask, j, b, c)
                pair = [_pair_variance(z, mask, j, f) for f in (b, c)]
                most = np.minimum(pair[0][:, None], pair[1][None, :])
                passed = (variance <= GAIN * most) & (variance <= (LOOSE * scale[j]) ** 2)
                passed &= most > 0
                passed[j, :] = passed[:, j] = False
                np.fill_diagonal(passed, False)
                if b == c:
                    passed = np.triu(passed)
                for i, k in np.argwhere(passed):
                    key = (j, int(i), int(k), form)
                    found[key] = min(found.get(key, np.inf), variance[i, k] / most[i, k])
    return sorted(found, key=lambda key: (found[key], key))[:MOST_CANDIDATES]


def _variance(z: np.ndarray, mask: np.ndarray, j: int, b: float, c: float) -> np.ndarray:
    """Return the variance over rows of z_j - b z_i - c z_k, (p, p) for all i, k."""
    own, has = z[:, j : j + 1], mask[:, j : j + 1]
    count = mask.T @ (has * mask)
    first, square = z.T @ (has * mask), (z**2).T @ (has * mask)
    mixed = z.T @ (own * mask)
    total = (mask.T @ (own * mask)) - b * first - c * first.T
    squares = (
        mask.T @ (own**2 * mask)
        + b**2 * square
        + c**2 * square.T
        - 2 * b * mixed
        - 2 * c * mixed.T
        + 2 * b * c * (z.T @ (has * z))
    )
    n = np.maximum(count, 1)
    variance = squares / n - (total / n) ** 2
    return np.where(count >= LEAST_ROWS // 2, np.maximum(variance, 0), np.inf)


def _pair_variance(z: np.ndarray, mask: np.ndarray, j: int, factor: float) -> np.ndarray:
    """Return the variance over rows of z_j - factor z_i, (p,) for all i."""
    both = mask[:, j : j + 1] * mask
    n = np.maximum(both.sum(axis=0), 1)
    off = (z[:, j : j + 1] - factor * z) * both
    return np.asarray((off**2).sum(axis=0) / n - (off.sum(axis=0) / n) ** 2)


def _sums(values: Values, free: np.ndarray) -> Iterator[Equation]:
    """Yield target = first + second."""
    free = free[~values.dates[free]][:MOST_TRIPLES]
    if len(free) < 3:
        return
    for key in _triples(values.x[:, free], ((1.0, 1.0),)):
        j, i, k = (int(free[index]) for index in key[:3])
        yield Sum(
            evidence=None,
            target=values.names[j],
            tolerance=values.rounding(j, {i: 1.0, k: 1.0}),
            spread=values.spread[j],
            terms=((values.names[i], 1.0), (values.names[k], 1.0)),
        )


def _totals(values: Values, free: np.ndarray) -> Iterator[Equation]:
    """Yield target = weighted sum of several columns, by least squares; plain sums first."""
    free = free[~values.dates[free]][:MOST_TRIPLES]
    complete = ~np.isnan(values.x[:, free]).any(axis=1)
    if len(free) < 3 or complete.sum() < 2 * len(free) + LEAST_ROWS:
        return
    whole = values.x[np.ix_(complete, free)]
    # as many rows as columns say all
    x = np.asarray(np.linalg.qr(whole - whole.mean(axis=0), mode="r"))
    spread = values.spread[free]
    found: list[tuple[int, dict[int, float]]] = []
    for place in range(len(free)):
        others = np.delete(np.arange(len(free)), place)
        solution = np.linalg.lstsq(x[:, others], x[:, place], rcond=1e-9)[0]
        used = others[np.abs(solution) * spread[others] > SHARE * spread[place]]
        if not 2 <= len(used) <= MOST_TERMS:
            continue
        factors, left, *_ = np.linalg.lstsq(x[:, used], x[:, place], rcond=1e-9)
        if left.sum() > (CLOSE * spread[place]) ** 2 * len(whole):
            continue
        factors = _plain_factors(factors, whole[:, used], whole[:, place])
        found.append((int(free[place]), dict(zip(free[used].tolist(), factors, strict=True))))
    for j, terms in sorted(found, key=_plainness):
        rest = values.x[:, j] - sum(factor * values.x[:, i] for i, factor in terms.items())
        middle, most = float(np.nanmedian(rest)), values.rounding(j, terms)
        yield Sum(
            evidence=None,
            target=values.names[j],
            tolerance=most,
            spread=values.spread[j],
            terms=tuple((values.names[i], factor) for i, factor in terms.items()),
            constant=0.0 if abs(middle) <= most else float(f"{middle:.6g}"),
        )


def _plain_factors(factors: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[float]:
    """Return the plainest factors that fit about as well: whole, fractions, few decimals."""
    exact = y - x @ factors
    most = 1.1 * float(np.quantile(np.abs(exact - np.median(exact)), KEPT))
    for plain in (
        lambda f: float(Fraction(f).limit_denominator(1)),
        lambda f: float(Fraction(f).limit_denominator(10)),
        lambda f: round(f, 2),
        lambda f: float(f"{f:.4g}"),
    ):
        short = [plain(float(factor)) for factor in factors]
        rest = y - x @ np.array(short)
        if all(short) and np.quantile(np.abs(rest - np.median(rest)), KEPT) <= most:
            return short
    return [float(factor) for factor in factors]


def _plainness(rule: tuple[int, dict[int, float]]) -> tuple[int, int]:
    """Order sums of positive terms first, then the one of fewest digits."""
    factors = list(rule[1].values())
    return int(min(factors) < 0), sum(len(f"{factor:g}") for factor in factors)


def _products(values: Values, free: np.ndarray) -> Iterator[Equation]:
    """Yield target = factor x first x second^power (1 or 2), or solved for first."""
    free = free[~values.dates[free]]
    with np.errstate(invalid="ignore"):
        positive = (values.x[:, free] > 0).sum(axis=0) >= LEAST_ROWS
    free = free[positive][:MOST_TRIPLES]
    if len(free) < 3:
        return
    x = values.x[:, free]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(x > 0, np.log(x), np.nan)
    for *key, form in _triples(logs, ((1.0, 1.0), (1.0, 2.0))):
        j, i, k = (int(free[index]) for index in key)
        power = form + 1
        own, first, second = (np.asarray(values.x[:, index]) for index in (j, i, k))
        forms = [
            _product(values, j, {i: 1, k: power}, first * second**power),
            _product(values, i, {j: 1, k: -power}, _ratio(own, second**power)),
        ]
        if power == 1:
            forms.append(_product(values, k, {j: 1, i: -1}, _ratio(own, first)))
        # as it was computed: the form whose result only its own rounding moves
        yield from sorted(forms, key=lambda rule: -round(_exactly(values, rule), 2))


def _exactly(values: Values, rule: Equation) -> float:
    """Return the share of rows that keep a rule within the tolerance it has from rounding."""
    residual = np.abs(rule.residual_of(values.cells(rule.columns)))
    return float((residual <= rule.tolerance).sum() / max((~np.isnan(residual)).sum(), 1))


def _product(values: Values, target: int, powers: dict[int, int], product: np.ndarray) -> Product:
    ratio = _ratio(values.x[:, target], product)
    ratio = ratio[np.isfinite(ratio)]
    factor = float(np.median(ratio)) if len(ratio) else 1.0
    spread = float(np.median(np.abs(ratio - factor))) if len(ratio) else 0.0
    return Product(
        evidence=None,
        target=values.names[target],
        tolerance=values.rounding(target, {}),
        spread=values.spread[target],
        powers=tuple((values.names[i], power) for i, power in powers.items()),
        factor=_nice(factor, spread),
    )


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(a / b)
