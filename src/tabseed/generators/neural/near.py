"""Rows near rare conditions, from networks that give each column's levels their probabilities.

Notation: m rows, L levels, J free columns, as in :mod:`~tabseed.generators.neural.modes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.special import softmax

from tabseed.generators.conditions import Conditions
from tabseed.generators.importance import by_importance
from tabseed.generators.neural.modes import ModeCoding


class OfModes(Protocol):
    """A generator whose networks turn inputs of a row into logits of levels and mode scores."""

    drawn_: tuple[int, ...]

    def _inputs(self, at: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return random inputs of n rows, (n, d)."""

    def _outputs(
        self, at: int, inputs: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (m, L), without noise, and mode scores (m, numbers)."""


def inputs_near(
    n_networks: int,
    draw: Callable[[int, int, np.random.Generator], np.ndarray],
    weigh: Callable[[int, np.ndarray], np.ndarray],
    n: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return n networks (n,) and random inputs (n, d) for them, by importance; None if none weighs.

    ``draw(at, m, rng)`` gives inputs of a network (m, d), ``weigh(at, inputs)`` the probability
    (m,) that what it makes of them meets the conditions. All networks are drawn equally often.
    """

    def lot(m: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        networks = rng.permutation(np.arange(m) % n_networks)
        inputs, weight = None, np.ones(m)
        for at in range(n_networks):
            mine = np.flatnonzero(networks == at)
            if len(mine):
                own = draw(at, len(mine), rng)
                inputs = np.empty((m, own.shape[1]), own.dtype) if inputs is None else inputs
                inputs[mine] = own
                weight[mine] = weigh(at, own)
        assert inputs is not None
        return (networks, inputs), weight

    batches, rows = by_importance(lot, n, rng)
    if rows is None:
        return None
    networks, inputs = (np.concatenate(part)[rows] for part in zip(*batches, strict=True))
    return networks, inputs


def rows_near(
    model: OfModes, coding: ModeCoding, conditions: Conditions, n: int, rng: np.random.Generator
) -> np.ndarray | None:
    """Return n encoded rows whose levels the conditions leave; None if no row can have them.

    Given a row's inputs its columns are independent: inputs are weighted by the probability of
    the levels that are left (:func:`~tabseed.generators.importance.by_importance`), and levels
    then drawn among these. Of a number the modes that reach into its range are left, so the caller
    keeps those rows that lie in it.
    """
    left = coding.levels_left(conditions.allowed)
    asked = [j for j, column in enumerate(coding.columns) if column.at in conditions.allowed]

    def probabilities(logits: np.ndarray) -> list[np.ndarray]:
        return [softmax(logits[:, c.levels].astype(np.float64), axis=1) for c in coding.columns]

    def weigh(at: int, inputs: np.ndarray) -> np.ndarray:
        p = probabilities(model._outputs(at, inputs, rng)[0])
        shares = [p[j][:, left[coding.columns[j].levels]].sum(axis=1) for j in asked]
        return np.asarray(np.prod(shares, axis=0))

    found = inputs_near(len(model.drawn_), model._inputs, weigh, n, rng)
    if found is None:
        return None
    seeds, inputs = found
    logits, scores = np.empty((n, coding.n_levels)), np.empty((n, coding.n_numbers))
    for at in range(len(model.drawn_)):
        mine = np.flatnonzero(seeds == at)
        if len(mine):
            logits[mine], scores[mine] = model._outputs(at, inputs[mine], rng)
    logits = np.where(left, logits, -np.inf) + rng.gumbel(size=logits.shape)
    levels = [logits[:, column.levels].argmax(axis=1) for column in coding.columns]
    return coding.decode(levels, scores, rng)
