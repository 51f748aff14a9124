"""The likelihood of rows under a generator, as a user passes it in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabseed.errors import TabseedError
from tabseed.parameters import shown
from tabseed.table import Table
from tabseed.table.schema import DISCRETE

Likelihood = Callable[[Table], np.ndarray]
"""Log density (or log probability) of each row of a table under the fitted generator, (n,)."""


def known_rows(table: Table, train: Table) -> np.ndarray:
    """Return which rows (n,) have only categories that training rows have, and gaps where they do.

    A generator may refuse others.
    """
    known = np.ones(len(table), dtype=bool)
    for column in table.schema:
        if column.kind in DISCRETE:
            known &= np.isin(table.codes(column.name), train.codes(column.name))
        elif not np.isnan(train.numbers(column.name)).any():
            known &= ~np.isnan(table.numbers(column.name))
    return known


def log_likelihoods(likelihood: Likelihood, table: Table) -> np.ndarray:
    """Return what the user's function says of each row, (n,), -inf allowed.

    Raises TabseedError, in one line, if that is not a number for each row.
    """
    values = likelihood(table)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TabseedError(f"likelihood returned {shown(values)}, no array of numbers") from error
    if array.shape != (len(table),) or np.isnan(array).any() or (array == np.inf).any():
        raise TabseedError(
            f"likelihood must return one number (no NaN, no +inf) for each of {len(table)} rows, "
            f"got {shown(values)}"
        )
    return array
