"""Scores as means over rows: their value, and the spread that rows give them.

Statistical tests fix their seed; those at 4 standard errors would fail for 1 seed in 15,000.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from tabseed.estimates.scores import score_rows


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 4])
def test_rows_of_an_area_have_its_mean_and_its_spread(classes: int) -> None:
    """Mean: scikit-learn's area. Variance: that of 1,000 stratified resamplings, whose own error
    is 2 %; the bound leaves room for five of these and what linear parts leave out. One seed.
    """
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 240)
    share = rng.dirichlet(np.ones(classes), 240) + 0.3 * np.eye(classes)[y]
    share = np.round(share, 1)  # ties

    def area(y: np.ndarray, share: np.ndarray) -> float:
        counted = range(classes) if classes > 2 else (1,)
        return float(np.mean([roc_auc_score(y == c, share[:, c]) for c in counted]))

    parts = score_rows("classification", y, share)
    assert parts is not None and parts.mean() == pytest.approx(area(y, share), abs=1e-12)
    rows = [np.flatnonzero(y == c) for c in range(classes)]
    areas = []
    for _ in range(1_000):
        resample = np.concatenate([rng.choice(own, len(own)) for own in rows])
        areas.append(area(y[resample], share[resample]))
    assert parts.std(ddof=1) / len(y) ** 0.5 == pytest.approx(np.std(areas), rel=0.15)


def test_rows_of_r2_have_its_mean_and_its_spread() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=300)
    predicted = y + rng.normal(size=300)
    parts = score_rows("regression", y, predicted)
    assert parts is not None and parts.mean() == pytest.approx(r2_score(y, predicted), abs=1e-12)
    resamples = rng.integers(0, 300, (1_000, 300))
    scores = [r2_score(y[rows], predicted[rows]) for rows in resamples]
    assert parts.std() / 300**0.5 == pytest.approx(np.std(scores), rel=0.15)


def test_auc_of_two_classes_and_its_variance_by_brute_force() -> None:
    rng = np.random.default_rng(9)
    y = np.arange(40) % 3 == 0
    score = np.round(rng.normal(size=(2, 40)) + y, 1)  # ties
    rows = score_rows("classification", y.astype(int), np.stack([-score, score], axis=-1))
    assert rows.mean(-1) == pytest.approx([roc_auc_score(y, s) for s in score])
    for s, r in zip([*score, score[0] - score[1]], [*rows, rows[0] - rows[1]], strict=True):
        if s is not score[0] and s is not score[1]:
            continue
        wins = (s[y][:, None] > s[~y]) + 0.5 * (s[y][:, None] == s[~y])
        delong = wins.mean(1).var(ddof=1) / y.sum() + wins.mean(0).var(ddof=1) / (~y).sum()
        assert r.var(ddof=1) / 40 == pytest.approx(delong)
    three = rng.integers(3, size=40)
    share = rng.dirichlet(np.ones(3), 40)
    rest = [roc_auc_score(three == c, share[:, c]) for c in range(3)]
    assert score_rows("classification", three, share).mean() == pytest.approx(np.mean(rest))
    assert score_rows("classification", np.zeros(40, int), share[:, :2]) is None


def test_r2_and_its_variance() -> None:
    rng = np.random.default_rng(10)
    y = rng.normal(size=400)
    predicted = y + rng.normal(size=400)
    rows = score_rows("regression", y, predicted)
    assert rows.mean() == pytest.approx(r2_score(y, predicted))
    left = np.array([r2_score(np.delete(y, i), np.delete(predicted, i)) for i in range(400)])
    jackknife = 399 / 400 * ((left - left.mean()) ** 2).sum()
    assert rows.var(ddof=1) / 400 == pytest.approx(jackknife, rel=0.03)
    assert score_rows("regression", np.ones(5), np.zeros(5)) is None
