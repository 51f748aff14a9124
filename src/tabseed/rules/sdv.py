"""Rules as the constraints of SDV's JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tabseed.errors import SchemaError
from tabseed.parameters import shown
from tabseed.rules.language import parse_rule
from tabseed.rules.tree import (
    Calculation,
    Comparison,
    Group,
    Moment,
    Number,
    Statement,
    Value,
    Word,
)

CLASS, PARAMETERS = "constraint_class", "constraint_parameters"
LEAST = {"FixedCombinations": 2, "OneHotEncoding": 2, "Unique": 1}  # columns
WORDS = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}


def rules_from_sdv(constraints: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rules that a list of SDV's constraints states, as texts.

    Inequality, ScalarInequality, Range, ScalarRange, Positive, Negative, FixedCombinations,
    FixedIncrements, OneHotEncoding and Unique, by the names of SDV 1 (``constraint_class`` and
    ``constraint_parameters``, also ``class`` and ``parameters``). SchemaError for any other.
    """
    if not isinstance(constraints, Sequence) or isinstance(constraints, str | bytes):
        raise SchemaError("SDV's constraints are a list of objects")
    return [str(_statement(entry)) for entry in constraints]


def rules_to_sdv(rules: Iterable[str]) -> list[dict[str, Any]]:
    """Return rules as SDV's constraints; SchemaError for a rule that none of them can state."""
    if isinstance(rules, str) or not isinstance(rules, Iterable):
        raise SchemaError(f"rules are a list of texts, got {shown(rules)}")
    return [_constraint(text, parse_rule(text)) for text in rules]


def _statement(entry: Any) -> Statement:
    if not isinstance(entry, Mapping):
        raise SchemaError(f"an SDV constraint is an object, got {shown(entry)}")
    name = str(entry.get(CLASS, entry.get("class"))).rpartition(".")[2]
    given = entry.get(PARAMETERS, entry.get("parameters"))
    if not isinstance(given, Mapping):
        raise SchemaError(f"the SDV constraint {shown(name)} has no parameters")
    try:
        return _read(name, given)
    except KeyError as error:
        raise SchemaError(f"the SDV constraint {name} lacks {error.args[0]!r}") from error


def _read(name: str, given: Mapping[str, Any]) -> Statement:
    strict = given.get("strict_boundaries", name in ("Range", "ScalarRange"))
    less = "<" if strict else "<="
    if name == "Inequality":
        return Comparison(
            (_column(given["low_column_name"]), _column(given["high_column_name"])), (less,)
        )
    if name == "Range":
        names = ("low_column_name", "middle_column_name", "high_column_name")
        return Comparison(tuple(_column(given[key]) for key in names), (less, less))
    if name == "ScalarInequality":
        sign = str(given["relation"])
        if sign not in WORDS:
            raise SchemaError(f"the SDV constraint ScalarInequality has no relation {shown(sign)}")
        return Comparison((_column(given["column_name"]), _constant(given["value"])), (sign,))
    if name == "ScalarRange":
        low, high = _constant(given["low_value"]), _constant(given["high_value"])
        return Comparison((low, _column(given["column_name"]), high), (less, less))
    if name in ("Positive", "Negative"):
        sign = {"Positive": ">", "Negative": "<"}[name] + ("" if less == "<" else "=")
        return Comparison((_column(given["column_name"]), Number(0.0)), (sign,))
    if name == "FixedIncrements":
        increment = _constant(given["increment_value"])
        if increment == Number(0.0):
            raise SchemaError("the SDV constraint FixedIncrements has the increment 0")
        step = Calculation("%", _column(given["column_name"]), increment)
        return Comparison((step, Number(0.0)), ("=",))
    sorts = {"FixedCombinations": "combinations", "OneHotEncoding": "one of", "Unique": "unique"}
    if name in sorts:
        names = given["column_names"]
        if not isinstance(names, Sequence) or isinstance(names, str):
            raise SchemaError(f"the SDV constraint {name} has no list of column_names")
        if len(names) < LEAST[name]:
            raise SchemaError(
                f"the SDV constraint {name} names {len(names)} columns; {LEAST[name]} are needed"
            )
        return Group(sorts[name], tuple(map(_column, names)))
    raise SchemaError(f"the SDV constraint {shown(name)} is not one that can be read")


