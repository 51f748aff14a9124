"""How many rows of each class are drawn: by counting, for any labels and shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.labelled import clusters
from tabseed import (
    GaussianCopula,
    Resample,
    SequentialTrees,
    TargetedAugmenter,
    TargetedRegressionAugmenter,
)
from tabseed.augment.quota import MOST, balanced
from tabseed.augment.rows import Rows
from tabseed.errors import TabseedError


def labelled(counts: list[int], seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose features tell the class, and labels "a", "b", ... as often as ``counts`` say."""
    rng = np.random.default_rng(seed)
    y = np.repeat(list("abcdef")[: len(counts)], counts)
    x = rng.normal(size=(len(y), 2)) + np.repeat(np.arange(len(counts)), counts)[:, None] / 2
    order = rng.permutation(len(y))
    return pd.DataFrame(x.round(2), columns=["u", "v"]).iloc[order], y[order]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=5), st.data())
def test_shares_come_out_with_the_fewest_rows(counts, data) -> None:
    rows = Rows.of(*labelled(counts), "classification")
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(counts), max_size=len(counts)))
    for balance, share in (
        ("equal", np.full(len(counts), 1 / len(counts))),
        (dict(zip("abcde", np.array(weights) / sum(weights), strict=False)), weights),
    ):
        if isinstance(balance, dict):
            balance = {c: s for c, s in balance.items() if c in rows.classes}
        quota = balanced(rows, balance)
        total = counts + quota.by_class
        exact = np.array(share) / np.sum(share)
        assert quota.m == quota.by_class.sum() and (quota.by_class >= 0).all()
        assert np.abs(total / total.sum() - exact).max() < 1 / total.sum() + 1e-9
        assert (quota.by_class == 0).any()  # one class needs no rows: fewer would not do


@pytest.mark.parametrize("generator", [SequentialTrees(), GaussianCopula(), Resample()])
def test_drawn_classes_are_as_asked_for(generator) -> None:
    x, y = labelled([22, 87])
    augmenter = TargetedAugmenter(generator, amount="equal", random_state=0)
    _, labels = augmenter.fit_resample(x, y)
    assert (labels == "a").sum() == (labels == "b").sum() == 87
    assert augmenter.hard_[y == "a"].sum() == 10  # learned from ten rows, not two
    augmenter.set_params(amount={"a": 0.5, "b": 0.5})
    assert sorted(augmenter.fit_resample(x, y)[1]) == sorted(labels)
    augmenter.set_params(amount=2, per_class=True)  # 2 and 9 hard rows, twice as many drawn
    _, labels = augmenter.fit_resample(x, y)
    assert augmenter.sampling_strategy_ == {"a": 4, "b": 18}
    assert (labels == "a").sum() == 22 + 4


def test_a_class_that_the_model_hardly_draws_is_learned_alone() -> None:
    x, y = labelled([2, 600])
    augmenter = TargetedAugmenter(Resample(), hardest=1.0, amount="equal", random_state=0)
    drawn, labels = augmenter.fit_resample(x, y)
    rare = drawn.iloc[602:][labels[602:] == "a"]
    assert len(rare) == 598
    assert set(map(tuple, rare.to_numpy())) <= set(map(tuple, x[y == "a"].to_numpy()))


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ({"a": 1.0}, "one share to each class .'a', 'b'.; got 'a'"),
        ({"a": 0.5, "z": 0.5}, "got 'a', 'z'"),
        ({"a": 0.5, "b": 0.6}, "sum to 1, got a sum of 1.1"),
        ({"a": 1.0, "b": 0.0}, "the share 0.0 of 'b' is not a number above 0"),
        ({"a": "much", "b": 1.0}, "the share 'much' of 'a' is not a number"),
        ({"a": float("nan"), "b": 1.0}, "the share nan of 'a' is not a number"),
        ({"a": 0.9999, "b": 0.0001}, f"more than {MOST} for each"),
        ("even", "amount='even' is not"),
        (-1, "amount=-1 is not"),
    ],
)
def test_shares_that_make_no_sense_get_one_line(amount, message) -> None:
    x, y = labelled([20, 30])
    with pytest.raises(TabseedError, match=message):
        TargetedAugmenter(Resample(), amount=amount).fit_resample(x, y)


def test_an_amount_beyond_all_measure_gets_one_line() -> None:
    x, y = labelled([20, 30])
    for per_class in (False, True):
        augmenter = TargetedAugmenter(Resample(), hardest=1.0, amount=1e300, per_class=per_class)
        with pytest.raises(TabseedError, match=f"more than {MOST} for each"):
            augmenter.fit_resample(x, y)


def test_labels_of_any_type_are_found_by_their_text() -> None:
    x, y = clusters()
    classes = np.unique(y).tolist()
    shares = {str(c): 1 / len(classes) for c in classes}
    labels = TargetedAugmenter(Resample(), amount=shares).fit_resample(x, y)[1]
    assert len(set(np.bincount(labels).tolist())) == 1


@pytest.mark.parametrize("options", [{"per_class": True}, {"amount": "equal"}])
def test_numbers_have_no_classes(options) -> None:
    x, _ = labelled([20, 30])
    with pytest.raises(TabseedError, match="is for classes, and these labels are numbers"):
        TargetedRegressionAugmenter(Resample(), **options).fit_resample(x, np.arange(50.0))
