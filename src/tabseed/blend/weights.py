"""Weights of a mixture of generators, learned from rows that trained none of them.

Notation: n rows, M members, w (M,) their weights, on the simplex; l (n, M) the log-densities of
held-out rows under the members, in nats, each row up to a number of its own (so ratios will do);
t (M,) the weights that w is shrunk towards, as if by c rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from tabseed.estimates.simplex import likeliest_weights

PRIORS = (3.0, 30.0, 300.0)  # rows, compared by held-out evidence
FOLDS = 5


class Weighing(NamedTuple):
    """The weights chosen, and how."""

    weights: np.ndarray  # (M,)
    rule: str  # what they are shrunk towards, and how far
    score: float  # held-out score of the rule that was chosen
    gain: float  # over the member that is best alone, held out in the same way
    error: float  # standard error of the gain


def weigh(logs: np.ndarray, rng: np.random.Generator) -> Weighing:
    """Choose the weights by log-densities (n, M), -inf for rows that a member never draws.

    Each rule, shrinkage towards equal weights or towards the best member alone, learns weights from
    four fifths of the rows and is scored on the others; the best one learns from all. The best
    member alone and equal weights are among the rules, and a mixture must beat the best member by
    half a standard error, so few rows that say little give little away.
    """
    n = len(logs)
    fold = rng.permutation(n) % FOLDS
    rules = [("best", np.inf), ("equal", np.inf)]
    rules += [(target, c) for target in ("equal", "best") for c in PRIORS]
    scores = np.zeros((len(rules), n))
    for k in range(FOLDS):
        learned, held = logs[fold != k], logs[fold == k]
        for at, rule in enumerate(rules):
            scores[at, fold == k] = log_density(held, _by(learned, *rule))
    scores = np.maximum(scores, scores[np.isfinite(scores)].min(initial=0) - 1)  # impossible rows
    gains = scores - scores[0]
    errors = gains.std(axis=1) / n**0.5
    at = int(np.argmax(gains.mean(axis=1) - errors / 2))
    target, prior = rules[at]
    noun = {"equal": "equal weights", "best": "the best one"}[target]
    return Weighing(
        _by(logs, target, prior),
        noun if np.isinf(prior) else f"held-out rows chose, with {prior:g} more for {noun}",
        float(scores[at].mean()),
        float(gains[at].mean()),
        float(errors[at]),
    )


def log_density(logs: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return log sum_m w_m exp(l_m) of each row, (n,), in nats."""
    with np.errstate(divide="ignore"):
        return np.asarray(logsumexp(logs + np.log(w), axis=1))


def _by(logs: np.ndarray, target: str, prior: float) -> np.ndarray:
    m = logs.shape[1]
    towards = np.full(m, 1 / m)
    if target == "best":
        alone = np.maximum(logs, -1e9).mean(axis=0)
        towards = np.eye(m)[int(np.argmax(alone))]
    if np.isinf(prior):
        return towards
    return likeliest_weights(logs, towards, prior)
