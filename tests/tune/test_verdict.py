"""Verdicts on rows that no trial saw."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import tabseed as ts
from helpers.tuning import Copies, table
from tabseed.augment.rows import Rows
from tabseed.metrics import Estimate
from tabseed.tune import Verdict, gain_verdict, likeness_verdict


def test_verdicts_favour_what_is_plainly_better() -> None:
    """Constant rows against real ones, and shuffled labels against kept ones; one seed each."""
    whole = ts.Table.from_frame(table(240).drop_columns(["who"]))
    train, test = whole.split(0.5, random_state=0)

    class Constant(ts.Resample):
        def _sample(self, n, rng):
            return np.zeros_like(super()._sample(n, rng))

    verdict = likeness_verdict(
        train,
        test,
        {"chosen": ts.Resample(), "constant": Constant()},
        draws=2,
        metric=ts.MarginalDistance(),
        random_state=0,
    )
    assert verdict.over["constant"].low > 0 and "better than constant" in verdict.verdict
    with pytest.warns(FutureWarning, match="now called verdict"):
        assert verdict.sentence == verdict.verdict
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 2))
    rows = Rows.of(x, x @ [1.0, 2.0] + 0.1 * rng.normal(size=400), "regression")

    class Shuffled(Copies):
        def _sample(self, n, rng):
            layout = self.encoder_.layout_
            cells = layout.cells(super()._sample(n, rng))
            return layout.from_cells([rng.permutation(c) for c in cells], rng)

    augmenter = ts.TargetedRegressionAugmenter(Copies(), hardest=1.0)
    against = gain_verdict(
        rows.take(np.arange(200)),
        rows.take(np.arange(200, 400)),
        augmenter,
        {"chosen": Copies(), "shuffled": Shuffled()},
        draws=8,
        model=LinearRegression(),
        random_state=0,
    )
    assert against.over["none"].value == pytest.approx(0, abs=1e-9)
    assert against.verdict.startswith("Do not augment: on 200 rows that no trial saw, added rows ")
    assert against.over["shuffled"].low > 0.1
    gap = against.scores["chosen"] - against.scores["shuffled"]
    assert against.over["shuffled"].value == pytest.approx(gap)


def test_a_choice_without_others_is_not_compared() -> None:
    train, test = ts.Table.from_frame(table(120)).split(0.5, random_state=0)
    alone = likeness_verdict(
        train.select(train.schema.modelled),
        test.select(test.schema.modelled),
        {"chosen": ts.Resample()},
        draws=1,
        metric=ts.MarginalDistance(),
    )
    assert alone.rows() == [
        {
            "contender": "chosen",
            "score": alone.scores["chosen"],
            "better_by": None,
            "low": None,
            "high": None,
        }
    ]
    assert "compared with no others" in alone.verdict and alone.notes == ()


@pytest.mark.parametrize(
    ("low", "high", "begin"),
    [
        (0.01, 0.05, "Augment: on 90 rows that no trial saw, rows by the chosen settings gain"),
        (-0.02, 0.05, "Do not augment: on 90 rows that no trial saw, added rows give no reliable"),
        (-0.05, -0.01, "Do not augment: on 90 rows that no trial saw, added rows make the model"),
        (
            0.0,
            0.0,
            "Do not augment: on 90 rows that no trial saw, added rows changed no prediction",
        ),
    ],
)
def test_the_advice_comes_first(low: float, high: float, begin: str) -> None:
    gain = Estimate((low + high) / 2, low, high, "Gini", "higher")
    scores = {"none": 0.5, "chosen": 0.5 + gain.value}
    assert Verdict("Gini", scores, {"none": gain}, 90, 10).verdict.startswith(begin)
