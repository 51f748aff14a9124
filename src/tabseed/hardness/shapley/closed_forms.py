"""Shapley values of neighbour games, all ranks at once, for NumPy or PyTorch arrays.

Notation: B reference rows, n players, ranks r = 1..n by distance. A group of tied players has
the ranks a..b; g = b - a + 1; for each rank, ``first`` is a - 1 and ``last`` is b. Sums over all
orders within a group are exact: of two members, each comes first in half of the orders.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = Any  # NumPy or PyTorch


class Ranks(NamedTuple):
    """Players by distance to each of B reference rows; each field is (B, n) whole numbers."""

    order: Array
    first: Array
    last: Array


class Tie(NamedTuple):
    """When ranks count as tied, and beyond which rank all are.

    The key of a player is half its squared distance minus half |t|². Consecutive ranks are tied if
    their keys differ by at most ``width`` (key + |t|²). Ranks beyond ``kept`` are one group.
    ``stable`` breaks ties by row index instead of averaging over them.
    """

    width: float
    kept: int
    stable: bool


def find_ties(order: Array, keys: Array, squared: Array, tie: Tie) -> Ranks:
    """Find the groups of tied players, given their ``order`` and their sorted keys (B, n)."""
    xp = of(keys)
    n = keys.shape[1]
    width = tie.width * (keys + squared[:, None])
    starts = xp.full(True, keys)
    starts[:, 1:] = keys[:, 1:] - keys[:, :-1] > width[:, 1:]
    rank = xp.arange(n, keys)[None, :]
    if tie.kept < n:
        limit = (keys + width)[:, tie.kept - 1 : tie.kept]
        far = (keys > limit) & (rank >= tie.kept)
        starts[:, 1:] = starts[:, 1:] & ~far[:, 1:] | (far[:, 1:] & ~far[:, :-1])
    else:
        far = xp.full(False, keys)
    if tie.stable and not starts.all():
        group = xp.cumsum(xp.where(starts, 1, 0))
        order = xp.take(order, xp.argsort(group * n + order))
        starts = starts | ~far
    first = xp.running_max(xp.where(starts, rank, 0))
    ends = xp.full(True, keys)
    ends[:, :-1] = starts[:, 1:]
    last = n - xp.flip(xp.running_max(xp.flip(xp.where(ends, n - 1 - rank, 0))))
    return Ranks(order, first, last)


def mean_of_nearest(m: Array, ranks: Ranks, k: int, harmonic: Array) -> Array:
    """Return Shapley values for V(S) = (sum of m over the K nearest members of S) / K; m by rank.

    S is of any size. Without ties s_r = m_r / max(r, K) - sum over j > max(r, K) of
    m_j / (j (j - 1)), for any K. ``harmonic`` is H_0..H_n, H_r = 1 + 1/2 + ... + 1/r.
    """
    real = of(m).real  # PyTorch would divide whole numbers in float32
    first, last = ranks.first, ranks.last
    counted = min(k, m.shape[1])
    lower, upper = first.clip(min=counted), last.clip(min=counted)
    size = real(last - first)
    own = real(last.clip(max=k) - first.clip(max=k)) / k + harmonic[upper] - harmonic[lower]
    farther = 1 / real(lower) - 1 / real(upper)  # sum of 1 / (r (r - 1)) over ranks beyond K
    within = harmonic[upper - 1] - harmonic[lower - 1] - (first + 1) * farther
    within = within / (size * (size - 1)).clip(min=1)
    in_group = group_sum(m, ranks)
    tail = beyond(in_group * farther / size**2, ranks)
    return m * own / size - (in_group - m) * within - tail


def squared_error_of_mean(y: Array, target: Array, ranks: Ranks, k: int, harmonic: Array) -> Array:
    """Return Shapley values for V(S) = -((sum of y over the K nearest of S) / K - target)².

    y is by rank. The square is a sum over pairs of players. A pair of ranks p < q counts if both
    are in S and q is among the K nearest; that game gives a_q to both p and q, and b_q to every
    other rank below q:

        a_q = min(K - 1, q - 1) min(K, q) / (2 q (q - 1)),
        b_q = (1[q <= K] - 2 a_q) / (q - 2)               (from efficiency).
    """
    xp = of(y)
    first, size = xp.real(ranks.first), xp.real(ranks.last - ranks.first)
    q = xp.real(xp.arange(y.shape[1], y) + 1)
    pair = q.clip(max=k) * (q - 1).clip(max=k - 1) / (2 * q * (q - 1)).clip(min=1)
    other = -(k - 1) * k * xp.real(q > max(k, 2)) / (q * (q - 1) * (q - 2)).clip(min=1)
    spread = xp.zeros(len(y), y.shape[1], y)
    nearer = q - 1 - first  # members of the group that are nearer than the rank
    pairs, triples = (size * (size - 1)).clip(min=1), (size * (size - 1) * (size - 2)).clip(min=1)
    a = group_sum(pair + spread, ranks) / size
    a_within = 2 * group_sum(nearer * pair, ranks) / pairs
    b = group_sum(other + spread, ranks) / size
    b_within = group_sum(nearer * other, ranks) / pairs
    b_both = group_sum(nearer * (nearer - 1) * other, ranks) / triples

    tails = from_far(y)
    before = tails[:, :1] - xp.take(tails, ranks.first)
    total, squares = group_sum(y, ranks), group_sum(y**2, ranks)
    rest = total - y
    cross = y * (before * a + rest * a_within + beyond(total * a / size, ranks))
    cross = cross + rest * before * b_within + (rest**2 - (squares - y**2)) * b_both
    cross = cross - y * beyond(total * b / size, ranks)
    further = total * before * b + (total**2 - squares) * b_within
    cross = cross + beyond(further / size, ranks)
    linear = mean_of_nearest(2 * target[:, None] * y - y**2 / k, ranks, k, harmonic)
    return linear - 2 / k**2 * cross


def share_in_ball(match: Array, inside: Array, chance: float, harmonic: Array) -> Array:
    """Return Shapley values for V(S) = share of matches among the members of S in a ball.

    V is ``chance`` if there is no such member. Players outside change nothing, so the game is that
    of the B players inside, of whom A match:
    (m - chance) / B + (H_B - 1) / B (m - (A - m) / (B - 1)).
    """
    xp = of(match)
    match = xp.where(inside, match, 0.0)
    members = inside.sum(1)[:, None]
    matches = match.sum(1)[:, None]
    count = xp.real(members.clip(min=1))
    others = (matches - match) / (count - 1).clip(min=1)
    gain = harmonic[members.clip(min=1)] - 1
    value = (match - chance + gain * (match - others)) / count
    return xp.where(inside, value, 0.0)


def group_sum(values: Array, ranks: Ranks) -> Array:
    """Sum values over the group of each rank."""
    xp = of(values)
    tails = from_far(values)
    return xp.take(tails, ranks.first) - xp.take(tails, ranks.last)


def beyond(values: Array, ranks: Ranks) -> Array:
    """Sum values over the ranks beyond the group of each rank."""
    return of(values).take(from_far(values), ranks.last)


def from_far(values: Array) -> Array:
    """Cumulate from the farthest rank, (B, n + 1); weights fall with rank, so digits are kept."""
    xp = of(values)
    tails = xp.zeros(len(values), values.shape[1] + 1, values)
    tails[:, :-1] = xp.flip(xp.cumsum(xp.flip(values)))
    return tails


def by_distance(half: Array, products: Array) -> tuple[Array, Array]:
    """Return the players by distance, and their sorted keys |x|²/2 - x·t: (B, n) each."""
    keys = half - products
    xp = of(keys)
    order = xp.argsort(keys)
    return order, xp.take(keys, order)


def back(values: Array, order: Array) -> Array:
    """Return values by rank in the order of players."""
    xp = of(values)
    result = xp.zeros(*values.shape, values)
    xp.put(result, order, values)
    return result


def to_torch(array: np.ndarray) -> Array:
    """Return a PyTorch tensor of an array, on a GPU if there is one."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def to_numpy(array: Array) -> np.ndarray:
    """Return a NumPy array, from either library."""
    return np.asarray(array if isinstance(array, np.ndarray) else array.cpu())


