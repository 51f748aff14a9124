"""The language of rules: each form, its text read back, and text that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.errors import SchemaError
from tabseed.rules.language import MOST_CHARACTERS, parse_condition, parse_rule
from tabseed.rules.tree import (
    Among,
    Calculation,
    Comparison,
    Group,
    Implication,
    Joined,
    Moment,
    Negative,
    Not,
    Number,
    State,
    Word,
)

a, b, c = Word("a"), Word("b"), Word("c")
FORMS = {
    "0 <= age <= 110": Comparison((Number(0), Word("age"), Number(110)), ("<=", "<=")),
    "a = b + c": Comparison((a, Calculation("+", b, c)), ("=",)),
    "a - b - c < 1": Comparison(
        (Calculation("-", Calculation("-", a, b), c), Number(1)), ("<",)
    ),
    "a - (b - c) < 1": Comparison(
        (Calculation("-", a, Calculation("-", b, c)), Number(1)), ("<",)
    ),
    "a = -b * c ^ 2": Comparison(
        (a, Calculation("*", Negative(b), Calculation("^", c, Number(2)))), ("=",)
    ),
    "a % 0.5 = 0": Comparison((Calculation("%", a, Number(0.5)), Number(0)), ("=",)),
    "a - b <= 30 days": Comparison((Calculation("-", a, b), Number(30, "days")), ("<=",)),
    "a >= 2020-01-31T08:30": Comparison((a, Moment("2020-01-31T08:30")), (">=",)),
    "a missing": State(a, missing=True),
    "a present": State(a, missing=False),
    "a in (b, 'no', 3)": Among(a, (b, Word("no", "level"), Number(3))),
    "not (a = 1 or b = 2) and c = 3": Joined("and", (
        Not(Joined("or", (Comparison((a, Number(1)), ("=",)), Comparison((b, Number(2)), ("=",))))),
        Comparison((c, Number(3)), ("=",)),
    )),
    "a = 1 -> b missing": Implication(Comparison((a, Number(1)), ("=",)), State(b, missing=True)),
    "a missing <-> b missing": Implication(State(a, True), State(b, True), both=True),
    "(a, b)": Group("combinations", (a, b)),
    "one of (a, b)": Group("one of", (a, b)),
    "unique (a)": Group("unique", (a,)),
    '"hours-per-week" > 0': Comparison((Word("hours-per-week", "column"), Number(0)), (">",)),
    "\"a \"\"b\"\"\" = 'it''s'": Comparison(
        (Word('a "b"', "column"), Word("it's", "level")), ("=",)
    ),
    "größe.cm > 0": Comparison((Word("größe.cm"), Number(0)), (">",)),
}  # fmt: skip


@pytest.mark.parametrize("text", FORMS)
def test_each_form_is_read_and_written(text: str) -> None:
    assert parse_rule(text) == FORMS[text]
    assert str(FORMS[text]) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a==1", "a = 1"),
        ("a is missing", "a missing"),
        ("a is not missing", "a present"),
        ("a is not present", "a missing"),
        ("a not in (1,2)", "not a in (1, 2)"),
        ("((a)) < (b + 1)", "a < b + 1"),
        ("(a = 1 and b = 2) and c = 3", "a = 1 and b = 2 and c = 3"),
        ("a<-3", "a < -3"),
        ("(a + b) * c = 1 day", "(a + b) * c = 1 days"),
        ("(-3) ^ 2 = a", "(-3) ^ 2 = a"),
    ],
)
def test_other_spellings(text: str, same: str) -> None:
    assert str(parse_rule(text)) == same
    assert parse_rule(same) == parse_rule(text)


# trees that the language can write, each with the texts of its words in quotes or not
words = st.builds(
    Word,
    st.text(min_size=1, max_size=8),
    st.sampled_from(["column", "level"]),
) | st.builds(Word, st.sampled_from(["a", "b_1", "größe", "x.y"]))
numbers = st.builds(Number, st.floats(0, 1e9) | st.integers(0, 999).map(float))
values = st.recursive(
    words | numbers | st.builds(Number, st.floats(0.1, 9), st.just("days")),
    lambda inner: (
        st.builds(Calculation, st.sampled_from("+-*/%"), inner, inner)
        | st.builds(Negative, inner.filter(lambda v: not isinstance(v, Number) or bool(v.unit)))
        | st.builds(
            Calculation, st.just("^"), inner, st.integers(1, 9).map(lambda n: Number(float(n)))
        )
    ),
    max_leaves=8,
)
columns = words.filter(lambda word: word.sort != "level")
simple = (
    st.builds(
        lambda x, y, s: Comparison((x, y), (s,)), values, values, st.sampled_from(["<", "!="])
    )
    | st.builds(State, columns, st.booleans())
    | st.builds(Among, values, st.lists(values, min_size=1, max_size=3).map(tuple))
)
conditions = st.recursive(
    simple,
    lambda inner: (
        st.builds(Not, inner)
        | st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)).map(
            lambda found: Joined(
                found[0],
                tuple(
                    part
                    for one in found[1]
                    for part in (
                        one.parts if isinstance(one, Joined) and one.word == found[0] else (one,)
                    )
                ),
            )
        )
    ),
    max_leaves=5,
)


@given(conditions)
def test_a_tree_that_is_written_is_read_as_itself(tree) -> None:
    assert parse_condition(str(tree)) == tree


@given(st.text(max_size=60) | st.text("ab(),.<->=+-*/%^'\" 12", max_size=60))
def test_any_text_is_a_rule_or_refused_in_one_line(text: str) -> None:
    try:
        tree = parse_rule(text)
    except SchemaError as error:
        assert "\n" not in str(error) and str(error).isprintable()
    else:
        assert parse_rule(str(tree)) == tree


HOSTILE = {
    "too long": "a = " + "1 + " * MOST_CHARACTERS + "1",
    "ten thousand characters": "x" * 10_000,
    "deep": "(" * 900 + "a" + ")" * 900 + " = 1",
    "deep not": "not " * 400 + "a = 1",
    "deep minus": "a = " + "-" * 900 + "1",
    "many terms": "a = " + "+".join("1" * 500),
    "python": "__import__('os').system('true')",
    "attribute": "a.__class__ = 1 (",
    "statement": "a = 1; b = 2",
    "quote": '"a = 1',
    "empty": "   ",
    "null": "a = \0",
    "arrows": "a = 1 -> b = 2 -> c = 3",
    "no comparison": "a + b",
    "condition as value": "(a = 1) + 2 = 3",
    "level missing": "'no' missing",
    "huge": "a < 1e999",
    "date": "a < 2020-13-45",
    "twice": "(a, a)",
    "power": "a ^ 99 = 1",
    "keyword": "a = and",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_in_one_line(name: str) -> None:
    with pytest.raises(SchemaError) as error:
        parse_rule(HOSTILE[name])
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


@pytest.mark.parametrize("value", [None, 3, ["a = 1"], b"a = 1"], ids=str)
def test_what_is_no_text_is_refused(value) -> None:
    with pytest.raises(SchemaError, match="is text, such as"):
        parse_rule(value)
