"""How much an attack gains: AUC, rates and epsilon, with intervals that hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score, roc_curve

from tabseed.privacy.bounds import Auc, epsilon_bound, roc, true_positive_rates


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
    """400 samples: fewer than 366 covered has probability 0.2 % if 95 % is true."""
    rng = np.random.default_rng([1, n, round(100 * truth)])
    shift = np.sqrt(2) * norm.ppf(truth)
    covered = 0
    for _ in range(400):
        low, high = Auc.of(*normal_scores(n, h, shift, rng)).limits()
        covered += low <= truth <= high
    assert 366 <= covered <= 398


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


def test_the_curve_of_an_attack_encloses_its_auc_and_chance_the_diagonal() -> None:
    rng = np.random.default_rng(4)
    score, member = normal_scores(70, 60, 1.0, rng)
    false, true, low, high = np.array(roc(score.round(1), member, rng)).T
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert area(false, true) == pytest.approx(roc_auc_score(member, score.round(1)))
    assert (low <= false + 1e-9).all() and (false <= high + 1e-9).all()
    assert true[len(true) // 2] > high[len(true) // 2]
    # the rate of 70 members beside that of 60 others, at a rate of 1/2: sd of about 0.087
    middle = np.abs(false - 0.5).argmin()
    assert 2.5 * 0.087 < high[middle] - low[middle] < 5.5 * 0.087
    many = roc(rng.normal(size=5_000), np.arange(5_000) < 2_500, rng)
    assert len(many) == 101


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 2.0])
def test_the_bound_on_epsilon_holds_for_randomised_response(epsilon: float) -> None:
    """Each row's label is told truly with odds e^epsilon to 1: private by definition.

    150 runs at 5 %: more than 18 bounds above epsilon have probability 0.03 %. Useless attacks
    beside the real one must not raise the bound.
    """
    rng = np.random.default_rng([3, round(epsilon)])
    over, bounds = 0, []
    for _ in range(150):
        member = rng.permutation(300) < 180
        lie = rng.random(300) < 1 / (1 + math.exp(epsilon))
        scores = {name: rng.normal(size=300) for name in ("a", "b", "c")}
        scores["response"] = (member ^ lie) * 1.0
        found = epsilon_bound(scores, member, rng)
        over += found.at_least > epsilon
        bounds.append(found.at_least)
    assert over <= binom.isf(0.0003, 150, 0.05)
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
