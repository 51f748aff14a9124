"""The language of rules and conditions: text to a tree and back, without a look at any table.

A rule is one line::

    0 <= age <= 110                          a range, or an order of columns
    living = above + basement                a column computed from others: + - * / ^ and numbers
    discharged - admitted <= 30 days         dates are counted in days; also 2020-01-31
    sex = male -> pregnant = no              an implication; "<->" is both ways
    status = alive -> death_date missing     cells that are missing, or present
    (city, region)                           only combinations that the rows have
    one of (red, green, blue)                exactly one of these columns is 1, or true
    unique (patient, visit)                  no two rows are alike in these columns
    price % 0.5 = 0                          whole steps

Conditions are joined by ``and``, ``or``, ``not`` and parentheses; ``region in (north, south)``
lists values. A bare word is a column if the table has it, otherwise a level; ``"hours-per-week"``
is always a column, ``'no'`` always a level, and a quote inside is written twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tabseed.errors import SchemaError
from tabseed.parameters import shown
from tabseed.rules.tree import (
    BARE,
    KEYWORDS,
    UNITS,
    Among,
    Calculation,
    Comparison,
    Condition,
    Group,
    Implication,
    Joined,
    Moment,
    Negative,
    Not,
    Number,
    State,
    Statement,
    Value,
    Word,
)

MOST_CHARACTERS, DEEPEST, MOST_JOINED = 2_000, 40, 200
MOST_NUMBER = 1e300
COMPARISONS = ("<=", ">=", "!=", "<", ">", "=", "==")

_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<date>\d{{4}}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?(?![\w-]))
    |(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w))
    |(?P<name>{BARE})
    |(?P<column>"(?:[^"]|"")+")
    |(?P<level>'(?:[^']|'')*')
    |(?P<mark><->|->|<=|>=|!=|==|[-+*/%^(),<>=])""",
    re.VERBOSE,
)
Found = TypeVar("Found")


def parse_rule(text: str) -> Statement:
    """Return the tree of a rule; SchemaError, in one line, for text that is none."""
    return _Reader(text, "rule").whole(_Reader.statement)


def parse_condition(text: str) -> Condition:
    """Return the tree of a condition, such as "sex = female and age >= 60"; SchemaError if none."""
    return _Reader(text, "condition").whole(_Reader.condition)


def parse_value(text: str) -> Value:
    """Return the tree of a value, such as "above + basement"; SchemaError if it is none."""
    reader = _Reader(text, "value")
    return reader.as_value(reader.whole(_Reader.sum))


@dataclass(frozen=True)
class _Token:
    sort: str
    text: str


