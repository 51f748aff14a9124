"""Detect the kind of a column. Each answer comes with its reason."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import SchemaError
from tabseed.table.arrow_types import can_be_category, is_date, is_number, is_real, is_text
from tabseed.table.index import UNNAMED, WHY
from tabseed.table.kinds import numerals
from tabseed.table.kinds.codes import MIN_ROWS, named_code, row_counter, unnamed_code
from tabseed.table.kinds.column_names import numbering
from tabseed.table.kinds.personal import personal_kind, rare_texts
from tabseed.table.kinds.spellings import FEW, dates_in_numbers, dates_in_text, pattern_for
from tabseed.table.notation.dates import as_whole
from tabseed.table.notation.number_formats import NumberFormat
from tabseed.table.schema import (
    DISCRETE,
    LEFT_OUT,
    Category,
    Column,
    Kind,
    check_number_format,
    check_pattern,
)

MAX_EXACT_INTEGER = 2**53  # beyond it, neighbouring integers share one float64
MAX_CODES = 20  # whole numbers of more values are quantities


def detect(name: str, values: pa.ChunkedArray) -> Column:
    """Describe one column from its values.

    Cost: linear in the number of rows, a sort of the distinct values included.
    """
    kind = values.type
    present = values.drop_null()
    if UNNAMED.fullmatch(name):
        return Column(name, "id", WHY)
    if len(present) == 0:
        return Column(name, "categorical", "no value present: stays missing")
    if pa.types.is_boolean(kind):
        return Column(name, "boolean", "stored as true/false", _categories(name, present))
    if pa.types.is_dictionary(kind):
        if kind.ordered:
            return Column(name, "ordinal", "stored as ordered categories", _levels(values))
        plain = present.cast(kind.value_type)
        found = personal_kind(name, plain) if is_text(plain.type) else None
        found = found or named_code(name, len(plain), _distinct(plain))
        if found and found[0] in LEFT_OUT:  # a dtype of pandas is no wish to publish names
            return _as_found(name, present, found)
        if (left_out := _mostly_distinct(name, plain, "")) is not None:
            return left_out
        return Column(name, "categorical", "stored as categories", _categories(name, present))
    if numbering(name) not in ("person", "code") and (dated := _detect_whole_dates(name, values)):
        return dated
    if pa.types.is_integer(kind):
        return _detect_integer(name, present)
    if is_real(kind):
        return _detect_real(name, present, has_missing=len(present) < len(values))
    if is_date(kind):
        return Column(name, "datetime", f"stored as {kind}")
    if is_text(kind):
        return _detect_text(name, values)
    return Column(name, "text", f"stored as {kind}, which is not modelled: left out")


def describe_as(
    name: str, values: pa.ChunkedArray, kind: Kind, pattern: str | None = None
) -> Column:
    """Describe one column as the kind that the user asks for.

    ``pattern`` is that of dates, or the format of numbers.
    """
    if kind in ("continuous", "integer") and (pattern or is_text(values.type)):
        return _as_numbers(Column(name, kind, "set by you"), values, pattern)
    categories: tuple[Category, ...] = ()
    if kind in DISCRETE:
        ordered = kind == "ordinal" and pa.types.is_dictionary(values.type) and values.type.ordered
        categories = _levels(values) if ordered else _categories(name, values.drop_null())
    if kind == "boolean" and len(categories) > 2:
        raise SchemaError(
            f"column {name!r} has {len(categories)} values, but a boolean has two; set another kind"
        )
    if kind != "datetime" and pattern is not None:
        raise SchemaError(f"column {name!r}: a date pattern is for datetime, not for {kind}")
    if kind == "datetime":
        if pattern is not None:
            check_pattern(name, pattern)
        pattern, note = pattern_for(name, values, pattern)
        reason = f"set by you: read as {pattern}{note}" if pattern else "set by you"
        return Column(name, kind, reason, (), pattern)
    return Column(name, kind, "set by you", categories)


def _as_numbers(column: Column, values: pa.ChunkedArray, form: str | None) -> Column:
    """Describe numbers that the user says are written in a format, None for the usual one."""
    if is_text(values.type):
        return numerals.set_format(column, values, form)
    if form is not None:
        check_number_format(column.name, form)
        if NumberFormat(form).words - {"gaps", "censored", "point"}:
            raise SchemaError(
                f"column {column.name!r} is stored as {values.type}, not as text in the format "
                f"{form!r}; leave the format out"
            )
    return column


def _categories(name: str, present: pa.ChunkedArray) -> tuple[Category, ...]:
    kind = present.type
    if len(present) == 0:
        return ()
    if pa.types.is_dictionary(kind):
        present = present.cast(kind.value_type)
    elif not can_be_category(kind):
        raise SchemaError(
            f"column {name!r} is stored as {kind}, which cannot be categories; make it text first"
        )
    values = set(pc.unique(present).to_pylist())  # a set, because -0.0 and 0.0 are one category
    return tuple(sorted(values, key=_category_order))


def _levels(values: pa.ChunkedArray) -> tuple[Category, ...]:
    """Return the categories of an ordered dictionary column in their order, unused ones too."""
    return tuple(values.combine_chunks().dictionary.to_pylist())


def _category_order(value: Category) -> tuple[bool, Category]:
    return (isinstance(value, str), value)


def _detect_whole_dates(name: str, values: pa.ChunkedArray) -> Column | None:
    """Describe whole numbers such as 20231114, stored as integers or as reals; None for others."""
    if not is_number(values.type):
        return None
    whole = as_whole(values)
    if whole.null_count > values.null_count:
        return None
    dates = dates_in_numbers(name, whole)
    if dates is None:
        return None
    numbers = whole.drop_null().to_numpy()
    found = named_code(name, len(numbers), len(np.unique(numbers)), numbers)
    if found and found[0] == "id":
        return None
    if dates.pattern:
        why = f"whole numbers that all read as dates {dates.pattern}{dates.note}"
        return Column(name, "datetime", why, (), dates.pattern)
    return Column(name, "text", f"{dates.doubt}: left out")


def _detect_integer(name: str, present: pa.ChunkedArray) -> Column:
    low, high = (end.as_py() for end in pc.min_max(present).values())
    if max(abs(low), abs(high)) > MAX_EXACT_INTEGER:
        return Column(name, "id", "numbers beyond 2^53, too long to be quantities: left out")
    numbers = present.cast(pa.float64()).to_numpy()
    code = _detect_code(name, present, numbers, counts=True)
    return code or _few_or_integer(name, present, "whole numbers")


def _detect_code(
    name: str, present: pa.ChunkedArray, numbers: np.ndarray, *, counts: bool
) -> Column | None:
    """Return the column of numbers that are no quantities, or None.

    ``counts``: whether the numbers are stored as whole, so that they may have been handed out.
    """
    distinct = np.unique(numbers)
    if set(distinct) <= {0.0, 1.0}:
        return None
    found = row_counter(name, numbers) if counts else None
    found = found or named_code(name, len(numbers), len(distinct), numbers)
    found = found or (unnamed_code(name, numbers) if counts else None)
    return _as_found(name, present, found) if found else None


def _as_found(name: str, present: pa.ChunkedArray, found: tuple[Kind, str]) -> Column:
    kind, reason = found
    return Column(name, kind, reason, _categories(name, present) if kind in DISCRETE else ())


def _detect_real(name: str, present: pa.ChunkedArray, *, has_missing: bool) -> Column:
    if pa.types.is_decimal(present.type):  # through text: Arrow's own cast is off by an ulp
        present = present.cast(pa.string())
    present = present.cast(pa.float64())
    numbers = present.to_numpy()
    if np.array_equal(numbers, np.round(numbers)) and np.abs(numbers).max() <= MAX_EXACT_INTEGER:
        why = "whole numbers with missing cells" if has_missing else "whole numbers stored as reals"
        present = pa.chunked_array([numbers + 0.0])  # -0.0 is 0.0
        code = _detect_code(name, present, numbers, counts=has_missing)
        return code or _few_or_integer(name, present, why)
    if numbering(name) == "code" and _two_decimals(numbers):  # ICD: 250.83
        code = _detect_code(name, present, numbers, counts=False)
        if code:
            return code
    return Column(name, "continuous", f"real numbers, {len(np.unique(numbers))} distinct")


def _two_decimals(numbers: np.ndarray) -> bool:
    with np.errstate(over="ignore"):  # numbers beyond 1e306 have none
        return np.array_equal(numbers, np.round(numbers, 2))


def _few_or_integer(name: str, present: pa.ChunkedArray, why: str) -> Column:
    counts = pc.value_counts(present)
    levels, sizes = (counts.field(k).to_numpy(zero_copy_only=False) for k in (0, 1))
    categories = tuple(np.sort(levels).tolist())
    if categories in ((0, 1), (0.0, 1.0)):
        return Column(name, "boolean", f"{why}, 0 and 1 only", categories)
    if are_codes(levels, sizes):
        return Column(
            name,
            "ordinal",
            f"{why}, {len(levels)} that repeat: codes, only these are drawn",
            categories,
        )
    return Column(name, "integer", f"{why}, {len(levels)} distinct")


def are_codes(levels: np.ndarray, counts: np.ndarray) -> bool:
    """Return whether distinct whole numbers (d,), in so many rows (d,) each, are codes of classes.

    They are if there are at most MAX_CODES, fewer than rows, and either half of them are in d/2
    rows or more, or they number at most ten classes from 0 or from 1. Quantities of few rows
    (ages, amounts) have more values, most of them in one or two rows.
    """
    d = len(levels)
    if not 1 < d <= MAX_CODES or d >= counts.sum():
        return False
    numbered = d <= 10 and levels.min() in (0, 1) and np.ptp(levels) == d - 1
    return bool(numbered or np.median(counts) >= max(2, d / 2))


def _detect_text(name: str, values: pa.ChunkedArray) -> Column:
    present = values.drop_null()
    dates = dates_in_text(name, values)
    if dates and dates.pattern:
        why = f"all values read as {dates.pattern}{dates.note}"
        return Column(name, "datetime", why, (), dates.pattern)
    n_distinct = _distinct(present)
    if dates and (n_distinct > FEW or 2 * n_distinct > len(present) > 4):
        return Column(name, "text", f"{dates.doubt}: left out")
    note = f"; {dates.doubt}" if dates else ""
    personal = None if dates else personal_kind(name, present)
    if personal:
        return _as_found(name, present, personal)
    return numerals.described(_detect_texts(name, present, note), values)


def _detect_texts(name: str, present: pa.ChunkedArray, note: str) -> Column:
    """Describe texts that are neither dates nor personal; ``note`` says what else they may be."""
    n, n_distinct = len(present), _distinct(present)
    code = named_code(name, n, n_distinct)
    if code and ((code[0] == "id" and numbering(name) != "code") or _are_codes(present)):
        return _as_found(name, present, code)
    if (left_out := _mostly_distinct(name, present, note)) is not None:
        return left_out
    rare = rare_texts(present)
    if rare and not note:
        return _as_found(name, present, rare)
    return Column(
        name,
        "categorical",
        f"{n_distinct} distinct text{'s' * (n_distinct != 1)}{note}",
        _categories(name, present),
    )


def _mostly_distinct(name: str, present: pa.ChunkedArray, note: str) -> Column | None:
    """Leave out a column of whose values most stand in one row only; None for any other."""
    n, n_distinct = len(present), _distinct(present)
    if n_distinct == n >= MIN_ROWS:
        spaced = is_text(present.type) and pc.any(pc.match_substring(present, " ")).as_py()
        kind: Kind = "text" if spaced else "id"
        return Column(name, kind, f"all {n} values distinct{note}: left out")
    if n >= MIN_ROWS and n_distinct > max(20, n / 2):
        return Column(name, "text", f"{n_distinct} distinct among {n} values{note}: left out")
    return None


def _distinct(present: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(present).as_py())


def _are_codes(present: pa.ChunkedArray) -> bool:
    """Say whether most texts are short, without blanks, and have digits."""
    short = pc.match_substring_regex(pc.unique(present), r"^[^\s]{0,11}[0-9][^\s]{0,11}$")
    return bool(pc.mean(short).as_py() > 0.5)
