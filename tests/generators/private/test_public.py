"""What a public schema declares: refusals, cells as codes row by row, and values drawn of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import SchemaError
from tabseed.generators.private.public import (
    PublicColumn,
    public_columns,
    public_encoder,
    read_public,
)
from tabseed.table import Table
from tabseed.table.schema import Column, Schema

DAY = 86_400_000_000
AGE = Column("age", "integer", range=(17, 90))
PAY = Column("pay", "continuous", range=(0, 50, 2_000, 100_000), missing=False)
SEX = Column("sex", "categorical", categories=("f", "m", "x"), missing=False)
SEEN = Column("seen", "datetime", range=("2020-01-01", "2020-12-31"))
PUBLIC = Schema((AGE, PAY, SEX, SEEN))


def table(n: int = 50, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "age": pa.array(rng.integers(0, 120, n), mask=rng.random(n) < 0.2),
            "pay": rng.exponential(3_000, n),
            "sex": pa.array(["f", "m", "z"]).take(pa.array(rng.integers(0, 3, n))),
            "seen": pa.array(rng.integers(18_000, 19_000, n).astype("datetime64[D]")),
        }
    )


def coded(frame: pa.Table, bins: int = 8) -> list[np.ndarray]:
    columns = public_columns(PUBLIC, bins)
    read = read_public(Table.from_frame(frame, PUBLIC), columns)
    return [c.codes(read) for c in columns]


def test_a_row_more_changes_one_row_of_codes_only() -> None:
    """The premise of the guarantee: codes are made row by row, from what is public alone."""
    frame, odd = table(), table(1, seed=9)
    for at in (0, 25, 50):
        more = pa.concat_tables([frame.slice(0, at), odd, frame.slice(at)])
        for one, two in zip(coded(frame), coded(more), strict=True):
            assert np.array_equal(one, np.delete(two, at))


def test_nothing_of_the_encoder_depends_on_the_rows() -> None:
    columns = public_columns(PUBLIC, 8)
    states = []
    for n, seed in ((50, 0), (7, 3)):
        frame = table(n, seed)
        if seed:  # stored as other types, as pandas does where a cell is missing
            frame = frame.set_column(0, "age", frame["age"].cast(pa.float64()))
            frame = frame.set_column(2, "sex", frame["sex"].dictionary_encode())
        read = read_public(Table.from_frame(frame, PUBLIC), columns)
        states.append(public_encoder(read, columns).to_state())
    (plain, arrays), (others_plain, others_arrays) = states
    assert plain == others_plain and arrays.keys() == others_arrays.keys()
    assert all(np.array_equal(arrays[name], others_arrays[name]) for name in arrays)


def test_codes_by_hand() -> None:
    frame = pa.table(
        {
            "age": pa.array([17, 26, 27, 90, 5, 200, None]),
            "pay": [0.0, 49.0, 50.0, 1_999.0, 2_000.0, 1e6, -3.0],
            "sex": ["f", "m", "x", "q", None, "f", "m"],
            "seen": pa.array(["2020-01-01", "2020-12-31", "1990-05-05", None] * 2)
            .slice(0, 7)
            .cast(pa.date32()),
        }
    )
    age, pay, sex, seen = coded(frame)
    # 74 ages in 8 bins start at 17 + floor(i 74 / 8): 17, 26, 35, 44, 54, 63, 72, 81
    assert age.tolist() == [0, 1, 1, 7, 0, 7, 8]
    assert pay.tolist() == [0, 0, 1, 1, 2, 2, 0]  # the points between the ends are cut points
    assert sex.tolist() == [0, 1, 2, 3, 3, 0, 1]  # not declared, as missing: 3
    assert seen.tolist() == [0, 7, 0, 8, 0, 7, 0]


@pytest.mark.parametrize("column", [AGE, PAY, SEX, SEEN], ids=lambda c: c.name)
def test_values_drawn_of_a_code_have_that_code_and_lie_on_the_grid(column) -> None:
    public = PublicColumn.of(column, 8)
    codes = np.repeat(np.arange(public.size), 200)
    values = public.draw(codes, np.random.default_rng(0))
    encoder = public_encoder(Table.from_frame(table(), PUBLIC), [public])
    x = encoder.layout_.from_values([values])
    drawn = encoder.inverse_transform(x)
    assert np.array_equal(public.codes(drawn), codes)
    if column.range:
        low, high = column.range_points()[0], column.range_points()[-1]
        assert values.min() >= low and values.max() <= high
        steps = (values - low) / public.step
        assert np.abs(steps - np.round(steps)).max() < 1e-6
        assert public.step == {"age": 1, "pay": 1, "seen": DAY}[column.name]


def test_few_whole_numbers_have_a_bin_each() -> None:
    public = PublicColumn.of(Column("n", "integer", range=(1, 5)), 16)
    assert public.size == 5
    assert public.draw(np.arange(5), np.random.default_rng(0)).tolist() == [1, 2, 3, 4, 5]
    assert public.block(0).atoms.tolist() == [1, 2, 3, 4, 5]


def test_real_numbers_have_ten_thousand_points() -> None:
    for high, step in ((1, 1e-4), (2.5, 1e-4), (50, 1e-3), (1e6, 1)):
        assert PublicColumn.of(Column("x", "continuous", range=(0, high)), 4).step == step


def test_width_counts_levels_numbers_and_missing_cells() -> None:
    widths = [c.width for c in public_columns(PUBLIC, 8)]
    assert widths == [2, 1, 3, 2]


REFUSED = {
    "no public schema": (None, "--public-schema"),
    "no range": (Schema((replace(AGE, range=()),)), "column 'age': no public range; put \"range\""),
    "no levels": (Schema((replace(SEX, categories=()),)), "column 'sex': no public levels"),
    "mixed levels": (Schema((replace(SEX, categories=("f", 1)),)), "mix texts and numbers"),
    "nothing left": (Schema((Column("id", "id"),)), "no column to model"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_declared_is_refused_in_one_line(case) -> None:
    public, text = REFUSED[case]
    with pytest.raises(SchemaError) as caught:
        ts.PrivateMarginals(public=public).fit(table())
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_cells_of_another_type_than_declared_are_refused() -> None:
    columns = public_columns(Schema((Column("d", "datetime", range=SEEN.range),)), 4)
    with pytest.raises(SchemaError, match="no public pattern"):
        read_public(Table.from_frame(pa.table({"d": ["2020-02-03", "2020-04-05"]})), columns)
    levels = public_columns(Schema((Column("k", "categorical", categories=(1, 2)),)), 4)
    frame = Table.from_frame(pa.table({"k": ["1", "2", "x"]}), kinds={"k": "categorical"})
    with pytest.raises(SchemaError, match="levels are numbers"):
        read_public(frame, levels)
    with pytest.raises(SchemaError, match="no_such"):
        read_public(frame, public_columns(Schema((replace(SEX, name="no_such"),)), 4))
