"""Targeted augmentation: which rows are learned, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from helpers.labelled import clusters
from tabseed import (
    TVAE,
    KNNShapley,
    Resample,
    TabseedError,
    TargetedAugmenter,
    TargetedRegressionAugmenter,
    TooFewRowsError,
)
from tabseed.errors import AbsentClassWarning
from tabseed.hardness.hints import hints

# --- which rows


def test_the_hardest_rows_are_learned_and_no_others() -> None:
    x, y = clusters()
    augmenter = TargetedAugmenter(
        Resample(), KNNShapley(n_neighbors=3), hardest=0.25, random_state=4
    )
    x2, _ = augmenter.fit_resample(x, y)
    hard = np.argsort(-augmenter.hardness_, kind="stable")[:30]
    assert sorted(hard) == np.flatnonzero(augmenter.hard_).tolist()
    drawn = {tuple(row) for row in x2[120:]}  # copies of rows: Resample is the plain bootstrap
    assert drawn <= {tuple(row) for row in x[hard]}
    assert augmenter.sample_indices_.tolist() == [*range(120), *[-1] * 30]


def test_the_share_may_be_of_each_class() -> None:
    x, _ = clusters()
    y = np.where(np.arange(120) < 12, "rare", "common")
    augmenter = TargetedAugmenter(Resample(), hardest=0.25, per_class=True, random_state=0).fit(
        x, y
    )
    assert [int(augmenter.hard_[y == c].sum()) for c in ("rare", "common")] == [3, 27]


def test_labels_stay_with_their_rows_and_are_counted() -> None:
    x, y = clusters()
    augmenter = TargetedAugmenter(Resample(), hardest=0.3, amount=5.0, random_state=0)
    x2, y2 = augmenter.fit_resample(x, y)
    label_of = {tuple(row): label for row, label in zip(x, y, strict=True)}
    assert all(label_of[tuple(row)] == label for row, label in zip(x2, y2, strict=True))
    assert augmenter.sampling_strategy_ == {c: int((y2[120:] == c).sum()) for c in (0, 1)}
    assert len(x2) == 120 + 5 * 36


def test_all_rows_are_taken_unscored() -> None:
    x, y = clusters()
    augmenter = TargetedAugmenter(Resample(), hardest=1.0, amount=0.5, random_state=0)
    x2, _ = augmenter.fit_resample(x, y)
    assert augmenter.hardness_ is None and augmenter.hard_.all() and len(x2) == 180


def test_rows_that_look_mislabelled_can_be_left_out() -> None:
    rng = np.random.default_rng(0)
    x, y = clusters(200)
    x[:, 0] += np.where(y == 1, 2.0, -2.0)
    wrong = rng.choice(200, 12, replace=False)
    y[wrong] = 1 - y[wrong]
    plain = TargetedAugmenter(Resample(), hardest=0.1, random_state=0).fit(x, y)
    assert plain.hard_[wrong].sum() >= 10  # augmentation would multiply these
    augmenter = TargetedAugmenter(
        Resample(), hardest=0.1, skip=("mislabelled", "out of support"), random_state=0
    )
    x2, _ = augmenter.fit_resample(x, y)
    assert not np.isin(hints(x, y)[augmenter.hard_].astype(str), augmenter.skip).any()
    assert augmenter.hard_[wrong].sum() <= 2 and np.array_equal(x2[:200], x)


# --- what comes out


def test_the_seed_decides_everything_and_nothing_else_is_touched() -> None:
    x, y = clusters()
    state, before = np.random.get_state()[1].copy(), x.copy()  # noqa: NPY002
    augmenter = TargetedAugmenter(Resample(smoothing=0.5), hardest=0.3, random_state=3)
    first, second = (clone(augmenter).fit_resample(x, y)[0] for _ in range(2))
    other = clone(augmenter).set_params(random_state=4).fit_resample(x, y)[0]
    assert first.tobytes() == second.tobytes() != other.tobytes()
    assert np.array_equal(np.random.get_state()[1], state) and np.array_equal(x, before)  # noqa: NPY002


# --- numbers to predict


def test_the_hardest_targets_are_those_far_from_their_neighbours() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(100, 1))
    y = 3 * x[:, 0]
    y[[5, 50, 95]] += 4.0
    augmenter = TargetedRegressionAugmenter(Resample(), hardest=0.03, random_state=0).fit(x, y)
    assert np.flatnonzero(augmenter.hard_).tolist() == [5, 50, 95]


# --- refusals, one line each


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"hardest": 0.0}, TabseedError, "hardest=0.0 is not a number above 0 and of at most 1"),
        ({"hardest": 1.5}, TabseedError, "hardest=1.5 is not"),
        ({"amount": -1.0}, TabseedError, "amount=-1.0 is not a number of at least 0"),
        ({"skip": "odd"}, TabseedError, "mislabelled"),
        ({"generator": TVAE(), "hardest": 0.02}, TooFewRowsError, "take a larger share"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error, message) -> None:
    x, y = clusters()
    with pytest.raises(error, match=message) as caught:
        TargetedAugmenter(Resample()).set_params(**settings).fit_resample(x, y)
    assert "\n" not in str(caught.value)


def test_a_class_without_hard_rows_is_left_out_and_named() -> None:
    x, y = clusters(200)
    x[y == 1, 0] += 3.0
    y[[1, 51, 101, 151]] = 0  # in the middle of class 1
    augmenter = TargetedAugmenter(Resample(), hardest=0.015, random_state=0)
    with pytest.warns(AbsentClassWarning, match="no hard row is of class 1"):
        _, labels = augmenter.fit_resample(x, y)
    assert augmenter.absent_classes_ == [1] and augmenter.sampling_strategy_[1] == 0
    assert (labels == 1).sum() == (y == 1).sum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        augmenter.set_params(per_class=True).fit(x, y)
    assert augmenter.absent_classes_ == []
