"""The utility gap, its decomposition and its bound against closed forms and exact identities.

Statistical tests fix their seed; those at 4 standard errors would fail for 1 seed in 15,000.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import t as student
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

import tabseed as ts
from tabseed.estimates.means import BALANCED, interaction, mean_over, ratio
from tabseed.estimates.scores import score_rows
from tabseed.utility.bound import shift_bound
from tabseed.utility.decomposition import contributions, decompose, mean_decomposition
from tabseed.utility.gap import gaps
from tabseed.utility.measure import (
    REAL,
    REPEATED,
    SAME_SIZE,
    SOURCES,
    SYNTHETIC,
    Measured,
    Measuring,
    measure,
)
from tabseed.utility.problem import Problem

# equal weights on these give all moments of N(0, 1) up to the fifth
NORMAL = np.array([0, 0, 0, 0, 3**0.5, -(3**0.5)])


def problem(n_classes: int = 0) -> Problem:
    y = np.arange(60) % n_classes if n_classes else np.linspace(0, 1, 60)
    column = pa.array(y).cast(pa.string()) if n_classes else y
    table = pa.table({"x": np.linspace(-1, 1, 60), "y": column})
    return Problem.of(ts.Table.from_frame(table), "y")


def one_hot(number: np.ndarray, n_classes: int = 2) -> np.ndarray:
    return np.eye(n_classes)[number.astype(int)]


def by_hand(
    posed: Problem,
    y: np.ndarray,
    real: np.ndarray,
    synthetic: np.ndarray,
    aside: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    mean: tuple[np.ndarray, np.ndarray] | None = None,
) -> Measured:
    """What models f^ and f~ (K, h[, C]) say, with one draw and one seed.

    ``aside`` are labels, f^ and f~ (K, k[, C]) of the synthetic rows; ``mean`` the synthetic mean
    response of real rows and of those.
    """
    f, g = real[:, None, None], synthetic[:, None, None]
    none = np.empty(0)
    labels, f_aside, g_aside = aside or (none, none[None], none[None])
    on_real, on_aside = mean or (none, none)
    return Measured(
        posed,
        tuple(f"model {k}" for k in range(len(real))),
        y,
        [labels],
        y,
        {REAL: f, REPEATED: f, SYNTHETIC: g, SAME_SIZE: g},
        {REAL: [f_aside[:, None]], SYNTHETIC: [g_aside[:, None]]},
        on_real[None],
        [on_aside],
        True,
        dict.fromkeys(SOURCES, len(y)),
    )


def line(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares coefficients of 1 and x."""
    return np.linalg.lstsq(np.column_stack([np.ones_like(x), x]), y, rcond=None)[0]


def signed(real: np.ndarray, synthetic: np.ndarray, y: np.ndarray) -> list[float]:
    return [g.signed.value for g in gaps(by_hand(problem(), y, real, synthetic))]


# --- closed forms -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "m, s, expected, tight, loose",
    [
        (0.5, 1, 1.0625, 2.6586, 10.035),
        (1, 1, 5, 18.154, 38.05),
        (0, 1.5, 1.5625, 2.0188, 36.96),
        (0.5, 1.2, 1.0361, None, None),
        (2, 1, 32, None, None),
    ],
)
def test_misspecified_line(
    m: float, s: float, expected: float, tight: float | None, loose: float | None
) -> None:
    """V4: mu = x^2 and lines; population fits, by points that have the normal's moments."""
    x, z = NORMAL, m + s * NORMAL
    a, b = line(z, z**2)
    assert signed(np.ones((1, 6)), (a + b * x)[None], x**2) == pytest.approx([expected], rel=1e-6)
    assert line(x, x**2) == pytest.approx([1, 0], abs=1e-12)
    if tight is None:
        return
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    q, weight = m + s * node, weight / weight.sum()
    chi2 = s**2 / math.sqrt(2 * s**2 - 1) * math.exp(m**2 / (2 * s**2 - 1)) - 1
    losses = (a + b * q - q**2) ** 2, (1 - q**2) ** 2
    sds = [math.sqrt(weight @ g**2 - (weight @ g) ** 2) for g in losses]
    d = losses[0] - losses[1]
    sd = math.sqrt(weight @ d**2 - (weight @ d) ** 2)
    assert shift_bound(chi2, sd) + weight @ d == pytest.approx(tight, rel=3e-5)
    assert shift_bound(chi2, sds[0]) + shift_bound(chi2, sds[1]) == pytest.approx(loose, rel=3e-4)


