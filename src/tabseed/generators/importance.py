"""Rows under rare conditions by importance: drawn with weights, then chosen by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

Batch = TypeVar("Batch")
BATCH, MOST_BATCHES, ENOUGH = 5, 20, 2.0  # weighted rows for each row: a batch, batches, effective


def by_importance(
    draw: Callable[[int], tuple[Batch, np.ndarray]], n: int, rng: np.random.Generator
) -> tuple[list[Batch], np.ndarray | None]:
    """Return batches of weighted rows, and which of them to take, one batch after the other (n,).

    ``draw(m)`` returns m rows, in any form, and their weights (m,): the probability of the
    conditions by that of what was drawn. Rows are taken with equal spacing along the cumulative
    weight, so one of a large weight may be taken several times; batches are drawn until the
    effective number of rows is ENOUGH times n. None instead of rows if all weights are 0.

    References: sampling importance resampling, Rubin 1988; effective number, Kish 1965.
    """
    batches: list[Batch] = []
    weight = np.zeros(0)
    while len(batches) < MOST_BATCHES and effective(weight) < ENOUGH * n:
        batch, own = draw(BATCH * n)
        batches.append(batch)
        weight = np.concatenate([weight, own])
    if not weight.any():
        return batches, None
    order = rng.permutation(len(weight))  # equal spacing may resonate with an order that repeats
    points = (np.arange(n) + rng.random()) / n * weight.sum()
    rows = np.searchsorted(np.cumsum(weight[order]), points).clip(0, len(weight) - 1)
    return batches, order[rng.permutation(rows)]


def effective(weight: np.ndarray) -> float:
    """Return how many rows of equal weight would count as much (Kish)."""
    total = float(weight.sum())
    return total**2 / float((weight**2).sum()) if total else 0.0
