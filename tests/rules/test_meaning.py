"""What rules say of rows: each form against the rows that break it, worked out by hand."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import SchemaError
from tabseed.rules.meaning import check_kept, read_rules, rows_where

KEPT, BROKEN, NEITHER = 0.0, 1.0, np.nan


def dates(*texts: str | None) -> pa.Array:
    return pa.array(
        [None if t is None else datetime.fromisoformat(t) for t in texts], pa.timestamp("us")
    )


TABLE = ts.Table.from_frame(
    pa.table(
        {
            "age": [18.0, 40.0, None, 111.0],
            "above": [100, 250, 300, 80],
            "basement": [20, 0, 50, None],
            "living": [120, 250, 351, 80],
            "tenth": [0.1, 0.2, 0.3, 0.7],
            "sex": ["male", "female", "male", None],
            "pregnant": ["no", "yes", "yes", "no"],
            "grade": [3, 1, 2, 3],
            "begin": dates("2020-01-31", "2020-02-01", None, "2021-05-05"),
            "end": dates("2020-02-01", "2020-01-01", "2020-03-01", "2021-05-05"),
            "hours-per-week": [40, 50, 60, 70],
            "red": [1, 0, 0, 0],
            "green": [0, 1, 1, 0],
        }
    ),
    kinds={
        "age": "continuous",
        "grade": "ordinal",
        "tenth": "continuous",
        "red": "integer",
        "green": "boolean",
        "sex": "categorical",
        **dict.fromkeys(("above", "basement", "living", "hours-per-week"), "integer"),
    },
)
CASES = {
    "0 <= age <= 110": [KEPT, KEPT, NEITHER, BROKEN],
    "age > 18": [BROKEN, KEPT, NEITHER, KEPT],
    "living = above + basement": [KEPT, KEPT, BROKEN, NEITHER],
    "living - above = basement": [KEPT, KEPT, BROKEN, NEITHER],
    "above / (age - age) = 1": [NEITHER] * 4,
    "tenth % 0.1 = 0": [KEPT] * 4,
    "tenth % 0.2 = 0": [BROKEN, KEPT, BROKEN, BROKEN],
    "tenth * 10 = grade": [BROKEN, BROKEN, BROKEN, BROKEN],
    "tenth + 0.1 = 0.3": [BROKEN, KEPT, BROKEN, BROKEN],
    "tenth * 3 <= 0.3": [KEPT, BROKEN, BROKEN, BROKEN],
    "sex = male -> pregnant = no": [KEPT, KEPT, BROKEN, NEITHER],
    "sex = male <-> pregnant = no": [KEPT, KEPT, BROKEN, NEITHER],
    "pregnant = yes -> sex = female": [KEPT, KEPT, BROKEN, KEPT],
    "sex missing -> age > 100": [KEPT, KEPT, KEPT, KEPT],
    "age missing <-> basement missing": [KEPT, KEPT, BROKEN, BROKEN],
    "begin <= end": [KEPT, BROKEN, NEITHER, KEPT],
    "end - begin <= 1 days": [KEPT, KEPT, NEITHER, KEPT],
    "end - begin >= 12 hours": [KEPT, BROKEN, NEITHER, BROKEN],
    "begin + 1 days = end": [KEPT, BROKEN, NEITHER, BROKEN],
    "end > 2020-02-01": [BROKEN, BROKEN, KEPT, KEPT],
    "grade >= 2": [KEPT, BROKEN, KEPT, KEPT],
    "grade in (1, 2)": [BROKEN, KEPT, KEPT, BROKEN],
    "not (sex = male or age > 100)": [BROKEN, KEPT, BROKEN, BROKEN],
    "sex = male or age > 100": [KEPT, BROKEN, KEPT, KEPT],
    "sex = male and age > 100": [BROKEN, BROKEN, NEITHER, NEITHER],
    "sex in (male, female)": [KEPT, KEPT, KEPT, NEITHER],
    "sex != 'male'": [BROKEN, KEPT, BROKEN, NEITHER],
    '"hours-per-week" >= 50': [BROKEN, KEPT, KEPT, KEPT],
    "one of (red, green)": [KEPT, KEPT, KEPT, BROKEN],
    "unique (sex, pregnant)": [KEPT, KEPT, KEPT, KEPT],
    "unique (grade)": [KEPT, KEPT, KEPT, BROKEN],
    "(sex, grade)": [KEPT, KEPT, KEPT, KEPT],
}


@pytest.mark.parametrize("text", CASES)
def test_which_rows_break_a_rule(text: str) -> None:
    (rule,) = read_rules([text], TABLE)
    assert str(rule) == text
    np.testing.assert_array_equal(rule.broken(TABLE), CASES[text])
    unknown = TABLE.take([])
    assert len(rule.broken(unknown)) == 0


def test_combinations_are_those_of_another_table() -> None:
    (rule,) = read_rules(["(sex, grade)"], TABLE)
    np.testing.assert_array_equal(rule.broken(TABLE, TABLE.take([0, 3])), [0, 1, 1, 0])
    assert rule.columns == ("sex", "grade")


def test_conditions_choose_rows_and_unknown_ones_are_not_chosen() -> None:
    for text, rows in {
        "sex = female and age >= 40": [1],
        "not sex = female": [0, 2],
        "age >= 40 or age missing": [1, 2, 3],
        "end in (2020-02-01, 2021-05-05)": [0, 3],
    }.items():
        assert np.flatnonzero(rows_where(text, TABLE)).tolist() == rows, text


REFUSED = {
    "livng = above + basement": "no column 'livng' in the table; did you mean 'living'",
    "hours - age > 0": "no column 'hours'",
    "sex + 1 = 2": "column 'sex' is categorical, so it has no numbers",
    "sex < male": "only ordered levels have <",
    "sex = mal": "has no level mal; the nearest are 'male'",
    "sex = 2020-01-01": "and 2020-01-01 is none",
    "begin = 3": "compares a date with a number",
    "begin + end = 3": "of two dates take the difference",
    "-begin = 3": "is a date, which has no sign",
    "1 = 2": "it names no column",
    "one of (sex, red)": "has no level 1 or true, so it cannot be hot",
    "sex = age": "cannot be compared",
    "weight missing": "no column 'weight'",
    "in = 3": "'in' is a word of the language; a column of this name is written \"in\"",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_rule_that_says_nothing_of_the_table_is_refused(text: str) -> None:
    with pytest.raises(SchemaError) as error:
        read_rules([text], TABLE)
    assert REFUSED[text] in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith("rule ")


def test_rows_that_break_a_rule_are_named() -> None:
    rules = read_rules(["living = above + basement", "age <= 110"], TABLE)
    with pytest.raises(SchemaError) as error:
        check_kept(rules, TABLE, "table")
    assert str(error.value).startswith(
        "rule 'living = above + basement': 1 row of 4 in the table breaks it: row 3 (living: 351, "
        "above: 300, basement: 50)"
    )
    check_kept(rules, TABLE.take([0, 1]), "table")


def test_a_rule_given_twice_counts_once() -> None:
    assert len(read_rules(["age<=110", "age <= 110"], TABLE)) == 1
