"""Which columns are dates, and in which pattern: found from their cells, and never guessed.

A pattern counts only if it reads every cell. Where two fit that differ in the order of day and
month, none is chosen; where most cells are dates, the reason names the first that is none. Whole
numbers such as 20231114 are dates if ordinary numbers would hardly all be valid dates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, partial
from math import lgamma, log

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tabseed.errors import SchemaError, printable, shortened
from tabseed.table.arrow_types import is_number, is_text
from tabseed.table.display import MAX_QUOTED, kind_option
from tabseed.table.notation.date_fields import DAY, MONTHS, WEEKDAYS
from tabseed.table.notation.dates import DatePattern, as_whole, compiled, digits_of

CHANCE = 1e-6  # numbers that would all be dates more often than this by chance stay numbers
MOST = 0.75  # of the cells must be dates before a column of other cells too is called dates
FEW = 20  # so many distinct texts can be categories, even if they may be dates
SAMPLE = 24  # distinct cells whose shapes are looked at
CANDIDATES = 8  # patterns that read the most of these cells; only they read the whole column
YEARS = (1900, 2100)  # of dates that nothing but digits speak for
# dates beyond these years that stand for "no date" or "no end"
PLACEHOLDERS = ("9999-12-31", "9999-01-01", "9999-12-30", "2999-12-31", "0001-01-01", "1800-01-01")

_TIME = re.compile(
    r"(?P<before>(?<=\d)T|,? +|(?<=\d):|^)\d{1,2}:\d\d(?P<s>:\d\d)?(?:(?P<mark>[.,])\d{1,9})?"
    r"(?P<gap> ?)(?P<p>[AaPp][Mm])?(?P<zone> ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?$"
)
_COMPACT_TIME = re.compile(r"(?<=\d{8})T\d{4}(?P<s>\d\d)?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?$")
_TOKEN = re.compile(r"(\d+)|([A-Za-z]+)|([^A-Za-z\d]+)")
_MONTH_NAMES = {name[:size].lower() for name in MONTHS for size in (3, len(name))}
_DAY_NAMES = {name[:size].lower() for name in WEEKDAYS for size in (3, len(name))}
_LONGEST = 48  # characters of a date
_C_TIME = "%a %b %e %H:%M:%S %Y"
_C_TIME_SHAPE = re.compile(r"[A-Za-z]{3} [A-Za-z]{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}")
_WHOLE = {  # by number of digits
    14: ("%Y%m%d%H%M%S",),
    12: ("%Y%m%d%H%M",),
    8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
    6: ("%y%m%d", "%d%m%y", "%m%d%y", "%Y%m"),
}

_BOUNDS = {"m": (1, 12), "d": (1, 31), "H": (0, 23), "M": (0, 59), "S": (0, 59)}

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Dates:
    """What the cells say: the patterns that fit all of them, or which most fit and which not."""

    patterns: tuple[str, ...] = ()  # that fit all cells; more than one: which is not known
    note: str = ""  # what is said of the one pattern
    doubt: str = ""  # why no pattern is chosen

    @property
    def pattern(self) -> str | None:
        """The pattern, if exactly one fits."""
        return self.patterns[0] if len(self.patterns) == 1 else None


# --- text ---------------------------------------------------------------------------------------


def dates_in_text(name: str, values: pa.ChunkedArray) -> Dates | None:
    """Find out how the text of a column reads as dates; None if it is none.

    Cost: linear in the number of distinct cells.
    """
    counts = values.drop_null().value_counts()
    texts, rows = counts.field("values"), counts.field("counts").to_numpy()
    if not len(texts):
        return None
    sample = texts.take(pa.array(np.unique(np.linspace(0, len(texts) - 1, SAMPLE).astype(int))))
    shapes = [patterns_of_shape(text) for text in sample.to_pylist()]
    if sum(map(bool, shapes)) < len(sample) / 2:
        return None
    candidates = [compiled(text) for text in dict.fromkeys(p for shape in shapes for p in shape)]
    if len(candidates) > CANDIDATES:
        candidates = sorted(candidates, key=lambda one: one.read(sample).null_count)[:CANDIDATES]
    if all(candidate.width for candidate in candidates) and _same_length(texts):
        return _whole_text(name, values, texts)
    read = [candidate.read(texts) for candidate in candidates]
    fits = [micros.is_valid().to_numpy(zero_copy_only=False) for micros in read]
    full = [i for i, fit in enumerate(fits) if fit.all()]
    whole = [i for i in full if _plausible(candidates[i], read[i])]
    if whole:
        days = [read[i].to_numpy(zero_copy_only=False) // DAY for i in whole]
        return _all_dates(name, _without_long_spans([candidates[i] for i in whole], days), texts)
    best = max(range(len(fits)), key=lambda i: int(rows @ fits[i]))
    dated = rows @ np.logical_or.reduce(fits)
    few = candidates[best].is_time or not _plausible(candidates[best], read[best].drop_null())
    if full or few or dated < MOST * rows.sum():
        return None
    return _mostly(values, values, candidates[best].like(texts.filter(pa.array(fits[best]))))


def _same_length(texts: pa.Array) -> bool:
    lengths = pc.min_max(pc.utf8_length(texts))
    return bool(lengths["min"] == lengths["max"])


def _all_dates(name: str, patterns: list[DatePattern], texts: pa.Array) -> Dates:
    """Describe a column whose cells all read by each of the patterns."""
    alike = {pattern.like(texts).text: pattern for pattern in patterns}
    if len(alike) > 1:
        return Dates(tuple(alike), doubt=_two_ways(name, list(alike)))
    pattern = compiled(next(iter(alike)))
    if pattern.is_time:
        asked = kind_option(name, f"datetime:{pattern.text}")
        return Dates(doubt=f"times of day, modelled with {asked}")
    return Dates((pattern.text,), _note(pattern, texts))


def _note(pattern: DatePattern, texts: pa.Array) -> str:
    """Return what is to be said of a pattern that reads all the texts; "" if nothing."""
    note = _which_years(pattern) if pattern.years[0] > 1 else ""
    if "z" in pattern.directives:
        return f"{note}; offsets differ, so they are read, and written, as UTC"
    if pattern.is_exact(texts):
        return note
    return f"{note}; cells of other forms, such as {_other_form(pattern, texts)!r}, become so"


def _which_years(pattern: DatePattern) -> str:
    return "; years of two digits are from {} to {}".format(*pattern.years)


def _other_form(pattern: DatePattern, texts: pa.Array) -> str:
    same = pc.equal(pattern.write(pattern.read(texts)), texts)
    return printable(texts[int(np.argmin(same.to_numpy(zero_copy_only=False)))].as_py())


def _two_ways(name: str, patterns: list[str]) -> str:
    return (
        f"dates that read in {len(patterns)} ways ({' or '.join(patterns)}); choose one, as with "
        + kind_option(name, f"datetime:{patterns[0]}")
    )


def _mostly(values: pa.ChunkedArray, texts: pa.ChunkedArray, pattern: DatePattern) -> Dates:
    """Describe a column of which most cells, the ``texts`` of its values, are dates."""
    valid = values.is_valid().to_numpy()
    fits = pattern.read(texts).is_valid().to_numpy(zero_copy_only=False)
    bad = int(np.flatnonzero(valid & ~fits)[0])
    return Dates(
        doubt=f"{fits.sum()} of {valid.sum()} are dates ({pattern.text}), row {bad + 1} is "
        f"{shortened(values[bad], MAX_QUOTED)!r}; correct such cells or leave them empty"
    )


def _plausible(pattern: DatePattern, micros: pa.Array) -> bool:
    """Return whether dates that few characters speak for are dates: short or no days and years."""
    order, names = pattern.order, set("bB") & set(pattern.directives)
    if "y" in pattern.directives and not names and not pattern.has_time:
        return len(micros) >= 3
    if len(order) == 2 and not names:
        return bool(_in_years(micros.to_numpy(zero_copy_only=False) // DAY).all())
    return True


def _without_long_spans(patterns: list[DatePattern], days: list[Whole]) -> list[DatePattern]:
    """Leave out readings that put the year elsewhere and spread the dates over far more time.

    Dates drawn evenly from a span of time have the likelihood 1 / span each. A reading is left out
    if another, with the year in another place, is more likely by 1 / CHANCE. The order of day and
    month is never decided so: the first days of twelve months look like days of one month.
    """
    spans = [float(np.ptp(d[_in_years(d)])) + 1 if _in_years(d).any() else 1.0 for d in days]
    kept = []
    for pattern, span, own in zip(patterns, spans, days, strict=True):
        others = [
            s
            for p, s in zip(patterns, spans, strict=True)
            if p.order.find("y") != pattern.order.find("y") or len(p.order) != len(pattern.order)
        ]
        if not any(len(own) * log(span / other) > -log(CHANCE) for other in others):
            kept.append(pattern)
    return kept


def patterns_of_shape(text: str) -> list[str]:
    """Return the patterns, in all orders of day, month and year, that one cell could be of."""
    if len(text) > _LONGEST or not text[-1:].isprintable():
        return []
    if _C_TIME_SHAPE.fullmatch(text):
        return [_C_TIME]
    clock, date = "", text
    if found := _TIME.search(text):
        date, clock = text[: found.start()], _clock(found)
    elif found := _COMPACT_TIME.search(text):
        date, clock = text[: found.start()], "T%H%M" + ("%S" if found["s"] else "")
        clock += "%z" if found["zone"] else ""
    if not date:
        return [clock] if clock else []
    return [pattern + clock for pattern in _orders(date)]


def _clock(found: re.Match[str]) -> str:
    """Return the pattern of a time of day."""
    zone = found["zone"] or ""
    return "".join(
        (
            found["before"],
            "%I:%M" if found["p"] else "%H:%M",
            "%S".join((":", "")) if found["s"] else "",
            f"{found['mark']}%f" if found["mark"] else "",
            found["gap"] if found["p"] or zone else "",
            "%p" if found["p"] else "",
            " " * zone.startswith(" ") + "%z" if zone else "",
        )
    )


def _orders(date: str) -> list[str]:
    """Return the patterns of a date without a time."""
    tokens = _TOKEN.findall(date)
    digits = [number for number, _, _ in tokens if number]
    words = [word.lower() for _, word, _ in tokens if word]
    months = sum(word in _MONTH_NAMES for word in words)
    others = [w for w in words if w not in _MONTH_NAMES and w not in _DAY_NAMES]
    if others or months > 1 or not digits or any(len(gap) > 3 for _, _, gap in tokens):
        return []
    if len(tokens) == 1:
        return list(_WHOLE.get(len(date), ()))
    sizes = tuple("Y" if len(d) == 4 else "n" if len(d) <= 2 else "?" for d in digits)
    orders = (_WITH_NAME if months else _WITHOUT_NAME).get(sizes, ())
    single = {i for i, d in enumerate(digits) if len(d) == 1}
    two = "ym" if len(sizes) == 2 and not months else "y"  # these have two digits: 2023-1 is a code
    return [
        _filled(tokens, order)
        for order in orders
        if not any(letter in two and i in single for i, letter in enumerate(order))
    ]


_WITH_NAME = {  # the numbers beside the name of a month, by their lengths
    ("Y",): ("Y",),
    ("n", "Y"): ("dY",),
    ("Y", "n"): ("Yd",),
    ("n", "n"): ("dy", "yd"),
}
_WITHOUT_NAME = {
    ("Y", "n", "n"): ("Ymd",),
    ("n", "n", "Y"): ("dmY", "mdY"),
    ("n", "n", "n"): ("dmy", "mdy", "ymd"),
    ("Y", "n"): ("Ym",),
    ("n", "Y"): ("mY",),
}


def _filled(tokens: list[tuple[str, str, str]], order: str) -> str:
    """Put the directives of an order in the place of the numbers, and of names."""
    letters = iter(order)
    pieces = []
    for number, word, gap in tokens:
        name = "%b" if word.lower() in _MONTH_NAMES else "%a"
        pieces.append(f"%{next(letters)}" if number else name if word else gap.replace("%", "%%"))
    return "".join(pieces)


# --- whole numbers ------------------------------------------------------------------------------


def dates_in_numbers(name: str, values: pa.ChunkedArray, *, sure: bool = False) -> Dates | None:
    """Find out how whole numbers, such as 20231114, read as dates; None if they are none.

    ``values`` are of a type of integers. If you are ``sure`` that they are dates, chance has no
    say. Cost: linear, and a sort of the distinct numbers.
    """
    counts = values.drop_null().value_counts()
    numbers = counts.field("values").to_numpy(zero_copy_only=False)
    if not len(numbers) or numbers.max() >= 10**14 or numbers.max() < 10_000:
        return None
    numbers, rows = numbers.astype(np.int64), counts.field("counts").to_numpy()
    found = []
    usual = len(str(int(np.median(numbers))))  # digits; one less where a leading zero is gone
    for pattern in map(compiled, _WHOLE.get(usual, ()) + _WHOLE.get(usual + 1, ())):
        most = (1 if sure else 0.9) * rows.sum()
        if rows[_in_bounds(pattern, numbers)].sum() < most:
            continue
        days, fits = _days(pattern, numbers)
        enough = rows[fits].sum() >= most
        if enough and (sure or _beyond_chance(pattern, numbers, fits, days)):
            found.append((pattern, days, fits))
    whole = [(pattern, days) for pattern, days, fits in found if fits.all()]
    if whole:
        kept = _without_long_spans([p for p, _ in whole], [d for _, d in whole])
        if len(kept) > 1:
            return Dates(tuple(p.text for p in kept), doubt=_two_ways(name, [p.text for p in kept]))
        pattern = kept[0].like(pc.unique(digits_of(values.drop_null(), kept[0])).cast(pa.string()))
        return Dates((pattern.text,), _which_years(pattern) if pattern.years[0] > 1 else "")
    if not found:
        return None
    pattern = max(found, key=lambda one: int(rows[one[2]].sum()))[0]
    return _mostly(values, digits_of(values, pattern), pattern)


def _whole_text(name: str, values: pa.ChunkedArray, texts: pa.Array) -> Dates | None:
    if not pc.all(pc.match_substring_regex(texts, r"^\d+$")).as_py():
        return None
    return dates_in_numbers(name, values.cast(pa.int64()))


def pattern_for(name: str, values: pa.ChunkedArray, pattern: str | None) -> tuple[str | None, str]:
    """Return the pattern by which a column is read as dates, and what is to be said of it.

    Without a ``pattern`` find it; SchemaError if there is none, or more than one. With one, return
    it with the zeros, case, digits and century of the cells. Cells stored as dates need none.
    """
    kind, numbers = values.type, is_number(values.type)
    if values.null_count == len(values) or not (is_text(kind) or numbers):
        return pattern, ""
    whole = as_whole(values) if numbers else values
    sound = whole.null_count == values.null_count
    if pattern is None:
        find = partial(dates_in_numbers, sure=True) if numbers else dates_in_text
        dates = find(name, whole) if sound else None
        if dates is None or not dates.pattern:
            doubt = (dates and dates.doubt) or "no known date pattern fits all its values"
            example = kind_option(name, f"datetime:{'%Y%m%d' if numbers else '%d/%m/%Y'}")
            raise SchemaError(f"column {name!r}: {doubt}; give its pattern, as in {example}")
        return dates.pattern, dates.note
    given = compiled(pattern)
    texts = pc.unique((digits_of(whole, given) if numbers else whole).drop_null())
    if not sound or given.read(texts).null_count:
        return pattern, ""  # reading the table names the first cell that is no date
    if "%y" in given.text or not given.is_exact(texts):
        given = given.like(texts)
    return given.text, _note(given, texts)


def _in_bounds(pattern: DatePattern, numbers: Whole) -> Flags:
    """Return which numbers have months of 1 to 12, days of 1 to 31, ...: fast, true of dates."""
    fits, rest = np.ones(len(numbers), bool), pattern.width or 0
    for part in pattern.parts:
        width = 4 if part.text == "Y" else 2
        rest -= width
        if part.text in _BOUNDS:
            low, high = _BOUNDS[part.text]
            field = numbers // 10**rest % 10**width
            fits &= (field >= low) & (field <= high)
    return fits


def _days(pattern: DatePattern, numbers: Whole) -> tuple[Whole, Flags]:
    """Return the days since 1970 of whole numbers, and which of them are dates (others are 0)."""
    micros = pattern.read(digits_of(pa.chunked_array([numbers]), pattern))
    days = micros.fill_null(0).to_numpy(zero_copy_only=False) // DAY
    known = _in_years(days) | np.isin(days, _placeholders())
    return days, known & micros.is_valid().to_numpy(zero_copy_only=False)


def _in_years(days: Whole) -> Flags:
    first, last = (
        np.datetime64(f"{y}-01-01", "D").astype(np.int64) for y in (YEARS[0], YEARS[1] + 1)
    )
    return np.asarray((days >= first) & (days < last))


@lru_cache(maxsize=1)
def _placeholders() -> Whole:
    return np.array(PLACEHOLDERS, "datetime64[D]").astype(np.int64)


def _beyond_chance(pattern: DatePattern, numbers: Whole, fits: Flags, days: Whole) -> bool:
    """Return whether ordinary numbers of this size would hardly ever be dates as these are.

    If a share f of the numbers from the least to the largest are dates, k distinct ones drawn
    from them are all dates with probability f^k; k of k + m are with at most (k + m over k) f^k.
    Where all between are dates (of one month), numbers drawn are dates too, whatever the kind;
    only numbers of eight digits that begin with a year are then held against those of a year. Two
    digits of a year at the end prove nothing, so numbers that differ there only count once. Of
    numbers of eight digits, one in fifty begins with one of YEARS.
    """
    usual = fits & _in_years(days)
    if not usual.any():
        return False
    last = 100 if pattern.directives[-1] == "y" else 1
    k, misses = (len(np.unique(numbers[which] // last)) for which in (usual, ~fits))
    clock = 10 ** (2 * sum(d in "HMS" for d in pattern.directives))
    seconds = {1: 1, 10**4: 24 * 60, 10**6: 86_400}[clock]
    known = _all_dates_as_numbers("".join(f"%{d}" for d in pattern.directives if d not in "HMS"))
    known = np.unique(known // last)
    low, high = (int(end) // (clock * last) for end in (numbers[usual].min(), numbers[usual].max()))
    if _count(known, low, high) == high - low + 1 and pattern.text.startswith("%Y%m%d"):
        low, high = low // 10_000 * 10_000, high // 10_000 * 10_000 + 9_999
    share = _count(known, low, high) / (high - low + 1) * seconds / clock
    begins = log(0.02) if pattern.text.startswith("%Y%m%d") else 0.0
    choices = lgamma(k + misses + 1) - lgamma(k + 1) - lgamma(misses + 1)
    return share > 0 and begins + k * log(share) + choices < log(CHANCE)


def _count(known: Whole, low: int, high: int) -> int:
    """Return how many sorted numbers are from ``low`` to ``high``, both included."""
    return int(np.searchsorted(known, high, "right") - np.searchsorted(known, low))


@lru_cache(maxsize=16)
def _all_dates_as_numbers(pattern: str) -> Whole:
    """Return every day of YEARS as a number, sorted."""
    ends = [f"{YEARS[0]}-01-01", f"{YEARS[1] + 1}-01-01"]
    days = np.arange(*np.array(ends, "datetime64[D]")).astype(np.int64)
    if "y" in pattern:  # each number once
        days = days[(days >= -365) & (days < 99 * 365)]
    texts = compiled(pattern).write(pa.array(days * DAY))
    return np.unique(texts.cast(pa.int64()).to_numpy(zero_copy_only=False))
