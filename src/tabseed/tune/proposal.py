"""Propose the settings of a family's next trial from its earlier ones; never the same twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from tabseed.space import Space
from tabseed.tune.surrogate import Observed, Surrogate, greedy_mean

PROPOSERS = ("ei", "greedy", "random")
GRID = 4_096  # a space with at most this many points is searched in full
WIDE, LOCAL = 1_024, 512  # candidates in the whole space (a power of 2), and near the best trials
NEAR, STEPS = 3, (0.02, 0.2)  # number of best trials; standard deviations of steps from them
BTB_RANDOM, BTB_CANDIDATES = 5, 1_000  # random trials before BTB fits its process; candidates


@dataclass(frozen=True)
class History:
    """Trials of one family in order: their settings and draws.

    Draws are None while a trial runs, and empty if it failed.
    """

    settings: Sequence[Mapping[str, Any]]
    draws: Sequence[Sequence[float] | None]

    def finished(self, space: Space) -> Observed | None:
        """Return the finished trials; None if none has a value."""
        done = [k for k, d in enumerate(self.draws) if d is not None]
        if not any(self.draws[k] for k in done):
            return None
        points = self._points(space, done)
        return Observed.of(points, [self.draws[k] or () for k in done])

    def running(self, space: Space) -> np.ndarray:
        """Return the points (r, d) of the running trials."""
        return self._points(space, [k for k, d in enumerate(self.draws) if d is None])

    def _points(self, space: Space, which: list[int]) -> np.ndarray:
        rows = [space.point(self.settings[k]) for k in which]
        return np.array(rows, dtype=np.float64).reshape(len(which), len(space))


def key(settings: Mapping[str, Any]) -> str:
    """Return a text that is equal for equal settings."""
    return json.dumps(settings, sort_keys=True)


def propose(
    rule: str,
    space: Space,
    history: History,
    n_initial: int,
    streams: tuple[np.random.SeedSequence, np.random.SeedSequence],
) -> dict[str, Any]:
    """Return settings that no trial of ``history`` has, which holds at least one.

    ``streams`` are that of the family, which decides its space-filling trials, and that of this
    trial. The space must have more points than there are trials.
    """
    family, own = streams
    rng = np.random.default_rng(own)
    tried = {key(s) for s in history.settings}
    for points in _candidates(rule, space, history, n_initial, family, rng):
        for u in points:
            settings = space.settings(u)
            if key(settings) not in tried:
                return settings
    raise AssertionError("candidates never end")


def _candidates(
    rule: str,
    space: Space,
    history: History,
    n_initial: int,
    family: np.random.SeedSequence,
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Yield arrays of points (m, d), each with its best candidates first, without end."""
    if rule == "ei" and len(history.settings) < n_initial:
        yield sobol(len(space), n_initial, np.random.default_rng(family))[
            len(history.settings) - 1 :
        ]
    elif rule != "random" and (seen := history.finished(space)) is not None:
        if rule == "ei":
            yield _by_improvement(space, seen, history.running(space), rng)
        elif len(seen.mean) >= BTB_RANDOM:
            points = rng.random((BTB_CANDIDATES, len(space)))
            yield points[np.argsort(-greedy_mean(space, seen, points), kind="stable")]
    if space.size <= GRID:
        yield rng.permutation(space.grid())
    while True:
        yield rng.random((WIDE, len(space)))


def sobol(d: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the first n points (n, d) of a scrambled Sobol sequence."""
    return np.asarray(
        qmc.Sobol(d, scramble=True, seed=rng).random_base2(max(n - 1, 1).bit_length())[:n]
    )


def _by_improvement(
    space: Space, seen: Observed, running: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return candidates in order of log EI, the best first."""
    model = Surrogate(space, seen).given(running)
    if space.size <= GRID:
        points = space.grid()
    else:
        centres = model.seen.points[np.argsort(-model.posterior(model.seen.points)[0])[:NEAR]]
        points = np.concatenate([sobol(len(space), WIDE, rng), _near(space, centres, rng)])
    return points[np.argsort(-model.log_improvement(points), kind="stable")]


def _near(space: Space, centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Step from the best points (c, d): shift numbers a little; redraw a choice with chance 1/d."""
    d = len(space)
    start = centres[rng.integers(len(centres), size=LOCAL)]
    low, high = np.log(STEPS)
    steps = np.exp(rng.uniform(low, high, size=(LOCAL, 1))) * rng.normal(size=(LOCAL, d))
    redrawn = np.where(rng.random((LOCAL, d)) < 1 / d, rng.random((LOCAL, d)), start)
    return np.where(space.ordered, np.clip(start + steps, 0.0, 1.0), redrawn)
