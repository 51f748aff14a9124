"""Find the rules that the rows of a table keep, and that chance would not let them keep.

Notation: n rows of p columns with values. Every pair, and every triple of the first columns, is
screened by variances on few rows; what passes is checked on up to 2,000 rows, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom

from tabseed.metrics.rules import (
    Equation,
    Evidence,
    Order,
    Product,
    Rule,
    Sum,
    Together,
    Where,
    has_values,
    values_of,
)
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

MOST_PAIRS, MOST_TRIPLES, MOST_DATES = 200, 80, 8  # columns searched
MOST_STATES = 400  # states of cells (missing, zero, levels) compared with each other
MOST_OF_A_KIND = 20  # rules: equations, orders, states
MOST_LEVELS = 40  # of a column whose levels are states
CHECKED, SCREENED, SCREENS = 2_000, 30, 5  # rows to check with; to screen with, and how often
MOST_CANDIDATES = 300  # checked of each kind
KEPT = 0.98  # of the rows keep an equation: single cells may be wrong
LEAST_ROWS = 20  # that a rule must rule
FALSE_ALARM = 1e-6  # of the whole search, if values were dealt at random
LOOSE = 0.05  # of a column's spread: what a screening lets pass
CLOSE = 0.01  # of it: what nearly exact means
CORRELATED = 0.98  # and more: what a screening of pairs lets pass
GAIN = 0.05  # an equation's variance, at most, of that without one of its columns
WHOLE = 0.02  # distance from 1 at which a least-squares coefficient is taken for 1


def find_rules(table: Table) -> tuple[Rule, ...]:
    """Return the rules that the rows of a table keep: equations, orders, states of cells.

    Kinds: equal, proportional and shifted columns; durations between dates; sums and differences,
    also of many columns; products and quotients, also with a square (BMI); orders of numbers or
    of dates; cells missing, zero or of a level exactly where others are. Equations hold up to the
    rounding of their columns, or up to 1 % of the target's spread, in at least 98 % of the rows;
    the others hold in all rows. A rule is believed if rows with one column shuffled would keep it
    so often with probability below 1e-6 / (number of rules tried).

    The first 200 columns with values are searched for pairs, the first 80 for triples, the first 8
    dates for durations; at most 40 rules are returned. Deterministic. Cost: below a second for 20
    columns, some 2 s for 80.
    """
    if len(table) < LEAST_ROWS:
        return ()
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), CHECKED)).round().astype(int))
    part = table.take(rows)
    values = _Values.of(part)
    equations = list(_equations(values))
    bound = {frozenset(pair) for rule in equations for pair in combinations(rule.columns, 2)}
    orders, together = (
        sorted(
            (rule for rule in rules if frozenset(rule.columns) not in bound),
            key=lambda rule: rule.evidence.by_chance if rule.evidence else 1.0,
        )[:MOST_OF_A_KIND]
        for rules in (_shortest(list(_orders(values))), _together(part))
    )
    return (*equations[:MOST_OF_A_KIND], *orders, *together)


@dataclass(frozen=True)
class _Values:
    """The columns that have values: (n, p), which are dates (p,), their grain and spread (p,)."""

    names: tuple[str, ...]
    x: np.ndarray
    dates: np.ndarray
    grain: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, table: Table) -> _Values:
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


# --- equations ----------------------------------------------------------------------------------


def _equations(values: _Values) -> Iterator[Equation]:
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


def _proved(values: _Values, rule: Equation) -> Equation | None:
    """Return a rule with tolerance and evidence, or None if it is not believed."""
    cells = values.cells(rule.columns)
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


def _by_chance(rule: Equation, cells: dict[str, np.ndarray], name: str) -> float:
    """Return the share of rows that keep a rule if a column's values are shuffled."""
    shuffled = np.random.default_rng(0).permutation(cells[name])
    residual = np.abs(rule.residual_of({**cells, name: shuffled}))
    residual = residual[~np.isnan(residual)]
    return float(((residual <= rule.tolerance).sum() + 1) / (len(residual) + 2))


def _pairs(values: _Values, free: np.ndarray) -> Iterator[Equation]:
    """Yield target = factor x column + constant for pairs close to a line, both ways."""
    for pair in _correlated(values, free):
        ways = []
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
                ways.append(rule)
        yield from sorted(ways, key=lambda rule: len(rule.text))  # 1.19 before 0.84034


def _correlated(values: _Values, free: np.ndarray) -> list[tuple[int, int]]:
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


def _durations(values: _Values, free: np.ndarray) -> Iterator[Equation]:
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
    from tabseed.metrics.rules import ALIKE, UNITS

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


def _sums(values: _Values, free: np.ndarray) -> Iterator[Equation]:
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


