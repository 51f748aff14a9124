"""SDV's constraints: each read as a rule, each rule written as it again."""

from __future__ import annotations

import pytest

from tabseed.errors import SchemaError
from tabseed.rules.sdv import rules_from_sdv, rules_to_sdv

SAME = {  # parameters by SDV's documentation of single-table constraints
    "Inequality": (
        {"low_column_name": "begin", "high_column_name": "the end", "strict_boundaries": False},
        'begin <= "the end"',
    ),
    "Range": (
        {"low_column_name": "a", "middle_column_name": "b", "high_column_name": "c",
         "strict_boundaries": True},
        "a < b < c",
    ),
    "ScalarInequality": (
        {"column_name": "seen", "relation": ">=", "value": "2020-01-31"},
        "seen >= 2020-01-31",
    ),
    "ScalarRange": (
        {"column_name": "age", "low_value": 0, "high_value": 110.5, "strict_boundaries": False},
        "0 <= age <= 110.5",
    ),
    "FixedCombinations": ({"column_names": ["city", "zone"]}, "(city, zone)"),
    "FixedIncrements": ({"column_name": "price", "increment_value": 0.5}, "price % 0.5 = 0"),
    "OneHotEncoding": ({"column_names": ["red", "green"]}, "one of (red, green)"),
    "Unique": ({"column_names": ["id"]}, "unique (id)"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_a_constraint_is_a_rule_and_back(name: str) -> None:
    parameters, text = SAME[name]
    entry = {"constraint_class": name, "constraint_parameters": parameters}
    assert rules_from_sdv([entry]) == [text]
    assert rules_to_sdv([text]) == [entry]


def test_other_names_of_the_same() -> None:
    entries = [
        {"class": "sdv.constraints.tabular.Positive", "parameters": {"column_name": "x"}},
        {"constraint_class": "Negative",
         "constraint_parameters": {"column_name": "x", "strict_boundaries": True}},
    ]  # fmt: skip
    assert rules_from_sdv(entries) == ["x >= 0", "x < 0"]
    assert rules_to_sdv(["b >= a"]) == rules_to_sdv(["a <= b"])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("Range", "is an object"),
        ({"constraint_class": "CustomConstraint", "constraint_parameters": {}}, "not one that can"),
        ({"constraint_class": "Range"}, "has no parameters"),
        ({"constraint_class": "Range", "constraint_parameters": {}}, "lacks 'low_column_name'"),
        ({"constraint_class": "Unique", "constraint_parameters": {"column_names": "id"}}, "list"),
        (
            {"constraint_class": "ScalarInequality",
             "constraint_parameters": {"column_name": "x", "relation": "~", "value": 1}},
            "no relation",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(entry, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        rules_from_sdv([entry])


@pytest.mark.parametrize("rule", ["a = b + c", "x = 1 -> y = 2", "a < b <= c", "a + b <= c"])
def test_what_sdv_cannot_state_is_refused(rule: str) -> None:
    with pytest.raises(SchemaError, match="SDV has no constraint"):
        rules_to_sdv([rule])


def test_ranges_are_strict_unless_they_say_otherwise() -> None:
    """SDV's documentation: strict_boundaries is True for ranges, False for inequalities."""
    entries = [
        ({"low_column_name": "a", "middle_column_name": "b", "high_column_name": "c"}, "Range"),
        ({"column_name": "a", "low_value": 0, "high_value": 1}, "ScalarRange"),
        ({"low_column_name": "a", "high_column_name": "b"}, "Inequality"),
    ]
    entries = [{"constraint_class": n, "constraint_parameters": p} for p, n in entries]
    assert rules_from_sdv(entries) == ["a < b < c", "0 < a < 1", "a <= b"]


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("FixedIncrements", {"column_name": "p", "increment_value": float("nan")}, "no number"),
        ("FixedIncrements", {"column_name": "p", "increment_value": 0}, "increment 0"),
        ("FixedCombinations", {"column_names": ["a"]}, "2 are needed"),
        ("ScalarRange", {"column_name": "a", "low_value": "01 Jan 2020", "high_value": 2}, "ISO"),
    ],
)
def test_constraints_that_no_rule_states_are_refused(name: str, parameters, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        rules_from_sdv([{"constraint_class": name, "constraint_parameters": parameters}])
    with pytest.raises(SchemaError, match="no durations"):
        rules_to_sdv(["a <= 30 days"])
