"""Targeted augmentation: which rows are learned, what comes out, and when a generator stops."""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from imblearn.pipeline import Pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tabseed import (
    SMOTE,
    TVAE,
    ImportanceKS,
    KNNShapley,
    KSStopped,
    Resample,
    SchemaError,
    Table,
    TabseedError,
    TargetedAugmenter,
    TargetedRegressionAugmenter,
    TooFewRowsError,
    Training,
)
from tabseed.estimates.folds import smallest
from tabseed.hardness.hints import hints

SCORED = TargetedAugmenter(Resample(), hardest=0.3, per_class=True, random_state=0)
BRIEF = Training(steps=60, warm_up=20, validate_every=20)


def clusters(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.normal(size=(n, 3))
    x[:, 0] += np.where(y == 1, 1.0, -1.0)
    return x, y


def mixed(n: int = 90) -> tuple[pd.DataFrame, pd.Series]:
    """A frame of all kinds, with gaps, and labels that are text."""
    rng = np.random.default_rng(1)
    start = dt.datetime(2020, 1, 1)
    frame = pd.DataFrame(
        {
            "dose": rng.choice([0.5, 1.0, 2.5, np.nan], n),
            "visits": rng.integers(0, 9, n).astype("int16"),
            "ward": pd.Categorical(rng.choice(["A", "B", "C"], n), ["A", "B", "C", "D"]),
            "seen": pd.to_datetime([start + dt.timedelta(int(d)) for d in rng.integers(0, 99, n)]),
            "smokes": rng.random(n) < 0.4,
            "label": rng.normal(size=n),
        },
        index=np.arange(n) * 3 + 7,
    )
    return frame, pd.Series(np.where(rng.random(n) < 0.25, "ill", "well"), name="state")


# --- what imbalanced-learn asks of a sampler


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(SCORED)),
    ids=lambda part: part.func.__name__ if hasattr(part, "func") else None,
)
def test_imbalanced_learn_takes_it_for_a_sampler(estimator, check) -> None:
    check(estimator)


def test_a_pipeline_searches_over_the_share_of_hard_rows() -> None:
    x, y = clusters()
    steps = [
        ("scale", StandardScaler()),
        ("augment", TargetedAugmenter(Resample(smoothing=0.3), random_state=0)),
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
    ]
    search = GridSearchCV(
        Pipeline(steps),
        {"augment__hardest": [0.2, 0.5, 1.0], "augment__generator__smoothing": [0.0, 0.5]},
        cv=2,
        error_score="raise",
    ).fit(x, y)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert search.predict(x).shape == y.shape  # nothing is added when it predicts


# --- which rows


def test_smallest_takes_the_quota_of_each_group() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 30))
        key, group = rng.integers(0, 6, n).astype(float), rng.integers(-1, 3, n)
        quota = rng.integers(0, 5, 3)
        expected: list[int] = []
        for g in range(3):
            own = [i for i in range(n) if group[i] == g]
            expected += sorted(own, key=lambda i: (key[i], i))[: quota[g]]
        assert smallest(key, group, quota).tolist() == sorted(expected)


def test_the_hardest_rows_are_learned_and_no_others() -> None:
    x, y = clusters()
    made = TargetedAugmenter(Resample(), KNNShapley(n_neighbors=3), hardest=0.25, random_state=4)
    x2, _ = made.fit_resample(x, y)
    hard = np.argsort(-made.hardness_, kind="stable")[:30]
    assert sorted(hard) == np.flatnonzero(made.hard_).tolist()
    drawn = {tuple(row) for row in x2[120:]}  # copies of rows, by the plain bootstrap
    assert drawn <= {tuple(row) for row in x[hard]}
    assert made.sample_indices_.tolist() == [*range(120), *[-1] * 30]


def test_the_share_may_be_of_each_class() -> None:
    x, _ = clusters()
    y = np.where(np.arange(120) < 12, "rare", "common")
    made = TargetedAugmenter(Resample(), hardest=0.25, per_class=True, random_state=0).fit(x, y)
    assert [int(made.hard_[y == c].sum()) for c in ("rare", "common")] == [3, 27]


