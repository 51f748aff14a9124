"""The comparison of arms: its statistics by hand, its honesty, and what it finds."""

from __future__ import annotations

import json
import math
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from tabseed import (
    AUM,
    AugmentationProtocol,
    KNNShapley,
    Resample,
    TabseedError,
    TargetedAugmenter,
    TargetedRegressionAugmenter,
    TooFewRowsError,
    evaluate_augmentation,
)
from tabseed._random import child, seed_sequence
from tabseed.augment.arms import ARMS, Arms, held_out, with_rounds
from tabseed.augment.protocol import SPLIT, _run_split
from tabseed.augment.rows import Rows
from tabseed.estimates.splits import compare, family, holm

BRIEF = AugmentationProtocol(splits=3, draws=1)
AUGMENTER = TargetedAugmenter(Resample(smoothing=0.3), hardest=0.2)


def table(n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, (x[:, 0] + rng.normal(size=n) > 0).astype(int)


# --- statistics


def test_the_interval_is_nadeau_and_bengios() -> None:
    # by hand: mean 3, s^2 = 2.5, so that the mean has the variance (1/5 + 1/4) 2.5 = 1.125;
    # t_4(0.975) = 2.776445, t_4(0.8) = 0.940965
    found = compare("a", "b", np.array([1.0, 2.0, 3.0, 4.0, 5.0]), ratio=0.25)
    error = math.sqrt(1.125)
    assert found.mean == 3.0
    assert found.low == pytest.approx(3 - 2.776445 * error, abs=1e-6)
    assert found.high == pytest.approx(3 + 2.776445 * error, abs=1e-6)
    # with 4 degrees of freedom F(t) = 1/2 + (3 u - u^3) / 4, u = t / sqrt(4 + t^2)
    t = 3 / error
    u = t / math.sqrt(4 + t**2)
    assert found.p == pytest.approx(2 * (1 - (0.5 + (3 * u - u**3) / 4)), rel=1e-9)
    assert found.detectable == pytest.approx((2.776445 + 0.940965) * error, abs=1e-5)


def test_without_spread_the_interval_is_a_point() -> None:
    same, shifted = compare("a", "b", np.zeros(4), 0.25), compare("a", "b", np.ones(4), 0.25)
    assert (same.low, same.high, same.p) == (0.0, 0.0, 1.0)
    assert (shifted.low, shifted.high, shifted.p) == (1.0, 1.0, 0.0)
    with pytest.raises(TabseedError, match="2 splits"):
        compare("a", "b", np.ones(1), 0.25)


def test_holms_p_values_are_those_of_the_step_down_rule() -> None:
    # by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, then at least that
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    rng = np.random.default_rng(0)
    for _ in range(100):  # p_i is adjusted to the smallest level at which step down rejects it
        p = rng.uniform(0, 0.3, 5)
        for level in rng.uniform(0, 1, 5):
            rejected, order = set(), np.argsort(p)
            for step, i in enumerate(order):
                if p[i] > level / (5 - step):
                    break
                rejected.add(int(i))
            assert rejected == set(np.flatnonzero(holm(p) <= level).tolist())


def test_a_family_adjusts_what_is_compared_together() -> None:
    members = [compare(a, "none", np.array(d), 0.25) for a, d in (("a", [1.0, 1.1]), ("b", [0, 1]))]
    found = family(members)
    assert [d.p for d in found] == [d.p for d in members]
    assert found[0].p_holm == pytest.approx(min(1.0, 2 * members[0].p))
    assert not found[0].gains(0.0) and found[0].gains(1.0)


# --- splits and arms


def test_rows_set_aside_keep_the_shares_of_classes_and_leave_some() -> None:
    y = np.repeat(["a", "b", "c"], [100, 20, 5])
    rows = Rows.of(np.arange(125.0)[:, None], y, "classification")
    held = held_out(rows, 0.2, seed_sequence(0))
    assert [int(held[y == c].sum()) for c in "abc"] == [20, 4, 1]
    assert not np.array_equal(held, held_out(rows, 0.2, seed_sequence(1)))
    few = Rows.of(np.arange(6.0)[:, None], np.array(list("aaaabb")), "classification")
    with pytest.raises(TooFewRowsError, match="class 'b' has 2 rows"):
        held_out(few, 0.2, seed_sequence(0))
    assert held_out(few, 0.5, seed_sequence(0))[4:].sum() == 1


def arms_of(augmenter: TargetedAugmenter) -> tuple[Rows, Arms]:
    x, y = table(200)
    rows = Rows.of(x, y, "classification")
    return rows, Arms.on(rows, augmenter, LogisticRegression(), BRIEF, seed_sequence(0))


def test_controls_have_as_many_rows_of_each_class_as_the_hard_ones() -> None:
    rows, arms = arms_of(AUGMENTER)
    learned = {arm: arms._learned_by(arm) for arm in ("hardest", "easiest", "random", "full")}
    counts = {arm: np.bincount(rows.y[at]).tolist() for arm, at in learned.items()}
    assert counts["hardest"] == counts["easiest"] == counts["random"]
    assert sum(counts["hardest"]) == 40 and len(learned["full"]) == 200
    hardness = arms.hard.hardness
    assert hardness is not None
    for c in (0, 1):
        of_class = [set(at[rows.y[at] == c]) for at in learned.values()]
        order = np.flatnonzero(rows.y == c)[np.argsort(hardness[rows.y == c], kind="stable")]
        assert of_class[1] == set(order[: len(of_class[1])])
    assert not np.array_equal(learned["random"], learned["hardest"])


def test_duplicates_are_the_hard_rows_in_equal_parts_and_weights_as_much() -> None:
    class Kept(ClassifierMixin, BaseEstimator):
        def fit(self, X, y, sample_weight=None):
            self.seen_ = X, y, sample_weight
            return self

    x, y = table(200)
    rows = Rows.of(x, y, "classification")
    augmenter = TargetedAugmenter(Resample(), hardest=0.2, amount=2.5)
    arms = Arms.on(rows, augmenter, Kept(), BRIEF, seed_sequence(0))
    seen = {arm: next(iter(arms.models(arm, 1))).seen_ for arm in ARMS}
    assert len(seen["none"][0]) == len(seen["weighted"][0]) == 200
    assert {len(seen[a][0]) for a in ARMS if a not in ("none", "weighted")} == {300}
    repeated, times = np.unique(seen["duplicated"][0][200:], axis=0, return_counts=True)
    hard = arms.points.transform(rows.features)[arms.hard.places]
    assert np.array_equal(repeated, np.unique(hard, axis=0))
    assert sorted(times) == [2] * 20 + [3] * 20
    weight = seen["weighted"][2]
    assert np.array_equal(weight, np.where(np.isin(np.arange(200), arms.hard.places), 3.5, 1.0))
    assert all(np.array_equal(s[0][:200], seen["none"][0]) for s in seen.values())


def test_rounds_are_the_best_on_the_rows_held_out() -> None:
    x, y = table(300)
    model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.3, random_state=0)
    chosen = with_rounds(model, (x[:200], y[:200]), (x[200:], y[200:]))
    assert not chosen.early_stopping
    losses = []
    for rounds in range(1, 16):
        fitted = model.set_params(max_iter=rounds, early_stopping=False).fit(x[:200], y[:200])
        p = fitted.predict_proba(x[200:])[np.arange(100), y[200:]]
        losses.append(-np.log(p).mean())
    assert chosen.max_iter == 1 + int(np.argmin(losses))


