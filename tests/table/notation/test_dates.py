"""Patterns of dates: reading, writing, and what they refuse."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.datetexts import EPOCH, microseconds, written
from tabseed.table.notation.date_fields import YEARS
from tabseed.table.notation.dates import as_whole, compiled, digits_of

ANY = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))
FULL = ("%Y", "-", "%m", "-", "%d", "T", "%H", ":", "%M", ":", "%S", ".", "%f")
PATTERNS = [
    FULL,
    ("%d", "%^b", "%Y", ":", "%H", ":", "%M", ":", "%S", ".", "%f"),
    ("%A", ", ", "%B", " ", "%-d", ", ", "%Y", " ", "%-I", ":", "%M", ":", "%S", ",", "%f", "%P"),
    ("%j", "/", "%Y", " ", "%I", ".", "%M", ".", "%S", ".", "%f", " ", "%p", " 100", "%%"),
    ("%a", " ", "%b", " ", "%e", " ", "%H", ":", "%M", ":", "%S", ".", "%f", " ", "%Y"),
    ("%Y", "%m", "%d", "%H", "%M", "%S", "%f"),
    ("%-m", "/", "%-d", "/", "%Y", " ", "%-H", "h", "%M", "m", "%S", "s", "%f"),
]


def texts_of(micros: list[int | None], pattern: str) -> list[str | None]:
    return compiled(pattern).write(pa.array(micros, pa.int64())).to_pylist()


def read(texts: list[str | None], pattern: str) -> list[int | None]:
    return compiled(pattern).read(pa.array(texts, pa.string())).to_pylist()


@given(st.sampled_from(PATTERNS), st.lists(st.none() | ANY, min_size=1, max_size=4))
def test_any_date_is_written_as_plain_python_does_and_read_back(pieces, stamps) -> None:
    micros = [None if t is None else microseconds(t) for t in stamps]
    truth = [None if t is None else written(pieces, t) for t in stamps]
    pattern = "".join(pieces)
    assert texts_of(micros, pattern) == truth
    assert read(truth, pattern) == micros
    assert compiled(pattern).is_exact(pa.array(truth, pa.string()))


@given(ANY, st.integers(-1439, 1439), st.sampled_from(["", " "]), st.sampled_from(["", ":"]))
def test_offsets_are_read_to_utc_and_one_offset_is_kept(stamp, minutes, gap, colon) -> None:
    hours, rest = divmod(abs(minutes), 60)
    zone = f"{gap}{'-' if minutes < 0 else '+'}{hours:02}{colon}{rest:02}"
    text = written(FULL, stamp) + zone
    truth = microseconds(stamp) - minutes * 60_000_000
    pattern = compiled("".join(FULL) + f"{gap}%z").like(pa.array([text]))
    assert pattern.text == "".join(FULL).replace("%f", "%6f") + zone
    assert pattern.is_aware
    assert read([text], pattern.text) == read([text], "".join(FULL) + f"{gap}%z") == [truth]
    if minutes or truth >= microseconds(dt.datetime(1, 1, 1)):
        assert texts_of([truth], pattern.text) == [text]


@pytest.mark.parametrize(
    ("pattern", "texts", "dates"),
    [
        ("%Y-%m-%d", ["2020-02-29", "2020-2-9", None], ["2020-02-29", "2020-02-09", None]),
        ("%Y-%m-%d", ["2021-02-29", "1900-02-29", "2020-13-01", "2020-00-01"], [None] * 4),
        ("%Y-%m-%d", ["2020-01-00", "0000-01-01", "2020-01-01 ", "x", ""], [None] * 5),
        ("%Y-%m-%d", ["9999-12-31", "0001-01-01"], ["9999-12-31", "0001-01-01"]),
        ("%d/%m/%y", ["01/02/69", "01/02/68"], ["1969-02-01", "2068-02-01"]),
        ("%d/%m/%3y", ["01/02/30", "01/02/29"], ["1930-02-01", "2029-02-01"]),
        ("%Y%m%d", ["20231114", "2023114", "20231131"], ["2023-11-14", None, None]),
        ("%d %B %Y", ["1 november 2023", "01 NOV 2023", "1 Nox 2023"], ["2023-11-01"] * 2 + [None]),
        ("%a %d/%m/%Y", ["Tue 14/11/2023", "Mon 14/11/2023"], ["2023-11-14", None]),
        ("%Y-%j", ["2020-366", "2021-366", "2021-000"], ["2020-12-31", None, None]),
        ("%Y-%m-%d %j", ["2020-02-01 032", "2020-02-01 033"], ["2020-02-01", None]),
        ("%b %Y-%j", ["Feb 2020-032", "Jan 2020-032"], ["2020-02-01", None]),
        ("%Y/%Y", ["2020/2020", "2020/2021"], ["2020-01-01", None]),
        ("%Y-%m", ["2020-12"], ["2020-12-01"]),
        ("%I %p %F", ["13 AM 2020-01-01", "00 AM 2020-01-01"], [None, None]),
        ("%H:%M %p %F", ["13:00 AM 2020-01-01", "12:00 AM 2020-01-01"], [None, None]),
        (
            "%F %T",
            ["2020-01-01 24:00:00", "2020-01-01 23:60:00", "2020-01-01 23:59:60"],
            [None] * 3,
        ),
    ],
)
def test_what_is_read_and_what_is_no_date(pattern, texts, dates) -> None:
    stamps = [d and dt.datetime.combine(dt.date.fromisoformat(d), dt.time()) for d in dates]
    assert read(texts, pattern) == [t and microseconds(t) for t in stamps]


PIECES = ["%Y", "%y", "%m", "%d", "%H", "%I", "%M", "%3f", "%z", "%p", "%^B", "%a", "%j", "%-d"]


@example(["%y"], [-31_536_000_000_001])  # "68" is 2068, but alone it is 1968
@given(
    st.lists(
        st.sampled_from([*PIECES, "%3y", "%%", "%Z", "%T", "Z", "+01:00"]) | st.text(max_size=2)
    ),
    st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=3),
)
def test_any_text_is_no_pattern_or_writes_again_what_it_reads(pieces, micros) -> None:
    try:
        pattern = compiled("".join(pieces))
    except ValueError:
        return
    texts = pattern.write(pa.array(micros))
    again = pattern.read(texts)
    sound = again.is_valid()
    assert pattern.write(again).filter(sound).equals(texts.filter(sound))
    alike = pattern.like(texts.filter(sound))
    if not any(str(part) == "%y" for part in pattern.parts):  # like finds its century anew
        assert alike.read(texts.filter(sound)).equals(again.filter(sound))
    compiled(pattern.in_python)


def test_fractions_beyond_microseconds_are_cut_off() -> None:
    assert read(["2020-01-01 00:00:00.123456789"], "%F %T.%f") == [
        microseconds(dt.datetime(2020, 1, 1, 0, 0, 0, 123456))
    ]
    assert read(["2020-01-01 00:00:00.5"], "%F %T.%f") == [
        microseconds(dt.datetime(2020, 1, 1, 0, 0, 0, 500000))
    ]


def test_a_time_of_day_is_on_the_first_of_1970() -> None:
    assert read(["08:30", "24:00"], "%H:%M") == [
        microseconds(EPOCH.replace(hour=8, minute=30)),
        None,
    ]
    assert compiled("%H:%M").is_time


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "no directive"),
        ("100%%", "no directive"),
        ("%", "a % that begins no directive"),
        ("%Y%", "a % that begins no directive"),
        ("%Q", "%Q, which is not known"),
        ("%Y-%0f", "a % that begins"),
        ("%-Y", "%-Y, which is not known"),
        ("%^m", "%^m, which is not known"),
        ("%d/%m", "no year"),
        ("%a %H:%M", "no year"),
        ("%M:%S", "no hour"),
        ("%z", "no hour"),
        ("%Y %p", "no hour"),
        ("%d %Y", "no month"),
        ("%a %m %Y", "no day"),
        ("%Y" * 101, "more than 200 characters"),
    ],
)
def test_what_is_no_pattern(pattern, reason) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        compiled(pattern)


def test_patterns_know_what_they_are() -> None:
    assert compiled("%Y%m%d").width == 8
    assert compiled("%Y-%m-%d").width is None
    assert compiled("%d.%m.%y").years == compiled("%D").years == (1969, 2068)
    assert compiled("%d.%m.%3y").years == (1930, 2029)
    assert compiled("%F").years == (1, 9999)
    assert compiled("%F").ends == YEARS
    ends = [dt.datetime(1969, 1, 1), dt.datetime(2068, 12, 31, 23, 59, 59, 999999)]
    assert list(compiled("%D").ends) == [microseconds(end) for end in ends]
    assert not compiled("%F").is_aware
    assert compiled("%FT%TZ").is_aware and compiled("%F %T %z").is_aware
    assert compiled("%-d/%#b/%Y %I%P %3f%:z").in_python == "%d/%b/%Y %I%p %f%z"
    assert compiled("%Y-%m-01").parts[-1].text == "-01"  # no offset: no time of day before it


def test_zeros_case_and_digits_are_those_of_the_cells() -> None:
    def like(pattern: str, *texts: str) -> str:
        return compiled(pattern).like(pa.array(texts)).text

    assert like("%d/%m/%Y", "1/12/2020", "21/2/2020") == "%-d/%-m/%Y"
    assert like("%d/%m/%Y", "11/12/2020") == "%d/%m/%Y"
    assert like("%d-%b-%Y", "01-NOV-2020") == "%d-%^b-%Y"
    assert like("%d-%b-%Y", "01-may-2020", "01-june-2020") == "%d-%#B-%Y"
    assert like("%F %H:%M", "2020-01-01 0:05") == "%Y-%m-%d %-H:%M"
    assert like("%F %T.%f", "2020-01-01 00:00:00.25") == "%Y-%m-%d %H:%M:%S.%2f"
    assert like("%F %T%z", "2020-01-01 00:00:00+01:00", "2020-07-01 00:00:00+02:00") == (
        "%Y-%m-%d %H:%M:%S%:z"
    )


@pytest.mark.parametrize(
    ("years", "pattern"),
    [
        ([10, 23], "%d/%m/%y"),  # 2010 to 2023
        ([98, 99, 0, 23], "%d/%m/%y"),  # 1998 to 2023
        ([69, 68], "%d/%m/%6y"),  # 1968 and 1969
        ([30, 50, 70, 95], "%d/%m/%3y"),  # births: 1930 to 1995
        ([45, 82], "%d/%m/%4y"),
        ([36, 68], "%d/%m/%3y"),  # not 2036 to 2068
        ([20, 40], "%d/%m/%y"),  # 2020 to 2040
        ([5, 45, 95], "%d/%m/%4y"),  # 1945 to 2005
    ],
)
def test_years_of_two_digits_span_the_least_time(years, pattern) -> None:
    texts = pa.array([f"01/02/{year:02}" for year in years])
    assert compiled("%d/%m/%y").like(texts).text == pattern


def test_whole_numbers_get_their_leading_zeros() -> None:
    for values in ([1112023, None], [1112023.0, None], [1112023.5, 2.0**60]):
        whole = as_whole(pa.chunked_array([values]))
        expected = ["01112023" if v == 1112023 else None for v in values]
        assert digits_of(whole, compiled("%d%m%Y")).to_pylist() == expected


def test_old_and_far_dates_do_not_overflow() -> None:
    days = np.array(["0001-01-01", "9999-12-31"], "datetime64[us]").astype(np.int64).tolist()
    assert texts_of(days, "%F") == ["0001-01-01", "9999-12-31"]