def test_labels_go_with_their_rows_and_their_counts_are_told() -> None:
    x, y = clusters()
    made = TargetedAugmenter(Resample(), hardest=0.3, amount=5.0, random_state=0)
    x2, y2 = made.fit_resample(x, y)
    label_of = {tuple(row): label for row, label in zip(x, y, strict=True)}
    assert all(label_of[tuple(row)] == label for row, label in zip(x2, y2, strict=True))
    assert made.sampling_strategy_ == {c: int((y2[120:] == c).sum()) for c in (0, 1)}
    assert len(x2) == 120 + 5 * 36


def test_all_rows_are_taken_unscored() -> None:
    x, y = clusters()
    made = TargetedAugmenter(Resample(), hardest=1.0, amount=0.5, random_state=0)
    x2, _ = made.fit_resample(x, y)
    assert made.hardness_ is None and made.hard_.all() and len(x2) == 180


def test_rows_that_look_mislabelled_can_be_left_out() -> None:
    rng = np.random.default_rng(0)
    x, y = clusters(200)
    x[:, 0] += np.where(y == 1, 2.0, -2.0)
    wrong = rng.choice(200, 12, replace=False)
    y[wrong] = 1 - y[wrong]
    plain = TargetedAugmenter(Resample(), hardest=0.1, random_state=0).fit(x, y)
    assert plain.hard_[wrong].sum() >= 10  # what augmentation would multiply
    made = TargetedAugmenter(
        Resample(), hardest=0.1, skip=("mislabelled", "out of support"), random_state=0
    )
    x2, _ = made.fit_resample(x, y)
    assert not np.isin(hints(x, y)[made.hard_].astype(str), made.skip).any()
    assert made.hard_[wrong].sum() <= 2 and np.array_equal(x2[:200], x)


# --- what comes out


@pytest.mark.parametrize("generator", [Resample(smoothing=0.5), SMOTE()])
def test_a_mixed_frame_comes_back_as_it_was_with_rows_below(generator) -> None:
    frame, state = mixed()
    before = frame.copy(deep=True), state.copy(deep=True)
    x2, y2 = TargetedAugmenter(generator, hardest=0.5, random_state=0).fit_resample(frame, state)
    n = len(frame)
    pd.testing.assert_frame_equal(x2.iloc[:n], frame.reset_index(drop=True))
    pd.testing.assert_series_equal(y2.iloc[:n], state)
    assert x2.dtypes.equals(frame.dtypes) and y2.dtype == state.dtype and y2.name == "state"
    assert len(x2) == len(y2) == n + 45 and list(x2.index) == list(range(n + 45))
    drawn = x2.iloc[n:]
    assert set(drawn["dose"].dropna()) <= {0.5, 1.0, 2.5} and drawn["dose"].isna().any()
    assert drawn["visits"].between(0, 8).all() and set(drawn["ward"]) <= set("ABC")
    assert set(y2.iloc[n:]) == {"ill", "well"}
    pd.testing.assert_frame_equal(frame, before[0])
    pd.testing.assert_series_equal(state, before[1])


def test_other_kinds_of_frame_come_back_too() -> None:
    frame, state = mixed()
    made = TargetedAugmenter(Resample(), hardest=0.5, random_state=0)
    reference, labels = made.fit_resample(frame, state)
    polars, y = made.fit_resample(pl.from_pandas(frame), pl.Series("state", state.tolist()))
    assert isinstance(polars, pl.DataFrame) and isinstance(y, pl.Series) and y.name == "state"
    assert polars["visits"].to_list() == reference["visits"].tolist()
    assert y.to_list() == labels.tolist()
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    out, y = made.fit_resample(arrow, pa.chunked_array([state.tolist()]))
    assert out.schema.types == arrow.schema.types and y.to_pylist() == labels.tolist()
    table, y = made.fit_resample(Table.from_frame(frame), state.to_numpy())
    assert isinstance(table, Table) and table.schema.names == list(frame.columns)
    assert table.values("visits") == reference["visits"].tolist()
    assert isinstance(y, np.ndarray) and y.tolist() == labels.tolist()


