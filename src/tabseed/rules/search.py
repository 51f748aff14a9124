"""Find the rules that the rows of a table keep, and that chance would not let them keep.

Notation: n rows of p columns with values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy.special import gammaln

from tabseed.rules.equations import FALSE_ALARM, LEAST_ROWS, Values, equations
from tabseed.rules.meaning import Rule, breaking, read_rules
from tabseed.rules.patterns import Equation, Evidence, Order, Pattern, Together, Where
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

MOST_STATES = 400  # states of cells (missing, zero, levels) compared with each other
MOST_OF_A_KIND = 20  # rules: equations, orders, states
MOST_LEVELS = 40  # of a column whose levels are states
CHECKED = 2_000  # rows to check with


@np.errstate(all="ignore")  # what overflows, or divides by almost nothing, keeps no rule
def find_rules(table: Table) -> tuple[Pattern, ...]:
    """Return the rules that the rows of a table keep: equations, orders, states of cells.

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
    if len(table) < LEAST_ROWS:
        return ()
    rows = np.unique(np.linspace(0, len(table) - 1, min(len(table), CHECKED)).round().astype(int))
    part = table.take(rows)
    values = Values.of(part)
    equal = list(equations(values))
    bound = {frozenset(pair) for rule in equal for pair in combinations(rule.columns, 2)}
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

    Cost: that of :func:`find_rules` without states of cells.
    """
    equations = (found for found in find_rules(table) if isinstance(found, Equation))
    texts = [str(equation.statement) for equation in equations]
    rules = read_rules(texts, table)
    return tuple(rule for rule in rules if not breaking([rule], table))


def _orders(values: Values) -> Iterator[Order]:
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
