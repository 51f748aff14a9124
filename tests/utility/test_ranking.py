"""Rankings of models, compared with closed forms and brute force."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.special import ndtr
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

import tabseed as ts
from tabseed.errors import TabseedError
from tabseed.metrics.problem import Problem
from tabseed.table.schema import Column, Schema
from tabseed.utility.agreement import spearman_rho
from tabseed.utility.measure import REAL, SOURCES, SYNTHETIC, Measured, Measuring
from tabseed.utility.ranking import (
    CONSISTENT,
    INCONSISTENT,
    TRTR,
    TRTS,
    TSTR,
    TSTS,
    UNDECIDED,
    rank,
)

REGRESSION = Problem(
    Schema((Column("x", "continuous"), Column("y", "continuous"))), "y", "regression", ()
)

CLASSES = Problem(
    Schema((Column("x", "continuous"), Column("y", "boolean", "", (0, 1)))),
    "y",
    "classification",
    (0, 1),
)


def shares(named):
    return np.stack([1.0 - named, named], axis=-1)


def measured(problem, y, y_aside, real, synthetic):
    """Return a Measured with one table and one seed: outputs (K, h), (K, k) for each source."""

    def outputs(values):
        values = np.asarray(values, dtype=float)
        return values if problem.task == "regression" else shares(values)

    holdout = {s: outputs(real[0] if "real," in s or s == REAL else synthetic[0]) for s in SOURCES}
    aside = {REAL: outputs(real[1]), SYNTHETIC: outputs(synthetic[1])}
    return Measured(
        problem=problem,
        models=tuple(f"m{k}" for k in range(len(real[0]))),
        y=y,
        y_aside=[y_aside],
        y_train=y,
        on_holdout={s: v[:, None, None] for s, v in holdout.items()},
        on_aside={s: [v[:, None]] for s, v in aside.items()},
        response_holdout=np.zeros((1, len(y))),
        response_aside=[np.zeros(len(y_aside))],
        response_known=True,
        sizes=dict.fromkeys(SOURCES, len(y)),
    )


def of_risks(real, synthetic, h=40):
    """Return a Measured whose models have the same loss, the given risk, on every row."""
    outputs = [np.sqrt(np.repeat(np.array(r)[:, None], h, axis=1)) for r in (real, synthetic)]
    zero = np.zeros(h)
    return measured(REGRESSION, zero, zero, (outputs[0], outputs[0]), (outputs[1], outputs[1]))


# --- the vectors of the derivation --------------------------------------------------------------


def test_scores_are_ranked_not_names():
    x, y = np.array([0.3, 0.1, 0.5, 0.2, 0.4]), np.array([0.2, 0.3, 0.1, 0.5, 0.4])
    assert spearman_rho(x, y) == pytest.approx(-0.5, rel=1e-12)
    report = rank(of_risks(x, y))
    assert report.agreements[TSTR].spearman == pytest.approx(-0.5, rel=1e-12)
    shuffled = np.array([3, 0, 4, 1, 2])
    again = rank(of_risks(x[shuffled], y[shuffled]))
    assert again.headline.value == pytest.approx(report.headline.value, rel=1e-12)


def test_tau_and_regret_of_five_models():
    report = rank(of_risks([0.10, 0.12, 0.20, 0.25, 0.40], [0.13, 0.11, 0.22, 0.24, 0.60]))
    agreement = report.agreements[TSTR]
    assert agreement.tau.value == pytest.approx(0.8, rel=1e-12)
    assert agreement.spearman == pytest.approx(0.9, rel=1e-12)
    assert (agreement.consistent, agreement.inconsistent, agreement.undecided) == (9, 1, 0)
    assert agreement.pairs[0, 1] == agreement.pairs[1, 0] == INCONSISTENT
    choice = report.choices[TSTR]
    assert (choice.model, choice.regret.value) == ("m1", pytest.approx(0.02, rel=1e-9))
    assert report.random_regret == pytest.approx(0.214 - 0.10, rel=1e-9)
    assert (
        "m1 instead of m0" in report.verdict
        and "tell 10 apart, and 9 of them keep" in report.verdict
    )
    json.dumps(report.to_dict(), allow_nan=False)


def constants_against_lines(m, h=20_000):
    """mu = x^2, constants (V6: a) and lines through 0 (b x), learned under N(m, 1)."""
    rng = np.random.default_rng(int(100 * m))
    x, z = rng.standard_normal(h), m + rng.standard_normal(h)
    a, b = m**2 + 1, m * (m**2 + 3) / (m**2 + 1)
    synthetic = [np.stack([np.full(h, a), b * u]) for u in (x, z)]
    real = [np.stack([np.ones(h), 0 * u]) for u in (x, z)]
    return measured(REGRESSION, x**2, z**2, tuple(real), tuple(synthetic))


@pytest.mark.parametrize("m", [0.25, 0.5, 1.0, 1.5, 2.0])
def test_shift_turns_the_order_where_theory_says(m):
    # 2 gaps of 4 standard errors each, normal tails: false alarm below 2e-4 a case
    model = constants_against_lines(m)
    report = rank(model, draws=100)
    b = m * (m**2 + 3) / (m**2 + 1)
    moments = m**4 + 6 * m**2 + 3
    tstr = 1 + b**2 - m**4
    tsts = moments - (m**3 + 3 * m) ** 2 / (m**2 + 1) - (2 + 4 * m**2)
    truths = {TSTR: (tstr, model.y, model.on_holdout), TSTS: (tsts, model.y_aside[0], None)}
    for cell, (truth, y, holdout) in truths.items():
        outputs = holdout[SYNTHETIC][:, 0, 0] if holdout else model.on_aside[SYNTHETIC][0][:, 0]
        losses = (outputs - y) ** 2
        error = (losses[1] - losses[0]).std() / math.sqrt(len(y))
        assert abs(report.gaps[cell][0, 1, 0] - truth) < 4 * error
        expected = CONSISTENT if truth > 0 else INCONSISTENT
        assert report.agreements[cell].pairs[0, 1] == expected


def test_zeros_of_the_gaps():
    m = 1.6515394
    assert 1 + (m * (m**2 + 3) / (m**2 + 1)) ** 2 - m**4 == pytest.approx(0, abs=1e-5)
    assert rank(constants_against_lines(1.55), draws=50).agreements[TSTR].pairs[0, 1] == CONSISTENT
    assert (
        rank(constants_against_lines(1.75), draws=50).agreements[TSTR].pairs[0, 1] == INCONSISTENT
    )


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.7])
def test_correlated_features_keep_the_order(rho):
    # V6b: 4 standard errors, 4 numbers: false alarm below 3e-4 a case
    rng = np.random.default_rng(6)
    x = rng.standard_normal((2, 20_000))
    beta = np.array([1.0, 0.5])
    y = beta @ x
    slopes = beta + rho * beta[::-1]  # of each feature alone, under correlation rho
    synthetic, real = slopes[:, None] * x, beta[:, None] * x
    report = rank(measured(REGRESSION, y, y, (real, real), (synthetic, synthetic)), draws=50)
    truth = beta[::-1] ** 2 * (1 + rho**2)
    errors = ((synthetic - y) ** 2).std(axis=1) / math.sqrt(y.size)
    assert (np.abs(report.risks[TSTR] - truth) < 4 * errors).all()
    assert report.agreements[TSTR].pairs[0, 1] == CONSISTENT


def test_flipped_labels_shrink_gaps_and_keep_the_order():
    # V8: 4 standard errors, 6 numbers: false alarm below 4e-4
    rng = np.random.default_rng(8)
    h = 30_000
    x, z = rng.standard_normal((2, h))
    rules = [np.stack([(u > 0.2), (u > 0.8)]).astype(float) for u in (x, z)]
    y, clean = (rng.random((2, h)) < ndtr(1.5 * np.stack([x, z]))).astype(int)
    for flips, truth in ((0.0, 0.1086), (0.2, 0.0652), (0.4, 0.0217)):
        dirty = np.where(rng.random(h) < flips, 1 - clean, clean)
        report = rank(measured(CLASSES, y, dirty, tuple(rules), tuple(rules)), draws=50)
        for cell, judge, named in ((TRTR, y, rules[0]), (TRTS, dirty, rules[1])):
            losses = (named != judge).astype(float)
            error = (losses[1] - losses[0]).std() / math.sqrt(h)
            expected = 0.1086 if cell == TRTR else truth
            assert abs(report.gaps[cell][0, 1, 0] - expected) < 4 * error + 5e-5  # 4 digits given
        assert report.agreements[TRTS].pairs[0, 1] == CONSISTENT


# --- intervals ----------------------------------------------------------------------------------


def noisy(rng, h, gaps):
    """Return outputs whose mean losses differ by ``gaps``, with shared and own noise."""
    common = rng.exponential(size=h)
    losses = [1 + common + g + 0.5 * rng.standard_normal(h) for g in gaps]
    return np.sqrt(np.maximum(losses, 0))


def test_gap_interval_is_that_of_the_paired_mean():
    rng = np.random.default_rng(1)
    h = 400
    outputs = noisy(rng, h, (0.0, 0.05, 0.3))
    zero = np.zeros(h)
    report = rank(
        measured(REGRESSION, zero, zero, (outputs, outputs), (outputs, outputs)), draws=4_000
    )
    losses = outputs**2
    for i, j in ((0, 1), (0, 2), (1, 2)):
        gap = losses[i] - losses[j]
        half = 1.96 * gap.std() / math.sqrt(h)
        value, low, high = report.gaps[TRTR][:, i, j]
        assert value == pytest.approx(gap.mean(), rel=1e-9)
        assert (high - low) / 2 == pytest.approx(half, rel=0.08)  # of 4,000 draws: 3 sd


def test_equal_models_are_decided_as_rarely_as_by_chance_predicts():
    # two independent cells: a pair is decided with probability .05^2; 300 pairs: P(> 5) is 1e-4
    rng = np.random.default_rng(2)
    h, decided, predicted = 200, 0, 0.0
    for _ in range(100):
        real, synthetic = (noisy(rng, h, (0.0, 0.0, 0.0)) for _ in range(2))
        zero = np.zeros(h)
        data = measured(REGRESSION, zero, zero, (real, real), (synthetic, synthetic))
        agreement = rank(data, draws=200).agreements[TSTR]
        decided += agreement.decided
        predicted += agreement.by_chance
    assert decided <= 5
    assert 0.2 < predicted < 3  # .75 in theory


def test_tables_and_seeds_widen_the_interval():
    rng = np.random.default_rng(7)
    base = of_risks([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    shift = rng.standard_normal((3, 4, 3, 1))
    many = {s: np.repeat(np.repeat(v, 4, 1), 3, 2) for s, v in base.on_holdout.items()}
    many = {s: np.sqrt(1 + v**2 + 0.1 * np.abs(shift)) for s, v in many.items()}
    for source, outputs in many.items():
        if "real" in source:
            many[source] = np.sqrt(1 + np.repeat(base.on_holdout[source], 3, 2) ** 2)
        assert outputs.shape[0] == 3
    spread = Measured(
        REGRESSION,
        base.models,
        base.y,
        base.y_aside * 4,
        base.y_train,
        many,
        {s: [np.repeat(v[0], 3, 1)] * 4 for s, v in base.on_aside.items()},
        base.response_holdout,
        base.response_aside * 4,
        True,
        base.sizes,
    )
    report = rank(spread, draws=4_000)
    low, high = report.gaps[TSTR][1:, 0, 1]
    assert report.gaps[TRTR][1, 0, 1] == pytest.approx(report.gaps[TRTR][2, 0, 1], abs=1e-9)
    losses = many[SYNTHETIC][..., 0] ** 2
    gap_tables = (losses[0] - losses[1]).mean(axis=1).var(ddof=1) / 4
    seeds = sum(losses[k].mean(axis=0).var(ddof=1) / 3 for k in (0, 1))
    share = (high - low) / (2 * 1.96 * math.sqrt(gap_tables + seeds))
    assert 0.8 < share < 1.3  # percentiles of a few tables and seeds are not quite normal


# --- from tables --------------------------------------------------------------------------------


def line(n, seed, slope=2.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    y = slope * x + 0.3 * rng.standard_normal(n)
    return ts.Table.from_frame(_frame(x, y))


def _frame(x, y):
    import pyarrow as pa

    return pa.table({"x": x, "y": y})


MODELS = {
    "constant": DummyRegressor(),
    "line": LinearRegression(),
    "neighbours": KNeighborsRegressor(25),
}


def test_one_call_from_tables():
    settings = Measuring(models=MODELS, seeds=1)
    report = ts.ranking_consistency(
        line(150, 0), [line(300, 1), line(300, 2)], line(300, 3), "y", settings=settings, draws=200
    )
    assert report.models == ("constant", "line", "neighbours")
    assert report.choices[TSTR].model == report.choices[TSTS].model == "line"
    assert report.agreements[TSTR].consistent == 3
    assert report.headline.value == 1 and report.agreements[TSTR].p == pytest.approx(1 / 6)
    assert any("1/6" in text for text in report.warnings)
    again = ts.ranking_consistency(
        line(150, 0), [line(300, 1), line(300, 2)], line(300, 3), "y", settings=settings, draws=200
    )
    assert json.dumps(report.to_dict()) == json.dumps(again.to_dict())


def test_a_reversed_law_changes_the_choice_unseen_by_synthetic_rows():
    settings = Measuring(models=MODELS, seeds=1)
    report = ts.ranking_consistency(
        line(150, 0), line(300, 1, -2.0), line(300, 3), "y", settings=settings, draws=200
    )
    # on real rows the constant loses 4, the line 0.09; on synthetic ones the line looks best
    assert report.choices[TSTR].model == "constant"
    assert report.choices[TSTR].regret.value == pytest.approx(4 - 0.09, abs=1.0)
    assert report.choices[TSTS].model == "line"
    assert report.agreements[TSTR].pairs[0, 1] == INCONSISTENT
    assert report.agreements[TSTS].pairs[0, 1] == CONSISTENT
    assert any("One synthetic table" in text for text in report.warnings)


def test_gaps_within_the_noise_are_undecided():
    wave = np.tile([0.5, -0.5], 10)
    outputs = np.sqrt(np.stack([1 + wave, 1.01 - wave, 1.02 + 0 * wave]))
    zero = np.zeros(20)
    report = rank(
        measured(REGRESSION, zero, zero, (outputs, outputs), (outputs, outputs)), draws=200
    )
    assert (report.agreements[TSTR].pairs == UNDECIDED).all()
    assert "tell no pair" in report.pairs_in_words(TSTR)


def test_brier_score_tells_apart_models_that_name_the_same_class():
    y = np.tile([0, 1], 20)
    sharp, vague = np.where(y, 0.9, 0.1), np.where(y, 0.6, 0.4)
    outputs = np.stack([sharp, vague])
    data = measured(CLASSES, y, y, (outputs, outputs), (outputs, outputs))
    assert rank(data, draws=50).agreements[TSTR].undecided == 1
    report = rank(data, brier=True, draws=50)
    assert report.risks[TRTR] == pytest.approx([2 * 0.1**2, 2 * 0.4**2], rel=1e-12)
    assert report.agreements[TSTR].consistent == 1


def test_one_model_has_no_rank():
    with pytest.raises(TabseedError, match="2 models"):
        rank(of_risks([0.1], [0.2]))