def test_provenance_is_a_column_on_request() -> None:
    frame, state = mixed()
    made = TargetedAugmenter(Resample(), hardest=0.5, provenance="synthetic", random_state=0)
    for kind in (frame, pl.from_pandas(frame), Table.from_frame(frame)):
        x2, _ = made.fit_resample(kind, state)
        flags = x2.values("synthetic") if isinstance(x2, Table) else list(x2["synthetic"])
        assert flags == [False] * 90 + [True] * 45
    with pytest.raises(SchemaError, match="already"):
        clone(made).set_params(provenance="ward").fit_resample(frame, state)
    with pytest.raises(SchemaError, match="array"):
        made.fit_resample(*clusters())


def test_arrays_keep_their_type_and_whole_numbers_stay_whole() -> None:
    x, y = clusters()
    whole = np.round(3 * x).astype(np.int32)
    x2, y2 = TargetedAugmenter(SMOTE(), hardest=0.5, random_state=0).fit_resample(
        whole, y.astype(np.uint8)
    )
    assert x2.dtype == np.int32 and y2.dtype == np.uint8
    counting = np.arange(120)[:, None]  # as an id would: in an array it is a number
    TargetedAugmenter(Resample(), hardest=0.5).fit_resample(counting, y)


def test_the_seed_decides_everything_and_nothing_else_is_touched() -> None:
    x, y = clusters()
    state, kept = np.random.get_state()[1].copy(), x.copy()  # noqa: NPY002
    made = TargetedAugmenter(Resample(smoothing=0.5), hardest=0.3, random_state=3)
    first, second = (clone(made).fit_resample(x, y)[0] for _ in range(2))
    other = clone(made).set_params(random_state=4).fit_resample(x, y)[0]
    assert first.tobytes() == second.tobytes() != other.tobytes()
    assert np.array_equal(np.random.get_state()[1], state) and np.array_equal(x, kept)  # noqa: NPY002


# --- numbers to predict


def test_targets_keep_their_dtype_and_their_grid() -> None:
    frame, _ = mixed()
    rng = np.random.default_rng(0)
    made = TargetedRegressionAugmenter(SMOTE(), hardest=0.4, random_state=0)
    for y in (
        pd.Series(rng.integers(0, 500, 90).astype("int32"), name="cost"),
        pd.Series(rng.normal(size=90).astype("float32"), name="cost"),
        np.round(rng.normal(size=90), 1),
    ):
        x2, y2 = made.fit_resample(frame, y)
        assert type(y2) is type(y) and y2.dtype == y.dtype and len(x2) == len(y2) == 126
        values, old = np.asarray(y2), np.asarray(y)
        assert np.array_equal(values[:90], old) and old.min() <= values.min() <= values.max()
        assert values.max() <= old.max()
    assert np.allclose(10 * y2, np.round(10 * y2))


def test_the_hardest_targets_are_those_far_from_their_neighbours() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(100, 1))
    y = 3 * x[:, 0]
    y[[5, 50, 95]] += 4.0
    made = TargetedRegressionAugmenter(Resample(), hardest=0.03, random_state=0).fit(x, y)
    assert np.flatnonzero(made.hard_).tolist() == [5, 50, 95]


# --- refusals, one line each


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"hardest": 0.0}, TabseedError, "share of the rows"),
        ({"hardest": 1.5}, TabseedError, "share of the rows"),
        ({"amount": -1.0}, TabseedError, "for each hard row"),
        ({"skip": "odd"}, TabseedError, "mislabelled"),
        ({"generator": TVAE(), "hardest": 0.02}, TooFewRowsError, "raise hardest"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error, message) -> None:
    x, y = clusters()
    with pytest.raises(error, match=message) as caught:
        TargetedAugmenter(Resample()).set_params(**settings).fit_resample(x, y)
    assert "\n" not in str(caught.value)


def test_a_class_that_is_not_hard_is_not_dropped_in_silence() -> None:
    x, y = clusters(200)
    x[y == 1, 0] += 3.0
    y[[1, 51, 101, 151]] = 0  # in the midst of class 1
    with pytest.raises(TooFewRowsError, match=r"none of class 1: .*per_class"):
        TargetedAugmenter(Resample(), hardest=0.015, random_state=0).fit(x, y)
    TargetedAugmenter(Resample(), hardest=0.015, per_class=True, random_state=0).fit(x, y)


