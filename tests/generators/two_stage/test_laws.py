"""The law of the response in two-stage synthesis against known laws.

Statistical tests fix the seed; their bars are 4 standard errors (5 where many numbers are compared
at once), so each would fail by chance for one seed in 15,000.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsRegressor

import tabseed as ts
from helpers.responses import SMOOTH, frame, uneven
from tabseed.generators.two_stage.feature_response import FeatureResponse
from tabseed.generators.two_stage.laws import calibrated, on_grid


def logistic(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points (n, 4), y, and P(y = 1 | x) = 1 / (1 + exp(-x_1 + x_2))."""
    rng = np.random.default_rng([10_015, seed])
    x = rng.normal(size=(n, 4))
    eta = 1 / (1 + np.exp(x[:, 1] - x[:, 0]))
    return x, rng.random(n) < eta, eta


# --- numbers ------------------------------------------------------------------------------------


def test_out_of_fold_residuals_are_as_large_as_errors_on_fresh_rows_and_others_are_smaller() -> (
    None
):
    """Mean squares over 1,000 training and 20,000 fresh rows; bar: 4 standard errors of both."""
    x, y, _ = uneven(1_000)
    model = FeatureResponse(SMOOTH, "forest", "global", random_state=0)
    law = model.fit(frame(x, y=y), target="y").law_
    fresh, answers, _ = uneven(20_000, seed=1)
    errors = answers - law.mu(model._points_of(frame(fresh)))
    inside = y - law.mu(model._points_of(frame(x)))
    squares = law.residuals**2
    bar = 4 * np.hypot(squares.std() / 1_000**0.5, (errors**2).std() / 20_000**0.5)
    assert abs(squares.mean() - (errors**2).mean()) < bar
    assert (inside**2).mean() < (errors**2).mean() - 2 * bar


def test_local_residuals_have_the_spread_of_their_neighbourhood() -> None:
    """Var(y~ | x) = s(x)^2 (1 + 1/k) in eight bins; with global residuals it is constant."""
    n = 3_000
    x, y, _ = uneven(n)
    at, _, s = uneven(40_000, seed=1)
    bins = np.digitize(at, np.linspace(-2, 2, 9)[1:-1])
    variances = {}
    for kind in ("local", "global"):
        model = FeatureResponse(SMOOTH, "knn", kind, random_state=0).fit(frame(x, y=y))
        responses = model.sample_response(frame(at), random_state=1)
        variances[kind] = np.array([np.mean((responses - at**2)[bins == b] ** 2) for b in range(8)])
    expected = np.array([np.mean(s[bins == b] ** 2) for b in range(8)]) * (1 + 1 / round(n**0.5))
    # each bin's variance rests on n / 8 training rows of kurtosis about 3
    bar = 5 * expected * (2 / (n / 8)) ** 0.5
    assert (np.abs(variances["local"] - expected) < bar).all()
    assert (variances["global"][3:5] > 2 * expected[3:5]).all()
    assert variances["global"][0] < expected[0] - bar[0]


def test_the_mean_of_drawn_rows_is_that_of_the_law_in_every_bin() -> None:
    """E[y | x] by bins of x, 1,500 rows in, 20,000 out; 5 standard errors of training and draw."""
    x, y, s = uneven(1_500)
    model = FeatureResponse(SMOOTH, "knn", random_state=0).fit(frame(x, y=y), target="y")
    synthetic = model.sample(20_000, random_state=2).to_pydict()
    a, b = (np.array(synthetic[name]) for name in ("x0", "y"))
    for low in np.linspace(-1.5, 1.0, 6):
        mine = (a >= low) & (a < low + 0.5)
        near = (x >= low) & (x < low + 0.5)
        error = 5 * (s[near] ** 2).mean() ** 0.5 * (1 / near.sum() + 1 / mine.sum()) ** 0.5
        assert abs(b[mine].mean() - (a[mine] ** 2).mean()) < error


def test_calibrated_numbers_keep_the_variance_of_a_noisy_regressor() -> None:
    """One neighbour follows noise: the variance of y~ would be sigma^2 too large but for the slope.

    Var y = 4/3 + 1 of 2,000 rows, 40,000 drawn at fresh rows; 4 standard errors of Var y.
    """
    rng = np.random.default_rng(5)
    x = rng.uniform(-2, 2, 2_000)
    y = x + rng.normal(size=2_000)
    model = FeatureResponse(SMOOTH, KNeighborsRegressor(1), "global", random_state=0)
    model.fit(frame(x, y=y))
    responses = model.sample_response(frame(rng.uniform(-2, 2, 40_000)), random_state=0)
    assert 0.4 < model.law_.slope < 0.75  # 4/3 / (4/3 + 1) = 0.571
    assert abs(responses.var() / y.var() - 1) < 4 * (2 / 2_000) ** 0.5