@pytest.mark.parametrize(
    "copies, m, expected", [((1, 1), 1, 1), ((1, 1), 0.5, 0.25), ((4, 1), 1, 0.2437574)]
)
def test_pooled_real_and_synthetic(copies: tuple[int, int], m: float, expected: float) -> None:
    """V5: a line fitted to the mixture of real and synthetic rows."""
    z = np.concatenate([np.tile(NORMAL, copies[0]), np.tile(m + NORMAL, copies[1])])
    a, b = line(z, z**2)
    x = NORMAL
    found = signed(np.ones((1, 6)), (a + b * x)[None], x**2)
    assert found == pytest.approx([expected], rel=1e-6)


def test_correctly_specified_line_with_intercept() -> None:
    """V3a: shifted features cost no more than variance, (s2/n)(m^2 + s^2 + 1)/s^2 for m = s = 1."""
    rng, n, models = np.random.default_rng(0), 200, 800
    said = []
    for shift in (0.0, 1.0):
        x = shift + rng.standard_normal((models, n))
        y = 1 + 2 * x + rng.standard_normal((models, n))
        slope = ((x - x.mean(1, keepdims=True)) * y).sum(1) / (n * x.var(1))
        intercept = y.mean(1) - slope * x.mean(1)
        said.append(intercept[:, None] + slope[:, None] * NORMAL)
    found = gaps(by_hand(problem(), 1 + 2 * NORMAL, *said))
    for risk, m in (("risk_real", 0), ("risk_synthetic", 1)):
        values = np.array([getattr(g, risk).value for g in found])
        # variance 1/n of the mean, and that of the slope, E[1/sum (x - mean)^2] = 1 / (n - 3),
        # times E[(x - mean of the sample)^2] under the real law
        exact = 1 / n + (1 + 1 / n + m**2) / (n - 3)
        assert abs(values.mean() - exact) < 4 * values.std() / models**0.5
        assert exact == pytest.approx((m**2 + 2) / n, rel=0.03)


def test_a_wider_design_beats_real_rows() -> None:
    """V3b: no intercept, Q = N(0, 2^2): s2/(s^2 (n - 2)) against s2/(n - 2); the gap is -.0075."""
    rng, n, models = np.random.default_rng(1), 102, 800
    said = []
    for s in (1.0, 2.0):
        x = s * rng.standard_normal((models, n))
        slope = 3 + (x * rng.standard_normal((models, n))).sum(1) / (x**2).sum(1)
        said.append(slope[:, None] * NORMAL)
    values = np.array(signed(*said, 3 * NORMAL))
    assert abs(values.mean() + 0.0075) < 4 * values.std() / models**0.5
    assert values.mean() < 0


@pytest.mark.parametrize("rho, tau, expected", [(0.1, 0.5, 0.15317), (0, 0.5, 0.1914625)])
def test_shifted_boundary(rho: float, tau: float, expected: float) -> None:
    """V7a: (1 - 2 rho)(Phi(|tau|) - 1/2), on a grid of quantiles, and by data."""
    n = 4_000
    x = np.repeat(ndtri((np.arange(n) + 0.5) / n), 10)
    y = (x > 0) ^ (np.tile(np.arange(10), n) < 10 * rho)
    rules = [one_hot(x > t)[None] for t in (0, tau)]
    found = gaps(by_hand(problem(2), y.astype(int), *rules))[0]
    assert found.signed.value == pytest.approx(expected, abs=1 / n)
    assert found.absolute.value == found.signed.value

    rng = np.random.default_rng(2)
    x = rng.standard_normal(3_000)
    y = (x > 0) ^ (rng.random(3_000) < rho)
    rules = [one_hot(x > t)[None] for t in (0, tau)]
    found = gaps(by_hand(problem(2), y.astype(int), *rules))[0]
    assert abs(found.signed.value - expected) < 4 * found.se_rows
    assert found.signed.low < expected < found.signed.high