class _NumPy:
    """The few functions with different names in the two libraries; they act along ranks."""

    zeros = staticmethod(lambda rows, n, like: np.zeros((rows, n), like.dtype))
    arange = staticmethod(lambda n, like: np.arange(n))
    full = staticmethod(lambda value, like: np.full(like.shape, value))
    real = staticmethod(lambda a: a.astype(np.float64))
    where = staticmethod(np.where)
    take = staticmethod(lambda a, order: np.take_along_axis(a, order, 1))
    put = staticmethod(lambda a, order, values: np.put_along_axis(a, order, values, 1))
    argsort = staticmethod(lambda a: np.argsort(a, axis=1))
    cumsum = staticmethod(lambda a: np.cumsum(a, axis=1))
    flip = staticmethod(lambda a: a[:, ::-1])
    running_max = staticmethod(lambda a: np.maximum.accumulate(a, axis=1))


class _Torch:
    def __init__(self) -> None:
        import torch

        self.where = torch.where
        self.zeros = lambda rows, n, like: like.new_zeros(rows, n)
        self.arange = lambda n, like: torch.arange(n, device=like.device)
        self.full = lambda value, like: torch.full_like(like, value, dtype=torch.bool)
        self.real = lambda a: a.to(torch.float64)
        self.take = lambda a, order: torch.take_along_dim(a, order, 1)
        self.put = lambda a, order, values: a.scatter_(1, order, values)
        self.argsort = lambda a: torch.argsort(a, dim=1)
        self.cumsum = lambda a: torch.cumsum(a, dim=1)
        self.flip = lambda a: torch.flip(a, (1,))
        self.running_max = lambda a: torch.cummax(a, 1).values


def of(array: Array) -> Any:
    """Return the functions of an array's library."""
    return _NumPy if isinstance(array, np.ndarray) else _Torch()
