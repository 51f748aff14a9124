"""How much an attack gains, with intervals that hold for few rows and for perfect attacks.

Notation: n members, h other rows; scores are larger where a row looks more like a training row.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, norm

from tabseed.estimates.estimate import Estimate
from tabseed.estimates.scores import score_rows

LEVEL = 0.95
TWO_SIDED = float(norm.ppf((1 + LEVEL) / 2))
FALSE_POSITIVE_RATES = (0.1, 0.01)
FEWEST_BEYOND = 5  # rows that trained nothing beyond a threshold; of fewer no rate is told
BOOTSTRAPS = 1_000
PERMUTED, POINTS = 400, 101  # labels, and points, of the curve of an attack


@dataclass(frozen=True)
class Auc:
    """An AUC, the standard error of DeLong, and the rows of both kinds."""

    value: float
    error: float
    n: int
    h: int

    @classmethod
    def of(cls, scores: np.ndarray, member: np.ndarray) -> Auc:
        """Measure scores (N,); both kinds of rows must occur."""
        n, h = int(member.sum()), int((~member).sum())
        shares = np.stack([-scores, scores], axis=-1)
        rows = score_rows("classification", member.astype(int), shares)
        assert rows is not None
        error = math.sqrt(rows.var(ddof=1) / len(rows)) if min(n, h) > 1 else math.inf
        return cls(float(rows.mean()), error, n, h)

    def limits(self, z: float = TWO_SIDED) -> tuple[float, float]:
        """Return the ends of the interval of z standard errors, the wider of two at each end.

        DeLong's (Biometrics 44 (1988)) knows how the scores really lie, but has no width for a
        perfect attack; Newcombe's score interval (Statistics in Medicine 25 (2006),
        doi:10.1002/sim.2324, method 5), for two exponential laws, has one.
        """
        low, high = (self._newcombe(sign, z) for sign in (-1, 1))
        return (
            max(0.0, min(low, self.value - z * self.error)),
            min(1.0, max(high, self.value + z * self.error)),
        )

    def estimate(self) -> Estimate:
        """Return the AUC with its 95 % interval."""
        return Estimate(self.value, *self.limits(), "AUC")

    def _newcombe(self, sign: int, z: float) -> float:
        """Return the AUC a, on one side of the value, whose distance is z standard errors at a."""

        def beyond(a: float) -> float:
            return sign * (a - self.value) - z * math.sqrt(self._variance(a))

        end = 1.0 if sign > 0 else 0.0
        if self.value == end:
            return end
        # at a perfect value the distance is 0 too
        start = self.value + sign * 1e-9
        return float(brentq(beyond, start, end)) if beyond(start) < 0 else end

    def _variance(self, a: float) -> float:
        more = (self.n + self.h) / 2 - 1
        return a * (1 - a) * (1 + more * ((1 - a) / (2 - a) + a / (1 + a))) / (self.n * self.h)


def true_positive_rates(
    scores: np.ndarray, member: np.ndarray, rng: np.random.Generator
) -> dict[float, Estimate]:
    """Return the share of members told at false-positive rates of 10 and 1 %, where h carries it.

    The threshold is the score that a share f of the other rows lies above; it takes at least 5 such
    rows, so h of 50 and 500. The interval is the bootstrap's, over rows of both kinds.
    """
    inside, outside = np.sort(scores[member]), np.sort(scores[~member])
    rates = {}
    for f in FALSE_POSITIVE_RATES:
        if round(f * len(outside), 9) < FEWEST_BEYOND:
            continue
        draws = [
            _rate(
                np.sort(rng.choice(inside, len(inside))),
                np.sort(rng.choice(outside, len(outside))),
                f,
            )
            for _ in range(BOOTSTRAPS)
        ]
        value = _rate(inside, outside, f)
        low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        rates[f] = Estimate(value, min(float(low), value), max(float(high), value), "share")
    return rates


def roc(
    scores: np.ndarray, member: np.ndarray, rng: np.random.Generator
) -> tuple[tuple[float, float, float, float], ...]:
    """Return the curve of an attack: false- and true-positive rate, and 95 % of rates by chance.

    A point for each score, thinned to at most 101; the last two numbers of a point are the range in
    which the true-positive rate lies for 95 % of permuted labels, point by point.
    """
    order = np.argsort(-scores, kind="stable")
    steps = np.flatnonzero(scores[order][1:] != scores[order][:-1])
    ends = np.append(steps, len(order) - 1)
    chance = np.array([rng.permutation(member[order]) for _ in range(PERMUTED)])
    n, h = int(member.sum()), int((~member).sum())
    false = np.append(0, np.cumsum(~member[order])[ends]) / h
    true = np.append(0, np.cumsum(member[order])[ends]) / n
    rates = np.linspace(0, 1, POINTS)
    at_rates = []
    for labels in chance:
        of_others, of_members = (
            np.append(0, np.cumsum(of)[ends]) / total for of, total in ((~labels, h), (labels, n))
        )
        at_rates.append(np.interp(rates, of_others, of_members))
    low, high = np.quantile(at_rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    kept = np.unique(np.linspace(0, len(false) - 1, POINTS).round().astype(int))
    return tuple(
        (float(f), float(t), float(np.interp(f, rates, low)), float(np.interp(f, rates, high)))
        for f, t in zip(false[kept], true[kept], strict=True)
    )


def _rate(inside: np.ndarray, outside: np.ndarray, f: float) -> float:
    """Return the share of sorted scores above the threshold that a share f of others exceeds."""
    beyond = math.floor(f * len(outside) + 1e-9)
    threshold = outside[len(outside) - beyond - 1]
    return float(1 - np.searchsorted(inside, threshold, side="right") / len(inside))


@dataclass(frozen=True)
class EpsilonBound:
    """A lower bound on epsilon: no (epsilon, 0)-private generator would leak so much.

    It was found by guessing that ``guessed`` rows are members, of which ``right`` are; with a
    probability of at least 95 % epsilon is at least ``at_least``.
    """

    at_least: float
    guessed: int
    right: int
    attack: str

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return asdict(self)


def epsilon_bound(
    scores: dict[str, np.ndarray], member: np.ndarray, rng: np.random.Generator
) -> EpsilonBound:
    """Bound epsilon from below by one attack and threshold, both chosen on other rows.

    On one random half of the rows the attack and the number of guesses are chosen that give the
    largest bound; the other half gives it. With odds o of a member before the attack, those of its
    n and h rows, and an (epsilon, 0)-private generator, each guess is right with probability at
    most o e^epsilon / (o e^epsilon + 1), whatever the other rows are (Steinke et al., arXiv
    2305.08846, theorem 5.2 for uneven odds; rows count as members independently of each other).
    Clopper and Pearson's lower limit of that probability gives the bound.
    """
    chosen, judged = np.split(rng.permutation(len(member)), [len(member) // 2])
    best, attack, threshold = -math.inf, next(iter(scores)), math.inf
    for name, score in scores.items():
        order = chosen[np.argsort(-score[chosen], kind="stable")]
        right, guessed = np.cumsum(member[order]), np.arange(1, len(order) + 1)
        bounds = _bounds(right, guessed, _odds(member[chosen]))
        bounds[:-1][score[order][1:] == score[order][:-1]] = -math.inf  # ties are guessed together
        if bounds.max() > best:
            best, attack = float(bounds.max()), name
            threshold = score[order][bounds.argmax()]
    taken = scores[attack][judged] >= threshold
    right, guessed = (np.array([count]) for count in (member[judged][taken].sum(), taken.sum()))
    bound = max(0.0, float(_bounds(right, guessed, _odds(member[judged]))[0]))
    return EpsilonBound(bound, int(guessed[0]), int(right[0]), attack)


def _odds(member: np.ndarray) -> float:
    return float(member.sum() / max((~member).sum(), 1))


def _bounds(right: np.ndarray, guessed: np.ndarray, odds: float) -> np.ndarray:
    """Return the lower limits of epsilon for right of guessed rows, -inf if none is right."""
    p = beta.ppf(1 - LEVEL, np.maximum(right, 1), guessed - right + 1)
    return np.where(right > 0, np.log(p / (1 - p) / odds), -math.inf)
