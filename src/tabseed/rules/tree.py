"""The tree of a rule or condition: :mod:`~tabseed.rules.language` reads it, ``str`` writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

UNITS = {  # in days
    "days": 1.0,
    "weeks": 7.0,
    "months": 30.4375,
    "years": 365.25,
    "hours": 1 / 24,
    "minutes": 1 / 1_440,
    "seconds": 1 / 86_400,
}
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "missing", "present", "unique", "one", "of"})
EPOCH = datetime(1970, 1, 1)
DAY_SECONDS = 86_400.0
BARE = r"[^\W\d]\w*(?:\.\w+)*"  # a word that needs no quotes


@dataclass(frozen=True)
class Number:
    """A number; ``unit`` names what it counts, which is a number of days."""

    value: float
    unit: str = ""

    @property
    def days(self) -> float:
        """The number, in days if it has a unit."""
        return self.value * UNITS[self.unit] if self.unit else self.value

    def __str__(self) -> str:
        digits = repr(int(self.value)) if self.value == int(self.value) else repr(self.value)
        return f"{digits} {self.unit}" if self.unit else digits


@dataclass(frozen=True)
class Moment:
    """A date, in ISO 8601."""

    text: str

    @property
    def days(self) -> float:
        """Days since 1970."""
        return (datetime.fromisoformat(self.text) - EPOCH).total_seconds() / DAY_SECONDS

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Word:
    """A word whose meaning the table decides: a column, or else a level.

    ``sort``: "column" or "level" if it was quoted.
    """

    text: str
    sort: str = ""

    def __str__(self) -> str:
        if self.sort == "level":
            return "'" + self.text.replace("'", "''") + "'"
        bare = re.fullmatch(BARE, self.text) and self.text not in KEYWORDS
        return self.text if bare and not self.sort else '"' + self.text.replace('"', '""') + '"'


@dataclass(frozen=True)
class Negative:
    """A value with the other sign."""

    of: Value

    def __str__(self) -> str:
        return f"-{_within(self.of, 4)}"


@dataclass(frozen=True)
class Calculation:
    """Two values joined by +, -, *, /, % or ^."""

    sign: str
    left: Value
    right: Value

    def __str__(self) -> str:
        strength = STRENGTH[self.sign]
        # what stands to the right must bind more: a - (b - c); of powers both, as they do not chain
        left = _within(self.left, strength + (self.sign == "^"))
        return f"{left} {self.sign} {_within(self.right, strength + 1)}"


Value = Number | Moment | Word | Negative | Calculation
STRENGTH = {"+": 2, "-": 2, "*": 3, "/": 3, "%": 3, "^": 5}


def _within(value: Value, least: int) -> str:
    """Return a value as text, in parentheses if it binds less than ``least``."""
    strength = 6
    if isinstance(value, Number) and value.value < 0:
        strength = 4
    elif isinstance(value, Calculation):
        strength = STRENGTH[value.sign]
    elif isinstance(value, Negative):
        strength = 4
    return f"({value})" if strength < least else str(value)


@dataclass(frozen=True)
class Comparison:
    """Values in a row, with a comparison between each two neighbours."""

    values: tuple[Value, ...]
    signs: tuple[str, ...]

    def __str__(self) -> str:
        rest = zip(self.signs, self.values[1:], strict=True)
        return str(self.values[0]) + "".join(f" {sign} {value}" for sign, value in rest)


@dataclass(frozen=True)
class State:
    """A column's cell is missing, or it is present."""

    column: Word
    missing: bool

    def __str__(self) -> str:
        return f"{self.column} {'missing' if self.missing else 'present'}"


@dataclass(frozen=True)
class Among:
    """A value is one of several."""

    value: Value
    choices: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.value} in ({', '.join(map(str, self.choices))})"


@dataclass(frozen=True)
class Not:
    """A condition does not hold."""

    of: Condition

    def __str__(self) -> str:
        return f"not {_in_condition(self.of, 3)}"


@dataclass(frozen=True)
class Joined:
    """Conditions of which all hold ("and"), or at least one ("or")."""

    word: str
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        least = 2 + (self.word == "and")
        return f" {self.word} ".join(_in_condition(part, least) for part in self.parts)


Condition = Comparison | State | Among | Not | Joined


def _in_condition(condition: Condition, least: int) -> str:
    strength = 4
    if isinstance(condition, Joined):
        strength = 1 if condition.word == "or" else 2
    elif isinstance(condition, Not):
        strength = 3
    return f"({condition})" if strength < least else str(condition)


@dataclass(frozen=True)
class Implication:
    """Where the first condition holds the second does; ``both``: and the other way round."""

    first: Condition
    second: Condition
    both: bool = False

    def __str__(self) -> str:
        return f"{self.first} {'<->' if self.both else '->'} {self.second}"


@dataclass(frozen=True)
class Group:
    """Columns taken together: "combinations", "one of" or "unique"."""

    sort: str
    columns: tuple[Word, ...]

    def __str__(self) -> str:
        word = "" if self.sort == "combinations" else f"{self.sort} "
        return f"{word}({', '.join(map(str, self.columns))})"


Statement = Condition | Implication | Group
