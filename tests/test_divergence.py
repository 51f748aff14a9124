"""The divergence against truth: closed forms, quadrature, and laws that must hold."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.metrics import DiscriminatorDivergence, discriminators
from tabseed.metrics.discriminators import Calibration
from tabseed.metrics.divergence import estimates_from_log_ratio, smallest_js
from tabseed.metrics.judge_encoder import JudgeEncoder, coarse_codes, merge_close
from tabseed.table import Table


def gaussian_js(shift: float) -> float:
    """JS of N(0, 1) and N(shift, 1) in bits, by quadrature."""

    def half(x: float, sign: float) -> float:
        ratio = shift * x - shift**2 / 2  # log of N(shift, 1) over N(0, 1)
        return float(norm.pdf(x, shift if sign > 0 else 0) * np.logaddexp(0, -sign * ratio))

    loss = sum(quad(half, -12, 12 + shift, args=(sign,))[0] for sign in (1.0, -1.0))
    return 1 - loss / 2 / math.log(2)


def gaussian(n: int, shift: float, rng: np.random.Generator, width: int = 1) -> pa.Table:
    x = rng.normal(size=(n, width))
    x[:, 0] += shift
    return pa.table({f"x{j}": x[:, j] for j in range(width)})


def mixed(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Four columns that hang together: two numbers, two categories, some cells missing."""
    z = rng.normal(size=n)
    age = np.round(40 + 12 * z + rng.normal(size=n))
    pay = np.exp(z + 0.3 * rng.normal(size=n))
    job = np.array(["low", "mid", "high"])[np.digitize(z, [-0.5, 0.7])]
    old = np.where(age > 45, "yes", "no")
    age[rng.random(n) < 0.1] = np.nan
    return {"age": age, "pay": pay, "job": job, "old": old}


FAST = {"views": ("plain",), "permutations": 0, "folds": 3, "repeats": 2}


def judge(real: pa.Table, synthetic: pa.Table, seed: int = 0, progress=None, **options: object):
    return DiscriminatorDivergence(**{**FAST, **options}).evaluate(
        real, synthetic, random_state=seed, progress=progress
    )


def test_quadrature_has_the_known_value() -> None:
    assert gaussian_js(1.0) == pytest.approx(0.1607, abs=5e-5)
    assert gaussian_js(0.0) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_formulas_with_the_true_log_ratio(shift: float) -> None:
    """With r known only the average over rows is left: 5 standard errors, 3 x 2 checks."""
    rng = np.random.default_rng(0)
    n, m = 40_000, 20_000
    x = np.concatenate([rng.normal(size=n) + shift, rng.normal(size=m)])
    found = estimates_from_log_ratio((shift * x - shift**2 / 2)[None, :], n)
    for key, truth in (("kl", shift**2 / 2), ("js", gaussian_js(shift))):
        half = found[key].value - found[key].low
        assert abs(found[key].value - truth) < half / 1.96 * 5
        assert found[key].high - found[key].value == pytest.approx(half)


def test_disjoint_and_equal_laws_meet_the_ends_of_the_scale() -> None:
    r = np.concatenate([np.full(50, 60.0), np.full(70, -60.0)])[None, :]
    assert estimates_from_log_ratio(r, 50)["js"].value == pytest.approx(1.0)
    nothing = estimates_from_log_ratio(np.zeros((1, 120)), 50)["js"]
    assert nothing.value == 0 and nothing.low < 0 < nothing.high


def test_repeats_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    r = rng.normal(size=(1, 400)) + np.repeat([1.0, -1.0], 200)
    same = estimates_from_log_ratio(np.repeat(r, 3, axis=0), 200)["js"]
    other = estimates_from_log_ratio(r * np.array([[0.5], [1.0], [1.5]]), 200)["js"]
    assert other.high - other.low > same.high - same.low


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


def test_oracle_at_reduced_size() -> None:
    """2,500 rows each: KL 0.5 within 0.08 (its standard error is 0.02), JS 0.1607 within 0.025."""
    rng = np.random.default_rng(3)
    found = judge(gaussian(2_500, 1, rng), gaussian(2_500, 0, rng))
    mlp = found.estimates["plain"]["mlp"]
    assert mlp["kl"].value == pytest.approx(0.5, abs=0.08)
    assert mlp["js"].value == pytest.approx(gaussian_js(1.0), abs=0.025)
    assert mlp["js"].low <= gaussian_js(1.0) <= mlp["js"].high
    # trees see steps, not a line: a lower bound that comes close
    assert 0.12 < found.estimates["plain"]["trees"]["js"].value < gaussian_js(1.0) + 0.025


