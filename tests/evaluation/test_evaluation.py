"""Evaluation end to end: numbers, verdict, progress, errors."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.tree import DecisionTreeClassifier

from helpers.evaluating import few_refits, people
from tabseed.errors import LeakageError, SchemaError, TooFewRowsError
from tabseed.evaluation.evaluation import Questions, evaluate
from tabseed.evaluation.likeness import Likeness
from tabseed.generators.trees.sequential import SequentialTrees
from tabseed.privacy.membership import MembershipInference
from tabseed.privacy.report import Privacy
from tabseed.table import Table
from tabseed.utility.usefulness import Usefulness

pytestmark = pytest.mark.slow  # each needs a whole evaluation


@pytest.fixture(scope="module", autouse=True)
def brief():
    with few_refits():
        yield


QUICK = Questions(
    usefulness=Usefulness(
        models={
            "stump": DecisionTreeClassifier(max_depth=1, random_state=0),
            "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
        }
    ),
    privacy=Privacy(sensitive=["job"]),
)


@pytest.fixture(scope="module")
def good(brief):
    return evaluate(
        people(150, 0), people(300, 1), people(80, 2), target="job", questions=QUICK, n_jobs=1
    )


def test_three_questions_are_answered_each_by_an_answer_of_its_own(good) -> None:
    assert (good.n_train, good.n_synthetic, good.n_holdout) == (150, 300, 80)
    assert good.columns == ("age", "größe", "job")
    assert list(good.left_out) == ["person_id"] and "left out" in good.left_out["person_id"]
    assert list(good.answers) == ["Alike?", "Useful?", "Whose secrets?"] and not good.missing
    for question, answer in zip(good.answers, good.parts.values(), strict=True):
        assert good.answers[question] == answer.verdict and answer.verdict in good.verdict
        assert set(answer.notes) <= set(good.notes)
    assert [row["part"] for row in good.rows()].count("likeness") == 5
    for row in good.rows():
        assert row["low"] <= row["value"] <= row["high"]


def test_another_sample_of_the_law_is_found_alike_and_to_leak_nothing(good) -> None:
    """One seed; each question alone has false alarms of 5 %."""
    assert good.likeness.differ is False and good.likeness.divergence.js.low <= 0
    assert not good.privacy.membership.leaks
    assert good.usefulness.cost.low <= 0 <= good.usefulness.cost.high
    assert list(good.headlines.values()) == [
        "No difference shown",
        "No cost shown",
        "No leak shown",
    ]


def test_evaluation_is_json_without_nan(good) -> None:
    data = json.loads(good.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert data == json.loads(json.dumps(good.to_dict()))
    assert data["settings"]["random_state"] == 0
    assert data["settings"]["target"] == "job"
    assert data["likeness"]["divergence"]["headline"]["unit"] == "bits"
    assert data["numbers"] == good.rows()


def test_every_divergence_says_by_how_many_rows_and_what_it_would_miss(good) -> None:
    assert all("by 80 + 300 rows" in row["measure"] for row in good.rows()[:3])
    notes = " ".join(good.notes)
    assert "with 80 real and 300 synthetic rows" in notes and "the training rows get" in notes
    assert "not of the divergence itself" in notes
    limit = good.likeness.divergence.smallest_js
    assert f"would miss a simple difference of a divergence below {limit:.2g}" in notes
    # one uncertainty: no interval that includes 0 ends below what would be missed
    for result in (good.likeness.divergence, good.likeness.divergence_reference):
        assert result.js.high >= result.smallest_js and result.js_coarse.high >= result.smallest_js


def test_what_is_not_asked_or_cannot_be_is_said() -> None:
    only = Questions(usefulness=None, privacy=Privacy())
    bare = evaluate(people(40, 0), people(40, 1), questions=only, n_jobs=1)
    assert bare.n_holdout is None and bare.usefulness is None
    assert bare.missing == {"usefulness": "it was not asked"}
    assert "Not answered: it was not asked" in bare.answers["Useful?"]
    assert "cannot be said without held-out rows" in bare.privacy.verdict
    assert "Without held-out rows" in " ".join(bare.notes)
    few = evaluate(people(40, 0), people(40, 1), people(12, 2), n_jobs=1)
    assert few.missing == {"usefulness": "no column to predict was named (target)"}
    assert "Only 12 held-out rows" in " ".join(few.notes)
    for page in (bare.to_html(), few.to_html()):
        assert "Alike?" in page and "Useful?" in page and "Whose secrets?" in page
    nothing = Questions(likeness=None, usefulness=None, privacy=None)
    empty = evaluate(people(40, 0), people(40, 1), questions=nothing)
    assert empty.rows() == [] and set(empty.missing) == {"likeness", "usefulness", "privacy"}
    assert "Not answered" in empty.to_html()


def test_shuffled_labels_cost_and_copies_leak() -> None:
    fake = people(300, 1)
    jobs = pa.array(np.random.default_rng(0).permutation(fake["job"].to_numpy()))
    torn = fake.set_column(3, "job", jobs)
    asked = replace(QUICK, likeness=None, privacy=None)
    found = evaluate(people(150, 0), torn, people(80, 2), target="job", questions=asked, n_jobs=1)
    assert found.usefulness.cost.low > 0.1 and "costs" in found.answers["Useful?"]
    leaks = replace(QUICK, likeness=None, usefulness=None, privacy=Privacy(max_auc=0.6))
    copied = evaluate(people(100, 0), people(100, 0), people(40, 2), questions=leaks)
    assert found.headlines["Useful?"] == "Learning from them costs"
    assert copied.headlines["Whose secrets?"] == "Training rows leak"
    assert copied.passed is False and copied.privacy.copies.n_equal == 100
    assert "NOT within the limits" in copied.to_html()


def test_broken_rules_are_said_and_shown() -> None:
    rng = np.random.default_rng(5)

    def bill(n: int, wrong: float) -> pa.Table:
        net = rng.lognormal(4, 0.5, n).round(2)
        tax = (net * rng.choice([0.07, 0.19], n)).round(2)
        return pa.table({"net": net, "tax": tax, "gross": (net + tax + wrong).round(2)})

    asked = Questions(privacy=None)
    found = evaluate(bill(100, 0), bill(100, 1), bill(40, 0), questions=asked, n_jobs=1)
    assert "gross = net + tax" in found.answers["Alike?"]
    assert "gross = net + tax" in found.to_html()
    assert found.to_dict()["likeness"]["rules"][0]["broken"]


def test_a_bad_table_is_recognised_and_the_verdict_does_not_excuse_it() -> None:
    fake = people(300, 1)
    rng = np.random.default_rng(0)
    torn = pa.table({name: fake[name].take(rng.permutation(300)) for name in fake.column_names})
    torn = torn.set_column(2, "größe", pa.array(rng.normal(size=300) + 3))
    asked = Questions(usefulness=None, privacy=None)
    found = evaluate(people(150, 0), torn, people(80, 2), questions=asked, n_jobs=1)
    likeness = found.likeness
    assert likeness.differ and likeness.divergence.js.low > 0.2
    assert likeness.margins.headline.low > likeness.margins_reference.headline.high
    assert "größe" in found.verdict and "cannot" not in found.verdict
    assert found.pictures.margins[0][0].name == "größe"  # the worst column comes first


def test_same_seed_same_evaluation_and_progress_in_order() -> None:
    seen: list[tuple[int, int, str]] = []
    tables = people(40, 0), people(40, 1), people(12, 2)
    one = evaluate(*tables, n_jobs=1, progress=lambda *step: seen.append(step))
    two = evaluate(*(t.to_pandas() for t in tables), n_jobs=1)
    assert one == two  # settings (seconds) take no part
    assert one.to_html() == two.to_html()
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
    for asked in (Privacy(sensitive=["jobs"]), Privacy(sensitive=["job"], keys=["agee"])):
        with pytest.raises(SchemaError, match=r"no column .*did you mean"):
            evaluate(train, people(40, 1), people(20, 2), questions=Questions(privacy=asked))
    with pytest.raises(LeakageError, match="20 of 20 held-out rows equal a training row"):
        evaluate(train, people(40, 1), train.slice(0, 20))


def test_what_is_known_of_the_generator_reaches_the_attacks() -> None:
    """The twenty most exposed rows are left out of the trees one by one, beside shadow tables."""
    train = Table.from_frame(people(60, 0))
    model = SequentialTrees(n_orders=2, random_state=0).fit(train)
    privacy = Privacy(membership=MembershipInference(permutations=99, shadows=8))
    asked = Questions(likeness=Likeness(judges=False), usefulness=None, privacy=privacy)
    known = asked.about(model, train, 60, shadows=True)
    report = evaluate(train, model.draw(60), people(40, 1), questions=known).privacy.membership
    assert {"likelihood", "shadow"} <= {attack.name for attack in report.attacks}
    assert len(report.left_out) == 20
    plain = asked.about(model, train, 60)
    assert plain.learn is None and plain.refit is None and plain.likelihood is not None