@pytest.mark.parametrize("m, expected", [(-0.9, 0.0), (-1.1, ndtr(1) - 2 * ndtr(-1))])
def test_shifted_and_misspecified_can_be_harmless(m: float, expected: float) -> None:
    """V7b: Y = 1{|x| > 1} and rules 1{x > t}: nothing is lost until the best rule jumps."""
    n = 40_000
    x = ndtri((np.arange(n) + 0.5) / n)

    def best(z: np.ndarray) -> float:
        """The threshold of fewest errors; z ascends."""
        label = np.abs(z) > 1
        errors = np.concatenate([[0], np.cumsum(label)]) + np.concatenate(
            [np.cumsum(~label[::-1])[::-1], [0]]
        )
        return float(np.concatenate([[-np.inf], z])[errors.argmin()])

    rules = [one_hot(x > best(z))[None] for z in (x, x + m)]
    y = (np.abs(x) > 1).astype(int)
    assert gaps(by_hand(problem(2), y, *rules))[0].signed.value == pytest.approx(
        expected, abs=5 / n
    )


def test_wrong_response_only() -> None:
    """V9: mu = b x, mu~ = b~ x, the same features: U = (b~ - b)^2, all of it the response term."""
    x, b, c = NORMAL, 2.0, 1.3
    measured = by_hand(
        problem(),
        b * x,
        b * x[None],
        c * x[None],
        (c * x, b * x[None], c * x[None]),
        (c * x, c * x),
    )
    found = decompose(measured)[0]
    assert found.direct.value == pytest.approx((c - b) ** 2, rel=1e-12)
    # 2 E[(c - b) x (c - b) x] = 2 U, less what f~ gains under its own law
    assert found.response.value == pytest.approx(2 * (c - b) ** 2, rel=1e-12)
    assert found.feature.value == pytest.approx(0, abs=1e-12)
    assert found.estimation.value == pytest.approx(-((c - b) ** 2), rel=1e-12)


def test_what_a_learned_response_misses_is_taken_out() -> None:
    """Without a shift the terms are exact, however wrong the mean response that was learned."""
    x, b, c = NORMAL, 2.0, 1.3
    real, synthetic, wrong = b * x[None], c * x[None], 1 + 0.4 * x
    aside = c * x, real, synthetic
    measured = by_hand(problem(), b * x, real, synthetic, aside, (wrong, wrong))
    learned = replace(measured, response_known=False)
    found = decompose(learned)[0]
    assert replace(mean_decomposition(learned), model=found.model) == found  # of one model
    assert found.approximate and not decompose(measured)[0].approximate
    assert found.response.value == pytest.approx(2 * (c - b) ** 2, rel=1e-12)
    assert found.estimation.value == pytest.approx(-((c - b) ** 2), rel=1e-12)
    assert found.total.value == pytest.approx(found.direct.value, rel=1e-12)
    missed = 2 * ((c - b) * x * (wrong - c * x)).mean()
    assert found.difference.value == pytest.approx(missed, rel=1e-12)
    assert decompose(measured)[0].difference.value == pytest.approx(missed, rel=1e-12)


def path_b(x: np.ndarray, noise: np.ndarray, z: np.ndarray, noise_z: np.ndarray) -> Measured:
    """V10: mu = x^2, mu~ = .8 x^2, lines: f~ = .8 (.75 + x), f^ = 1."""

    def synthetic(v: np.ndarray) -> np.ndarray:
        return 0.8 * (0.75 + v)

    return by_hand(
        problem(),
        x**2 + noise,
        np.ones((1, len(x))),
        synthetic(x)[None],
        (0.8 * z**2 + noise_z, np.ones((1, len(z))), synthetic(z)[None]),
        (0.8 * x**2, 0.8 * z**2),
    )


PATH_B = {"response": 0.16, "feature": 1.28, "estimation": -0.64, "direct": 0.8, "total": 0.8}


def test_path_b_in_the_population() -> None:
    noise = np.tile([0.5, -0.5], 6)
    x = np.repeat(NORMAL, 2)
    measured = path_b(x, noise, 0.5 + x, noise)
    found = decompose(measured)[0]
    for name, value in PATH_B.items():
        assert getattr(found, name).value == pytest.approx(value, rel=1e-6)
    assert found.difference.value == pytest.approx(0, abs=1e-12)
    assert line(0.5 + x, 0.8 * (0.5 + x) ** 2) == pytest.approx([0.6, 0.8])
    node, weight = np.polynomial.hermite_e.hermegauss(20)
    q = 0.5 + node
    d = (0.8 * (0.75 + q) - 0.8 * q**2) ** 2 - (1 - 0.8 * q**2) ** 2
    mean, square = (weight @ d / weight.sum(), weight @ d**2 / weight.sum())
    chi2 = math.exp(0.25) - 1
    assert shift_bound(chi2, math.sqrt(square - mean**2)) == pytest.approx(2.2105, rel=3e-5)


