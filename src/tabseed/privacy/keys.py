"""What an attacker knows of a person, and what the synthetic rows then say: keys and levels.

Notation, of Raab, Nowok and Dibben (arXiv 2409.04257): q a combination of keys, t a level of the
sensitive column; d_q, d_tq real rows and s_q, s_tq synthetic rows that have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from tabseed.errors import shortened
from tabseed.metrics.leakage import pooled_codes
from tabseed.table import Table
from tabseed.table.display import MAX_CELL
from tabseed.table.schema import NUMERIC, Column

ABSENT, SEVERAL = -1, -2  # instead of the one level that a combination of keys has


@dataclass(frozen=True)
class Levels:
    """A column of several tables as levels 0, 1, ...: missing is one, and numbers are in bins.

    ``codes``: an array (n,) for each table. ``cuts``: where bins begin; None for categories.
    """

    column: Column
    codes: tuple[np.ndarray, ...]
    cuts: np.ndarray | None = None
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, tables: Sequence[Table], name: str, bins: int, cuts: np.ndarray | None) -> Levels:
        """Read a column of the real tables, the last but one and before, and of the synthetic one.

        Without ``cuts`` numbers are cut at the quantiles of all real rows together, so that a bin
        does not depend on which of these rows trained the generator; if there are at most ``bins``
        different numbers, each is a bin.
        """
        column = tables[0].schema[name]
        if column.kind not in NUMERIC:
            codes = tuple(code + 1 for code in pooled_codes(list(tables), name))  # 0: missing
            return cls(column, codes, None, ("missing", *map(str, column.categories)))
        numbers = [table.numbers(name) for table in tables]
        ends = _cuts(np.concatenate(numbers[:-1]), bins) if cuts is None else np.unique(cuts)
        codes = tuple(
            np.where(np.isnan(x), 0, 1 + np.searchsorted(ends, x, side="right")) for x in numbers
        )
        return cls(column, codes, ends)

    def name(self, code: int) -> str:
        """Return a level in words."""
        if self.cuts is None:
            known = code < len(self.values)
            return repr(shortened(self.values[code], MAX_CELL)) if known else "a new value"
        if code == 0:
            return "missing"
        if not len(self.cuts):
            return "any number"
        low, high = (self._number(at) for at in (code - 2, code - 1))
        if not low or not high:
            return f"below {high}" if high else f"{low} or more"
        return f"{low} to {high}"

    def _number(self, at: int) -> str:
        if self.cuts is None or not 0 <= at < len(self.cuts):
            return ""
        if self.column.kind == "datetime":
            return str(np.datetime64(int(self.cuts[at]), "us").astype("datetime64[D]"))
        return f"{self.cuts[at]:.6g}"


def _cuts(numbers: np.ndarray, bins: int) -> np.ndarray:
    """Return where bins of numbers begin, but for the first."""
    distinct = np.unique(numbers[~np.isnan(numbers)])
    if len(distinct) <= bins:
        return distinct[:-1] + np.diff(distinct) / 2
    known = numbers[~np.isnan(numbers)]
    return np.unique(np.quantile(known, np.arange(1, bins) / bins, method="higher"))


def combined(levels: Sequence[Levels]) -> list[np.ndarray]:
    """Return a number for each row of each table, shared by the rows that agree in all columns."""
    ends = np.cumsum([len(codes) for codes in levels[0].codes])
    keys = np.zeros(ends[-1], dtype=np.int64)
    for level in levels:
        codes = np.concatenate(level.codes)
        # both factors stay below the number of rows and levels, so the product fits 64 bits
        keys = np.unique(keys * (codes.max() + 1) + codes, return_inverse=True)[1]
    return np.split(keys, ends[:-1])


def only_level(keys: np.ndarray, levels: np.ndarray, size: int) -> np.ndarray:
    """Return for each of ``size`` combinations the one level of its rows, ABSENT or SEVERAL."""
    low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, ABSENT)
    np.minimum.at(low, keys, levels)
    np.maximum.at(high, keys, levels)
    return np.where(high == ABSENT, ABSENT, np.where(low == high, high, SEVERAL))


def shuffled_share(keys: np.ndarray, levels: np.ndarray, at: np.ndarray, true: np.ndarray) -> float:
    """Return the expected share of rows told right if synthetic levels are shuffled over rows.

    Of m synthetic rows s have the keys of a row and M its true level: all s then have that level
    with probability C(M, s) / C(m, s), for s > 0. ``keys``, ``levels`` of the synthetic rows;
    ``at``, ``true`` of the others.
    """
    size = 1 + max(keys.max(initial=0), at.max(initial=0))
    s = np.bincount(keys, minlength=size)[at]
    counts = np.bincount(levels, minlength=1 + true.max(initial=0))[true]
    m, possible = len(keys), (s > 0) & (counts >= s)
    s, counts = s[possible], counts[possible]
    chance = np.exp(_log_choose(counts, s) - _log_choose(m, s))
    return float(chance.sum() / len(at))


def _log_choose(n: np.ndarray | int, k: np.ndarray) -> np.ndarray:
    return np.asarray(gammaln(np.asarray(n) + 1) - gammaln(k + 1) - gammaln(np.asarray(n) - k + 1))


def information(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mutual information of two columns of levels, in nats, less its bias.

    The bias of m rows, r and c levels is (r - 1)(c - 1) / (2 m) (Miller 1955).
    """
    m = len(one)
    a, b = (np.unique(codes, return_inverse=True)[1] for codes in (one, other))
    r, c = a.max() + 1, b.max() + 1
    joint = np.bincount(a * c + b, minlength=r * c).reshape(r, c) / m
    margins = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / margins[seen])).sum()) - float(
        (r - 1) * (c - 1) / (2 * m)
    )


