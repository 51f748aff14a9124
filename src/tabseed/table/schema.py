"""What the columns of a table are: kinds, categories, reasons; read and written as JSON.

The JSON has SDV's keys (``columns``, ``sdtype``, ``primary_key``), so that both libraries read the
same file; what SDV has no key for is under ``tabseed`` inside a column.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Literal, cast, get_args

from tabseed.errors import SchemaError, printable, shortened
from tabseed.parameters import shown
from tabseed.table.display import (
    MAX_COLUMNS,
    MAX_NAME,
    MAX_TEXT,
    and_more,
    as_html,
    as_text,
    counted,
)
from tabseed.table.labels import name_of
from tabseed.table.notation.dates import compiled
from tabseed.table.notation.number_formats import NumberFormat

Kind = Literal[
    "continuous", "integer", "boolean", "categorical", "ordinal", "datetime", "id", "text"
]
KINDS: tuple[str, ...] = get_args(Kind)
NUMERIC: frozenset[str] = frozenset({"continuous", "integer", "datetime"})
DISCRETE: frozenset[str] = frozenset({"boolean", "categorical", "ordinal"})
LEFT_OUT: frozenset[str] = frozenset({"id", "text"})
Category = str | int | float | bool

SOME = 6  # names that a message lists
EPOCH = datetime(1970, 1, 1)
DAY = len("2020-01-31")
MOST = 2**53  # of a declared range

FROM_SCHEMA = "read from the schema"  # the reason for a kind that somebody else's schema gives

_SDTYPE_OF = {"continuous": "numerical", "integer": "numerical", "ordinal": "categorical"}


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind, and why it is of that kind.

    ``categories`` are the values of a discrete column (ordered for an ordinal one);
    ``datetime_format`` is the pattern (:mod:`tabseed.table.notation.dates`) of dates kept as text
    or as whole numbers, and ``number_format`` that of numbers kept as text
    (:mod:`tabseed.table.notation.number_formats`).

    ``range`` and ``missing`` are what somebody declares public, for generators that guarantee
    privacy; nothing finds them in the cells. ``range``: two or more increasing numbers (of dates:
    texts such as "2020-01-31" or "2020-01-31T08:00:00", UTC), the ends of the numbers that there
    may be and, between them, points to cut at. ``missing``: whether cells may be; None: not
    declared.
    """

    name: str
    kind: Kind
    reason: str = ""
    categories: tuple[Category, ...] = ()
    datetime_format: str | None = None
    number_format: str | None = None
    range: tuple[float | str, ...] = ()
    missing: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise SchemaError(f"the name of a column is text, got {shown(self.name)}")
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise SchemaError(
                f"column {self.name!r}: kind {printable(repr(self.kind))} is not one of "
                f"{', '.join(KINDS)}"
            )
        if not isinstance(self.categories, tuple):
            raise SchemaError(f"column {self.name!r}: categories must be a tuple of values")
        seen: set[Category] = set()
        for value in self.categories:
            if not isinstance(value, Category):
                raise SchemaError(
                    f"column {self.name!r}: category {value!r} is not text, a number or true/false"
                )
            if value in seen:
                raise SchemaError(f"column {self.name!r}: category {value!r} occurs twice")
            seen.add(value)
        if self.datetime_format is not None:
            check_pattern(self.name, self.datetime_format)
        if self.number_format is not None:
            check_number_format(self.name, self.number_format)
        if not isinstance(self.missing, bool | None):
            raise SchemaError(f"column {self.name!r}: missing must be true or false")
        self.range_points()

    def range_points(self) -> tuple[float, ...]:
        """Return the declared range as the numbers that a Table reads; () if there is none.

        SchemaError for a range that is not one.
        """
        if self.range == ():
            return ()
        hint = '["2020-01-01", "2020-12-31"]' if self.kind == "datetime" else "[0, 120]"
        try:
            if self.kind not in NUMERIC or not isinstance(self.range, tuple):
                raise ValueError
            points = [_point(value, self.kind) for value in self.range]
            if len(points) < 2 or any(a >= b for a, b in pairwise(points)):
                raise ValueError
        except (ValueError, TypeError) as error:
            raise SchemaError(
                f"column {self.name!r}: range {shown(self.range)} is not two or more increasing "
                f"{'dates' if self.kind == 'datetime' else 'numbers'} of a numeric column, such as "
                f"{hint}"
            ) from error
        return tuple(points)

    @property
    def coded(self) -> bool:
        """Whether the column is ordinal and its levels are numbers (1, 2, 3), not texts."""
        return (
            self.kind == "ordinal"
            and len(self.categories) > 0
            and all(isinstance(c, int | float) and not isinstance(c, bool) for c in self.categories)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the column as SDV writes it, with tabseed's own entries under ``tabseed``."""
        entry: dict[str, Any] = {"sdtype": _SDTYPE_OF.get(self.kind, self.kind)}
        if self.kind == "integer":
            entry["computer_representation"] = "Int64"
        elif self.kind == "continuous":
            entry["computer_representation"] = "Float"
        if self.kind == "ordinal" and self.categories:
            entry["order"] = list(self.categories)
        if self.datetime_format is not None:
            entry["datetime_format"] = compiled(self.datetime_format).in_python
        entry["tabseed"] = {"kind": self.kind, "reason": self.reason}
        if self.datetime_format not in (None, entry.get("datetime_format")):
            entry["tabseed"]["datetime_format"] = self.datetime_format
        if self.kind in DISCRETE:
            entry["tabseed"]["categories"] = list(self.categories)
        if self.number_format is not None:
            entry["tabseed"]["number_format"] = self.number_format
        if self.range:
            entry["tabseed"]["range"] = list(self.range)
        if self.missing is not None:
            entry["tabseed"]["missing"] = self.missing
        return entry

    @classmethod
    def from_dict(cls, name: str, entry: Mapping[str, Any]) -> Column:
        """Read a column from tabseed's or from SDV's description."""
        own = entry.get("tabseed", {})
        if not isinstance(own, Mapping):
            raise SchemaError(f"column {name!r}: 'tabseed' must be an object in the schema")
        kind = own.get("kind") or _kind_of_sdtype(name, entry)
        if kind not in KINDS:
            raise SchemaError(f"column {name!r}: kind {kind!r} is not one of {', '.join(KINDS)}")
        categories = own.get("categories", entry.get("order", ()))
        if not isinstance(categories, list | tuple):
            raise SchemaError(f"column {name!r}: categories must be a list in the schema")
        points = own.get("range") or ()
        if not isinstance(points, list | tuple):
            raise SchemaError(f"column {name!r}: range must be a list in the schema")
        return cls(
            name=name,
            kind=cast(Kind, kind),
            reason=str(own.get("reason", _reason(kind, entry))),
            categories=tuple(categories),
            datetime_format=own.get("datetime_format", entry.get("datetime_format")),
            number_format=own.get("number_format"),
            range=tuple(points),
            missing=own.get("missing"),
        )


def _point(value: object, kind: str) -> float:
    """Return a point of a range as a number; ValueError or TypeError if it is none."""
    if kind == "datetime":
        if not isinstance(value, str):
            raise TypeError
        moment = date.fromisoformat(value) if len(value) == DAY else datetime.fromisoformat(value)
        if getattr(moment, "tzinfo", None) is not None:
            raise ValueError
        return float((datetime(*moment.timetuple()[:6]) - EPOCH) // timedelta(microseconds=1))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not abs(value) <= MOST or (kind == "integer" and value != int(value)):
        raise ValueError
    return float(value)


def check_pattern(name: str, pattern: object) -> None:
    """Raise SchemaError, with the reason, for a date pattern that cannot be read and written."""
    try:
        if not isinstance(pattern, str):
            raise ValueError("is no text")
        compiled(pattern)
    except ValueError as error:
        raise SchemaError(
            f"column {name!r}: {printable(repr(pattern))} is not a date pattern that can be read "
            f"and written: it {error}; give one such as %d/%m/%Y or %Y-%m-%d %H:%M:%S"
        ) from error


def check_number_format(name: str, text: object) -> None:
    """Raise SchemaError, with the reason, for a format of numbers that there is not."""
    try:
        if not isinstance(text, str):
            raise ValueError("is no text")
        NumberFormat(text)
    except ValueError as error:
        raise SchemaError(
            f"column {name!r}: {printable(repr(text))} is no format of numbers: it {error}"
        ) from error


def _kind_of_sdtype(name: str, entry: Mapping[str, Any]) -> str:
    sdtype = entry.get("sdtype")
    if sdtype == "numerical":
        whole = str(entry.get("computer_representation", "")).startswith(("Int", "UInt"))
        return "integer" if whole else "continuous"
    if sdtype == "categorical":  # "order" lists the levels, "order_by" says how to sort them
        return "ordinal" if entry.get("order") or entry.get("order_by") else "categorical"
    if sdtype in ("boolean", "datetime", "id", "ordinal"):
        return str(sdtype)
    if sdtype is None:
        raise SchemaError(f"column {name!r} has no 'sdtype' in the schema")
    return "text"  # SDV's names for personal data (email, phone_number, ...): not modelled


def _reason(kind: str, entry: Mapping[str, Any]) -> str:
    if kind in LEFT_OUT:
        return f"{entry.get('sdtype', kind)!r} in the schema, which is not modelled: left out"
    return FROM_SCHEMA


def _bare(name: str) -> str:
    """Return a name without what people forget of it: case, spaces and other marks."""
    return "".join(filter(str.isalnum, name.casefold())) or name


@dataclass(frozen=True)
class Schema:
    """The columns of a table in order, and the rules that its rows keep.

    ``rules`` are texts such as "living = above + basement" (:mod:`tabseed.rules.language`).
    Immutable; :meth:`with_column` and :meth:`with_rules` return a changed copy.
    """

    columns: tuple[Column, ...]
    rules: tuple[str, ...] = ()
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, int] = {}
        if not isinstance(self.columns, tuple) or not all(
            isinstance(column, Column) for column in self.columns
        ):
            raise SchemaError("the columns of a schema must be a tuple, each of them a Column")
        for i, column in enumerate(self.columns):
            if column.name in index:
                raise SchemaError(
                    f"column name {column.name!r} occurs twice (columns {index[column.name] + 1} "
                    f"and {i + 1}); rename one of them"
                )
            index[column.name] = i
        object.__setattr__(self, "_index", index)
        if not isinstance(self.rules, tuple) or not all(isinstance(r, str) for r in self.rules):
            raise SchemaError(f"rules are a tuple of texts, got {shown(self.rules)}")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __contains__(self, label: object) -> bool:
        return name_of(label) in self._index

    def __getitem__(self, label: Hashable) -> Column:
        """Return a column by its name, or by the label of pandas that has this text."""
        if not isinstance(label, Hashable):
            raise SchemaError(f"the name of a column is text, got {shown(label)}")
        name = name_of(label)
        if name not in self._index:
            near = self._near(name)
            hint = f"; did you mean {near!r}?" if near is not None else ""
            raise SchemaError(f"no column {name!r} in the table{hint or self._some()}")
        return self.columns[self._index[name]]

    def to_predict(self, label: Hashable) -> Column:
        """Return the column of that name; SchemaError also if it is left out of what is learned."""
        column = self[label]
        if column.kind in LEFT_OUT:
            raise SchemaError(
                f"column {column.name!r} is {column.kind}, not a label: it is left out "
                f"({column.reason.removesuffix(': left out')}) and cannot be the target; set "
                "another kind"
            )
        return column

    def _some(self) -> str:
        """Return the first names, for a message that says which there are."""
        if not self.columns:
            return ", which has none"
        some = ", ".join(repr(shortened(name, MAX_NAME)) for name in self.names[:SOME])
        return f"; it has {some}" + ", ..." * (len(self.names) > SOME)

    def _near(self, name: str) -> str | None:
        """Return the most similar name, None if none is: case and marks between words count little.

        A name of marks only ("#") is compared as it stands.
        """
        bare = {other: _bare(other) for other in self.names}
        same = [other for other in bare if bare[other] == _bare(name)]
        close = same or get_close_matches(_bare(name), list(bare.values()), n=1)
        return next((other for other in bare if other in close or bare[other] in close), None)

    def __repr__(self) -> str:
        return as_text(*self._display())

    def _repr_html_(self) -> str:
        headline, lines, notes = self._display()
        return as_html(headline, ("column", "kind", "why"), lines, notes)

    def _display(self) -> tuple[str, list[list[str]], list[str]]:
        lines = [
            [shortened(c.name, MAX_NAME), c.kind, shortened(c.reason, MAX_TEXT)]
            for c in self.columns[:MAX_COLUMNS]
        ]
        headline = f"Schema of {counted(len(self), 'column')}"
        return headline, lines, and_more(len(lines), len(self))

    @property
    def names(self) -> list[str]:
        """The names of all columns, in order."""
        return [column.name for column in self.columns]

    @property
    def modelled(self) -> Schema:
        """The columns that generators learn: all but ids and free text."""
        return Schema(tuple(c for c in self.columns if c.kind not in LEFT_OUT), self.rules)

    @property
    def left_out(self) -> list[Column]:
        """Ids and free text, which no generator learns."""
        return [c for c in self.columns if c.kind in LEFT_OUT]

    def with_column(self, column: Column) -> Schema:
        """Return a copy in which ``column`` replaces the column of the same name."""
        return self.with_columns((column,))

    def with_columns(self, columns: Iterable[Column]) -> Schema:
        """Return a copy in which each of ``columns`` replaces the column of the same name."""
        new = list(self.columns)
        for column in columns:
            if not isinstance(column, Column):
                raise SchemaError(f"{printable(repr(column))} is not a Column")
            new[self._index[self[column.name].name]] = column
        return Schema(tuple(new), self.rules)

    def with_rules(self, rules: Iterable[str]) -> Schema:
        """Return a copy with these rules beside those that it has."""
        rules = [rules] if isinstance(rules, str) else rules
        return Schema(self.columns, tuple(dict.fromkeys((*self.rules, *rules))))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict with SDV's keys (metadata spec SINGLE_TABLE_V1)."""
        result: dict[str, Any] = {
            "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1",
            "columns": {c.name: c.to_dict() for c in self.columns},
        }
        ids = [c.name for c in self.columns if c.kind == "id"]
        if len(ids) == 1:
            result["primary_key"] = ids[0]
        if self.rules:
            result["tabseed"] = {"rules": list(self.rules)}
        return result

    @classmethod
    def from_dict(cls, data: Any) -> Schema:
        """Read what :meth:`to_dict` wrote, or SDV's metadata of one table (V1 or V2)."""
        if not isinstance(data, Mapping):
            raise SchemaError("a schema must be a JSON object with 'columns'")
        if "tables" in data:
            tables = data["tables"]
            if not isinstance(tables, Mapping) or len(tables) != 1:
                raise SchemaError("the schema describes several tables; keep only the one you need")
            data = next(iter(tables.values()))
        columns = data.get("columns") if isinstance(data, Mapping) else None
        if not isinstance(columns, Mapping) or not columns:
            raise SchemaError("the schema has no 'columns'")
        for name, entry in columns.items():
            if not isinstance(entry, Mapping):
                raise SchemaError(f"column {name!r}: its entry in the schema must be an object")
        own = data.get("tabseed", {})
        rules = own.get("rules", []) if isinstance(own, Mapping) else None
        if not isinstance(rules, list):
            raise SchemaError("the rules of the schema must be a list of texts, under 'tabseed'")
        schema = cls(
            tuple(Column.from_dict(str(n), entry) for n, entry in columns.items()), tuple(rules)
        )
        keys = data.get("primary_key") or []
        for key in [keys] if isinstance(keys, str) else keys:
            if key not in schema.names:
                raise SchemaError(f"the schema's primary key {key!r} is not one of its columns")
            if schema[key].kind not in LEFT_OUT and "tabseed" not in columns.get(key, {}):
                schema = schema.with_column(
                    Column(key, "id", "primary key of the schema: left out")
                )
        return schema