def test_rows_and_labels_that_do_not_fit_are_refused() -> None:
    x, y = clusters()
    made = TargetedAugmenter(Resample(), hardest=0.5)
    for rows, labels, message in (
        (x, y[:-1], "differ in length"),
        (x, np.where(np.arange(120) == 3, np.nan, y), "row 4 has no label"),
        (pd.DataFrame({"patient_id": np.arange(120), "x": x[:, 0]}), y, "patient_id"),
        (x[:, 0], y, "shape"),
    ):
        with pytest.raises(SchemaError, match=message):
            made.fit_resample(rows, labels)
    with pytest.raises(SchemaError, match="label"):
        TargetedRegressionAugmenter(Resample(), hardest=0.5).fit_resample(
            x, np.where(np.arange(120) == 3, np.inf, 1.0 * y)
        )


# --- when a generator stops


def watched_table(n: int = 120) -> pa.Table:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    return pa.table(
        {"x": x, "noise": rng.normal(size=n), "c": rng.choice(list("ab"), n), "y": x > 0}
    )


def test_weights_are_matched_by_name_and_sum_to_one() -> None:
    table = watched_table()
    found = ImportanceKS(table, "y", {"c": 1.0, "x": 3.0}).weights
    assert found == {"x": 0.75, "noise": 0.0, "c": 0.25}
    assert ImportanceKS(table, "y", {}).weights == dict.fromkeys(("x", "noise", "c"), 1 / 3)
    measured = ImportanceKS(table, "y", random_state=0).weights
    assert measured["x"] > 0.9  # the label is a function of x
    with pytest.raises(SchemaError, match="xx"):
        ImportanceKS(table, "y", {"xx": 1.0})
    with pytest.raises(TabseedError, match="0 or more"):
        ImportanceKS(table, "y", {"x": -1.0})


def test_the_statistic_is_the_weighted_mean_of_distances_of_columns() -> None:
    real = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "c": list("aabb"), "y": [0, 1, 0, 1]})
    drawn = pa.table({"x": [3.0, 4.0, 5.0, 6.0], "c": list("abbb"), "y": [0, 0, 0, 0]})
    # by hand: F differs by 1/2 at 2; shares of a, b are 1/2, 1/2 and 1/4, 3/4
    monitor = ImportanceKS(real, "y", {"x": 3.0, "c": 1.0})
    assert monitor.statistic(drawn) == pytest.approx(0.75 * 0.5 + 0.25 * 0.25)
    assert monitor.statistic(real) == 0


def test_a_watched_network_stops_by_the_statistic_and_keeps_its_best_weights() -> None:
    table = watched_table()
    monitor = ImportanceKS(table, "y", {"x": 2.0, "c": 1.0})
    model = TVAE(n_seeds=2, training=BRIEF, random_state=0).fit(table, target="y", watch=monitor)
    steps = [0, 20, 40, 60]
    for seed, curve in enumerate(model.ensemble_.curves):
        seen = [w.statistic for w in monitor.history if w.seed == seed]
        assert curve[:, 0].tolist() == steps and curve[:, 2].tolist() == seen
        assert model.ensemble_.best_loss[seed] == min(seen[1:])  # the warm-up does not count
        assert model.ensemble_.best_step[seed] == steps[1 + int(np.argmin(seen[1:]))]
    first = monitor.history[0]
    assert first.statistic == pytest.approx((2 * first.distances["x"] + first.distances["c"]) / 3)
    again = TVAE(n_seeds=2, training=BRIEF, random_state=0).fit(
        table, target="y", watch=ImportanceKS(table, "y", {"x": 2.0, "c": 1.0})
    )
    assert again.sample(20).equals(model.sample(20))
    root = ElementTree.fromstring(monitor.picture(model))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4 and len(lines[2].get("points").split()) == len(steps)


def test_only_networks_can_be_watched() -> None:
    table = watched_table()
    with pytest.raises(TabseedError, match="trains no network"):
        Resample().fit(table, watch=ImportanceKS(table, "y", {}))


def test_an_augmenter_takes_a_generator_that_stops_so() -> None:
    x, y = clusters()
    stopped = KSStopped(TVAE(n_seeds=1, training=BRIEF))
    made = TargetedAugmenter(stopped, hardest=0.3, random_state=0)
    x2, y2 = made.fit_resample(x, y)
    assert len(x2) == len(y2) == 156 and set(made.generator_.monitor_.weights) == {"x0", "x1", "x2"}
    assert {w.seed for w in made.generator_.monitor_.history} == {0}