@dataclass(frozen=True)
class Uniques:
    """Who can be singled out by the keys, in rows (Raab, Nowok and Dibben).

    ``n_unique`` of ``n`` training rows are the only ones with their keys (UiO);
    ``n_synthetic_unique`` of ``n_synthetic`` synthetic rows are (UiS); ``n_present`` of the unique
    training rows have keys that occur in synthetic rows (UiOiS), and ``n_replicated`` have keys
    that exactly one synthetic row has (repU).
    """

    n: int
    n_unique: int
    n_synthetic: int
    n_synthetic_unique: int
    n_present: int
    n_replicated: int

    @classmethod
    def of(cls, train: np.ndarray, synthetic: np.ndarray) -> Uniques:
        """Count the combinations of keys of both tables."""
        size = 1 + max(train.max(), synthetic.max())
        d, s = np.bincount(train, minlength=size), np.bincount(synthetic, minlength=size)
        unique = d == 1
        return cls(
            len(train),
            int(unique.sum()),
            len(synthetic),
            int((s == 1).sum()),
            int((unique & (s > 0)).sum()),
            int((unique & (s == 1)).sum()),
        )


@dataclass(frozen=True)
class Disclosive:
    """What the synthetic rows say of the sensitive column, in training rows (same paper).

    Of ``n`` training rows ``n_disclosive`` are in a combination q of keys in which all training
    rows have one level (Dorig); ``n_present`` have keys that synthetic rows have (iS);
    ``n_in_synthetic`` have keys whose synthetic rows all have one level (DiS); for ``n_correct``
    that is their own (DiSCO), and for ``n_both`` of these all training rows with the keys have it
    too (DiSDiO). Checks of what these are: ``n_common`` of the ``n_correct`` share keys and level
    with 5 or more other training rows, so that many are alike (large denominators); ``n_level``
    have the one level ``level``, which ``n_of_level`` of all training rows have. ``shuffled``: the
    share told right if the sensitive column of the synthetic rows is shuffled, by the margins.
    """

    n: int
    n_disclosive: int
    n_present: int
    n_in_synthetic: int
    n_correct: int
    n_both: int
    n_common: int
    level: str
    n_level: int
    n_of_level: int
    shuffled: float

    @classmethod
    def of(
        cls, levels: Levels, keys: Sequence[np.ndarray], correct: np.ndarray, many: int = 5
    ) -> Disclosive:
        """Count; ``levels`` and ``keys`` of the training rows first, of the synthetic ones last."""
        q, t = keys[0], levels.codes[0]
        size = 1 + max(int(rows.max(initial=0)) for rows in keys)
        original = only_level(q, t, size)[q]
        synthetic = only_level(keys[-1], levels.codes[-1], size)[q]
        alike = np.unique(np.column_stack([q, t]), axis=0, return_inverse=True, return_counts=True)
        counts = np.bincount(t[correct], minlength=1)
        most = int(counts.argmax())
        return cls(
            n=len(q),
            n_disclosive=int((original >= 0).sum()),
            n_present=int((synthetic != ABSENT).sum()),
            n_in_synthetic=int((synthetic >= 0).sum()),
            n_correct=int(correct.sum()),
            n_both=int((correct & (original >= 0)).sum()),
            n_common=int((correct & (alike[2][alike[1].ravel()] > many)).sum()),
            level=levels.name(most) if correct.any() else "",
            n_level=int(counts[most]),
            n_of_level=int((t == most).sum()) if correct.any() else 0,
            shuffled=shuffled_share(keys[-1], levels.codes[-1], q, t),
        )
