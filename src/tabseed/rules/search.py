"""Find the rules that the rows of a table keep, and that chance would not let them keep.

Notation: n rows of p columns with values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom, hypergeom

from tabseed.rules.equations import FALSE_ALARM, LEAST_ROWS, Values, equations
from tabseed.rules.meaning import Rule, breaking, read_rules
from tabseed.rules.patterns import Equation, Evidence, Order, Pattern, Together, Where, cells_of
from tabseed.table import MISSING, Frame, Table
from tabseed.table.schema import NUMERIC

MOST_STATES = 400  # states of cells (missing, zero, levels) compared with each other
MOST_OF_A_KIND = 20  # rules: equations, orders, states
MOST_LEVELS = 40  # of a column whose levels are states
CHECKED = 2_000  # rows to check with
MOST_BEYOND = 0.1  # of the rows
MOST_BROKEN = 3  # rows that break a pattern which all others keep
LEAST_STATE = 8  # rows in a state, and not in it, for three exceptions to be few


@np.errstate(all="ignore")  # what overflows, or divides by almost nothing, keeps no rule
def find_rules(table: Frame) -> tuple[Pattern, ...]:
    """Return the rules that the rows of a frame or Table keep: equations, orders, states of cells.

    Kinds: equal, proportional and shifted columns; durations between dates; sums and differences,
    also weighted and of many columns; products and quotients, also with a square (BMI); orders of
    numbers or of dates; cells missing, zero or of a level exactly where others are. Equations hold
    up to the rounding of their columns, or up to 1 % of the target's spread, in at least 98 % of
    the rows; the others hold in all rows. A rule is believed if rows with one column shuffled
    would keep it so often with probability below 1e-6 / (number of rules tried).

    At most 2,000 rows, evenly spaced, are read. The first 200 columns with values are searched for
    pairs, the first 80 for triples, the first 8 dates for durations; of equations, orders and
    states at most 20 each are returned. Deterministic. Cost: below a second for 20
    columns, some 2 s for 80.
    """
    table = _modelled(table)
    if len(table) < LEAST_ROWS:
        return ()
    part, values, equal, bound = _searched(table)
    orders, together = (
        sorted(
            (rule for rule in rules if frozenset(rule.columns) not in bound),
            key=lambda rule: rule.evidence.by_chance if rule.evidence else 1.0,
        )[:MOST_OF_A_KIND]
        for rules in (_shortest(list(_orders(values))), _together(part))
    )
    return (*equal[:MOST_OF_A_KIND], *orders, *together)


def find_identities(table: Table) -> tuple[Rule, ...]:
    """Return the equations that every row of a table keeps exactly, as rules.

    Left out are those whose target would leave its range in more than a tenth of the rows if each
    other column were dealt at random, such as shares that add up to 1: only all columns together
    keep it there, which generators learn roughly, so the computed column would be like no real one.
    Cost: that of :func:`find_rules` without states of cells.
    """
    equations = (found for found in find_rules(table) if isinstance(found, Equation))
    equations = (found for found in equations if _beyond(found, table) <= MOST_BEYOND)
    texts = [str(equation.statement) for equation in equations]
    rules = read_rules(texts, table)
    return tuple(rule for rule in rules if not breaking([rule], table))


def _beyond(equation: Equation, table: Table) -> float:
    """Return the share of rows whose target leaves its range if other columns are dealt anew."""
    cells = cells_of(table, equation.columns)
    own, rng = cells[equation.target], np.random.default_rng(0)
    dealt = {n: x if n == equation.target else rng.permutation(x) for n, x in cells.items()}
    value = own - equation.residual_of(dealt)
    value = value[~np.isnan(value)]
    low, high = np.nanmin(own) - equation.tolerance, np.nanmax(own) + equation.tolerance
    return float(((value < low) | (value > high)).mean()) if len(value) else 0.0


@dataclass(frozen=True)
class Slip:
    """A pattern that all rows but a few keep, and the indices of these: wrong cells, perhaps."""

    pattern: Pattern
    rows: tuple[int, ...]

    def __str__(self) -> str:
        rows = ", ".join(str(row + 1) for row in self.rows)
        return f"{self.pattern.text}, but for row{'s' if len(self.rows) > 1 else ''} {rows}"


@np.errstate(all="ignore")
def find_slips(table: Frame) -> tuple[Slip, ...]:
    """Return the patterns that all rows but one to three keep, the most probable slips first.

    A pattern that shuffled rows would keep so often with probability above 1e-6 / (number of
    patterns tried) is none. Cost: that of :func:`find_rules`.
    """
    table = _modelled(table)
    if len(table) < LEAST_ROWS:
        return ()
    part, values, equal, bound = _searched(table)
    candidates = [rule for rule in equal if rule.evidence and not rule.evidence.certain]
    others = [*_orders(values, MOST_BROKEN), *_nearly_together(part)]
    found = []
    for pattern in [
        *candidates,
        *(rule for rule in others if frozenset(rule.columns) not in bound),
    ]:
        rows = np.flatnonzero(pattern.broken(table) == 1)
        if 1 <= len(rows) <= MOST_BROKEN:
            found.append(Slip(pattern, tuple(rows.tolist())))
    return tuple(sorted(found, key=lambda slip: len(slip.rows))[:MOST_OF_A_KIND])


def _modelled(frame: Frame) -> Table:
    table = Table.from_frame(frame)
    return table if not table.schema.left_out else table.select(table.schema.modelled)


def _searched(table: Table) -> tuple[Table, Values, list[Equation], set[frozenset[str]]]:
    """Return the rows that are read, their values, equations, and pairs of columns in these."""
    part = table.take(_checked(table))
    values = Values.of(part)
    equal = list(equations(values))
    bound = {frozenset(pair) for rule in equal for pair in combinations(rule.columns, 2)}
    return part, values, equal, bound


def _checked(table: Table) -> np.ndarray:
    """Return the rows that are read: at most CHECKED, evenly spaced."""
    n = min(len(table), CHECKED)
    return np.unique(np.linspace(0, len(table) - 1, n).round().astype(int))


def _orders(values: Values, most_broken: int = 0) -> Iterator[Order]:
    """Yield believed rules lower <= upper, of two numbers or of two dates.

    With ``most_broken`` those that some rows break, so many at most.
    """
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
            n, broken = int(both.sum()), int((both & ~below).sum())
            if n < LEAST_ROWS or broken > most_broken or (most_broken and not broken):
                continue
            lower, upper = np.sort(values.x[both, low]), np.sort(values.x[both, high])
            # the share of all pairs of a lower and an upper value that keep the order
            chance = float(np.searchsorted(lower, upper, side="right").mean()) / n
            if binom.logcdf(broken, n, 1 - chance) <= math.log(FALSE_ALARM / tries):
                yield Order(Evidence(n, n - broken, chance), values.names[low], values.names[high])
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


def _nearly_together(table: Table) -> Iterator[Together]:
    """Yield pairs of states that occur in the same rows but for a few, or in all but those."""
    n = len(table)
    kept = [(s, m) for s, m in _states(table) if LEAST_STATE <= m.sum() <= n - LEAST_STATE]
    if len(kept) < 2:
        return
    masks = np.array([mask for _, mask in kept], dtype=float)
    sizes, tries = masks.sum(axis=1), len(kept) ** 2
    both = masks @ masks.T
    apart = sizes[:, None] + sizes - 2 * both  # rows in which only one of them holds
    for opposite, off in ((False, apart), (True, n - apart)):
        for i, j in np.argwhere(np.triu((off >= 1) & (off <= MOST_BROKEN), 1)).tolist():
            (one, _), (other, _) = kept[i], kept[j]
            size = n - sizes[j] if opposite else sizes[j]
            common = sizes[i] - both[i, j] if opposite else both[i, j]
            # rows dealt at random share so many or more
            chance = float(hypergeom.logsf(common - 1, n, int(sizes[i]), int(size)))
            if one.column != other.column and chance <= math.log(FALSE_ALARM / tries):
                evidence = Evidence(n, n - int(off[i, j]), float(math.exp(chance / n)))
                yield Together(evidence, one, other, opposite)


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