def test_path_b_by_data_and_its_bound() -> None:
    rng, n = np.random.default_rng(3), 20_000
    x, z = rng.standard_normal(n), 0.5 + rng.standard_normal(n)
    e, f = 0.5 * rng.standard_normal((2, n))
    measured = path_b(x, e, z, f)
    found = decompose(measured)[0]
    for name, value in PATH_B.items():
        term = getattr(found, name)
        assert abs(term.value - value) < 4 * (term.high - term.low) / 3.9
    assert abs(found.difference.value) < 4 * found.difference_se
    assert found.difference.value == pytest.approx(found.total.value - found.direct.value)
    assert found.dominant == "feature"
    assert not found.approximate and "lie elsewhere" in str(found)
    bound = ts.utility_bound(measured, math.exp(0.25) - 1)[0]
    assert bound.feature_bound == pytest.approx(2.2105, rel=0.1)
    assert bound.low < found.direct.value < bound.high and found.direct.value < bound.size
    assert not bound.certified and "not a guarantee" in str(bound)
    with pytest.raises(ts.TabseedError, match="from 0 on"):
        ts.utility_bound(measured, -0.1)


def test_swap_cells() -> None:
    """V11: the same f~ under four laws; noise of variance .25."""
    noise = np.tile([0.5, -0.5], 6)
    x = np.repeat(NORMAL, 2)
    z = 0.5 + x

    def predict(v: np.ndarray) -> np.ndarray:
        return 0.6 + 0.8 * v

    found = ts.swap_design(
        predict,
        (x, x**2 + noise),
        (z, 0.8 * z**2 + noise),
        0.8 * x**2 + noise,
        "squared",
        oracle=lambda v: v**2 + noise,
    )
    cells = [
        (found.real_real, 3.05),
        (found.real_synthetic, 2.21),
        (found.synthetic_synthetic, 1.53),
        (found.synthetic_real, 2.3525),
    ]
    for cell, value in cells:
        assert cell.value == pytest.approx(value, rel=1e-6)
    gap = found.response_gap.value + found.feature_gap.value
    assert gap == pytest.approx(3.05 - 1.53, rel=1e-6)
    assert found.ess is None


def test_swapped_cell_by_weights() -> None:
    rng, n = np.random.default_rng(4), 50_000
    x, z = rng.standard_normal(n), 0.5 + rng.standard_normal(n)
    found = ts.swap_design(
        lambda v: 0.6 + 0.8 * v,
        (x, x**2 + 0.5 * rng.standard_normal(n)),
        (z, 0.8 * z**2 + 0.5 * rng.standard_normal(n)),
        0.8 * x**2 + 0.5 * rng.standard_normal(n),
        "squared",
        ratio=np.exp(-0.5 * x + 0.125),
    )
    cell = found.synthetic_real
    assert abs(cell.value - 2.3525) < 4 * (cell.high - cell.low) / 3.9
    assert found.ess == pytest.approx(math.exp(-0.25), rel=0.03)
    with pytest.raises(ts.TabseedError, match="one value for each real row"):
        ts.swap_design(np.abs, (x, x), (z, z), x[1:], "squared")
    with pytest.raises(ts.TabseedError, match="above 0"):
        ts.swap_design(np.abs, (x, x), (z, z), x, "squared", ratio=x)
    with pytest.raises(ts.TabseedError, match="'squared' or '0-1'"):
        ts.swap_design(np.abs, (x, x), (z, z), x, "hinge")  # type: ignore[arg-type]


# --- identities ---------------------------------------------------------------------------------


