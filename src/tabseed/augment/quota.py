"""How many rows to draw, of each class: as the hard rows have them, or so that shares come out.

Notation: n_c rows of class c, k_c hard ones, m rows to draw, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed.augment.rows import LabelError, Rows
from tabseed.parameters import Real, shown


class AmountError(LabelError):
    """The rows or classes cannot give what ``amount`` asks for."""


MOST = 100  # rows drawn for each real one, at most
SHARE = Real(above=0, high=1)


@dataclass(frozen=True)
class Quota:
    """m rows to draw; ``by_class`` (C,) says how many of each class, None: as the model draws."""

    m: int
    by_class: np.ndarray | None = None


def as_hard(rows: Rows, hard: np.ndarray, amount: float) -> Quota:
    """Return ``amount`` k_c rows of each class, k_c of the ``hard`` rows (indices) being of it.

    AmountError for more than MOST drawn rows for each real one.
    """
    check_amount(rows, hard, amount)
    counts = np.bincount(rows.y[hard], minlength=len(rows.classes))
    by_class = np.rint(amount * counts).astype(np.int64)
    return Quota(int(by_class.sum()), by_class)


def check_amount(rows: Rows, hard: np.ndarray, amount: float) -> None:
    """Raise AmountError for an amount that needs more than MOST drawn rows for each real one."""
    if amount * len(hard) > MOST * len(rows):
        raise AmountError(
            f"an amount of {amount:g} needs {amount * len(hard):.6g} drawn rows for {len(rows):,} "
            f"real ones, more than {MOST} for each; choose a smaller one"
        )


def balanced(rows: Rows, balance: str | Mapping[Any, float]) -> Quota:
    """Return the fewest rows to draw that give the classes their shares among all rows.

    ``balance`` is "equal" or a share for each class, all above 0 and of sum 1; no row is taken
    away. AmountError for other classes or shares, and if a share needs more than MOST drawn rows
    for each real one.
    """
    counts = np.bincount(rows.y, minlength=len(rows.classes))
    share = _shares(rows.classes.tolist(), balance)
    total = (counts / share).max()
    if total > (MOST + 1) * len(rows):
        raise AmountError(
            f"these shares need {total - len(rows):,.0f} drawn rows for {len(rows):,} real"
            f" ones, more than {MOST} for each; choose shares nearer to those of the rows"
        )
    by_class = np.maximum(np.rint(share * total).astype(np.int64) - counts, 0)
    return Quota(int(by_class.sum()), by_class)


def _shares(classes: list[Any], balance: str | Mapping[Any, float]) -> np.ndarray:
    if isinstance(balance, str):
        return np.full(len(classes), 1 / len(classes))
    known: dict[Any, Any] = {str(c): c for c in classes}
    given = {c if c in classes else known.get(str(c), c): s for c, s in balance.items()}
    unknown = [c for c in given if c not in classes]
    if unknown or len(given) < len(classes) or len(given) < len(balance):
        raise AmountError(
            f"give one share to each class ({', '.join(map(shown, classes))}); got "
            + ", ".join(map(shown, balance))
        )
    for c, share in given.items():
        if not SHARE.accepts(share):
            raise AmountError(f"the share {shown(share)} of {shown(c)} is not {SHARE}")
    shares = np.array([given[c] for c in classes], dtype=float)
    if abs(shares.sum() - 1) > 1e-6:
        raise AmountError(f"the shares of the classes must sum to 1, got a sum of {shares.sum():g}")
    return np.asarray(shares / shares.sum())
