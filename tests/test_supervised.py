"""Scores as means over rows: their value, and the spread that rows give them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from tabseed.estimates.scores import score_rows


@pytest.mark.parametrize("classes", [2, 4])
def test_rows_of_an_area_have_its_mean_and_its_spread(classes: int) -> None:
    """Mean: scikit-learn's area. Variance: that of 1,000 stratified resamplings, whose own error
    is 2 %; the bound leaves room for five of these and what linear parts leave out. One seed."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 240)
    share = rng.dirichlet(np.ones(classes), 240) + 0.3 * np.eye(classes)[y]
    share = np.round(share, 1)  # ties

    def area(y: np.ndarray, share: np.ndarray) -> float:
        which = range(classes) if classes > 2 else (1,)
        return float(np.mean([roc_auc_score(y == c, share[:, c]) for c in which]))

    parts = score_rows("classification", y, share)
    assert parts is not None and parts.mean() == pytest.approx(area(y, share), abs=1e-12)
    rows = [np.flatnonzero(y == c) for c in range(classes)]
    found = []
    for _ in range(1_000):
        drawn = np.concatenate([rng.choice(own, len(own)) for own in rows])
        found.append(area(y[drawn], share[drawn]))
    assert parts.std(ddof=1) / len(y) ** 0.5 == pytest.approx(np.std(found), rel=0.15)


def test_rows_of_r2_have_its_mean_and_its_spread() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=300)
    predicted = y + rng.normal(size=300)
    parts = score_rows("regression", y, predicted)
    assert parts is not None and parts.mean() == pytest.approx(r2_score(y, predicted), abs=1e-12)
    drawn = rng.integers(0, 300, (1_000, 300))
    found = [r2_score(y[d], predicted[d]) for d in drawn]
    assert parts.std() / 300**0.5 == pytest.approx(np.std(found), rel=0.15)