@pytest.mark.parametrize("kind", ["local", "global", "gaussian", "none"])
def test_response_mean_is_the_mean_of_what_is_drawn(kind) -> None:
    """Whole numbers clipped at 0, at five points, 40,000 draws each; 5 standard errors."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-2, 2, 200)
    y = rng.poisson(np.exp(x)) * 3
    table = ts.Table.from_frame(frame(x, y=y), kinds={"y": "integer"})  # few values, but counts
    model = FeatureResponse(SMOOTH, "linear", kind, random_state=0).fit(table)
    at = np.repeat([-1.9, -1.0, 0.0, 1.0, 1.9], 40_000)
    responses = model.sample_response(frame(at), random_state=3).reshape(5, -1)
    assert (responses % 3 == 0).all() and responses.min() >= 0 and responses.max() <= y.max()
    error = 5 * responses.std(axis=1) / 200 + 1e-9
    assert (np.abs(model.response_mean(frame(at[::40_000])) - responses.mean(axis=1)) < error).all()
    assert kind != "none" or (responses == responses[:, :1]).all()
    assert any("clipped" in line for line in model.summary()) or kind == "none"


def test_kinds_of_numbers_are_kept() -> None:
    """Days stay days in their range; few numbers stay these numbers; missing depends on x."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    day = np.datetime64("1700-01-01", "D") + (100 * (x + 3)).astype("timedelta64[D]")
    few = rng.choice([1.5, 2.25, 9.0], 300)
    gappy = pa.array(x, mask=(x > 0) & (rng.random(300) < 0.8))
    for values in (pa.array(day), pa.array(few), gappy):
        table = frame(x, y=values)
        model = FeatureResponse(SMOOTH, "knn", random_state=0).fit(table, target="y")
        synthetic = model.sample(500)
        assert synthetic.schema == table.schema
        assert pa.compute.min_max(synthetic["y"]).as_py()["min"] >= min(
            v for v in values.to_pylist() if v
        )
    known = model.response_mean(frame(np.array([-2.0, 2.0])))
    assert known[0] < -0.5 < 0.5 < known[1]
    missing = np.isnan(model.sample_response(frame(np.repeat([-1.5, 1.5], 2_000))))
    assert missing[:2_000].mean() < 0.1 and 0.6 < missing[2_000:].mean() < 0.95
    block = FeatureResponse(SMOOTH, "knn").fit(frame(x, y=few)).law_.block
    assert on_grid(block, np.array([-5.0, 1.9, 99.0])).tolist() == [1.5, 2.25, 9.0]


# --- classes ------------------------------------------------------------------------------------


def test_calibrated_votes_beat_raw_votes() -> None:
    """Log-loss and calibration on 20,000 fresh rows of a logistic law, 300 training rows."""
    x, y, _ = logistic(300)
    table = frame(x, y=y)
    raw = RandomForestClassifier(100, random_state=0).fit(x, y)
    model = FeatureResponse(SMOOTH, RandomForestClassifier(100), random_state=0).fit(table)
    assert model.classes_ == [False, True]
    fresh, answers, eta = logistic(20_000, seed=1)
    mine, votes = model.response_mean(frame(fresh))[:, 1], raw.predict_proba(fresh)[:, 1]
    smoothed = (300 * votes + y.mean()) / 301  # a vote of 0 would cost infinitely much
    gain = loss(smoothed, answers) - loss(mine, answers)
    assert gain.mean() > 4 * gain.std() / 20_000**0.5
    assert ((mine - eta) ** 2).mean() < ((votes - eta) ** 2).mean()
    for p, calibrated_ in ((mine, True), (votes, False)):
        high = p > 0.9
        off = abs(answers[high].mean() - p[high].mean()) if high.any() else 0.0
        assert (off < 0.06) == calibrated_
    assert abs(mine.mean() - eta.mean()) < 4 * (0.25 / 300) ** 0.5