def test_rounds_of_xgboost_are_chosen_too() -> None:
    xgboost = pytest.importorskip("xgboost")
    x, y = table(300)
    model = xgboost.XGBClassifier(n_estimators=80, learning_rate=0.3, n_jobs=1, random_state=0)
    chosen = with_rounds(model, (x[:200], y[:200]), (x[200:], y[200:]))
    assert chosen.early_stopping_rounds is None
    full = model.fit(x[:200], y[:200])
    losses = []
    for rounds in range(1, 41):
        p = full.predict_proba(x[200:], iteration_range=(0, rounds))[np.arange(100), y[200:]]
        losses.append(-np.log(p).mean())
    assert chosen.n_estimators == 1 + int(np.argmin(losses))


# --- the whole


def test_the_same_bytes_for_any_number_of_jobs() -> None:
    x, y = table()
    told: list[tuple[int, int]] = []
    found = [
        evaluate_augmentation(
            x, y, AUGMENTER, model=GaussianNB(), protocol=BRIEF, random_state=1, n_jobs=jobs,
            progress=lambda done, total, _: told.append((done, total)),
        )
        for jobs in (1, 2)
    ]  # fmt: skip
    assert found[0].scores.tobytes() == found[1].scores.tobytes()
    assert told == [(1, 3), (2, 3), (3, 3)] * 2
    plain = [f.to_dict() for f in found]
    for document in plain:
        for arm in document["arms"].values():
            assert arm.pop("seconds") >= 0
    assert json.dumps(plain[0]) == json.dumps(plain[1])
    assert plain[0]["n_added"] == plain[0]["n_hard"] == [24, 24, 24]


def test_scores_are_gini_mean_auc_and_r2() -> None:
    x, y = table()
    few = AugmentationProtocol(splits=2, draws=1, arms=())
    three = np.where(x[:, 1] + np.random.default_rng(1).normal(size=150) > 0.5, 2, y)
    gini = evaluate_augmentation(
        x, y, AUGMENTER, model=LogisticRegression(), protocol=few, random_state=0
    )
    auc = evaluate_augmentation(
        x, three, AUGMENTER, model=LogisticRegression(), protocol=few, random_state=0
    )
    made = TargetedRegressionAugmenter(Resample(smoothing=0.3), hardest=0.2)
    r2 = evaluate_augmentation(
        x, x[:, 0] * 2 + 1, made, model=LinearRegression(), protocol=few, random_state=0
    )
    assert (gini.score, auc.score, r2.score) == ("Gini", "AUC", "R2")
    assert r2.mean("none") == pytest.approx(1)
    # the law's own: AUC of a logistic score of x0, by the integral over pairs is 3/4, Gini 1/2
    assert 0.2 < gini.mean("none") < 0.8
    assert 0.5 < auc.mean("none") < 1
    assert gini.arms == ("none", "hardest") and gini.over_controls == ()