@dataclass
class Discrete:
    """A law on places x and values of y: P(x), and the share of each value at each place."""

    features: np.ndarray
    share: np.ndarray
    values: np.ndarray

    def risk(self, said: np.ndarray) -> float:
        """Squared error of numbers, or share wrong of one-hot classes, by brute force."""
        if said.ndim == 2:
            return float(self.features @ (1 - (said * self.share).sum(1)))
        return float(self.features @ (self.share * (said[:, None] - self.values) ** 2).sum(1))

    def expect(
        self, posed: Problem, f: np.ndarray, g: np.ndarray, mean: np.ndarray
    ) -> tuple[float, float]:
        """E of surplus and shift, over all places and values."""
        parts = [
            np.array(contributions(posed, np.full(len(mean), v), g, f, mean)) @ (self.features * r)
            for v, r in zip(self.values, self.share.T, strict=True)
        ]
        surplus, shift = np.sum(parts, axis=0)
        return surplus, shift


@pytest.mark.parametrize("n_classes", [0, 2, 4])
def test_path_b_is_an_identity_on_any_law(n_classes: int) -> None:
    """Random discrete laws: the terms add to the gap, and are those of the docstring."""
    rng = np.random.default_rng(n_classes)
    posed, places, count = problem(n_classes), 7, n_classes or 3
    values = np.arange(count) if n_classes else rng.normal(size=count)
    for _ in range(50):
        p, q = rng.dirichlet(np.ones(places), 2)
        eta, eta_s = rng.dirichlet(np.ones(count), (2, places))
        real, synthetic = Discrete(p, eta, values), Discrete(q, eta_s, values)
        f, g = rng.normal(size=(2, places))
        mean = eta_s @ values
        if n_classes:
            f, g = one_hot(rng.integers(n_classes, size=(2, places)), n_classes)
            mean = eta_s
        response, shift_p = real.expect(posed, f, g, mean)
        nothing, shift_q = synthetic.expect(posed, f, g, mean)
        feature, estimation = shift_p - shift_q, nothing + shift_q
        gap = real.risk(g) - real.risk(f)
        assert response + feature + estimation == pytest.approx(gap, abs=1e-12)
        assert estimation == pytest.approx(synthetic.risk(g) - synthetic.risk(f), abs=1e-12)
        assert nothing == pytest.approx(0, abs=1e-12)
        if n_classes == 2:
            named, by = g[:, 1] - f[:, 1], eta_s[:, 1]
            assert response == pytest.approx(2 * p @ ((by - eta[:, 1]) * named), abs=1e-12)
            assert feature == pytest.approx((p - q) @ ((1 - 2 * by) * named), abs=1e-12)
        if not n_classes:
            both = 2 * p @ ((g - f) * (mean - eta @ values))
            assert response == pytest.approx(both, abs=1e-12)
            shift = (g - mean) ** 2 - (f - mean) ** 2
            assert feature == pytest.approx((p - q) @ shift, abs=1e-12)
            # T1 holds for the term it is meant for
            chi2 = float(p**2 @ (1 / q) - 1)
            sd = math.sqrt(q @ shift**2 - (q @ shift) ** 2)
            assert abs(feature) <= shift_bound(chi2, sd) * (1 + 1e-9)


def test_no_shift_of_a_constant() -> None:
    assert shift_bound(math.inf, 0.0) == 0 and shift_bound(0.0, math.inf) == 0
    assert shift_bound(math.inf, 1.0) == math.inf


# --- intervals ----------------------------------------------------------------------------------


def test_one_draw_and_seed_is_students_t() -> None:
    x = np.concatenate([np.linspace(-1, 1, 30), [0.0]])  # symmetric: no skew
    found = mean_over(x[None, None])
    half = student.ppf(0.975, 30) * x.std(ddof=1) / 31**0.5
    assert (found.low, found.high) == pytest.approx((-half, half))
    assert (found.se_draws, found.se_seeds) == (0, 0)


def test_the_long_side_is_lengthened_only() -> None:
    x = np.random.default_rng(5).exponential(size=60)
    found = mean_over(x[None, None])
    half = student.ppf(0.975, 59) * x.std(ddof=1) / 60**0.5
    assert found.low == pytest.approx(x.mean() - half)
    assert found.high > x.mean() + half * 1.01