def loss(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.log(np.where(y, p, 1 - p))


def test_noise_gives_the_base_rates() -> None:
    """Uninformative features cost little: on average under 0.02 nats a row, over five tables."""
    costs = []
    for seed in range(5):
        rng = np.random.default_rng([7, seed])
        y = rng.random(60) < 0.3
        model = FeatureResponse(SMOOTH, RandomForestClassifier(20), random_state=0)
        model.fit(frame(rng.normal(size=(60, 3)), y=y))
        p = model.response_mean(frame(rng.normal(size=(2_000, 3))))[:, 1]
        base = y.mean()
        costs.append(-(base * np.log(p) + (1 - base) * np.log(1 - p)).mean())
        costs[-1] += base * np.log(base) + (1 - base) * np.log(1 - base)
    assert 0 <= np.mean(costs) < 0.02


def test_calibration_is_the_maximum_and_recovers_the_truth() -> None:
    rng = np.random.default_rng(3)
    base = np.array([0.5, 0.3, 0.2])
    k = rng.choice(3, 4_000, p=base)
    ratio = rng.normal(size=(4_000, 3)) + np.eye(3)[k]  # log-likelihood ratios of unit normals
    slope, intercept = calibrated(2 * ratio, k, np.bincount(k) / 4_000)
    p = softmax(np.log(base) + ratio, axis=1)
    information = 4 * ((p * ratio**2).sum() - ((p * ratio).sum(axis=1) ** 2).sum())
    assert abs(slope - 0.5) < 4 * information**-0.5
    assert np.abs(intercept).max() < 0.3
    slope, intercept = calibrated(np.zeros((50, 3)), k[:50], np.bincount(k[:50]) / 50)
    assert slope == 0 and np.abs(intercept).max() < 1e-6

    def value(a: float, b: np.ndarray) -> float:
        score = base * np.exp(b + a * ratio[:90])
        p = score / score.sum(axis=1, keepdims=True)
        return float(np.log(p[np.arange(90), k[:90]]).sum() - (a * a + b @ b) / 2)

    a, b = calibrated(ratio[:90], k[:90], base)
    best = value(a, b)
    for step in (*np.eye(4), *-np.eye(4)):
        assert value(a + 1e-2 * step[0], b + 1e-2 * step[1:]) < best


def test_hard_takes_the_likeliest_class() -> None:
    x, y, _ = logistic(200)
    table, at = frame(x, y=y), frame(logistic(500, seed=1)[0])
    soft, hard = (
        FeatureResponse(SMOOTH, "knn", hard=h, random_state=0).fit(table) for h in (False, True)
    )
    likeliest = soft.response_mean(at)[:, 1] > 0.5
    assert np.array_equal(hard.response_mean(at), np.stack([~likeliest, likeliest], 1))
    for seed in (0, 1):
        assert np.array_equal(hard.sample_response(at, random_state=seed), likeliest)
    responses = [soft.sample_response(at, random_state=seed) for seed in (0, 1)]
    assert (responses[0] != responses[1]).mean() > 0.1


def test_classes_are_drawn_as_often_as_their_probabilities_say() -> None:
    """Three classes and missing; 30,000 draws at each of two rows, 5 standard errors."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=240)
    y = np.array(["b", "a", "c"])[np.digitize(x + rng.normal(size=240), [-0.7, 0.7])]
    y = pa.array(y, mask=(x < 0) & (rng.random(240) < 0.5))
    model = FeatureResponse(SMOOTH, "knn", random_state=0).fit(frame(x, label=y))
    assert model.classes_ == ["a", "b", "c", None] and model.target_ == "label"
    at = frame(np.array([-1.0, 1.0]))
    eta = model.response_mean(at)
    assert eta.shape == (2, 4) and np.allclose(eta.sum(axis=1), 1)
    assert eta[0, 3] > 0.25 and eta[1, 3] < 0.1
    responses = model.sample_response(at.take(np.repeat([0, 1], 30_000)))
    for i, part in enumerate(np.split(responses, 2)):
        share = np.array([np.mean([v is c or v == c for v in part]) for c in model.classes_])
        assert (np.abs(share - eta[i]) <= 5 * (eta[i] * (1 - eta[i]) / 30_000) ** 0.5).all()


@pytest.mark.parametrize("response", ["forest", "knn", "linear", "mlp"])
def test_classes_of_one_or_two_rows(response) -> None:
    rng = np.random.default_rng(6)
    y = np.array(["often"] * 57 + ["twice"] * 2 + ["once"])
    model = FeatureResponse(SMOOTH, response, random_state=0)
    values = model.fit(frame(rng.normal(size=(60, 2)), y=y)).sample(6_000)["y"].to_pylist()
    assert 0 < values.count("once") < 600 and 0 < values.count("twice") < 600
