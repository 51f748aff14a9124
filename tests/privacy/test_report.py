"""The report on privacy: limits that are kept, broken or cannot be told, and all parts together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import LeakageError, SchemaError, TabseedError
from tabseed.estimates.estimate import Estimate
from tabseed.metrics.copies import Copies
from tabseed.privacy import limits
from tabseed.privacy.disclosed import Attack
from tabseed.privacy.limits import Limit, all_passed, of_copies, of_disclosure, of_membership
from tabseed.privacy.membership_result import MembershipResult
from tabseed.privacy.report import PrivacyReport
from tabseed.privacy.shadow import ShadowResult

QUICK = ts.MembershipInference(permutations=199)


def people(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([11, seed])
    z = rng.normal(size=n)
    return pa.table(
        {
            "size": z.round(2),
            "weight": (z + rng.normal(size=n)).round(2),
            "kind": np.where(z > 0, "a", "b"),
            "town": rng.choice(list("uvwxyz"), n),
        }
    )


TRAIN, OTHERS, FRESH = people(90, 0), people(80, 1), people(300, 2)


def report(synthetic=FRESH, holdout=OTHERS, sensitive=("kind",), **settings) -> PrivacyReport:
    holds = settings.pop("holds", None)
    ask = ts.Privacy(sensitive and list(sensitive), membership=QUICK, **settings)
    return ask.evaluate(TRAIN, synthetic, holdout, holds=holds)


@pytest.fixture(scope="module")
def honest() -> PrivacyReport:
    return report()


@pytest.fixture(scope="module")
def copied() -> PrivacyReport:
    model = ts.Resample(random_state=0).fit(TRAIN)
    return report(model.sample(300), holds=model.holds)


def test_one_limit_broken_fails_all_and_one_unknown_leaves_all_open() -> None:
    yes, no, unknown = (Limit("x", 0.5, 0.1, 0.0, 0.2, passed) for passed in (True, False, None))
    assert all_passed([yes, yes]) is True and all_passed([yes, unknown, no]) is False
    assert all_passed([yes, unknown]) is None and all_passed([]) is None


def test_membership_is_beyond_only_if_proven_and_within_only_if_no_interval_reaches(honest) -> None:
    result = honest.membership
    high = max(attack.auc.high for attack in result.attacks)
    assert not result.leaks
    assert of_membership(result, high + 1e-6).passed is True
    assert of_membership(result, high - 1e-6).passed is None
    proven = replace(result, p_labels=0.001, kind="auc", scope="all rows")
    value = proven.headline.value
    assert of_membership(proven, value - 1e-6).passed is False
    assert of_membership(proven, high + 1e-6).passed is True  # a leak that the user allows
    surest = replace(proven, kind="first")
    assert of_membership(surest, 0.99).passed is False
    assert "single training rows are told" in str(of_membership(surest, 0.99))
    assert of_membership(None, 0.6).passed is None


def test_shadow_tables_prove_leaks_of_their_own(honest) -> None:
    def with_shadow(p_value: float, n_told: int) -> MembershipResult:
        mean = Estimate(0.55, 0.53, 0.57, "AUC")
        shadow = ShadowResult(32, 20, n_told, mean, max_auc=0.95, p_value=p_value, detectable=0.9)
        return replace(honest.membership, shadow=shadow)

    assert of_membership(with_shadow(0.001, 1), 0.9).passed is False
    assert of_membership(with_shadow(0.001, 1), 0.96).passed is True
    assert of_membership(with_shadow(0.001, 0), 0.9).passed is True  # 0.95 is no proven AUC
    assert of_membership(with_shadow(0.04, 1), 0.9).passed is True  # nor at 2.5 % here
    low = of_membership(with_shadow(0.001, 0), 0.54)
    assert low.passed is False and low.value == 0.55


def test_disclosure_is_beyond_only_if_proven_and_within_only_if_all_ends_are(honest) -> None:
    result = honest.disclosure
    low, high = result.largest
    assert of_disclosure(result, high + 1e-6) == Limit(
        limits.DISCLOSURE, high + 1e-6, max(a.excess.value for a in result.attacks), low, high, True
    )
    assert of_disclosure(result, high - 1e-6).passed is None
    attack = Attack(
        "kind", "exact", 90, 80, 60, 80, 70, 20,
        excess=Estimate(0.4, 0.3, 0.5, "share"), bounds=(0.25, 0.55), p=0.001, detectable=0.1,
    )  # fmt: skip
    proven = replace(result, attacks=(attack, replace(attack, p=0.3, bounds=(-0.1, 0.2))))
    assert [of_disclosure(proven, limit).passed for limit in (0.39, 0.41, 0.56)] == [
        False, None, True,
    ]  # fmt: skip


def test_without_others_only_what_is_hardly_ever_told_is_within() -> None:
    found = report(holdout=None)
    assert found.membership is found.copies is None and found.passed is None
    limit = of_disclosure(found.disclosure, 1.0)
    best = max(found.disclosure.attacks, key=lambda a: a.right)
    assert limit.passed is True and limit.value == best.right / best.n
    assert of_disclosure(found.disclosure, limit.high - 1e-6).passed is None
    assert "without held-out rows" in found.verdict and found.n_holdout == 0


def test_copies_are_never_within() -> None:
    none = Copies(0, 0.1, 2, 1, 100, 50, False, False)
    assert of_copies(none).passed is True
    for beyond in ({"equal_beyond_chance": True}, {"near_beyond_chance": True}):
        assert of_copies(replace(none, **beyond)).passed is False


def test_copied_rows_fail_and_the_report_says_what_to_change(copied) -> None:
    assert copied.passed is False and "not within the limits" in copied.verdict
    assert {limit.name: limit.passed for limit in copied.limits} == dict.fromkeys(
        ("membership", "disclosure", "copies"), False
    )
    assert any("trees and the copula draw anew" in note for note in copied.notes)
    assert "A model file holds every training row, as it is" in " ".join(copied.notes)
    document = copied.to_dict()
    assert document["passed"] is False and document["holds"]["rows"] is True
    assert document["distances"]["median"] == 0 and "decide nothing" in copied.notes[-1]
    assert document["membership"]["leaks"] and document["copies"]["n_equal"] == 300


def test_few_honest_rows_cannot_be_told_and_wide_limits_are_kept(honest) -> None:
    assert honest.passed is None and "cannot be told" in honest.verdict
    assert any("more held-out rows" in note for note in honest.notes)
    wide = report(max_auc=0.9, max_disclosure=0.6)
    assert wide.passed is True and wide.verdict.startswith("Privacy is within the limits")
    assert wide.advice == ()


def test_limits_that_are_not_set_are_not_asked() -> None:
    found = report(max_auc=None, max_disclosure=None, sensitive=None)
    assert found.limits == () and found.passed is None and found.disclosure is None
    assert "limit" not in found.verdict
    assert any("No sensitive column is named" in note for note in found.notes)


def test_the_rows_show_training_rows_beside_others(honest, copied) -> None:
    rows = {row["measure"]: row for row in copied.rows()}
    equal = rows["synthetic rows equal to a training row"]
    assert equal["value"] == 1.0 and equal["others"] < 0.01
    told = next(row for name, row in rows.items() if name.startswith("column 'kind'"))
    assert told["value"] > told["others"] and told["p"] < 0.05
    assert len(honest.rows()) == 6 and honest.rows()[0]["others"] == 0.5


def test_parts_are_those_asked_alone_and_the_seed_decides(honest) -> None:
    assert report().to_dict() == honest.to_dict()
    assert honest.settings["seed"] == "0"
    alone = ts.AttributeDisclosure(["kind"]).evaluate(TRAIN, FRESH, OTHERS)
    exact = [(a.how, a.right, a.right_others, a.p) for a in alone.attacks[:3]]
    assert [(a.how, a.right, a.right_others, a.p) for a in honest.disclosure.attacks[:3]] == exact


def test_errors_are_those_of_the_parts() -> None:
    with pytest.raises(LeakageError, match="repeats the training rows"):
        report(holdout=TRAIN)
    with pytest.raises(SchemaError, match="no column 'illness'"):
        report(sensitive=["illness"])
    with pytest.raises(TabseedError, match=r"holds='rows' is not"):
        report(holds="rows")
