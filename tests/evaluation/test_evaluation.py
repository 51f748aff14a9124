"""Evaluation end to end: numbers, verdict, progress, errors."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from helpers.evaluating import few_refits, people
from tabseed.errors import LeakageError, SchemaError, TooFewRowsError
from tabseed.evaluation.evaluation import evaluate

pytestmark = pytest.mark.slow  # each needs a whole evaluation


@pytest.fixture(scope="module", autouse=True)
def brief():
    with few_refits():
        yield


@pytest.fixture(scope="module")
def good(brief):
    return evaluate(people(150, 0), people(300, 1), people(80, 2), target="job")


def test_evaluation_holds_every_number_and_its_reference(good) -> None:
    assert (good.n_train, good.n_synthetic, good.n_holdout) == (150, 300, 80)
    assert good.columns == ("age", "größe", "job")
    assert list(good.left_out) == ["person_id"] and "left out" in good.left_out["person_id"]
    assert good.overlap.n_equal == 0 and good.overlap.n_holdout == 80
    for metric in ("divergence", "marginal"):
        for result in (getattr(good, metric), getattr(good, f"{metric}_reference")):
            assert result.headline.low <= result.headline.value <= result.headline.high
    assert good.divergence.js.low <= 0  # drawn from the same law
    assert set(good.marginal.columns) == set(good.columns)


def test_evaluation_is_json_without_nan(good) -> None:
    data = json.loads(good.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert data == json.loads(json.dumps(good.to_dict()))
    assert data["settings"]["random_state"] == 0
    assert data["settings"]["target"] == "job"
    assert data["metrics"]["divergence"]["headline"]["unit"] == "bits"


def test_verdict_names_the_smallest_difference_that_shows(good) -> None:
    limit = good.divergence.smallest_js
    assert "These 80 held-out rows cannot tell" in good.verdict
    assert f"would miss a simple difference of less than {limit:.2g}" in good.verdict
    # one uncertainty: no interval that includes 0 ends below what would be missed
    for result in (good.divergence, good.divergence_reference):
        assert result.js.high >= result.smallest_js and result.js_coarse.high >= result.smallest_js
    assert good.rows()[0]["synthetic_high"] == good.divergence.js.high
    assert "the training rows get" in good.notes[0]


def test_every_divergence_says_by_how_many_rows(good) -> None:
    assert [row["judging"] for row in good.rows()] == ["80 + 300"] * 6
    assert "with 80 held-out and 300 synthetic rows" in good.notes[0]
    assert "not of the divergence itself" in good.notes[0]
    assert "By 80 + 300 rows" in good.to_html() and "95 % interval" not in good.verdict


def test_the_test_says_whether_these_rows_tell_at_all(good) -> None:
    assert not good.test.told_apart and good.to_dict()["metrics"]["test"]["p_value"] > 0.05
    assert (good.test.n_real, good.test.n_synthetic) == (80, 300)
    fake = people(300, 1)
    ages = pa.array(np.random.default_rng(0).permutation(fake["age"].to_numpy()))
    torn = evaluate(people(150, 0), fake.set_column(1, "age", ages), people(20, 2))
    assert torn.test.told_apart and "age" in torn.test.columns
    assert f"p = {torn.test.p_value:.3f}" in torn.verdict
    assert torn.test.by in torn.notes[1]


def test_a_target_adds_what_learning_it_costs(good) -> None:
    """Synthetic rows of the same law: no reliable cost. Shuffled labels cost most of the AUC."""
    assert good.cost.cost.low <= 0 and "lose or gain nothing reliably" in good.verdict
    fake = people(300, 1)
    jobs = pa.array(np.random.default_rng(0).permutation(fake["job"].to_numpy()))
    torn = evaluate(people(150, 0), fake.set_column(3, "job", jobs), people(80, 2), target="job")
    assert torn.cost.cost.low > 0.1 and "lose 0." in torn.verdict
    assert torn.to_dict()["cost"]["target"] == "job"
    plain = evaluate(people(40, 0), people(40, 1), people(12, 2))
    assert plain.cost is None and "lose" not in plain.verdict
    assert "Only 12 held-out rows" in " ".join(plain.notes)


def test_copies_and_broken_rules_come_first() -> None:
    copied = evaluate(people(100, 0), people(100, 0), people(40, 2))
    assert copied.verdict.startswith("These synthetic rows are copies: 100 of 100")
    assert copied.to_dict()["copies"]["n_equal"] == 100
    row = next(row for row in copied.rows() if row["measure"] == "Copies of training rows")
    assert (row["synthetic"], row["real"], row["unit"]) == (1, 0, "share")
    assert row["synthetic_low"] > 0.9 > 0.2 > row["real_high"]
    rng = np.random.default_rng(5)

    def bill(n: int, wrong: float) -> pa.Table:
        net = rng.lognormal(4, 0.5, n).round(2)
        tax = (net * rng.choice([0.07, 0.19], n)).round(2)
        return pa.table({"net": net, "tax": tax, "gross": (net + tax + wrong).round(2)})

    found = evaluate(bill(100, 0), bill(100, 1), bill(40, 0))
    assert "gross = net + tax is broken in 100 % of the synthetic rows" in found.verdict
    assert found.notes[0].startswith("gross = net + tax holds in all 140 real rows; 100 of 100")
    assert found.to_dict()["rules"][0]["broken"] and "gross = net + tax" in found.to_html()


def test_a_bad_table_is_recognised_and_the_verdict_does_not_excuse_it() -> None:
    fake = people(300, 1)
    rng = np.random.default_rng(0)
    torn = pa.table({name: fake[name].take(rng.permutation(300)) for name in fake.column_names})
    torn = torn.set_column(2, "größe", pa.array(rng.normal(size=300) + 3))
    evaluation = evaluate(people(150, 0), torn, people(80, 2))
    assert evaluation.divergence.js.low > 0.2
    assert evaluation.marginal.headline.low > evaluation.marginal_reference.headline.high
    assert "cannot" not in evaluation.verdict


def test_same_seed_same_evaluation_and_progress_in_order() -> None:
    seen: list[tuple[int, int, str]] = []
    tables = people(40, 0), people(40, 1), people(12, 2)
    one = evaluate(*tables, n_jobs=1, progress=lambda *step: seen.append(step))
    two = evaluate(*(t.to_pandas() for t in tables), n_jobs=1)
    assert one == two  # settings (seconds) take no part
    assert evaluate(*tables, n_jobs=1, random_state=1) != one
    done = [step[0] for step in seen]
    assert done == sorted(done) and done[-1] == seen[-1][1]


def test_errors_name_the_table() -> None:
    train = people(40, 0)
    with pytest.raises(TooFewRowsError, match=r"holdout table has 9 rows; .* at least 10"):
        evaluate(train, people(40, 1), people(9, 2))
    with pytest.raises(SchemaError, match="synthetic table: column 'age' is missing"):
        evaluate(train, people(40, 1).drop_columns("age"), people(20, 2))
    with pytest.raises(SchemaError, match=r"no column 'jobs'.*did you mean 'job'"):
        evaluate(train, people(40, 1), people(20, 2), target="jobs")
    with pytest.raises(LeakageError, match="20 of 20 held-out rows equal a training row"):
        evaluate(train, people(40, 1), train.slice(0, 20))