def _column(name: Any) -> Word:
    if not isinstance(name, str) or not name:
        raise SchemaError(f"an SDV constraint names the column {shown(name)}, which is no text")
    return Word(name)


def _constant(value: Any) -> Value:
    if isinstance(value, str):
        try:
            statement = parse_rule(f"x = {value}")
        except SchemaError:
            statement = None
        if isinstance(statement, Comparison) and isinstance(statement.values[1], Moment):
            return statement.values[1]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise SchemaError(f"an SDV constraint has the value {shown(value)}, no number or ISO date")
    return Number(float(value))


def _constraint(text: str, statement: Statement) -> dict[str, Any]:
    """Return the constraint that states a rule."""
    if isinstance(statement, Group):
        names = {
            "combinations": "FixedCombinations",
            "one of": "OneHotEncoding",
            "unique": "Unique",
        }
        return _entry(names[statement.sort], column_names=[w.text for w in statement.columns])
    found = _compared(statement) if isinstance(statement, Comparison) else None
    if found is None:
        raise SchemaError(f"rule {shown(text)}: SDV has no constraint that states it")
    return found


def _compared(statement: Comparison) -> dict[str, Any] | None:
    values, signs = statement.values, statement.signs
    if set(signs) <= {">", ">="}:
        values, signs = values[::-1], tuple({">": "<", ">=": "<="}[s] for s in signs[::-1])
    strict = signs[0] == "<"
    sorts = tuple("column" if isinstance(v, Word) else _sort(v) for v in values)
    texts = [v.text if isinstance(v, Word) else v for v in values]
    if len(set(signs)) > 1:
        return None
    if signs[0] in ("<", "<="):
        if sorts == ("column", "column"):
            return _entry("Inequality", low_column_name=texts[0], high_column_name=texts[1],
                          strict_boundaries=strict)  # fmt: skip
        if sorts == ("column", "column", "column"):
            names = ("low_column_name", "middle_column_name", "high_column_name")
            return _entry("Range", **dict(zip(names, texts, strict=True)), strict_boundaries=strict)
        if sorts == ("constant", "column", "constant"):
            return _entry("ScalarRange", column_name=texts[1], low_value=_plain(values[0]),
                          high_value=_plain(values[2]), strict_boundaries=strict)  # fmt: skip
        if sorts in (("column", "constant"), ("constant", "column")):
            at = sorts.index("column")
            sign = signs[0] if at == 0 else {"<": ">", "<=": ">="}[signs[0]]
            return _entry("ScalarInequality", column_name=texts[at], relation=sign,
                          value=_plain(values[1 - at]))  # fmt: skip
    if signs == ("=",):
        for one, other in [*pairwise(values), *pairwise(values[::-1])]:
            step = isinstance(one, Calculation) and one.sign == "%" and other == Number(0.0)
            if step and isinstance(one, Calculation) and isinstance(one.left, Word):
                return _entry("FixedIncrements", column_name=one.left.text,
                              increment_value=_plain(one.right))  # fmt: skip
    return None


def _sort(value: Value) -> str:
    return "constant" if isinstance(value, Number | Moment) else "other"


def _plain(value: Value) -> int | float | str:
    if isinstance(value, Moment):
        return value.text
    assert isinstance(value, Number)
    if value.unit:
        raise SchemaError(f"rule with {value}: SDV's constraints have no durations")
    return int(value.days) if value.days == int(value.days) else value.days


def _entry(name: str, **parameters: Any) -> dict[str, Any]:
    return {CLASS: name, PARAMETERS: parameters}
