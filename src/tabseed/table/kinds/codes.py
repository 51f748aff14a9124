"""Whole numbers that are no quantities: numbers of people and records, and codes of classes.

Four sorts of evidence, each said in the reason:

- the column's name (:mod:`tabseed.table.kinds.column_names`), and how often values repeat;
- all values distinct although they lie so close that numbers drawn independently would repeat
  (the birthday problem): they were handed out one by one;
- long numbers of one digit count: all distinct, and spread evenly over every number of that length;
  or few, each repeated, with gaps between them;
- values in equally many rows each, as in a table of five visits of each patient.

What repeats becomes ``categorical``, or ``ordinal`` where the order may mean something, so only
values that were seen are drawn; what numbers rows or people becomes ``id``, which no generator
learns.
"""

from __future__ import annotations

import numpy as np

from tabseed.table.kinds.column_names import (
    counts_rows,
    finds,
    is_phone,
    is_subject,
    may_count,
    numbering,
)
from tabseed.table.schema import Kind

Found = tuple[Kind, str]

MIN_ROWS = 20  # with fewer rows, all-distinct values say nothing by themselves
MIN_NUMBERED = 5  # with fewer rows or values, not even a name makes an id
MANY_PEOPLE = 10  # from so many values on, numbers of people are ids however often they repeat
MOSTLY_DISTINCT = 0.9  # a code with a greater share of distinct values has nothing to learn from
CHANCE = 1e-4  # at most this probability of calling independent draws of a quantity an id
FEW = 20  # up to so many distinct values, whole numbers are ordinal without asking for a name
MANY = 200  # so many levels are as many as an encoder gives a cell each
POSTAL = 5  # digits from which repeated numbers of one length are taken for codes
LONG = 7  # digits of numbers that are ids because they fill all numbers of their length evenly


def named_code(
    name: str, n: int, n_distinct: int, numbers: np.ndarray | None = None
) -> Found | None:
    """Say what a column is by its name and by how often its ``n`` values repeat, or None.

    ``numbers`` (n,): the values, where they are numbers. For a column of texts leave it out.
    """
    if n_distinct < 2 or n < MIN_NUMBERED:
        return None
    meaning, mostly = numbering(name), 2 * n_distinct > n
    share = "all distinct" if n_distinct == n else f"{n_distinct} distinct among {n}"
    if meaning == "person" or is_subject(name):
        counts = may_count(name) and _are_small(numbers) and not mostly
        counts |= is_phone(name) and numbers is not None and numbers.max() < 10**6
        if not counts and n_distinct >= (MIN_NUMBERED if mostly else MANY_PEOPLE):
            return "id", f"{share}, and by its name a number of people or their records: left out"
        if counts or meaning == "":
            return None
    if meaning in ("person", "label"):
        if mostly and n_distinct >= MIN_NUMBERED:
            return "id", f"{share}, and named like an id: left out"
        if counts_rows(name):
            return None
        return "categorical", f"named like an id, but {share}: only values seen are drawn"
    if meaning == "counter":
        return _counter(n, n_distinct, numbers, share)
    if meaning == "code" or (meaning == "group" and numbers is not None and n_distinct > FEW):
        if finds(name) and numbers is not None and not _repeat_far(numbers, n_distinct):
            return None
        if n_distinct > MOSTLY_DISTINCT * n and n >= MIN_ROWS:
            return "id", f"{share}, and named like a {meaning}: left out"
        return "categorical", f"named like a {meaning}, {share}: only values seen are drawn"
    return None


def _counter(n: int, n_distinct: int, numbers: np.ndarray | None, share: str) -> Found | None:
    if n < MIN_ROWS or n_distinct <= FEW:
        return None
    if 2 * n_distinct > n and _hardly_repeats(n, n_distinct, numbers):
        return "id", f"{share}, and named like a number of records: left out"
    if numbers is None:
        return None
    return "ordinal", f"named like a number, {share}: only values seen are drawn"


def row_counter(name: str, numbers: np.ndarray) -> Found | None:
    """Say whether whole numbers (n,) rise by one from row to row; years and days may."""
    if len(numbers) < MIN_ROWS or numbering(name) == "time" or not np.all(np.diff(numbers) == 1):
        return None
    return "id", "counts the rows one by one: left out"