def test_discordant_pairs_after_agresti_and_min() -> None:
    x = np.zeros(100)
    x[:5], x[5] = 1, -1
    a, b, n = 5.5 / 101, 1.5 / 101, 101
    half = student.ppf(0.975, 99) * math.sqrt((a + b - (a - b) ** 2) / n)
    found = mean_over(x[None, None], added=BALANCED)
    assert (found.low, found.high) == pytest.approx((a - b - half, a - b + half))
    same = mean_over(np.zeros((1, 1, 100)), added=BALANCED)
    assert same.low < 0 < same.high  # rows that agree do not prove that all would


def test_interaction_is_the_mean_square() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(3, 4))
    residual = x - x.mean(0) - x.mean(1, keepdims=True) + x.mean()
    assert interaction(x) == pytest.approx((residual**2).sum() / (2 * 3) / 12)
    assert interaction(x[0]) == pytest.approx(x[0].var(ddof=1) / 4)
    assert interaction(x[:1]) == 0


@pytest.mark.parametrize("draws, seeds, own", [(3, 1, 0), (1, 3, 50), (3, 2, 50)])
def test_crossed_variances_are_counted_once(draws: int, seeds: int, own: int) -> None:
    """Simulated effects of known size; 4 standard errors of the mean estimated variance."""
    rng, repeats, h = np.random.default_rng(7), 300, 40
    row, draw, seed, cross, error = 1.0, 0.3, 0.2, 0.8, 0.6
    more = 0.7
    many_draws, many_seeds = draws > 1, seeds > 1
    found = []
    for _ in range(repeats):
        u = row * rng.standard_normal(h) + error * rng.standard_normal((draws, seeds, h))
        u += cross * rng.standard_normal((draws, 1, h))
        u += draw * many_draws * rng.standard_normal((draws, 1, 1))
        u += seed * many_seeds * rng.standard_normal((1, seeds, 1))
        tables = [more * rng.standard_normal((seeds, own)) for _ in range(draws if own else 0)]
        found.append(mean_over(u, tables))
    rows = (row**2 + cross**2 / draws + error**2 / (draws * seeds)) / h
    rows += more**2 / (own * seeds * draws) if own else 0
    expected = rows, draw**2 * many_draws / draws, seed**2 * many_seeds / seeds
    for name, value in zip(("se_rows", "se_draws", "se_seeds"), expected, strict=True):
        values = np.array([getattr(m, name) for m in found]) ** 2
        # what is cut at 0 makes the small ones larger, never smaller
        assert values.mean() >= value - 4 * values.std() / repeats**0.5
        assert values.mean() <= value + 4 * values.std() / repeats**0.5 + 0.1 * rows
    covered = np.mean([m.low <= 0 <= m.high for m in found])
    assert covered > 0.90  # below it by chance for 1 seed in 10,000 if the truth is 95 %


def test_ratio_ends_where_the_difference_is_just_not_told_from_0() -> None:
    rng = np.random.default_rng(8)
    w = 1 + rng.standard_normal(100)[None, None]
    u = 0.8 * w + 0.3 * rng.standard_normal(100)
    found = ratio(u, w)
    assert found.low < u.mean() / w.mean() < found.high
    assert mean_over(u - found.low * w).low == pytest.approx(0, abs=1e-6)
    assert mean_over(u - found.high * w).high == pytest.approx(0, abs=1e-6)
    assert ratio(u, w - 1) is None


def test_too_few_rows() -> None:
    with pytest.raises(ts.TooFewRowsError, match="2 rows"):
        mean_over(np.zeros((1, 1, 1)))


# --- scores -------------------------------------------------------------------------------------


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
    said = y + rng.normal(size=400)
    rows = score_rows("regression", y, said)
    assert rows.mean() == pytest.approx(r2_score(y, said))
    left = np.array([r2_score(np.delete(y, i), np.delete(said, i)) for i in range(400)])
    jackknife = 399 / 400 * ((left - left.mean()) ** 2).sum()
    assert rows.var(ddof=1) / 400 == pytest.approx(jackknife, rel=0.03)
    assert score_rows("regression", np.ones(5), np.zeros(5)) is None


# --- end to end ---------------------------------------------------------------------------------


