"""The divergence against truth: closed forms, quadrature, and laws that must hold."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from helpers.divergence import judge, mixed
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.metrics import DiscriminatorDivergence, discriminators
from tabseed.metrics.divergence import estimates_from_log_ratio, smallest_js
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


def test_quadrature_has_the_known_value() -> None:
    assert gaussian_js(1.0) == pytest.approx(0.1607, abs=5e-5)
    assert gaussian_js(0.0) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_formulas_with_the_true_log_ratio(shift: float) -> None:
    """With r known only the average over rows remains: 5 standard errors, 3 x 2 checks."""
    rng = np.random.default_rng(0)
    n, m = 40_000, 20_000
    x = np.concatenate([rng.normal(size=n) + shift, rng.normal(size=m)])
    estimates = estimates_from_log_ratio((shift * x - shift**2 / 2)[None, :], n)
    for key, truth in (("kl", shift**2 / 2), ("js", gaussian_js(shift))):
        half = estimates[key].value - estimates[key].low
        assert abs(estimates[key].value - truth) < half / 1.96 * 5
        assert estimates[key].high - estimates[key].value == pytest.approx(half)


def test_kl_is_a_lower_bound_for_any_log_ratio() -> None:
    """Laws of four cells, each cell as many rows as its probability says: no chance is left."""
    p, q = np.array([4, 3, 2, 1]), np.array([1, 2, 3, 4])
    truth = float((p / 10 * np.log(p / q)).sum())

    def kl(r: np.ndarray) -> float:
        rows = np.concatenate([np.repeat(r, 100 * p), np.repeat(r, 100 * q)])
        return estimates_from_log_ratio(rows[None], 1_000)["kl"].value

    assert kl(np.log(p / q)) == pytest.approx(truth)
    rng = np.random.default_rng(0)
    others = [kl(np.log(p / q) + scale * rng.normal(size=4)) for scale in np.geomspace(0.1, 9, 200)]
    assert max(others) < truth and min(others) < 0 < truth - max(others) < 0.1


def test_kl_by_hand_and_its_ceiling() -> None:
    """30 synthetic rows: the log ratio is cut at log 3, and KL never exceeds log 3 + 1."""
    r = np.concatenate([np.full(10, 0.5), np.full(10, 9.0), np.full(15, -1.0), np.full(15, 0.4)])
    kl = estimates_from_log_ratio(r[None], 20)["kl"]
    means = (0.5 + math.log(3)) / 2, (math.exp(-1) + math.exp(0.4)) / 2
    assert kl.value == pytest.approx(means[0] - means[1] + 1)
    spread = np.var(np.repeat([0.5, math.log(3)], 10), ddof=1) / 20
    spread += np.var(np.repeat(np.exp([-1.0, 0.4]), 15), ddof=1) / 30 + ((1 / 20 + 1 / 30) / 2) ** 2
    assert kl.high - kl.value == pytest.approx(2 * math.sqrt(spread), rel=0.02)  # t of about 40
    apart = np.concatenate([np.full(20, 50.0), np.full(30, -50.0)])
    assert estimates_from_log_ratio(apart[None], 20)["kl"].value == pytest.approx(math.log(3) + 1)
    few = estimates_from_log_ratio(np.concatenate([np.full(10, 5.0), np.full(8, -5.0)])[None], 10)
    assert few["kl"].value == pytest.approx(1, abs=0.01)  # with 8 rows no ratio above 1 counts


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


@pytest.mark.slow
def test_oracle_at_reduced_size() -> None:
    """2,500 rows each: KL 0.5 within 0.08 (its standard error is 0.02), JS 0.1607 within 0.025."""
    rng = np.random.default_rng(3)
    result = judge(gaussian(2_500, 1, rng), gaussian(2_500, 0, rng))
    mlp = result.estimates["plain"]["mlp"]
    assert mlp["kl"].value == pytest.approx(0.5, abs=0.08)
    assert mlp["js"].value == pytest.approx(gaussian_js(1.0), abs=0.025)
    assert mlp["js"].low <= gaussian_js(1.0) <= mlp["js"].high
    # trees see steps, not a line: a lower bound that comes close
    assert 0.12 < result.estimates["plain"]["trees"]["js"].value < gaussian_js(1.0) + 0.025


def test_unequal_class_sizes_are_corrected() -> None:
    """300 real, 3,000 synthetic: uncorrected priors would put JS off by more than 0.1."""
    rng = np.random.default_rng(4)
    mlp = judge(gaussian(300, 1, rng), gaussian(3_000, 0, rng)).estimates["plain"]["mlp"]
    assert mlp["js"].value == pytest.approx(gaussian_js(1.0), abs=0.05)
    assert mlp["kl"].value == pytest.approx(0.5, abs=0.17)


@pytest.mark.slow
def test_interval_includes_zero_for_two_samples_of_one_law() -> None:
    """20 pairs, intervals of 95 %: more than 4 misses in 20 has probability 0.0026."""
    misses = 0
    for seed in range(20):
        rng = np.random.default_rng([5, seed])
        js = judge(pa.table(mixed(60, rng)), pa.table(mixed(60, rng)), seed).js
        misses += not js.low <= 0 <= js.high
    assert misses <= 4


@pytest.mark.slow
def test_worse_tables_score_worse() -> None:
    """Gaps are ten and more standard errors; one seed."""
    rng = np.random.default_rng(6)
    real = mixed(600, rng)
    good = mixed(600, rng)
    shaken = {**good, "age": good["age"] + np.round(rng.normal(size=600) * 8)}
    torn = {name: rng.permutation(values) for name, values in good.items()}
    values = [judge(pa.table(real), pa.table(t)).js.value for t in (good, shaken, torn)]
    assert values[0] < 0.02 < values[1] < values[2]


@pytest.mark.slow
def test_a_category_that_only_one_side_has_is_seen() -> None:
    rng = np.random.default_rng(7)
    real, fake = mixed(300, rng), mixed(300, rng)
    fake["job"] = np.where(rng.random(300) < 0.5, "ünseen 職", fake["job"])
    table = Table.from_frame(pa.table(real))
    for result in (judge(table, pa.table(fake)), judge(pa.table(fake), table)):
        assert result.js.low > 0.1


def test_a_column_missing_on_one_side_is_seen() -> None:
    rng = np.random.default_rng(8)
    real, fake = mixed(200, rng), mixed(200, rng)
    fake["pay"] = np.full(200, np.nan)
    assert judge(pa.table(real), pa.table(fake)).js.value > 0.7


@pytest.mark.slow
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
        result = judge(table, table, repeats=1, views=("plain", "coarse"))
        assert math.isfinite(result.js.value) and abs(result.js.value) < 0.2


@pytest.mark.slow
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


def test_more_folds_than_rows_are_refused() -> None:
    rng = np.random.default_rng(15)
    with pytest.raises(TooFewRowsError, match="20 folds need 20 rows in each table, got 12"):
        judge(gaussian(12, 0, rng), gaussian(30, 0, rng), folds=20)


def test_progress_counts_every_fit() -> None:
    rng = np.random.default_rng(14)
    calls: list[tuple[int, int]] = []
    judge(
        gaussian(20, 0, rng),
        gaussian(20, 0, rng),
        progress=lambda done, total, _: calls.append((done, total)),
    )
    assert calls == [(i + 1, 12) for i in range(12)]  # 3 folds, 2 repeats, 2 discriminators


def test_smallest_js_by_hand() -> None:
    """Without null noise the interval's width decides: 2 (1.96 + 0.8416)^2 / (n ln 2), n = m."""
    assert smallest_js(np.zeros(5), 1_000, 1_000) == pytest.approx(2 * 7.849 / 693.1, rel=1e-3)
    assert smallest_js(np.zeros(5), 60, 600) == pytest.approx(0.2076, abs=1e-3)
    assert smallest_js(np.zeros(5), 5, 5) == 1
    noisy = smallest_js(np.array([0.0, 0.1, 0.2]), 1_000, 1_000)
    # t(0.95, 2) = 2.920: bound 0.1 + 2.920 * 0.1 * sqrt(4/3), and some power on top
    assert 0.4372 < noisy < 0.47


@pytest.mark.slow
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
