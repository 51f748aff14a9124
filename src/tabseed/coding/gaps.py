"""Where a column of numbers is empty: stretches too wide for a smooth law with these values.

Notation: m distinct numbers x_1 < ... < x_m with counts, d_i = x_{i+1} - x_i their spacings, j_i
the rows beyond spacing i, seen from the side whose spacings it is compared with.

Under a law with a generalised Pareto tail of shape xi, the normalised spacings j_i d_i are
independent and exponential, with mean proportional to j_i^(-xi) (Renyi's representation; nearly so
for xi other than 0; xi = -1 is a sharp edge, xi = 1 the tail of Cauchy's law). A spacing is tested
by its predictive distribution given up to NEAR spacings next to it, xi having a uniform prior on
SHAPES: so the last spacings of a heavy tail, which are wide by nature, are expected to be. A
spacing inside must be improbable seen from both sides, one of the last LEAST from within.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.ndimage import median_filter

NEAR = 30  # spacings that one is compared with, at most ...
LEAST = 5  # ... and at least; fewer numbers beyond a gap than this are drawn as they are
APART = 1.5  # times the widest other spacing: how far codes lie from very few numbers
SHAPES = np.linspace(-1, 2, 13)  # of a tail: a sharp edge ... twice Cauchy's
END_ALARM = 0.01  # probability that one of the last spacings of a smooth law counts as a gap
INNER_ALARM = 0.01  # the same for any of the others together
CODE_ALARM = 0.5  # the same as END_ALARM if beyond it lie nothing but usual codes for "no answer"
NINES = 10 ** np.arange(1, 8)
CODES = np.concatenate([NINES - 1, NINES - 2, NINES - 3, 8 * (NINES // 9), 7 * (NINES // 9), [1]])
ROUNDS = 4  # the parts that gaps leave are searched again


def find_gaps(distinct: np.ndarray, counts: np.ndarray, step: float, most: int) -> np.ndarray:
    """Return the gaps (g, 2), g <= ``most``, between sorted distinct numbers: their open ends.

    ``step`` is the distance of the grid that the numbers lie on; 0: no grid. If there are more
    gaps, the widest are returned. Cost: linear, but for the few spacings that are candidates.
    """
    ends = np.array([0, len(distinct)])
    for _ in range(ROUNDS):
        found = [
            first + 1 + _gap_indices(distinct[first:stop], counts[first:stop], step)
            for first, stop in pairwise(ends)
        ]
        starts = np.concatenate([np.empty(0, int), *found])
        if not len(starts):
            break
        ends = np.sort(np.concatenate([ends, starts]))
    upper = ends[1:-1]
    gaps = np.column_stack([distinct[upper - 1], distinct[upper]])
    widest = np.argsort(gaps[:, 0] - gaps[:, 1], kind="stable")[:most]
    return np.asarray(gaps[np.sort(widest)])


def _gap_indices(distinct: np.ndarray, counts: np.ndarray, step: float) -> np.ndarray:
    """Return the indices i of the spacings between x_i and x_{i+1} that are gaps."""
    m, d = len(distinct), np.diff(distinct)
    if m < LEAST + 2:  # too few to know a law: only codes that stand apart
        others = np.array([np.delete(d, i).max(initial=step) for i in range(m - 1)])
        return np.flatnonzero(_codes_beyond(distinct) & (d > APART * others) & (m > 2))
    # a value that occurs far more often than those around it says nothing of their density
    usual = np.minimum(counts, median_filter(counts, size=11, mode="nearest"))
    dense = 2 * d / (usual[:-1] + usual[1:])
    empty = np.maximum(d - step, 0)
    below, above = np.arange(m - 1), np.arange(m - 1)[::-1]  # spacings on either side
    one_sided = np.minimum(below, above) < LEAST  # the smaller side has no say
    end = np.where(_codes_beyond(distinct), CODE_ALARM, END_ALARM)
    fewer, more = np.where(one_sided, 1.1, END_ALARM), np.where(one_sided, end, INNER_ALARM / m)
    upward, downward = np.where(below >= above, [more, fewer], [fewer, more])
    return np.flatnonzero(
        _improbable(empty, dense, counts, upward)
        & _improbable(empty[::-1], dense[::-1], counts[::-1], downward[::-1])[::-1]
    )


def _codes_beyond(distinct: np.ndarray) -> np.ndarray:
    """Return for each spacing (m - 1,) whether all numbers on its smaller side are usual codes.

    Below: -9, -99 and the like, where all other numbers are at least 0; above: 9, 99, ...
    """
    code = np.isin(np.abs(distinct), CODES)
    high = np.logical_and.accumulate((code & (distinct >= 7))[::-1])[::-1][1:]
    low = np.logical_and.accumulate(code & (distinct < 0))[:-1] & (distinct[1:] >= 0)
    return np.asarray(high | low)


def _improbable(
    empty: np.ndarray, dense: np.ndarray, counts: np.ndarray, alarm: np.ndarray
) -> np.ndarray:
    """Return whether spacings as wide as these, given those before them, have less probability.

    Less than ``alarm`` (m - 1,). ``empty`` are the spacings less a step of the grid, ``dense`` the
    spacings for each row.
    """
    at, beyond = np.arange(len(empty)), np.cumsum(counts[::-1])[::-1][1:].astype(float)
    tested, known = beyond * empty, beyond * dense
    size = np.minimum(at, NEAR)
    total = np.concatenate([[0.0], np.cumsum(known)])
    before = total[:-1] - total[at - size]
    least = (beyond / beyond[at - size]) ** -SHAPES[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        strict = -size * np.log1p(tested / (before * least))  # no shape makes it less probable
    improbable = alarm > 1
    for i in np.flatnonzero(~improbable & (size >= LEAST) & (strict < np.log(alarm))):
        near = slice(i - size[i], i)
        log_mean = -SHAPES[:, None] * np.log(beyond[near] / beyond[i])
        scaled = (known[near] * np.exp(-log_mean)).sum(axis=1)
        evidence = -log_mean.sum(axis=1) - size[i] * np.log(scaled)
        weight = np.exp(evidence - evidence.max())
        tail = (1 + tested[i] / scaled) ** -float(size[i])
        improbable[i] = weight @ tail < alarm[i] * weight.sum()
    return improbable
