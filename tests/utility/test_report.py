"""The report of utility: any number of jobs, ties, and worse tables."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from joblib import parallel_config
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeRegressor

import tabseed as ts
from helpers.utility_tables import people, relabelled
from tabseed.utility.measure import SYNTHETIC
from tabseed.utility.ranking import TSTR


def quick(*tables: pa.Table, **options: object) -> ts.UtilityReport:
    """Assess with two models and no shuffles; tables are training, synthetic..., holdout."""
    models = {"bayes": GaussianNB(var_smoothing=1e-3), "linear": LogisticRegression()}
    settings = {"models": models, "seeds": 1, **options}
    target = settings.pop("target", "köln")
    return ts.assess_utility(
        tables[0],
        list(tables[1:-1]),
        tables[-1],
        target,
        ts.Measuring(**settings),
        fidelity=ts.ChiSquareDivergence(permutations=0),
    )


@pytest.mark.slow
def test_any_number_of_jobs_gives_the_same_numbers() -> None:
    tables = [people(80, 1, 3), people(90, 2, 3), people(90, 4, 3), people(60, 3, 3)]
    alone = quick(*tables).to_dict()
    with parallel_config(backend="threading"):
        assert quick(*tables, n_jobs=2).to_dict() == alone
    assert alone["several"]["loss"] == "Brier score"
    assert alone["rows"]["synthetic"] == [90, 90]
    assert "synthetic tables" in alone["verdict"]


def test_true_rows_beside_real_ones_are_better_than_rows_of_wrong_labels() -> None:
    """Another sample of one law, or the same with its labels shuffled. One seed."""
    few, more, holdout = people(30, 1), people(400, 2), people(400, 3)
    order = np.random.default_rng(4).permutation(400)
    wrong = relabelled(more, more["köln"].take(pa.array(order)).to_pylist())
    helps, harms = (quick(few, table, holdout) for table in (more, wrong))
    assert helps.cost_augmented.high < harms.cost_augmented.low
    assert 0.01 < harms.cost_augmented.low < harms.cost_augmented.value < harms.cost.value
    assert any("costs" in note and "as many synthetic ones" in note for note in harms.notes)


def test_numbers_are_scored_by_r2() -> None:
    tables = [people(80, seed).drop_columns("<b>x</b>") for seed in (1, 2, 3)]
    models = {"deep": DecisionTreeRegressor(), "stump": DecisionTreeRegressor(max_depth=1)}
    report = quick(*tables, models=models, target="=1+1")
    assert (report.task, report.cost.unit) == ("regression", "R2")
    real, synthetic = (
        [gap.scores[source].value for gap in report.gaps] for source in ("real", SYNTHETIC)
    )
    assert report.cost.value == pytest.approx(np.mean(real) - np.mean(synthetic), abs=1e-12)


@pytest.mark.slow
def test_a_class_that_training_rows_lack_is_wrong_by_every_model() -> None:
    holdout = people(60, 3)
    unknown = relabelled(holdout, ["ufo"] * 6)
    report, known = (quick(people(80, 1), people(120, 2), t) for t in (unknown, holdout.slice(6)))
    for gap, plain in zip(report.gaps, known.gaps, strict=True):
        for source, risk in gap.risks.items():
            assert 60 * risk.value == pytest.approx(54 * plain.risks[source].value + 6)
    assert "no training row has: 6;" in report.notes[0]
    cells = "6 of 60 cells of the holdout table have values that the training table lacks ('ufo')."
    assert any(note.endswith(cells) for note in report.notes)
    with pytest.warns(FutureWarning, match="now called notes"):
        assert report.warnings == report.notes
    assert not any("no training row has" in warning for warning in known.notes)


def test_one_class_drawn_is_a_tie_and_no_nan() -> None:
    synthetic = relabelled(people(120, 2), ["jå"] * 120)
    report = quick(people(80, 1), synthetic, people(60, 3))
    assert "2 models tie for the best (bayes, linear)" in report.verdict
    assert sum("tell no pair of models apart" in note for note in report.notes) == 1
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert document["ranking"]["agreements"][TSTR]["tau"]["value"] is None
    with pytest.raises(ts.SchemaError, match="one value only"):
        quick(synthetic, people(80, 1), people(60, 3))


def rings(n: int, seed: int, *, flip: float = 0.0, shift: float = 0.0) -> pa.Table:
    """Return classes by distance from 0 and by x, which models can learn to different degrees."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n)) + shift
    y = ((x**2 + z**2 + x > 2).astype(int) + (rng.random(n) < 0.05 + flip)) % 2
    return pa.table({"x": x, "z": z, "y": np.array(["in", "out"])[y].tolist()})


@pytest.mark.slow
def test_worse_tables_are_reported_as_worse() -> None:
    """Rows of the same law, perturbed rows, and shuffled labels, in this order."""
    models = {
        "constant": DummyClassifier(),
        "linear": LogisticRegression(),
        "bayes": GaussianNB(),
        "quadratic": make_pipeline(PolynomialFeatures(2), LogisticRegression()),
        "neighbour": KNeighborsClassifier(1),
    }
    same, perturbed = rings(600, 2), rings(600, 2, flip=0.1, shift=0.6)
    shuffled = same.set_column(2, "y", same["y"].take(np.random.default_rng(0).permutation(600)))
    good, bad, worst = (
        quick(rings(400, 1), table, rings(600, 3), models=models, target="y")
        for table in (same, perturbed, shuffled)
    )
    assert abs(good.cost.value) < 0.02 < bad.cost.low < bad.cost.high < worst.cost.low
    reports = (good, bad, worst)
    taus = [report.ranking.headline.value for report in reports]
    consistent = [report.ranking.agreements[TSTR].consistent for report in reports]
    assert taus[0] > taus[1] > taus[2] and consistent[0] >= 7 and consistent[2] <= 3
    # features alone: the labels play no part
    pooled = [report.fidelity.pooled for report in reports]
    assert max(pooled[0].high, pooled[2].high) < pooled[1].low
    assert "costs" in worst.verdict and any("response term" in n for n in worst.notes)
    assert good.ranking.pairs_in_words(TSTR) in good.notes