def diabetes() -> tuple[pa.Table, pa.Table]:
    """442 patients (scikit-learn's own copy): 242 to train on, 200 held out."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    order = np.random.default_rng(0).permutation(len(y))
    table = pa.table({**dict(zip(names, x[order].T, strict=True)), "progression": y[order]})
    return table[:242], table[242:]


def test_terms_add_up_on_a_real_table() -> None:
    train, holdout = diabetes()
    models = [
        ts.FeatureResponse(ts.Resample(smoothing=0.5), "linear", random_state=s).fit(
            train, target="progression"
        )
        for s in (0, 1)
    ]
    draws = [m.sample(800, random_state=0) for m in models]
    how = Measuring(
        {"line": LinearRegression()}, seeds=1, responses=[m.response_mean for m in models]
    )
    measured = measure(train, draws, holdout, "progression", how)
    found = decompose(measured)[0]
    assert abs(found.difference.value) < 4 * found.difference_se
    parts = found.response.value + found.feature.value + found.estimation.value
    assert found.total.value == pytest.approx(parts, rel=1e-9)
    gap = gaps(measured)[0]
    assert gap.signed.value == pytest.approx(found.direct.value, rel=1e-9)
    assert (gap.draws, gap.seeds, gap.n_holdout) == (2, 1, 200)
    assert gap.signed.low < gap.signed.value < gap.signed.high
    risks = gap.risk_synthetic.value - gap.risk_real.value
    assert gap.signed.value == pytest.approx(risks, rel=1e-6)
    trivial = gap.risk_trivial.value
    kept = (trivial - gap.risk_synthetic.value) / (trivial - gap.risk_real.value)
    assert gap.relative.value == pytest.approx(kept)
    assert gap.relative.low < kept < gap.relative.high
    y = holdout["progression"].to_numpy()
    real = r2_score(y, measured.on_holdout[REAL][0, 0, 0])
    assert gap.scores[REAL].value == pytest.approx(real)
    json.dumps([gap.to_dict(), found.to_dict()], allow_nan=False)


def test_one_call_with_classes_is_repeatable() -> None:
    rng = np.random.default_rng(11)

    def draw(n: int, shift: float = 0.0) -> pa.Table:
        x = rng.normal(size=(n, 2))
        level = np.digitize(x[:, 0] + 0.5 * rng.normal(size=n) + shift, [-0.5, 0.5])
        return pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.array(["l", "m", "h"])[level]})

    train, holdout, synthetic = draw(150), draw(200), [draw(300, 0.8), draw(200, 0.8)]
    how = Measuring(seeds=2)
    tables = (train, synthetic, holdout, "y", how)
    tree = DecisionTreeClassifier(max_depth=3, max_features=1)
    found = ts.generalization_utility(*tables, random_state=1, model=tree)
    assert (
        found.to_dict() == ts.generalization_utility(*tables, random_state=1, model=tree).to_dict()
    )
    assert found.se_seeds > 0 or found.se_draws > 0 or found.se_rows > 0
    line = ts.generalization_utility(*tables, model=LogisticRegression())
    assert line.signed.value > 0.1 and (line.draws, line.seeds) == (2, 2)
    assert line.se_seeds == 0  # nothing random in it
    assert line.score == "AUC" and set(line.score_costs) == set(SOURCES) - {REAL}
    one_draw = (train, synthetic[0], holdout, "y", how)
    line = ts.generalization_utility(*one_draw, model=LogisticRegression())
    terms = ts.utility_decomposition(*one_draw, model=LogisticRegression())
    assert terms.approximate and terms.dominant == "response"
    assert terms.total.value == pytest.approx(terms.direct.value)
    assert line.signed.low > 0 and "costs" in str(line)  # shifted labels: worse beyond doubt
    assert terms.direct.value == pytest.approx(line.signed.value)
    same = ts.generalization_utility(train, train, holdout, "y", model=LogisticRegression())
    assert same.signed.low <= 0 <= same.signed.high and "no difference found" in str(same)
    with pytest.raises(ts.TabseedError, match="not both"):
        ts.generalization_utility(
            train, synthetic, holdout, "y", Measuring({"t": tree}), model=tree
        )
    with pytest.raises(ts.TabseedError, match="estimator"):
        ts.generalization_utility(train, synthetic, holdout, "y", model="tree")


def test_a_response_of_another_shape_is_refused() -> None:
    train, holdout = diabetes()
    how = Measuring({"line": LinearRegression()}, 1, [lambda rows: np.zeros((len(rows), 2))])
    with pytest.raises(ts.TabseedError, match=r"shape \(200,\)"):
        measure(train, train, holdout, "progression", how)
