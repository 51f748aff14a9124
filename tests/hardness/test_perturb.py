"""Perturbations: the mask is the truth, counts are exact, laws are those documented."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import TabseedError
from tabseed.hardness.perturb import PERTURBATIONS, Perturbed, perturb
from tabseed.table import Table
from tabseed.testing.tables import example_table, frames

LABELS = ("uniform", "asymmetric", "adjacent", "instance")

COLUMNS = ("near", "far", "atypical")


def labels(n: int, n_classes: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(n_classes, size=n)


def differing(frame, other) -> np.ndarray:
    """Return which rows of two frames differ in any cell, compared cell by cell in Python."""
    tables = [Table.from_frame(f).to_arrow().to_pylist() for f in (frame, other)]
    return np.array([a != b for a, b in zip(*tables, strict=True)])


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("backend", [0, 1, 2])
def test_mask_is_the_truth_for_every_kind_of_frame(kind, backend) -> None:
    table = example_table()
    frame = list(frames(table))[backend]
    y = labels(len(table))
    result = perturb(frame, y, kind, share=0.15, random_state=1)
    assert type(result.X) is type(frame)
    assert result.changed.sum() == 45 and (differing(frame, result.X) == result.changed).all()
    assert Table.from_frame(result.X).to_arrow().schema == Table.from_frame(frame).to_arrow().schema
    assert (result.y == y).all()
    assert not differing(frame, list(frames(example_table()))[backend]).any()  # input untouched
    ids = [Table.from_frame(f).values("person_id") for f in (frame, result.X)]
    assert ids[0] == ids[1]
    if backend == 1:
        assert (result.X.dtypes == frame.dtypes).all()
    if backend == 2:
        assert result.X.schema == frame.schema


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("coded", ["int", "text", "object"])
def test_flagged_labels_change_and_no_other(kind, n_classes, coded) -> None:
    code = labels(200, n_classes)
    y = {"int": code, "text": np.array(list("abcde"))[code]}.get(coded)
    y = np.array(list("abcde"), dtype=object)[code] if y is None else y
    x = np.random.default_rng(1).normal(size=(200, 2))
    before = y.copy()
    result = perturb(x, y, kind, share=0.235, random_state=0)
    assert result.changed.sum() == 47 and ((result.y != y) == result.changed).all()
    assert result.X is x and (y == before).all() and result.y.dtype == y.dtype
    assert set(result.y) <= set(y) and result.hardness_type == "mislabelled"


def test_uniform_law() -> None:
    """Each other class has 1/3: chi-square with 12 - 4 degrees of freedom, false alarm 1e-4."""
    y = labels(12_000, 4)
    result = perturb(np.zeros((12_000, 1)), y, "uniform", share=1, random_state=0)
    counts = np.zeros((4, 4))
    np.add.at(counts, (y, result.y), 1)
    expected = counts.sum(axis=1, keepdims=True) * (1 - np.eye(4)) / 3
    away = ~np.eye(4, dtype=bool)
    assert ((counts - expected)[away] ** 2 / expected[away]).sum() < 31.8


def test_asymmetric_law_is_one_dirichlet_row_a_class() -> None:
    """With two other classes a Dirichlet(1, 1) share is uniform on [0, 1].

    The bound is Kolmogorov's for 300 shares at false alarm 1e-4, plus the noise of 400 labels each.
    """
    y = np.repeat([0, 1, 2], 400)
    shares = []
    for seed in range(100):
        result = perturb(np.zeros((1_200, 1)), y, "asymmetric", share=1, random_state=seed).y
        shares += [(result[y == 0] == 1).mean(), (result[y == 1] == 2).mean()]
        shares.append((result[y == 2] == 0).mean())
    distance = np.abs(np.sort(shares) - (np.arange(300) + 0.5) / 300).max()
    assert distance < 2.23 / np.sqrt(300) + 0.02
    assert np.std(shares) > 0.2  # one law for all classes and seeds would have no spread


def test_adjacent_moves_by_one_and_stays_inside() -> None:
    y = labels(3_000, 5)
    result = perturb(np.zeros((3_000, 1)), y, "adjacent", share=1, random_state=0).y
    assert (np.abs(result - y) == 1).all()
    up = (result > y)[(y > 0) & (y < 4)]
    assert abs(up.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(up))  # false alarm 6e-5


def test_instance_by_rates() -> None:
    rates = np.array([[0, 1, 3], [2, 0, 0], [0, 5, 0]])
    y = np.array(["b", "a", "c"])[labels(3_000)]
    result = perturb(np.zeros((3_000, 1)), y, "instance", share=1, rates=rates, random_state=0).y
    assert (result[y == "b"] == "a").all() and (result[y == "c"] == "b").all()
    from_a = result[y == "a"]
    share = (from_a == "c").mean()
    assert set(from_a) == {"b", "c"} and abs(share - 0.75) < 4 * np.sqrt(0.1875 / len(from_a))


def test_instance_takes_the_class_of_the_nearest_other_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 3)) * [1, 50, 0.01], labels(80, 4)
    result = perturb(x, y, "instance", share=0.5, random_state=3)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    for i in np.flatnonzero(result.changed):
        others = [j for j in range(80) if y[j] != y[i]]
        nearest = min(others, key=lambda j: ((z[i] - z[j]) ** 2).sum())
        assert result.y[i] == y[nearest]


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8])
def test_shift_moves_targets_by_standard_deviations(dtype) -> None:
    y = np.random.default_rng(0).uniform(0, 200, size=400).astype(dtype)
    result = perturb(np.zeros((400, 1)), y, "shift", share=0.25, amount=0.5, random_state=0)
    assert result.changed.sum() == 100 and ((result.y != y) == result.changed).all()
    moved = np.abs(result.y.astype(float) - y.astype(float))[result.changed]
    assert result.y.dtype == y.dtype
    assert np.allclose(moved, 0.5 * y.astype(float).std(), atol=0.5 if dtype != np.float64 else 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, np.int16])
@pytest.mark.parametrize("kind", COLUMNS)
def test_arrays_keep_type_and_gaps(dtype, kind) -> None:
    x = np.random.default_rng(0).gamma(2, 20, size=(300, 4)).clip(max=240).astype(dtype)
    if np.dtype(dtype).kind == "f":
        x[::7, 1] = np.nan
    before, y = x.copy(), labels(300)
    result = perturb(x, y, kind, share=0.1, random_state=0)
    rows = ((result.X != before) & ~(np.isnan(result.X) & np.isnan(before))).any(axis=1)
    assert result.X.dtype == dtype and result.changed.sum() == 30 and (rows == result.changed).all()
    assert np.array_equal(x, before, equal_nan=np.dtype(dtype).kind == "f")
    if kind != "atypical":
        assert (np.isnan(result.X) == np.isnan(before)).all()


def test_whole_numbers_stay_whole_in_columns_of_reals() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=100), rng.poisson(4, 100)])
    for kind in COLUMNS:
        result = perturb(x, labels(100), kind, share=0.5, random_state=0).X
        assert (result[:, 1] == np.round(result[:, 1])).all()


def test_near_noise_has_the_spread_asked_for() -> None:
    """The noise has amount^2 times the variance of the column, to 5 standard errors."""
    x = np.random.default_rng(0).normal(size=(20_000, 2)) * [1e-3, 1e4]
    result = perturb(x, labels(20_000), "near", share=1, amount=0.7, random_state=0).X
    ratio = (result - x).var(axis=0) / x.var(axis=0)
    assert np.allclose(ratio, 0.49, rtol=5 * np.sqrt(2 / 20_000))


def test_near_keeps_the_law_of_categories_and_redraws_half() -> None:
    """Redrawn with probability 1/2, then equal with sum p^2; every share to 5 standard errors."""
    rng, n = np.random.default_rng(0), 10_000
    c = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    table = pa.table({"c": c, "x": rng.normal(size=n)})
    perturbed = perturb(table, labels(n), "near", share=1, random_state=0).X["c"].to_numpy()
    for level, p in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
        assert abs((perturbed == level).mean() - p) < 5 * np.sqrt(2 * p * (1 - p) / n)
    other = 0.5 * (1 - 0.36 - 0.09 - 0.01)
    assert abs((perturbed != c).mean() - other) < 5 * np.sqrt(other * (1 - other) / n)


@pytest.mark.parametrize("amount", [5.0, 40.0])
def test_far_lies_beyond_the_support_and_the_quartiles(amount) -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=500), rng.pareto(1, 500), rng.poisson(0.1, 500)])
    result = perturb(x, labels(500), "far", amount=amount, random_state=0)
    perturbed = result.X[result.changed]
    for column, far in zip(x.T, perturbed.T, strict=True):
        low, mid, high = np.quantile(column, [0.25, 0.5, 0.75])
        assert ((far > column.max()) | (far < column.min())).all()
        assert (np.abs(far - mid) >= amount * (high - low)).all()
        assert (far > mid).any() and (far < mid).any()


def test_far_changes_every_category_to_another_that_is_known() -> None:
    table = example_table()
    result = perturb(table, labels(300), "far", share=0.3, random_state=0)
    for name in ("level", "owns"):
        before, after = (np.array(t[name].to_pylist(), dtype=object) for t in (table, result.X))
        present = np.array([v is not None for v in before])
        assert (before != after)[result.changed & present].all()
        assert set(after) <= set(before) and (after[~present] == None).all()  # noqa: E711


def test_atypical_draws_from_the_outer_percent_of_one_column() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 3))
    result = perturb(x, labels(2_000), "atypical", share=0.2, random_state=0)
    moved = result.X != x
    assert (moved[result.changed].sum(axis=1) == 1).all()
    for j in range(3):
        order = np.sort(x[:, j])
        tail = set(order[:20]) | set(order[-20:])
        values = result.X[moved[:, j], j]
        assert set(values) <= tail and len(set(values)) > 20 and (values < 0).any()
    both = perturb(x, labels(2_000), "atypical", columns=[0, 2], random_state=0)
    assert ((both.X != x)[both.changed] == [True, False, True]).all()


def test_atypical_counts_ties_in() -> None:
    """Many zeros are not a lower tail; a level is atypical if it is as rare."""
    n = 1_000
    x = np.where(np.arange(n) < 900, 0, np.arange(n))
    c = np.array(["often", "rare"])[(np.arange(n) < 8).astype(int)]
    table = pa.table({"x": x, "c": c})
    result = perturb(table, labels(n), "atypical", random_state=0)
    assert (result.X["x"].to_numpy()[result.changed] >= 990).all()
    result = perturb(table, labels(n), "atypical", columns=["c"], random_state=0)
    assert (
        result.X["c"].to_numpy()[result.changed] == "rare"
    ).all() and result.changed.sum() == 100


def test_every_value_fits_its_column() -> None:
    rng, n = np.random.default_rng(0), 120
    days = [dt.date(9998, 1, 1) + dt.timedelta(int(i)) for i in rng.integers(0, 700, n)]
    table = pa.table(
        {
            "small": pa.array(rng.integers(0, 256, n), pa.uint8()),
            "money": pa.array([Decimal(int(i)) / 100 for i in rng.integers(0, 99_999, n)])
            .cast(pa.decimal128(5, 2)),
            "day": pa.array(days),
            "stamp": pa.array(rng.integers(-(2**62), 2**62, n), pa.timestamp("ns")),
            "text": [f"0{v:.3f}" for v in rng.normal(5, 1, n).clip(0)],
            "seen": [(dt.date(2020, 1, 1) + dt.timedelta(int(i))).strftime("%d/%m/%y")
                     for i in rng.integers(0, 999, n)],
            "class": pa.array(rng.choice(["u", "v"], n)).dictionary_encode(),
        }
    )  # fmt: skip
    kinds = {"text": "continuous", "seen": "datetime:%d/%m/%y"}
    rows = Table.from_frame(table, kinds=kinds)
    for kind in ("near", "far"):
        result = perturb(rows, labels(n), kind, share=0.5, amount=9.0, random_state=0)
        assert isinstance(result.X, Table)
        again = Table.from_frame(result.X.to_frame(), schema=rows.schema)  # can be read back
        assert again.to_arrow().schema == rows.to_arrow().schema
        assert (differing(rows, result.X) == result.changed).all() and result.changed.sum() == 60
        unchanged = np.array(result.X.values("text"))[~result.changed]
        assert (unchanged == np.array(rows.values("text"))[~result.changed]).all()


def test_same_seed_same_rows_and_global_state_untouched() -> None:
    table, y = example_table(), labels(300)
    for kind in PERTURBATIONS:
        target = y.astype(float) if kind == "shift" else y
        before = np.random.get_state()[1].tobytes()  # noqa: NPY002
        first, same, other = (perturb(table, target, kind, random_state=s) for s in (5, 5, 6))
        assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
        assert (first.y == same.y).all() and not differing(first.X, same.X).any()
        assert (first.changed == same.changed).all() and (first.changed != other.changed).any()
    nothing = perturb(table, y, "far", share=0, random_state=0)
    assert not nothing.changed.any() and not differing(table, nothing.X).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "zoom"}, "'uniform', 'asymmetric'"),
        ({"kind": "far", "share": 1.5}, "from 0 to 1"),
        ({"kind": "uniform", "amount": 2.0}, "no amount"),
        ({"kind": "far", "amount": -1.0}, "above 0"),
        ({"kind": "atypical", "amount": 0.7}, "up to 0.5"),
        ({"kind": "uniform", "rates": np.ones((3, 3))}, "go with instance"),
        ({"kind": "instance", "rates": np.ones((2, 2))}, r"\(3, 3\)"),
        ({"kind": "instance", "rates": np.ones((3, 3))}, "diagonal"),
        ({"kind": "instance", "rates": np.diag([1.0, 1], 1)}, "row 3"),
        ({"kind": "uniform", "columns": ["age"]}, "no columns"),
        ({"kind": "near", "columns": ["agee"]}, "'agee'"),
        ({"kind": "atypical", "columns": ["owns"]}, "'owns'"),
    ],
)
def test_errors_are_one_line(options, message) -> None:
    with pytest.raises(TabseedError, match=message) as caught:
        perturb(example_table(), labels(300), **options)
    assert "\n" not in str(caught.value)


def test_data_that_cannot_be_perturbed_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    for refuse, message in (
        (lambda: perturb(x, labels(19), "near"), "20 rows"),
        (lambda: perturb(x.astype(object), labels(20), "near"), "numbers"),
        (lambda: perturb(x / [0.0, 1.0], labels(20), "far"), "infinite"),
        (lambda: perturb(np.ones((20, 2)), labels(20), "far"), "no column"),
    ):
        with np.errstate(divide="ignore"), pytest.raises(TabseedError, match=message):
            refuse()
    with pytest.raises(TabseedError, match="alike"):
        perturb(x, np.ones(20), "uniform")
    with pytest.raises(TabseedError, match="alike"):
        perturb(x, np.ones(20), "shift")
    gone = np.where(np.arange(20)[:, None] < 15, np.nan, x)
    with pytest.raises(TabseedError, match="only 5"):
        perturb(gone, labels(20), "near", share=0.5)
    with pytest.raises(TabseedError, match="too coarse"):
        perturb(np.arange(20)[:, None] % 2, labels(20), "near", amount=1e-3)


def test_names_at_the_top() -> None:
    assert ts.perturb is perturb and ts.Perturbed is Perturbed
