"""How much an attack gains: AUC, rates and epsilon, with intervals that hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score, roc_curve

from tabseed.privacy.bounds import Auc, epsilon_bound, true_positive_rates


def normal_scores(n: int, h: int, shift: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    member = np.arange(n + h) < n
    return rng.normal(size=n + h) + shift * member, member


def test_the_auc_is_that_of_scikit_learn_and_its_error_that_of_delong() -> None:
    rng = np.random.default_rng(0)
    score, member = normal_scores(40, 30, 0.7, rng)
    score = score.round(1)  # ties
    auc = Auc.of(score, member)
    assert auc.value == pytest.approx(roc_auc_score(member, score), abs=1e-12)
    wins = (score[member][:, None] > score[~member]) + (
        score[member][:, None] == score[~member]
    ) / 2
    variance = wins.mean(axis=1).var(ddof=1) / 40 + wins.mean(axis=0).var(ddof=1) / 30
    assert auc.error == pytest.approx(math.sqrt(variance), rel=0.02)


@pytest.mark.parametrize(("n", "h", "truth"), [(57, 40, 0.5), (57, 40, 0.9), (300, 200, 0.7)])
def test_the_interval_covers_the_true_auc(n: int, h: int, truth: float) -> None:
    """1,000 samples: fewer than 930 covered has probability 0.3 % if 95 % is true."""
    rng = np.random.default_rng([1, n, round(100 * truth)])
    shift = np.sqrt(2) * norm.ppf(truth)
    covered = 0
    for _ in range(1_000):
        low, high = Auc.of(*normal_scores(n, h, shift, rng)).limits()
        covered += low <= truth <= high
    assert 930 <= covered <= 995


def test_a_perfect_attack_has_an_interval_with_a_width() -> None:
    for n, h in ((2, 2), (10, 10), (300, 200)):
        score = np.arange(n + h, dtype=float)
        low, high = Auc.of(score, np.arange(n + h) >= h).limits()
        assert 0 <= low < 1 and high == 1
        assert Auc.of(score, np.arange(n + h) < n).limits() == pytest.approx((0, 1 - low), abs=1e-6)


def test_rates_are_those_of_the_roc_curve_and_need_enough_rows() -> None:
    rng = np.random.default_rng(2)
    score, member = normal_scores(200, 600, 1.0, rng)
    rates = true_positive_rates(score, member, rng)
    false, true, _ = roc_curve(member, score, drop_intermediate=False)
    for f, rate in rates.items():
        assert rate.value == pytest.approx(true[false <= f + 1e-12].max())
        assert rate.low <= norm.sf(norm.isf(f) - 1.0) <= rate.high
    assert set(rates) == {0.1, 0.01}
    for h, expected in ((49, set()), (50, {0.1}), (499, {0.1}), (500, {0.1, 0.01})):
        score, member = normal_scores(20, h, 1.0, rng)
        assert set(true_positive_rates(score, member, rng)) == expected


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 2.0])
def test_the_bound_on_epsilon_holds_for_randomised_response(epsilon: float) -> None:
    """Each row's label is told truly with odds e^epsilon to 1: private by definition.

    400 runs at 5 %: more than 36 bounds above epsilon have probability 0.03 %. Useless attacks
    beside the real one must not raise the bound.
    """
    rng = np.random.default_rng([3, round(epsilon)])
    over, bounds = 0, []
    for _ in range(400):
        member = rng.permutation(300) < 180
        lie = rng.random(300) < 1 / (1 + math.exp(epsilon))
        scores = {name: rng.normal(size=300) for name in ("a", "b", "c")}
        scores["response"] = (member ^ lie) * 1.0
        found = epsilon_bound(scores, member, rng)
        over += found.at_least > epsilon
        bounds.append(found.at_least)
    assert over <= binom.isf(0.0003, 400, 0.05)
    assert np.mean(bounds) > 0.4 * epsilon


def test_the_bound_on_epsilon_by_counting() -> None:
    """A perfect attack: 95 % sure that a guess is right with probability at least 0.05^(1/k)."""
    member = np.arange(100) < 50
    found = epsilon_bound({"a": member * 1.0}, member, np.random.default_rng(0))
    k = found.guessed  # all members of the judged half of 50 rows
    p = 0.05 ** (1 / k)
    assert found.right == k
    assert found.at_least == pytest.approx(math.log(p / (1 - p) * (50 - k) / k))
    nothing = epsilon_bound({"a": np.zeros(100)}, member, np.random.default_rng(0))
    assert nothing.at_least == 0
