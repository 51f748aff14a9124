"""What a synthetic table leaves out, in words: one line for each finding."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tabseed.metrics.leakage import pooled_codes
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

FALSE_ALARM = 0.05  # at most, for each column and finding
Z = 2.2414  # one-sided 1.25 %: four limits of quartiles share 5 %
MOST_NAMED = 5  # levels in a line


def left_out(real: Table, synthetic: Table) -> tuple[str, ...]:
    """Return lines on what real rows have and synthetic rows lack: levels, missing cells, spread.

    A level (or "missing") counts as never generated if so many real rows have it that a random
    deal of the pooled rows would give the synthetic table none of them with probability below
    5 % / (levels of the column). A column is too narrow if its standard deviation, or its
    interquartile range, is reliably below the real one over sqrt(2): by the delta method for log
    variances (with their kurtosis), by order statistics for quartiles. Below that line the
    chi-square divergence of Gaussians is infinite. Cost: two sorts per column.
    """
    lines: list[str] = []
    for column in real.schema:
        name = column.name
        if column.kind in NUMERIC:
            cells = [t.numbers(name) for t in (real, synthetic)]
            flags = [np.where(np.isnan(x), MISSING, 0) for x in cells]
            lines += _levels(name, flags, ["any value"])
            lines += _narrow(name, [x[~np.isnan(x)] for x in cells])
        else:
            codes = pooled_codes([real, synthetic], name)
            lines += _levels(name, codes, [str(c) for c in column.categories])
    return tuple(lines)


def _levels(name: str, codes: list[np.ndarray], names: list[str]) -> Iterator[str]:
    """Report levels of the real rows that no synthetic row has, the most common first."""
    real, synthetic = codes
    levels, counts = np.unique(real, return_counts=True)
    absent = ~np.isin(levels, synthetic)
    share = len(real) / (len(real) + len(synthetic))
    # all k rows of a level dealt to the real side: probability at most about share^k
    sure = absent & (share**counts < FALSE_ALARM / len(levels))
    order = np.flatnonzero(sure)[np.argsort(-counts[sure], kind="stable")]
    if not len(order):
        return
    rows_of: dict[str, int] = {}  # levels that the schema does not know share a name
    for i in order:
        code = int(levels[i])
        what = "missing cells" if code == MISSING else _quoted(names, code)
        rows_of[what] = rows_of.get(what, 0) + int(counts[i])
    parts = [f"{what} ({n} of {len(real)} real rows)" for what, n in rows_of.items()]
    more = f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
    yield (
        f"column {name!r}: never generated: {', '.join(parts[:MOST_NAMED])}{more}; "
        "the true chi-square divergence is then infinite"
    )


def _quoted(names: list[str], code: int) -> str:
    return repr(names[code]) if code < len(names) else "levels that the schema does not know"


def _narrow(name: str, numbers: list[np.ndarray]) -> Iterator[str]:
    real, synthetic = numbers
    if min(len(real), len(synthetic)) < 2 or np.ptp(real) == 0:
        return
    if np.ptp(synthetic) == 0:
        same = ((real == synthetic[0]).sum() + 1) / (len(real) + 2)
        if same ** len(synthetic) < FALSE_ALARM:
            yield f"column {name!r}: all synthetic values are equal, but the real ones are not"
        return
    (sd_p, error_p), (sd_q, error_q) = _log_variance(real), _log_variance(synthetic)
    if sd_q - sd_p + Z * math.hypot(error_p, error_q) < -math.log(2):
        what, ratio = "standard deviation", math.exp((sd_q - sd_p) / 2)
    elif _quartiles(synthetic)[1] < _quartiles(real)[0] / math.sqrt(2):
        (a, b), (c, d) = (np.quantile(x, (0.25, 0.75)) for x in (synthetic, real))
        what, ratio = "interquartile range", (b - a) / (d - c)
    else:
        return
    yield (
        f"column {name!r}: too narrow, the synthetic {what} is {ratio:.2f} of the real one; "
        "below 0.71 the chi-square divergence of Gaussians is infinite"
    )


def _log_variance(x: np.ndarray) -> tuple[float, float]:
    """Return the log variance and its standard error sqrt((kurtosis - 1)/n)."""
    squares = (x - x.mean()) ** 2
    variance = squares.mean()
    kurtosis = (squares**2).mean() / variance**2
    return math.log(variance), math.sqrt((kurtosis - 1) / len(x))


def _quartiles(x: np.ndarray) -> tuple[float, float]:
    """Return lower and upper limits of the interquartile range, by order statistics."""
    x, n = np.sort(x), len(x)
    reach = Z * math.sqrt(n * 3 / 16)
    below, above = (
        [x[int(np.clip(index, 0, n - 1))] for index in (math.floor(n * p - reach) - 1,
                                                         math.ceil(n * p + reach))]
        for p in (0.25, 0.75)
    )  # fmt: skip
    return max(0.0, float(above[0] - below[1])), float(above[1] - below[0])
