"""Columns of dates are found in any usual spelling, never guessed, and written as they were."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers.datetexts import EPOCH, microseconds, spellings, step, written
from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.files import read_table, text_columns, write_table
from tabseed.table.schema import Column, Schema

DAY = dt.timedelta(days=1)
SHOWN_ORDER = [dt.datetime(1999, 12, 31), dt.datetime(2000, 10, 9), dt.datetime(1987, 1, 23)]


def table_of(values, **options) -> Table:
    values = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return Table.from_frame(pa.table({"a": values}), **options)


def column_of(values, **options) -> Column:
    return table_of(values, **options).schema["a"]


def rebuilt(table: Table) -> Table:
    columns = {"a": table.numbers("a")}
    return Table.from_columns(table.schema, table.frame_kind, columns)


def day(text: str) -> float:
    return float(microseconds(dt.datetime.fromisoformat(text)))


# --- text ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    spellings(),
    st.lists(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2060, 1, 1)), max_size=9),
    st.randoms(use_true_random=False),
)
def test_any_usual_spelling_reads_to_the_same_dates_and_is_written_back(pieces, stamps, random):
    stamps = [*SHOWN_ORDER, *stamps]
    random.shuffle(stamps)
    stamps = [t - (t - EPOCH) % step(pieces) for t in stamps]
    if "%y" in pieces:  # these say no century
        stamps = [t.replace(year=1980 + t.year % 50) for t in stamps if (t.month, t.day) != (2, 29)]
    texts = [written(pieces, t) for t in stamps]
    table = table_of([*texts, None])
    column = table.schema["a"]
    assert column.kind == "datetime", (texts, column)
    offset = {"+0530": 330, "-03": -180}.get(pieces[-1], 0) * dt.timedelta(minutes=1)
    truth = [float(microseconds(t - offset)) for t in stamps]
    np.testing.assert_array_equal(table.numbers("a"), [*truth, np.nan])
    assert rebuilt(table).values("a") == [*texts, None]
    again = Column.from_dict("a", column.to_dict())
    assert again == column
    in_python = column.to_dict()["datetime_format"]  # reads the same, so SDV can read the schema
    if pieces[-1] not in ("Z", "UTC", "+00:00", "+0530", "-03"):
        assert [dt.datetime.strptime(t, in_python) for t in texts] == stamps


@pytest.mark.parametrize(
    ("texts", "pattern"),
    [
        (["06/Nov/2023:00:13:00 +0000"], "%d/%b/%Y:%H:%M:%S +0000"),
        (["Mon, 06 Nov 2023 00:13:00 GMT"], "%a, %d %b %Y %H:%M:%S GMT"),
        (["Mon Nov  6 00:13:00 2023"], "%a %b %e %H:%M:%S %Y"),
        (["Mon Nov 13 00:13:00 2023"], "%a %b %e %H:%M:%S %Y"),
        (["Mon Nov 06 00:13:00 2023"], "%a %b %d %H:%M:%S %Y"),
        (["Mon Nov 6 00:13:00 2023"], "%a %b %-d %H:%M:%S %Y"),
        (["2023年11月1日", "2023年1月31日"], "%Y年%-m月%-d日"),
        (["6. November 2023", "16. May 2023"], "%-d. %B %Y"),
        (["20231101T001300Z"], "%Y%m%dT%H%M%SZ"),
        (["01NOV2023:00:13:00"], "%d%^b%Y:%H:%M:%S"),
        (["Nov 2023", "May 2024"], "%b %Y"),
        (["2023-11", "1999-02"], "%Y-%m"),
        (["11/2023"], "%m/%Y"),
        (["13/11/2023", "1/2/2023"], "%-d/%-m/%Y"),
        (["01/12/68", "14/12/67", "31/01/71"], "%d/%m/%6y"),
    ],
)
def test_further_spellings(texts, pattern) -> None:
    table = table_of(texts)
    assert table.schema["a"].datetime_format == pattern
    assert rebuilt(table).values("a") == texts


@pytest.mark.parametrize(
    "texts",
    [
        *(["1.2.10", "1.13.12"], ["10.1.12.1"], ["2000-1", "2001-2"], ["0555-12"], ["2019-20"]),
        *(["Nov-23", "Nov-24"], ["May"], ["5 of 10"], ["13-45-99"], ["A1/2/2020"], ["12:30:99"]),
        *(["2023-11-01\n"], ["1/2/2020 25:00"], ["01 Foo 2023"], ["2020-01-01 +01"], ["x" * 99]),
    ],
)
def test_what_is_no_date(texts) -> None:
    assert column_of(texts * 30).kind != "datetime"


@settings(max_examples=8, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from(["x", "2020-01-01 10:00", "2020-02-30", "01.01.2020"]),
)
def test_cells_that_are_no_dates_are_named_whatever_their_place(random, odd) -> None:
    texts = [str((EPOCH + i * DAY).date()) for i in range(30)] + [odd, None]
    random.shuffle(texts)
    column = column_of(texts)
    row = texts.index(odd) + 1
    assert column.kind == "text"
    assert column.reason == (
        f"30 of 31 are dates (%Y-%m-%d), row {row} is {odd!r}; "
        "correct such cells or leave them empty: left out"
    )
    with pytest.raises(SchemaError, match=f"row {row}: '{odd}' is not a date"):
        column_of(texts, kinds={"a": "datetime:%Y-%m-%d"})


def test_day_and_month_are_never_guessed() -> None:
    texts = [f"{d:02}/{m:02}/2020" for d in range(1, 13) for m in range(1, 4)]
    column = column_of(texts)
    assert column.kind == "text"
    assert column.reason.startswith(
        "dates that read in 2 ways (%d/%m/%Y or %m/%d/%Y); choose one, as with "
        "--kind a=datetime:%d/%m/%Y"
    )
    assert column_of(["01/01/2020", "02/02/2020"]).kind == "categorical"  # seen levels only
    with pytest.raises(SchemaError, match="2 ways"):
        column_of(texts, kinds={"a": "datetime"})
    for pattern in ("%d/%m/%Y", "%m/%d/%Y"):
        assert column_of(texts, kinds={"a": f"datetime:{pattern}"}).datetime_format == pattern


def test_years_of_two_digits_are_told_from_days_by_their_spread() -> None:
    days = [dt.datetime(2023, 1, 1) + i * 9 * DAY for i in range(40)]
    for pieces in (("%d", ".", "%m", ".", "%y"), ("%y", ".", "%m", ".", "%d")):
        column = column_of([written(pieces, t) for t in days])
        assert column.datetime_format == "".join(pieces)
        assert "; years of two digits are from 1969 to 2068" in column.reason


def test_a_pattern_of_yours_gets_the_zeros_of_the_cells() -> None:
    table = table_of(["1/2/2020", "3/12/2020"], kinds={"a": "datetime:%d/%m/%Y"})
    assert table.schema["a"].datetime_format == "%-d/%-m/%Y"
    assert rebuilt(table).values("a") == ["1/2/2020", "3/12/2020"]


def test_what_your_pattern_changes_is_said() -> None:
    column = column_of(["1/2/2020", "03/12/2020"], kinds={"a": "datetime:%d/%m/%Y"})
    assert column.reason == (
        "set by you: read as %-d/%-m/%Y; cells of other forms, such as '03/12/2020', become so"
    )
    for births in (["31/12/45", "14/03/82"], [311245, 140382]):
        pattern = "%d/%m/%y" if isinstance(births[0], str) else "%d%m%y"
        table = table_of(births, kinds={"a": f"datetime:{pattern}"})
        assert table.schema["a"].reason.endswith("; years of two digits are from 1940 to 2039")
        np.testing.assert_array_equal(table.numbers("a"), [day("1945-12-31"), day("1982-03-14")])
        assert rebuilt(table).values("a") == births


def test_times_of_day_are_modelled_if_asked() -> None:
    texts = [f"{h:02}:{m:02}" for h in range(24) for m in (0, 15)]
    column = column_of(texts)
    assert (column.kind, column.reason) == (
        "text",
        "times of day, modelled with --kind a=datetime:%H:%M: left out",
    )
    assert rebuilt(table_of(texts, kinds={"a": "datetime:%H:%M"})).values("a") == texts


def test_offsets_that_differ_are_read_and_written_as_utc() -> None:
    table = table_of(["2020-07-01T02:00:00+02:00", "2020-01-01T01:00:00+01:00"])
    np.testing.assert_array_equal(table.numbers("a"), [day("2020-07-01"), day("2020-01-01")])
    assert "written, as UTC" in table.schema["a"].reason
    expected = ["2020-07-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00"]
    assert rebuilt(table).values("a") == expected


CHARACTERS = "0123456789/-.: TZ+APMapnov,%é\n\u0663"
DATE_LIKE = r"[0-3]?\d[-/.][01]?\d[-/.](19|20)?\d\d( \d?\d:\d\d(:\d\d(\.\d{1,6})?)?( [AP]M)?)?"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.text(CHARACTERS) | st.from_regex(DATE_LIKE, fullmatch=True)))
def test_any_text_is_described_and_dates_are_written_as_they_were(texts) -> None:
    table = table_of(pa.array(texts, pa.string()))
    column = table.schema["a"]
    if column.kind == "datetime" and "become so" not in column.reason:
        if "written, as UTC" not in column.reason:
            assert rebuilt(table).values("a") == texts


# --- whole numbers ------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
VISITS = [dt.datetime(2018, 1, 1) + int(d) * DAY for d in RNG.integers(0, 2000, 40)]


@pytest.mark.parametrize(
    "storage", [pa.int64(), pa.int32(), pa.uint32(), pa.float64(), pa.string()]
)
@pytest.mark.parametrize("pattern", ["%Y%m%d", "%d%m%Y", "%m%d%Y", "%y%m%d", "%d%m%y", "%Y%m"])
def test_whole_numbers_that_are_dates(pattern, storage) -> None:
    texts = [t.strftime(pattern) for t in VISITS]
    cells = texts if storage == pa.string() else [int(t) for t in texts]
    values = pa.array([*cells, None], storage)
    table = table_of(values)
    assert (table.schema["a"].kind, table.schema["a"].datetime_format) == ("datetime", pattern)
    truth = [float(microseconds(t.replace(day=t.day if "d" in pattern else 1))) for t in VISITS]
    np.testing.assert_array_equal(table.numbers("a"), [*truth, np.nan])
    assert rebuilt(table).to_arrow()["a"].combine_chunks().equals(values)
    between = Table.from_columns(  # any moment is written as a valid date
        table.schema, table.frame_kind, {"a": RNG.uniform(min(truth), max(truth), 99)}
    )
    assert len(Table.from_frame(between.to_arrow(), table.schema).numbers("a")) == 99


def test_dates_of_one_month_are_dates_too() -> None:
    assert column_of([20231114, 20240101, 20230930]).datetime_format == "%Y%m%d"
    assert column_of([20231101 + i for i in range(30)]).datetime_format == "%Y%m%d"


@pytest.mark.parametrize(
    "numbers",
    [
        *([2019, 2020, 2021] * 9, list(range(10100, 10130)), list(range(200101, 200113))),
        *([120000 + 500 * i for i in range(40)], [20231101, 20231102], list(range(99))),
        [60600 + i for i in range(1, 60)] + [91100 + i for i in range(1, 30)],  # zip codes
        (20000000 + RNG.integers(0, 400000, 40)).tolist(),
    ],
)
def test_ordinary_whole_numbers_are_no_dates(numbers) -> None:
    assert column_of(numbers).kind != "datetime"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([10**4, 10**5, 10**6, 10**7, 3 * 10**7, 10**8]))
def test_ordinary_numbers_are_hardly_ever_dates(seed, most) -> None:
    """Twelve distinct numbers are dates by chance in less than one of a million tables."""
    numbers = np.random.default_rng(seed).integers(0, most, 12).tolist()
    assert column_of(numbers).kind not in ("datetime", "text")


def test_placeholders_stay_and_impossible_dates_are_named() -> None:
    numbers = [int(t.strftime("%Y%m%d")) for t in VISITS]
    table = table_of([*numbers, 99991231])
    assert table.numbers("a")[-1] == day("9999-12-31")
    for odd in (0, 99999999, 20230230):
        column = column_of([*numbers, odd])
        assert column.kind == "text"
        assert f"40 of 41 are dates (%Y%m%d), row 41 is '{odd}'" in column.reason
        with pytest.raises(SchemaError, match=f"row 41: {odd} is not a date"):
            column_of([*numbers, odd], kinds={"a": "datetime:%Y%m%d"})


def test_whole_numbers_are_dates_if_you_say_so() -> None:
    table = table_of([20231114, 20231115], kinds={"a": "datetime:%Y%m%d"})
    np.testing.assert_array_equal(table.numbers("a"), [day("2023-11-14"), day("2023-11-15")])
    assert column_of([20231114, 20231115], kinds={"a": "datetime"}).datetime_format == "%Y%m%d"
    for odd in (20231114.5, 2.0**60):
        with pytest.raises(SchemaError, match=r"row 2: .* is not a date"):
            table_of([20231114.0, odd], kinds={"a": "datetime:%Y%m%d"})


# --- schemas of others --------------------------------------------------------------------------


def read_by(values, pattern: str | None) -> Table:
    entry = {"sdtype": "datetime"} | ({"datetime_format": pattern} if pattern else {})
    return table_of(values, schema=Schema.from_dict({"columns": {"a": entry}}))


@pytest.mark.parametrize(
    ("cell", "theirs", "ours"),
    [
        ("1/2/2020", "%d/%m/%Y", "%-d/%-m/%Y"),
        ("01/02/2020", "%d/%m/%Y", "%d/%m/%Y"),
        ("2020-01-01 00:00:00.250", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%3f"),
        ("2020-01-01 00:00:00+01:00", "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S+01:00"),
        ("2020-01-01 00:00 UTC", "%Y-%m-%d %H:%M %Z", "%Y-%m-%d %H:%M %Z"),
        ("2020-12-31", None, "%Y-%m-%d"),
        (20201231, "%Y%m%d", "%Y%m%d"),
        (20201231, None, "%Y%m%d"),
    ],
)
def test_patterns_of_sdv_read_and_write_the_cells(cell, theirs, ours) -> None:
    table = read_by([cell, None], theirs)
    assert table.schema["a"].datetime_format == ours
    assert rebuilt(table).values("a") == [cell, None]


def test_a_schema_without_a_pattern_is_refused_where_the_cells_do_not_tell() -> None:
    with pytest.raises(SchemaError, match="'a': dates that read in 2 ways"):
        read_by(["01/02/2020"], None)
    assert read_by([dt.datetime(2020, 1, 1)], None).schema["a"].datetime_format is None


@pytest.mark.parametrize("pattern", ["%Y%m%d", "%d%m%Y", "%d.%m.%Y"])
@pytest.mark.parametrize("zeros", [True, False])
def test_a_schema_reads_the_file_that_it_was_made_from(tmp_path, pattern, zeros) -> None:
    path = tmp_path / "a.csv"
    cells = [t.strftime(pattern).lstrip("0" * (not zeros)) for t in VISITS]
    path.write_text("a,b\n" + "".join(f"{cell},x\n" for cell in cells))
    table = Table.from_frame(read_table(path))
    truth = [float(microseconds(t)) for t in VISITS]
    np.testing.assert_array_equal(table.numbers("a"), truth)
    again = read_table(path, text_columns=text_columns(table.schema))
    np.testing.assert_array_equal(Table.from_frame(again, table.schema).numbers("a"), truth)


@pytest.mark.parametrize("mark", ["?", "-", ".", "None", " ? "])
def test_marks_of_missing_cells_among_dates_are_missing(tmp_path, mark) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "".join(f"2020-01-{d:02},x\n" for d in range(1, 29)) + f"{mark},y\n")
    for columns in ((), ("a",)):
        table = Table.from_frame(read_table(path, text_columns=columns))
        assert table.schema["a"].datetime_format == "%Y-%m-%d"
        assert table.values("a")[-2:] == ["2020-01-28", None]
    path.write_text(f"a\nx1\nx2\n{mark}\n")  # among other texts it may be a value
    assert read_table(path)["a"].to_pylist() == ["x1", "x2", mark]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    stamps=st.lists(
        st.none() | st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)), min_size=1
    ),
    unit=st.sampled_from(["s", "ms", "us", "ns", "date32"]),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin", "+05:30", "-03:00"]),
    ending=st.sampled_from(["csv", "tsv", "parquet", "arrow"]),
)
@example(
    stamps=[dt.datetime(1893, 1, 1)], unit="s", zone="Europe/Berlin", ending="csv"
)  # +00:53:28
@example(
    stamps=[dt.datetime(9999, 12, 31, 23)], unit="ms", zone="Asia/Tokyo", ending="csv"
)  # the year 10000
@example(
    stamps=[dt.datetime(2020, 6, 1, 0, 0, 0, 1)], unit="ns", zone="Europe/Berlin", ending="tsv"
)
def test_what_tabseed_writes_it_reads_back(tmp_path_factory, stamps, unit, zone, ending) -> None:
    if unit == "ns":
        stamps = [t and t.replace(year=1700 + t.year % 500, day=min(t.day, 28)) for t in stamps]
    stamps = [dt.datetime(2020, 2, 29, 12), *stamps]
    kind = pa.date32() if unit == "date32" else pa.timestamp(unit, zone)
    values = pa.array([t and microseconds(t) for t in stamps], pa.int64()).cast(pa.timestamp("us"))
    values = values.cast(pa.timestamp("us", kind.tz) if unit != "date32" else values.type)
    table = table_of(values.cast(kind, safe=False))
    path = tmp_path_factory.mktemp("dates") / f"a.{ending}"
    write_table(table, path)
    again = Table.from_frame(read_table(path))
    assert again.schema["a"].kind == "datetime", again.schema["a"]
    np.testing.assert_array_equal(again.numbers("a"), table.numbers("a"))