def test_unequal_class_sizes_are_corrected() -> None:
    """300 real, 3,000 synthetic: uncorrected priors would put JS off by more than 0.1."""
    rng = np.random.default_rng(4)
    mlp = judge(gaussian(300, 1, rng), gaussian(3_000, 0, rng)).estimates["plain"]["mlp"]
    assert mlp["js"].value == pytest.approx(gaussian_js(1.0), abs=0.05)
    assert mlp["kl"].value == pytest.approx(0.5, abs=0.17)


def test_interval_holds_zero_for_two_samples_of_one_law() -> None:
    """20 pairs, intervals of 95 %: more than 4 misses in 20 has probability 0.0026."""
    misses = 0
    for seed in range(20):
        rng = np.random.default_rng([5, seed])
        js = judge(pa.table(mixed(60, rng)), pa.table(mixed(60, rng)), seed).js
        misses += not js.low <= 0 <= js.high
    assert misses <= 4


def test_worse_tables_score_worse() -> None:
    """Gaps are ten and more standard errors; one seed."""
    rng = np.random.default_rng(6)
    real = mixed(600, rng)
    good = mixed(600, rng)
    shaken = {**good, "age": good["age"] + np.round(rng.normal(size=600) * 8)}
    torn = {name: rng.permutation(values) for name, values in good.items()}
    values = [judge(pa.table(real), pa.table(t)).js.value for t in (good, shaken, torn)]
    assert values[0] < 0.02 < values[1] < values[2]


def test_a_category_that_only_one_side_has_is_seen() -> None:
    rng = np.random.default_rng(7)
    real, fake = mixed(300, rng), mixed(300, rng)
    fake["job"] = np.where(rng.random(300) < 0.5, "ünseen 職", fake["job"])
    table = Table.from_frame(pa.table(real))
    for found in (judge(table, pa.table(fake)), judge(pa.table(fake), table)):
        assert found.js.low > 0.1


def test_a_column_missing_on_one_side_is_seen() -> None:
    rng = np.random.default_rng(8)
    real, fake = mixed(200, rng), mixed(200, rng)
    fake["pay"] = np.full(200, np.nan)
    assert judge(pa.table(real), pa.table(fake)).js.value > 0.7


def test_odd_tables_are_judged_without_complaint() -> None:
    """One column, a constant, no value at all, a name in another script."""
    rng = np.random.default_rng(9)
    for column in (
        pa.array(rng.normal(size=30)),
        pa.array(np.zeros(30)),
        pa.array([None] * 30, pa.float64()),
        pa.array([None] * 30, pa.string()),
        pa.array(["한국어", "ß"] * 15),
    ):
        table = pa.table({"名前 größe": column})
        found = judge(table, table, repeats=1, views=("plain", "coarse"))
        assert math.isfinite(found.js.value) and abs(found.js.value) < 0.2


def test_coarse_view_forgives_grain_and_keeps_shape() -> None:
    """Rounded against unrounded: all of the plain difference is grain."""
    rng = np.random.default_rng(10)
    real = pa.table({"x": np.round(rng.normal(size=800), 1)})
    fake = pa.table({"x": np.round(rng.normal(size=800), 1) + rng.choice([-0.03, 0.03], 800)})
    found = judge(real, fake, views=("plain", "coarse"))
    assert found.js.value > 0.3
    assert found.js_coarse.value < 0.15


def test_coarse_codes_by_hand() -> None:
    real = np.arange(1.0, 101)
    codes = coarse_codes(real, np.array([-5.0, 1.0, 5.95, 5.96, 50.5, 1e9, np.nan]))
    assert codes[:6].tolist() == [0, 0, 0, 1, 9, 19]
    assert np.isnan(codes[6])
    assert coarse_codes(np.full(3, np.nan), np.array([1.0, np.nan]))[0] == 0