def _totals(values: _Values, free: np.ndarray) -> Iterator[Equation]:
    """Yield target = sum or difference of three and more columns, by least squares."""
    free = free[~values.dates[free]][:MOST_TRIPLES]
    complete = ~np.isnan(values.x[:, free]).any(axis=1)
    if len(free) < 4 or complete.sum() < 2 * len(free) + LEAST_ROWS:
        return
    x = values.x[np.ix_(complete, free)]
    x = np.asarray(np.linalg.qr(x - x.mean(axis=0), mode="r"))  # as many rows as columns say all
    found = []
    for place, j in enumerate(free):
        others = np.delete(np.arange(len(free)), place)
        solution = np.linalg.lstsq(x[:, others], x[:, place], rcond=1e-9)[0]
        whole = np.asarray(np.round(solution))
        used = np.flatnonzero((np.abs(whole) == 1) & (np.abs(solution - whole) < WHOLE))
        if len(used) >= 3:
            found.append((int(j), {int(free[others[i]]): float(whole[i]) for i in used}))
    for j, terms in sorted(found, key=lambda one: -min(one[1].values())):  # sums first
        yield Sum(
            evidence=None,
            target=values.names[j],
            tolerance=values.rounding(j, terms),
            spread=values.spread[j],
            terms=tuple((values.names[i], factor) for i, factor in terms.items()),
        )


def _products(values: _Values, free: np.ndarray) -> Iterator[Equation]:
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


def _exactly(values: _Values, rule: Equation) -> float:
    """Return the share of rows that keep a rule within the tolerance it has from rounding."""
    residual = np.abs(rule.residual_of(values.cells(rule.columns)))
    return float((residual <= rule.tolerance).sum() / max((~np.isnan(residual)).sum(), 1))


def _product(values: _Values, target: int, powers: dict[int, int], product: np.ndarray) -> Product:
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


# --- orders and states --------------------------------------------------------------------------


def _orders(values: _Values) -> Iterator[Order]:
    """Yield believed rules lower <= upper, of two numbers or of two dates."""
    tries = max(len(values.names), 2) ** 2
    ends = np.nanmin(values.x, axis=0), np.nanmax(values.x, axis=0)
    for first, second in combinations(range(len(values.names)), 2):
        if values.dates[first] != values.dates[second]:
            continue
        for low, high in ((first, second), (second, first)):
            if ends[1][low] <= ends[0][high] or ends[0][low] > ends[1][high]:
                continue  # nothing could break it, or everything does
            below = values.x[:, low] <= values.x[:, high]
            both = ~np.isnan(values.x[:, low]) & ~np.isnan(values.x[:, high])
            n = int(both.sum())
            if n < LEAST_ROWS or not below[both].all():
                continue
            lower, upper = np.sort(values.x[both, low]), np.sort(values.x[both, high])
            # the share of all pairs of a lower and an upper value that keep the order
            chance = float(np.searchsorted(lower, upper, side="right").mean()) / n
            if n * math.log(max(chance, 1e-300)) <= math.log(FALSE_ALARM / tries):
                yield Order(Evidence(n, n, chance), values.names[low], values.names[high])
                break


def _shortest(orders: list[Order]) -> list[Order]:
    """Leave out orders that follow from two others: a <= c from a <= b and b <= c."""
    above: dict[str, set[str]] = {}
    for order in orders:
        above.setdefault(order.lower, set()).add(order.upper)
    return [
        order
        for order in orders
        if not any(
            middle != order.upper and order.upper in above.get(middle, ())
            for middle in above[order.lower]
        )
    ]


def _together(table: Table) -> Iterator[Together]:
    """Yield pairs of states that occur in the same rows, or in all rows but those."""
    n = len(table)
    states, masks = [], []
    for state, mask in _states(table):
        if 3 <= mask.sum() <= n - 3:
            states.append(state)
            masks.append(mask)
    tries = max(len(states), 2) ** 2
    groups: dict[bytes, list[int]] = {}
    for index, mask in enumerate(masks):
        groups.setdefault(np.packbits(mask ^ mask[0]).tobytes(), []).append(index)
    for members in groups.values():
        first = members[0]
        k = int(masks[first].sum())
        log_chance = gammaln(k + 1) + gammaln(n - k + 1) - gammaln(n + 1)
        if log_chance > math.log(FALSE_ALARM / tries):
            continue
        seen = {states[first].column}
        for other in members[1:]:
            if states[other].column not in seen:
                seen.add(states[other].column)
                opposite = bool(masks[first][0] != masks[other][0])
                evidence = Evidence(n, n, float(math.exp(log_chance / n)))
                yield Together(evidence, states[first], states[other], opposite)


def _states(table: Table) -> Iterator[tuple[Where, np.ndarray]]:
    """Yield the states of the columns' cells: missing, zero, each level; at most MOST_STATES."""
    count = 0
    for column in table.schema:
        cells = table.cells(column.name)
        if column.kind in NUMERIC:
            found = [(Where(column.name, "missing"), np.isnan(cells)),
                     (Where(column.name, "zero"), cells == 0)]  # fmt: skip
        else:
            found = [(Where(column.name, "missing"), cells == MISSING)]
            if len(column.categories) <= MOST_LEVELS:
                found += [
                    (Where(column.name, "level", level), cells == code)
                    for code, level in enumerate(column.categories)
                ]
        for state in found:
            count += 1
            if count > MOST_STATES:
                return
            yield state
