"""Neighbour games, evaluated for blocks of reference rows by compiled loops or array libraries.

Notation: n players, m reference rows, B of them in a block, C classes. Sums are (n, Ks, 2): sums of
values and of their squares, for each K.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from tabseed._random import one_thread
from tabseed.hardness.shapley import closed_forms as closed

CELLS = {
    "numba": 2**24,
    "numpy": 2**20,
    "torch": 2**24,
}  # pairs in a block; arrays need 20 such blocks
ROWS = 64  # maximum in a block: more do not make the product of points faster


@dataclass(frozen=True)
class Game:
    """The rules of a game and its n players: points (n, w) with classes or centred targets."""

    kind: Literal["accuracy", "soft", "threshold", "likeness", "squared"]
    x: np.ndarray
    y: np.ndarray
    classes: int
    neighbours: tuple[int, ...]
    radius: float
    tie: closed.Tie
    width: float  # distance at which two targets are not alike at all

    @cached_property
    def half(self) -> np.ndarray:
        """|x|²/2, (n,)."""
        return np.asarray(np.einsum("iw,iw->i", self.x, self.x) / 2)

    @cached_property
    def harmonic(self) -> np.ndarray:
        """The harmonic numbers H_0 to H_n."""
        return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(self.x) + 1))])

    def shift(self, y_ref: np.ndarray) -> np.ndarray:
        """Return what to add to accuracy-game values without and with a match: (B, Ks, 2)."""
        shift = np.zeros((len(y_ref), len(self.neighbours), 2))
        if self.kind == "soft":
            n = len(self.x)
            share = np.bincount(self.y, minlength=self.classes)[y_ref] / n
            first = self.harmonic[list(self.neighbours)] - 1
            apart = np.array([0, 1]) - share[:, None, None]
            shift += first[:, None] / max(n - 1, 1) * apart - 1 / (n * self.classes)
        return shift


def sum_part(game: Game, engine: str, x_ref: np.ndarray, y_ref: np.ndarray) -> np.ndarray:
    """Return the sums of values and of their squares over some reference rows, (n, Ks, 2)."""
    with one_thread():
        if engine == "numba" and game.kind in ("accuracy", "soft"):
            return _sum_compiled(game, x_ref, y_ref)
        return _sum_arrays(game, engine, x_ref, y_ref)


def _blocks(n: int, m: int, cells: int) -> Iterator[slice]:
    rows = int(np.clip(cells // n, 1, ROWS))
    return (slice(start, start + rows) for start in range(0, m, rows))


def _sum_compiled(game: Game, x_ref: np.ndarray, y_ref: np.ndarray) -> np.ndarray:
    from tabseed.hardness.shapley import kernel

    n = len(game.x)
    players, room = _players(game), kernel.room_for(n)
    squared, shift = np.einsum("iw,iw->i", x_ref, x_ref), game.shift(y_ref)
    sums = np.zeros((n, len(game.neighbours), 2))
    products = np.empty((ROWS, n))
    for rows in _blocks(n, len(x_ref), CELLS["numba"]):
        block = np.dot(x_ref[rows], game.x.T, out=products[: len(x_ref[rows])])
        kernel.add_block(block, squared[rows], y_ref[rows], shift[rows], players, sums, room)
    return sums


def _players(game: Game) -> Any:
    """Return the game in the form that the compiled loops need."""
    from tabseed.hardness.shapley import kernel

    y = np.zeros(len(game.x), dtype=np.int64) if game.y.dtype.kind == "f" else game.y
    sizes = np.bincount(y, minlength=game.classes)
    neighbours = np.array(game.neighbours, dtype=np.int64)
    return kernel.Players(game.half, y, sizes, neighbours, game.harmonic, *game.tie)


def _sum_arrays(game: Game, engine: str, x_ref: np.ndarray, y_ref: np.ndarray) -> np.ndarray:
    """Return the same sums with arrays of a library, one block at a time."""
    convert = closed.to_torch if engine == "torch" else np.asarray
    x, half, y, harmonic = (convert(a) for a in (game.x, game.half, game.y, game.harmonic))
    n, xp = len(x), closed.of(x)
    shift = convert(game.shift(y_ref)) if game.kind == "soft" else None
    sums = convert(np.zeros((n, len(game.neighbours), 2)))
    sort = _compiled_sort(game) if engine == "numba" else None
    for rows in _blocks(n, len(x_ref), CELLS["torch" if engine == "torch" else "numpy"]):
        t, label = convert(x_ref[rows]), convert(y_ref[rows])
        squared = (t * t).sum(1)
        if game.kind == "threshold":
            keys = half - t @ x.T
            limit = (game.radius**2 - squared[:, None]) / 2
            inside = keys - limit <= game.tie.width * (keys + squared[:, None])
            match = xp.real(label[:, None] == y)
            value = closed.share_in_ball(match, inside, 1 / game.classes, harmonic)
            sums[:, 0, 0] += value.sum(0)
            sums[:, 0, 1] += (value**2).sum(0)
            continue
        order, keys = closed.by_distance(half, t @ x.T) if sort is None else sort(t @ x.T, squared)
        ranks = closed.find_ties(order, keys, squared, game.tie)
        by_rank = y[ranks.order]
        for h, k in enumerate(game.neighbours):
            if game.kind == "squared":
                value = closed.squared_error_of_mean(by_rank, label, ranks, k, harmonic)
            elif game.kind == "likeness":
                alike = (1 - abs(by_rank - label[:, None]) / game.width).clip(min=0)
                value = closed.mean_of_nearest(alike, ranks, k, harmonic)
            else:
                match = by_rank == label[:, None]
                value = closed.mean_of_nearest(xp.real(match), ranks, k, harmonic)
                if shift is not None:
                    value = value + xp.where(match, shift[rows, h, 1:], shift[rows, h, :1])
            value = closed.back(value, ranks.order)
            sums[:, h, 0] += value.sum(0)
            sums[:, h, 1] += (value**2).sum(0)
    return closed.to_numpy(sums)


def _compiled_sort(game: Game) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    from tabseed.hardness.shapley import kernel

    players, room = _players(game), kernel.room_for(len(game.x))

    def sort(products: np.ndarray, squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order, keys = np.empty(products.shape, dtype=np.int64), np.empty(products.shape)
        for j in range(len(products)):
            kernel.rank(products[j], squared[j], -1, players, room)
            order[j], keys[j] = room.codes >> 1, room.keys
        return order, keys

    return sort
