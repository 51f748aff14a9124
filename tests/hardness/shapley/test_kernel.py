"""The engines agree with one another, with ties and without."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from helpers.games import ENGINES, GAMES, OF_TARGETS, alike, clusters, full_of_ties, shapley


@pytest.mark.parametrize("make", [clusters, full_of_ties])
@pytest.mark.parametrize("kind", GAMES)
def test_engines_agree_and_values_add_up(kind, make):
    rng = np.random.default_rng(3)
    x, y = make(rng, 700)
    x_ref, y_ref = make(rng, 150)
    if kind in OF_TARGETS:
        y, y_ref = y + rng.normal(size=700), y_ref + rng.normal(size=150)
    options = {"radius": 1.0} if kind == "threshold" else {}
    scorers = [shapley(kind, 5, x, y, (x_ref, y_ref), e, **options) for e in ENGINES]
    for other in scorers[1:]:
        assert np.abs(other.values_ - scorers[0].values_).max() < 1e-12
        assert np.abs(other.standard_errors_ - scorers[0].standard_errors_).max() < 1e-12
    if kind == "threshold":
        return
    # the sum is the same for all orders of tied players, so any order will do
    spread = x.std(axis=0)
    nearest = np.argsort(cdist(x_ref / spread, x / spread), axis=1, kind="stable")[:, :5]
    if kind == "likeness":
        if make is clusters:
            votes = [alike(y, t)[near].mean() for t, near in zip(y_ref, nearest, strict=True)]
            assert scorers[0].values_.sum() == pytest.approx(np.mean(votes), abs=1e-10)
    elif kind == "squared":
        if make is clusters:
            centred = y - y.mean()
            error = centred[nearest].mean(axis=1) - (y_ref - y.mean())
            expected = ((y_ref - y.mean()) ** 2 - error**2).mean()
            assert scorers[0].values_.sum() == pytest.approx(expected, abs=1e-10)
    elif make is clusters:
        expected = (y[nearest] == y_ref[:, None]).mean() - (1 / 3 if kind == "soft" else 0)
        assert scorers[0].values_.sum() == pytest.approx(expected, abs=1e-10)


def test_ties_of_whole_numbers_survive_standardising():
    """Ranks from distances in exact fractions give the same values as points do."""
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 5, (40, 3)), rng.integers(0, 2, 40)
    variances = [Fraction(int(40 * (c**2).sum() - c.sum() ** 2), 1600) for c in x.T]
    for t in rng.integers(0, 5, (20, 3)):
        exact = [sum(Fraction(int(a - b) ** 2) / v for a, b, v in zip(r, t, variances, strict=True))
                 for r in x]  # fmt: skip
        levels = sorted(set(exact))
        ranks = np.array([levels.index(e) for e in exact])
        assert len(levels) < 40
        for k in (1, 5):
            points = shapley("accuracy", k, x, y, ([t], [1]))
            line = shapley("accuracy", k, ranks, y, ([0], [1]))
            assert np.abs(points.values_ - line.values_).max() < 1e-12