class Recording(GaussianNB):
    """Remembers the largest coordinate that it was fitted to, and that it was asked about."""

    fitted: ClassVar[list[float]] = []
    asked: ClassVar[list[float]] = []

    def fit(self, X, y, sample_weight=None):
        self.fitted.append(float(np.abs(X).max()))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self.asked.append(float(np.abs(X).min()))
        return super().predict_proba(X)


def test_test_rows_are_used_for_the_score_alone() -> None:
    """They lie far off, so that whatever had seen them would show it."""
    x, y = table(200)
    stream = seed_sequence(5)
    held = held_out(Rows.of(x, y, "classification"), BRIEF.test, child(stream, SPLIT))
    far = Rows.of(np.where(held[:, None], 1e6, x), y, "classification")
    _run_split(far, AUGMENTER, Recording(), BRIEF, stream)
    assert len(Recording.fitted) == len(Recording.asked) == len(ARMS)
    assert max(Recording.fitted) < 10 and min(Recording.asked) > 1e5


class Oracle(Resample):
    """Draws the law of the labels, which no table of few rows holds, whatever it has learned."""

    def sample(self, n, *, conditions=None, random_state=None):
        x = np.random.default_rng(random_state).normal(size=(n, 80))
        columns = {f"x{j}": x[:, j] for j in range(80)}
        return pa.table({**columns, "label": (x.sum(axis=1) > 0).astype(int)})


def test_a_gain_is_found_and_credited_to_what_brings_it() -> None:
    """All arms that draw from this generator gain alike, so that hardness has no part in it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 80))
    y = (x.sum(axis=1) + 2 * rng.normal(size=150) > 0).astype(int)
    arms = ("random", "full", "smote")
    found = evaluate_augmentation(
        x, y, TargetedAugmenter(Oracle(), hardest=0.5, amount=10.0), model=LogisticRegression(),
        protocol=AugmentationProtocol(splits=8, draws=1, arms=arms), random_state=0,
    )  # fmt: skip
    assert found.gaining == ("random", "hardest", "full")
    assert found.verdict.startswith("Rows like the hardest help, Gini +")
    assert found.verdict.endswith("over none, but not reliably more than random and full.")


def test_where_labels_ignore_features_no_gain_is_claimed() -> None:
    """Ten tables. At the 5 % that Holm's rule allows a table, half of it for gains, three or more
    claims have a probability of 0.2 %; benchmarks/augment_null.py has 100 tables a model."""
    claims, protocol = (
        0,
        AugmentationProtocol(splits=5, draws=1, arms=("duplicated", "random", "smote")),
    )
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(80, 3)), rng.permutation(np.arange(80) % 2)
        found = evaluate_augmentation(
            x, y, AUGMENTER, model=DecisionTreeClassifier(max_depth=4), protocol=protocol,
            random_state=seed,
        )  # fmt: skip
        claims += bool(found.gaining)
        assert found.gaining or found.verdict.startswith(("No reliable", "Rows like the hardest m"))
    assert claims <= 2


def test_the_default_model_is_boosting_of_scikit_learn() -> None:
    x, y = table(120)
    few = AugmentationProtocol(splits=2, draws=1, arms=())
    found = evaluate_augmentation(x, y, AUGMENTER, protocol=few, random_state=0)
    same = evaluate_augmentation(
        x, y, AUGMENTER, protocol=few, random_state=0,
        model=HistGradientBoostingClassifier(learning_rate=0.05, max_iter=1_000),
    )  # fmt: skip
    assert found.scores.tobytes() == same.scores.tobytes()
    made = TargetedRegressionAugmenter(Resample(), hardest=0.2)
    numbers = evaluate_augmentation(x, x[:, 0] ** 2, made, protocol=few, random_state=0)
    assert numbers.mean("none") > 0


def test_what_cannot_be_compared_is_refused() -> None:
    x, y = table()
    for changes, message in (
        ({"augmenter": TargetedAugmenter(Resample(), hardest=1.0)}, "no share"),
        ({"protocol": AugmentationProtocol(arms=("odd",))}, "odd"),
        ({"protocol": AugmentationProtocol(splits=1)}, "2 splits"),
        ({"protocol": AugmentationProtocol(test=1.0)}, "share"),
        ({"model": LinearRegression()}, "predict_proba"),
    ):
        settings = {"augmenter": AUGMENTER, **changes}
        with pytest.raises(TabseedError, match=message):
            evaluate_augmentation(x, y, **settings)


def test_other_scorers_serve_too() -> None:
    x, y = table(100)
    for scorer in (AUM(model="trees"), KNNShapley(n_neighbors=3)):
        augmenter = TargetedAugmenter(Resample(), scorer, hardest=0.3)
        few = AugmentationProtocol(splits=2, draws=1, arms=("easiest",))
        found = evaluate_augmentation(
            x, y, augmenter, model=GaussianNB(), protocol=few, random_state=0
        )
        assert found.scores.shape == (2, 3, 1) and len(found.over_controls) == 1
