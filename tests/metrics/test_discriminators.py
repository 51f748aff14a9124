"""Calibration: a known logistic curve is recovered, a useless score gets no weight."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from tabseed.metrics.discriminators import BINS, Calibration, binned


def test_calibration_recovers_a_known_logistic() -> None:
    """Scores are 3 times too steep and off by 2; classes 4,000 to 20,000. Slope within 0.02."""
    rng = np.random.default_rng(1)
    is_real = np.arange(24_000) < 4_000
    x = rng.normal(size=24_000) + is_real
    fitted = Calibration.fit(3 * (x - 0.5) + 2, is_real)
    assert fitted.slope == pytest.approx(1 / 3, abs=0.02)
    assert fitted.apply(np.array([2.0]))[0] == pytest.approx(0, abs=0.05)


def test_calibration_gives_a_useless_or_inverted_score_no_weight() -> None:
    rng = np.random.default_rng(2)
    is_real = np.arange(400) < 200
    noise = Calibration.fit(rng.normal(size=400), is_real)
    inverted = Calibration.fit(rng.normal(size=400) - 2 * is_real, is_real)
    constant = Calibration.fit(np.full(400, 7.0), is_real)
    for fitted in (inverted, constant):
        assert fitted.slope == 0 and fitted.intercept == 0
    assert 0 <= noise.slope < 0.3


def test_calibration_stays_finite_where_classes_separate() -> None:
    is_real = np.arange(40) < 20
    fitted = Calibration.fit(np.where(is_real, 5.0, -5.0), is_real)
    assert 2 < fitted.apply(np.array([5.0]))[0] < 10


@pytest.mark.skipif(
    tuple(map(int, version("scikit-learn").split(".")[:2])) < (1, 9), reason="had other bins"
)
@pytest.mark.parametrize("n", [200, 3_000])
def test_numbers_are_cut_into_the_bins_that_the_trees_would_take(n) -> None:
    """The trees then give the same logits, with gaps, repeated values and unequal weights."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 4))
    x[:, 1] = np.round(x[:, 1], 1)
    x[rng.random(x.shape) < 0.1] = np.nan
    is_real = rng.random(n) < 0.3
    x[is_real] += 0.3
    fit, scored = np.arange(0, n, 2), np.arange(1, n, 2)
    weights = rng.uniform(0.5, 2.0, len(fit))  # no cut falls on a row exactly
    logits = [
        HistGradientBoostingClassifier(max_iter=20, early_stopping=False, random_state=0)
        .fit(inputs[fit], is_real[fit], sample_weight=weights)
        .decision_function(inputs[scored])
        for inputs in (x, binned(x, fit, weights))
    ]
    np.testing.assert_allclose(*logits, atol=1e-12)
    cut = binned(x, fit, weights)
    assert np.array_equal(np.isnan(cut), np.isnan(x)) and np.array_equal(cut[:, 1], x[:, 1], True)
    if n > 2 * BINS:
        assert len(np.unique(cut[fit, 0][~np.isnan(cut[fit, 0])])) == BINS
