"""The parts of the gap, compared with closed forms and exact identities.

Statistical tests fix their seed; those at 4 standard errors would fail for 1 seed in 15,000.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeClassifier

import tabseed as ts
from helpers.hand_measured import NORMAL, PATH_B, by_hand, diabetes, line, path_b, problem
from tabseed.utility.bound import shift_bound
from tabseed.utility.decomposition import decompose, mean_decomposition
from tabseed.utility.gap import gaps
from tabseed.utility.measure import (
    REAL,
    SOURCES,
    Measuring,
    measure,
)

# --- closed forms -------------------------------------------------------------------------------


def test_wrong_response_only() -> None:
    """V9: mu = b x, mu~ = b~ x, the same features: U = (b~ - b)^2, all of it the response term."""
    x, b, c = NORMAL, 2.0, 1.3
    measured = by_hand(
        problem(),
        b * x,
        b * x[None],
        c * x[None],
        (c * x, b * x[None], c * x[None]),
        (c * x, c * x),
    )
    terms = decompose(measured)[0]
    assert terms.direct.value == pytest.approx((c - b) ** 2, rel=1e-12)
    # 2 E[(c - b) x (c - b) x] = 2 U, minus what f~ gains under its own law
    assert terms.response.value == pytest.approx(2 * (c - b) ** 2, rel=1e-12)
    assert terms.feature.value == pytest.approx(0, abs=1e-12)
    assert terms.estimation.value == pytest.approx(-((c - b) ** 2), rel=1e-12)


def test_the_error_of_a_learned_response_is_subtracted() -> None:
    """Without a shift the terms are exact, even if the learned mean response is wrong."""
    x, b, c = NORMAL, 2.0, 1.3
    real, synthetic, wrong = b * x[None], c * x[None], 1 + 0.4 * x
    aside = c * x, real, synthetic
    measured = by_hand(problem(), b * x, real, synthetic, aside, (wrong, wrong))
    learned = replace(measured, response_known=False)
    terms = decompose(learned)[0]
    assert (
        replace(mean_decomposition(learned), model=terms.model) == terms
    )  # the mean over one model
    assert terms.approximate and not decompose(measured)[0].approximate
    assert learned.contributions is learned.contributions  # computed once
    assert learned.contributions[0].learned and not measured.contributions[0].learned
    assert terms.response.value == pytest.approx(2 * (c - b) ** 2, rel=1e-12)
    assert terms.estimation.value == pytest.approx(-((c - b) ** 2), rel=1e-12)
    assert terms.total.value == pytest.approx(terms.direct.value, rel=1e-12)
    missed = 2 * ((c - b) * x * (wrong - c * x)).mean()
    assert terms.difference.value == pytest.approx(missed, rel=1e-12)
    assert decompose(measured)[0].difference.value == pytest.approx(missed, rel=1e-12)


def test_path_b_in_the_population() -> None:
    noise = np.tile([0.5, -0.5], 6)
    x = np.repeat(NORMAL, 2)
    measured = path_b(x, noise, 0.5 + x, noise)
    terms = decompose(measured)[0]
    for name, value in PATH_B.items():
        assert getattr(terms, name).value == pytest.approx(value, rel=1e-6)
    assert terms.difference.value == pytest.approx(0, abs=1e-12)
    assert line(0.5 + x, 0.8 * (0.5 + x) ** 2) == pytest.approx([0.6, 0.8])
    node, weight = np.polynomial.hermite_e.hermegauss(20)
    q = 0.5 + node
    d = (0.8 * (0.75 + q) - 0.8 * q**2) ** 2 - (1 - 0.8 * q**2) ** 2
    mean, square = (weight @ d / weight.sum(), weight @ d**2 / weight.sum())
    chi2 = math.exp(0.25) - 1
    assert shift_bound(chi2, math.sqrt(square - mean**2)) == pytest.approx(2.2105, rel=3e-5)


# --- end to end ---------------------------------------------------------------------------------


def test_terms_add_up_on_a_real_table() -> None:
    train, holdout = diabetes()
    models = [
        ts.FeatureResponse(ts.Resample(smoothing=0.5), "linear", random_state=s).fit(
            train, target="progression"
        )
        for s in (0, 1)
    ]
    draws = [m.sample(800, random_state=0) for m in models]
    settings = Measuring(
        {"line": LinearRegression()}, seeds=1, responses=[m.response_mean for m in models]
    )
    measured = measure(train, draws, holdout, "progression", settings)
    terms = decompose(measured)[0]
    assert abs(terms.difference.value) < 4 * terms.difference_se
    parts = terms.response.value + terms.feature.value + terms.estimation.value
    assert terms.total.value == pytest.approx(parts, rel=1e-9)
    gap = gaps(measured)[0]
    assert gap.signed.value == pytest.approx(terms.direct.value, rel=1e-9)
    assert (gap.draws, gap.seeds, gap.n_holdout) == (2, 1, 200)
    assert gap.signed.low < gap.signed.value < gap.signed.high
    risks = gap.risk_synthetic.value - gap.risk_real.value
    assert gap.signed.value == pytest.approx(risks, rel=1e-6)
    trivial = gap.risk_trivial.value
    relative = (trivial - gap.risk_synthetic.value) / (trivial - gap.risk_real.value)
    assert gap.relative.value == pytest.approx(relative)
    assert gap.relative.low < relative < gap.relative.high
    y = holdout["progression"].to_numpy()
    real = r2_score(y, measured.on_holdout[REAL][0, 0, 0])
    assert gap.scores[REAL].value == pytest.approx(real)
    json.dumps([gap.to_dict(), terms.to_dict()], allow_nan=False)


@pytest.mark.slow
def test_one_call_with_classes_is_repeatable() -> None:
    rng = np.random.default_rng(11)

    def draw(n: int, shift: float = 0.0) -> pa.Table:
        x = rng.normal(size=(n, 2))
        level = np.digitize(x[:, 0] + 0.5 * rng.normal(size=n) + shift, [-0.5, 0.5])
        return pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.array(["l", "m", "h"])[level]})

    train, holdout, synthetic = draw(150), draw(200), [draw(300, 0.8), draw(200, 0.8)]
    settings = Measuring(seeds=2)
    tables = (train, synthetic, holdout, "y", settings)
    tree = DecisionTreeClassifier(max_depth=3, max_features=1)
    gap = ts.generalization_utility(*tables, random_state=1, model=tree)
    again = ts.generalization_utility(*tables, random_state=1, model=tree)
    assert gap.to_dict() == again.to_dict()
    assert gap.se_seeds > 0 or gap.se_draws > 0 or gap.se_rows > 0
    line = ts.generalization_utility(*tables, model=LogisticRegression())
    assert line.signed.value > 0.1 and (line.draws, line.seeds) == (2, 2)
    assert line.se_seeds == 0  # the model is not random
    assert line.score == "AUC" and set(line.score_costs) == set(SOURCES) - {REAL}
    one_draw = (train, synthetic[0], holdout, "y", settings)
    line = ts.generalization_utility(*one_draw, model=LogisticRegression())
    terms = ts.utility_decomposition(*one_draw, model=LogisticRegression())
    assert terms.approximate and terms.dominant == "response"
    assert terms.total.value == pytest.approx(terms.direct.value)
    assert line.signed.low > 0 and "costs" in str(line)  # shifted labels are clearly worse
    assert terms.direct.value == pytest.approx(line.signed.value)
    same = ts.generalization_utility(train, train, holdout, "y", model=LogisticRegression())
    assert same.signed.low <= 0 <= same.signed.high and "no reliable difference" in str(same)
    with pytest.raises(ts.TabseedError, match="not both"):
        ts.generalization_utility(
            train, synthetic, holdout, "y", Measuring({"t": tree}), model=tree
        )
    with pytest.raises(ts.TabseedError, match="estimator"):
        ts.generalization_utility(train, synthetic, holdout, "y", model="tree")