def test_last_bits_of_numbers_are_not_seen() -> None:
    """Values whose last bits differ are one to the judge; a difference of 1e-6 is not."""
    left, right = merge_close([np.array([0.3, 1.0, np.nan]), np.array([0.1 + 0.2, 1 + 1e-6, 0.0])])
    assert left[0] == right[0] and left[1] != right[1] and np.isnan(left[2])
    rng = np.random.default_rng(16)
    steps = rng.integers(0, 60, size=(2, 600))
    real, fake = pa.table({"x": steps[0] * 0.0732}), pa.table({"x": 0.0732 * 7 * (steps[1] / 7)})
    assert not set(real["x"].to_pylist()) >= set(fake["x"].to_pylist())  # bits do differ
    assert judge(real, fake).js.low <= 0


def test_encoding_does_not_look_at_labels() -> None:
    rng = np.random.default_rng(11)
    left = Table.from_frame(pa.table(mixed(50, rng)))
    right = Table.from_frame(pa.table(mixed(70, rng)), schema=left.schema)
    one, two = JudgeEncoder().encode(left, right), JudgeEncoder().encode(right, left)
    for a, b in ((one.trees, two.trees), (one.mlp, two.mlp)):
        np.testing.assert_allclose(a, np.vstack([b[70:], b[:70]]), atol=1e-9)
    assert np.isfinite(one.mlp).all()


def test_many_levels_fit_the_trees() -> None:
    rng = np.random.default_rng(12)
    names = np.array([f"level {i}" for i in range(400)])
    real = Table.from_frame(pa.table({"c": rng.choice(names, 900)}), kinds={"c": "categorical"})
    codes = JudgeEncoder().encode(real, real).trees[:, 0]
    assert codes.max() == 254 and codes.min() == 0
    # the rest is one level: the most common code is then the last
    assert (codes == 254).sum() > (codes == 0).sum()


def test_same_numbers_for_any_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discriminators, "WORKER_SECONDS", 0.0)  # so that two workers really start
    rng = np.random.default_rng(13)
    real, fake = pa.table(mixed(60, rng)), pa.table(mixed(120, rng))
    options = {"views": ("plain", "coarse"), "permutations": 5}
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = (judge(real, fake, n_jobs=jobs, **options).to_dict() for jobs in (1, 2))
    assert one == two
    assert one != judge(real, fake, seed=1, **options).to_dict()
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_progress_counts_every_fit() -> None:
    rng = np.random.default_rng(14)
    seen: list[tuple[int, int]] = []
    judge(
        gaussian(20, 0, rng),
        gaussian(20, 0, rng),
        progress=lambda done, total, _: seen.append((done, total)),
    )
    assert seen == [(i + 1, 12) for i in range(12)]  # 3 folds, 2 repeats, 2 discriminators


def test_smallest_js_by_hand() -> None:
    """Without null noise the interval's width decides: 2 (1.96 + 0.8416)^2 / (n ln 2), n = m."""
    assert smallest_js(np.zeros(5), 1_000, 1_000) == pytest.approx(2 * 7.849 / 693.1, rel=1e-3)
    assert smallest_js(np.zeros(5), 60, 600) == pytest.approx(0.2076, abs=1e-3)
    assert smallest_js(np.zeros(5), 5, 5) == 1
    noisy = smallest_js(np.array([0.0, 0.1, 0.2]), 1_000, 1_000)
    # t(0.95, 2) = 2.920: bound 0.1 + 2.920 * 0.1 * sqrt(4/3), and some power on top
    assert 0.4372 < noisy < 0.47


def test_the_smallest_js_shrinks_with_rows() -> None:
    rng = np.random.default_rng(15)
    few, more = (
        judge(gaussian(n, 0, rng), gaussian(n, 0, rng), permutations=6).smallest_js
        for n in (30, 300)
    )
    assert few is not None and more is not None and 0 < more < few <= 1


def test_errors_say_what_to_do() -> None:
    table = pa.table({"x": np.arange(9) / 7})
    with pytest.raises(TooFewRowsError, match="at least 10 real rows, got 9"):
        judge(table, table)
    names = pa.table({"name": [f"row {i}" for i in range(30)]})
    with pytest.raises(SchemaError, match="no column to compare"):
        judge(names, names)
    with pytest.raises(SchemaError, match=r"synthetic table: column 'x' is missing"):
        judge(pa.table({"x": np.arange(30) / 7}), pa.table({"y": np.arange(30) / 7}))


def test_is_a_scikit_learn_estimator() -> None:
    from sklearn.base import clone

    metric = DiscriminatorDivergence(max_rows=77, permutations=3)
    assert clone(metric).get_params() == metric.get_params()
    assert metric.unit == "bits" and metric.better == "lower" and metric.references