def unnamed_code(name: str, numbers: np.ndarray) -> Found | None:
    """Say by whole numbers (n,) alone whether they are codes or were handed out one by one.

    The name only speaks against: years, days and ages are not asked. Cost: a sort.
    """
    n = len(numbers)
    if n < MIN_ROWS or numbering(name) == "time":
        return None
    distinct, counts = np.unique(numbers, return_counts=True)
    if len(distinct) < 2:
        return None
    low, high = int(distinct[0]), int(distinct[-1])
    step = int(np.gcd.reduce(np.diff(distinct).astype(np.int64)))
    size = (high - low) // step + 1
    digits = len(str(low)) if low > 0 and len(str(low)) == len(str(high)) else 0
    if len(distinct) < n:
        repertoire = FEW < len(distinct) <= min(MANY, n / 2, size / 2)
        if digits >= POSTAL and step == 1 and repertoire and (counts == 1).sum() <= 0.1 * n:
            return "ordinal", (
                f"{len(distinct)} numbers of {digits} digits that repeat, with gaps between them, "
                "as codes do: only values seen are drawn"
            )
        dense = 2 * len(distinct) > size or len(distinct) <= MANY
        if len(distinct) > FEW and dense and _are_balanced(counts):
            return "ordinal", (
                f"each of {len(distinct)} values in about {n / len(distinct):.3g} rows, more "
                "evenly than by chance: only values seen are drawn"
            )
        return None
    if log_chance_of_no_repeat(n, size) < np.log(CHANCE):
        return "id", (
            f"all {n} values distinct, and so close ({low} to {high}) that quantities would "
            "repeat: left out"
        )
    if digits >= LONG and _fills(distinct, digits):
        return "id", f"all {n} values distinct numbers of {digits} digits, spread evenly: left out"
    return None


def _are_balanced(counts: np.ndarray) -> bool:
    """Say whether values stand in more equal numbers of rows (d,) than independent draws would.

    Pearson's chi-square against equal shares, by its lower tail (Wilson and Hilferty 1931,
    doi:10.1073/pnas.17.12.684); unequal shares only make it larger.
    """
    k, mean = len(counts) - 1, counts.mean()
    ratio = ((counts - mean) ** 2).sum() / mean / k
    if ratio > (0.5 if mean >= 3 else 0.3) or mean < 2:  # values not drawn at all are not counted
        return False
    z = (ratio ** (1 / 3) - (1 - 2 / (9 * k))) / np.sqrt(2 / (9 * k))
    return bool(z < -3.9)  # about CHANCE / 2


def log_chance_of_no_repeat(n: int, size: int) -> float:
    """Return the log probability that ``n`` draws from ``size`` equally likely values all differ.

    No other law of independent draws from these values makes it more likely.
    """
    if n > size:
        return -np.inf
    return float(np.log1p(-np.arange(n) / size).sum())


def _are_small(numbers: np.ndarray | None) -> bool:
    """Say whether whole numbers lie in a range of few: they may be counts or an order."""
    return numbers is not None and bool(numbers.max() - numbers.min() < FEW)


def _repeat_far(numbers: np.ndarray, n_distinct: int) -> bool:
    """Say whether numbers repeat more than a spread over their range explains: codes, no counts."""
    size = float(np.ptp(numbers)) * (1 if np.array_equal(numbers, np.round(numbers)) else 100) + 1
    expected = -size * np.expm1(-len(numbers) / size)  # distinct values of as many even draws
    return size > FEW and n_distinct < 0.75 * expected


def _fills(ordered: np.ndarray, digits: int) -> bool:
    """Say whether sorted numbers look drawn evenly from all numbers of that many digits."""
    low, width = 10.0 ** (digits - 1), 9 * 10.0 ** (digits - 1)
    levels = (ordered - low) / width
    if levels[0] > 0.15 or levels[-1] < 0.85 or not (ordered % 10).any():
        return False
    n = len(levels)
    distance = np.abs(levels - (np.arange(n) + 0.5) / n).max() + 0.5 / n  # Kolmogorov-Smirnov
    return bool(distance < 1.36 / np.sqrt(n))  # 5 %


def _hardly_repeats(n: int, n_distinct: int, numbers: np.ndarray | None) -> bool:
    """Say whether values repeat far less than evenly spread draws from their range would."""
    if numbers is None or n_distinct == n:
        return n_distinct == n
    size = float(numbers.max() - numbers.min()) + 1
    return n - n_distinct < 0.2 * n * (n - 1) / 2 / size
