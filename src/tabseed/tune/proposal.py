"""From the trials of a family to the settings of its next one; never settings tried before."""

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
GRID = 4_096  # a space of at most so many points is looked at in full
WIDE, LOCAL = 1_024, 512  # candidates all over the space (a power of 2) and near the best trials
NEAR, STEPS = 3, (0.02, 0.2)  # how many best trials; standard deviations of the steps from them
BTB_RANDOM, BTB_CANDIDATES = 5, 1_000  # what BTB does before its process, and with it


@dataclass(frozen=True)
class History:
    """Trials of one family in their order: settings, and draws; None while a trial runs.

    No draws: it failed.
    """

    settings: Sequence[Mapping[str, Any]]
    draws: Sequence[Sequence[float] | None]

    def finished(self, space: Space) -> Observed | None:
        """Give the finished trials; None if none has a value."""
        done = [k for k, d in enumerate(self.draws) if d is not None]
        if not any(self.draws[k] for k in done):
            return None
        points = self._points(space, done)
        return Observed.of(points, [self.draws[k] or () for k in done])

    def running(self, space: Space) -> np.ndarray:
        """Give the points (r, d) of trials that run."""
        return self._points(space, [k for k, d in enumerate(self.draws) if d is None])

    def _points(self, space: Space, which: list[int]) -> np.ndarray:
        rows = [space.point(self.settings[k]) for k in which]
        return np.array(rows, dtype=np.float64).reshape(len(which), len(space))


def key(settings: Mapping[str, Any]) -> str:
    """Name settings, so that they can be compared."""
    return json.dumps(settings, sort_keys=True)


def propose(
    rule: str,
    space: Space,
    history: History,
    n_initial: int,
    streams: tuple[np.random.SeedSequence, np.random.SeedSequence],
) -> dict[str, Any]:
    """Give settings that no trial of ``history`` (one at least) has.

    ``streams``: of the family, which decides its space-filling trials, and of this trial.
    The space must have more points than there are trials.
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
    """Give points (m, d), the most wanted first, until one is taken."""
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
    """Give the first n points (n, d) of a scrambled Sobol sequence."""
    return np.asarray(
        qmc.Sobol(d, scramble=True, seed=rng).random_base2(max(n - 1, 1).bit_length())[:n]
    )


def _by_improvement(
    space: Space, seen: Observed, running: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Order candidates by log EI."""
    model = Surrogate(space, seen).given(running)
    if space.size <= GRID:
        points = space.grid()
    else:
        centres = model.seen.points[np.argsort(-model.posterior(model.seen.points)[0])[:NEAR]]
        points = np.concatenate([sobol(len(space), WIDE, rng), _near(space, centres, rng)])
    return points[np.argsort(-model.log_improvement(points), kind="stable")]


def _near(space: Space, centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Step from the best points (c, d): numbers a little, choices anew once in d."""
    d = len(space)
    start = centres[rng.integers(len(centres), size=LOCAL)]
    low, high = np.log(STEPS)
    steps = np.exp(rng.uniform(low, high, size=(LOCAL, 1))) * rng.normal(size=(LOCAL, d))
    anew = np.where(rng.random((LOCAL, d)) < 1 / d, rng.random((LOCAL, d)), start)
    return np.where(space.ordered, np.clip(start + steps, 0.0, 1.0), anew)