class _Reader:
    """Reads tokens from left to right, each rule of the grammar by a method of its own."""

    def __init__(self, text: str, what: str) -> None:
        self.what = what
        if not isinstance(text, str):
            raise SchemaError(f"a {what} is text, such as 'age >= 18', not {shown(text)}")
        self.text = text
        if len(text) > MOST_CHARACTERS:
            raise self.refused(f"has {len(text)} characters, at most {MOST_CHARACTERS} are read")
        self.tokens, self.at, self.depth = self.split(), 0, 0

    def split(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self.text):
            found = _TOKEN.match(self.text, at)
            if found is None:
                raise self.refused(f"{self.text[at : at + 12]!r} cannot be read")
            at = found.end()
            if found.lastgroup != "space":
                tokens.append(_Token(str(found.lastgroup), found.group()))
        return tokens

    def refused(self, why: str) -> SchemaError:
        return SchemaError(f"{self.what} {shown(self.text)}: {why}")

    def unexpected(self, wanted: str) -> SchemaError:
        here = self.peek()
        where = "it ends too early" if here is None else f"{here.text!r} is not expected there"
        return self.refused(f"{where}; {wanted}")

    def whole(self, part: Callable[[_Reader], Found]) -> Found:
        if not self.tokens:
            raise self.refused("it is empty")
        found = part(self)
        if self.peek() is not None:
            raise self.unexpected("join conditions by and, or")
        return found

    # -- tokens

    def peek(self, ahead: int = 0) -> _Token | None:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def sees(self, *texts: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token is not None and token.sort in ("mark", "name") and token.text in texts

    def take(self, *texts: str) -> str | None:
        if not self.sees(*texts):
            return None
        self.at += 1
        return self.tokens[self.at - 1].text

    def need(self, text: str, wanted: str) -> None:
        if self.take(text) is None:
            raise self.unexpected(wanted)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refused(f"is nested more than {DEEPEST} deep")

    # -- statements

    def statement(self) -> Statement:
        group = self.group()
        if group is not None:
            return group
        first = self.condition()
        arrow = self.take("->", "<->")
        if arrow is None:
            return first
        return Implication(first, self.condition(), arrow == "<->")

    def group(self) -> Group | None:
        """Return a group of columns, None if there is none here."""
        if self.sees("unique") and self.sees("(", ahead=1):
            self.at += 1
            return Group("unique", self.names(1))
        if self.sees("one") and self.sees("of", ahead=1):
            self.at += 2
            return Group("one of", self.names(2))
        if self.sees("(") and self.sees(",", ahead=2):
            return Group("combinations", self.names(2))
        return None

    def names(self, least: int) -> tuple[Word, ...]:
        """Return names of columns in parentheses."""
        self.need("(", "columns stand in parentheses, as in (city, region)")
        found = [self.column()]
        while self.take(","):
            found.append(self.column())
        self.need(")", "after the columns comes ')'")
        if len(found) < least:
            raise self.refused(f"names {len(found)} column, at least {least} are needed")
        if len(set(found)) < len(found):
            raise self.refused("names a column twice")
        return tuple(found)

    def column(self) -> Word:
        token = self.peek()
        if token is None or token.sort not in ("name", "column") or token.text in KEYWORDS:
            raise self.unexpected("the name of a column comes next")
        self.at += 1
        return _word(token)

    # -- conditions

    def condition(self) -> Condition:
        return self.as_condition(self.either())

    def either(self) -> Condition | Value:
        return self.joined("or", self.all)

    def all(self) -> Condition | Value:
        return self.joined("and", self.negation)

    def joined(self, word: str, part: Callable[[], Condition | Value]) -> Condition | Value:
        first = part()
        if not self.sees(word):
            return first
        parts = [self.as_condition(first)]
        while self.take(word):
            parts.append(self.as_condition(part()))
        flat: list[Condition] = []
        for found in parts:  # (a and b) and c is a and b and c
            same = isinstance(found, Joined) and found.word == word
            flat += found.parts if same and isinstance(found, Joined) else [found]
        return Joined(word, tuple(flat))

    def negation(self) -> Condition | Value:
        if self.take("not"):
            self.deeper()
            found = Not(self.as_condition(self.negation()))
            self.depth -= 1
            return found
        return self.comparison()

    def comparison(self) -> Condition | Value:
        first = self.sum()
        if self.sees("missing", "present", "is"):
            return self.state(first)
        if self.sees("in") or (self.sees("not") and self.sees("in", ahead=1)):
            negated = self.take("not") is not None
            self.at += 1
            among = Among(self.as_value(first), self.choices())
            return Not(among) if negated else among
        values, signs = [first], []
        while (sign := self.take(*COMPARISONS)) is not None:
            signs.append("=" if sign == "==" else sign)
            values.append(self.sum())
        if not signs:
            return first
        return Comparison(tuple(map(self.as_value, values)), tuple(signs))

    def state(self, of: Condition | Value) -> Condition:
        if not isinstance(of, Word) or of.sort == "level":
            raise self.refused(f"{of} is no column, so it cannot be missing or present")
        negated = self.take("is") is not None and self.take("not") is not None
        word = self.take("missing", "present")
        if word is None:
            raise self.unexpected("after 'is' comes missing, or not missing")
        return State(of, (word == "missing") != negated)

    def choices(self) -> tuple[Value, ...]:
        self.need("(", "values to choose from stand in parentheses, as in (north, south)")
        found = [self.as_value(self.sum())]
        while self.take(","):
            found.append(self.as_value(self.sum()))
        self.need(")", "after the values comes ')'")
        return tuple(found)

    def as_condition(self, found: Condition | Value) -> Condition:
        if isinstance(found, Comparison | State | Among | Not | Joined):
            return found
        raise self.refused(f"{found} is a value; compare it with something, as in {found} = 1")

    def as_value(self, found: Condition | Value) -> Value:
        if isinstance(found, Comparison | State | Among | Not | Joined):
            raise self.refused(f"{found} is a condition, where a value is needed")
        return found

    # -- values

    def sum(self) -> Condition | Value:
        return self.chained(("+", "-"), self.product)

    def product(self) -> Condition | Value:
        return self.chained(("*", "/", "%"), self.signed)

    def chained(
        self, signs: tuple[str, ...], part: Callable[[], Condition | Value]
    ) -> Condition | Value:
        found, joined = part(), 0
        while (sign := self.take(*signs)) is not None:
            joined += 1  # a - b - c is nested to the left
            if joined > MOST_JOINED:
                raise self.refused(f"joins more than {MOST_JOINED} values")
            found = Calculation(sign, self.as_value(found), self.as_value(part()))
        return found

    def signed(self) -> Condition | Value:
        if self.take("-"):
            self.deeper()
            of = self.as_value(self.signed())
            self.depth -= 1
            if isinstance(of, Number) and not of.unit:
                return Number(-of.value)
            return Negative(of)
        return self.power()

    def power(self) -> Condition | Value:
        found = self.atom()
        if self.take("^"):
            exponent = self.peek()
            if exponent is None or exponent.sort != "number" or not exponent.text.isdigit():
                raise self.unexpected("after '^' comes a whole number")
            self.at += 1
            power = Number(float(exponent.text))
            if not 1 <= power.value <= 9:
                raise self.refused("powers are from 1 to 9")
            found = Calculation("^", self.as_value(found), power)
        return found

    def atom(self) -> Condition | Value:
        token = self.peek()
        if token is not None and token.sort == "name" and token.text in KEYWORDS:
            raise self.refused(
                f"{token.text!r} is a word of the language; a column of this name is written "
                f'"{token.text}"'
            )
        if token is None:
            raise self.unexpected("a column, a level, a number or a date comes next")
        if self.take("("):
            self.deeper()
            found = self.either()
            self.depth -= 1
            self.need(")", "a '(' is not closed")
            return found
        if token.sort == "mark":
            raise self.unexpected("a column, a level, a number or a date comes next")
        self.at += 1
        if token.sort == "number":
            return self.number(token.text)
        if token.sort == "date":
            return self.moment(token.text)
        return _word(token)

    def number(self, text: str) -> Number:
        value = float(text)
        if value > MOST_NUMBER:
            raise self.refused(f"{text} is too large a number")
        for unit in UNITS:
            if self.take(unit, unit.removesuffix("s")):
                return Number(value, unit)
        return Number(value)

    def moment(self, text: str) -> Moment:
        try:
            datetime.fromisoformat(text)
        except ValueError as error:
            raise self.refused(f"{text} is no date") from error
        return Moment(text)


def _word(token: _Token) -> Word:
    if token.sort == "name":
        return Word(token.text)
    quote = token.text[0]
    text = token.text[1:-1].replace(2 * quote, quote)
    return Word(text, "column" if token.sort == "column" else "level")
