"""One bad cell among numbers: said with its row; formats are detected, or set by the user."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from helpers.schemas import one_line
from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.schema import Column

N = 60
VALUES = np.random.default_rng(1).normal(120, 15, N).round(1)
TEXTS = [f"{v}" for v in VALUES]


def detect(cells, name: str = "bp", **options) -> Column:
    return Table.from_frame(pa.table({name: cells}), **options).schema[name]


def with_cell(cell: str, row: int = 17) -> list[str]:
    return [*TEXTS[:row], cell, *TEXTS[row + 1 :]]


# --- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["12O", "inf", "n.d.", "120/80", "(5)", "1 1/2", "12\u00d710"])
def test_one_bad_cell_is_named_with_its_row(cell) -> None:
    column = detect(with_cell(cell))
    assert column.kind == "text"
    assert f"59 of 60 cells are numbers, row 18 is {cell!r}" in column.reason
    assert "--kind bp=continuous:gaps" in column.reason
    assert column.reason.endswith("left out")


@pytest.mark.parametrize("name", ["age", "year", "Alter"])
def test_a_bad_cell_is_named_in_a_column_of_times_too(name) -> None:
    assert "row 18 is '12O'" in detect(with_cell("12O"), name).reason


def test_missing_cells_keep_the_number_of_the_row() -> None:
    column = detect([None, None, *with_cell("12O")])
    assert "59 of 60 cells are numbers, row 20 is '12O'" in column.reason


def test_at_most_three_bad_cells_are_named() -> None:
    column = detect(["a", "b", "c", "d", "e", *TEXTS])
    assert "row 1 is 'a', row 2 is 'b', row 3 is 'c', and so on in 2 more rows" in column.reason


def test_censored_values_are_named_with_the_way_to_read_them() -> None:
    column = detect([t if i % 9 else "<90" for i, t in enumerate(TEXTS)])
    assert "53 of 60 cells are numbers, row 1 is '<90'" in column.reason
    assert "--kind bp=continuous:censored" in column.reason


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1.250", "1.111", "986", "1.500"] * 15, "row 1 is '1.250', which is 1.250 or 1250"),
        (["1,250", "1,111", "986", "1,500"] * 15, "row 1 is '1,250', which is 1.250 or 1250"),
        ([f"${v:,.2f}" for v in VALUES], "all 60 cells are numbers with '$'"),
        ([f"{v:.2f} EUR" for v in VALUES], "'bp=continuous:# EUR'"),
        ([f"{i + 100}/{i + 50}" for i in range(N)], "two numbers each, row 1 is '100/50'"),
        ([f"~{t}" for t in TEXTS], "numbers with other text, row 1 is '~"),
        ([f"{t} {'mg' if i % 3 else 'g'}" for i, t in enumerate(TEXTS)], "with other text, row 1"),
        ([f"{t}%" if i % 4 else t for i, t in enumerate(TEXTS)], "with other text, row 2 is"),
        ([f"{t} \u00b1 0.5" for t in TEXTS], "with other text, row 1"),
        (TEXTS, "all cells are numbers kept as text"),
    ],
)
def test_other_numbers_in_text_are_said(cells, words) -> None:
    column = detect(cells)
    assert column.kind in ("id", "text"), column
    assert words in column.reason


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["0", "1", "2", "3+"] * 15, "dependents"),
        (["1", "2", "3", "S"] * 15, "ticket"),
        ([*"0123456789", "V57", "V45", "E849", "V1", "E2", "E3"] * 5, "cause"),
        (["01234", "99999"] * 30, "zone"),
        (["a", "b", "1"] * 20, "group"),
        (["1", "2", "x"], "few"),
        (["<1", "1<=X<4", "4<=X<7", ">=7"] * 15, "employment"),
        ([">7", ">8", "Norm", "None"] * 2 + ["None"] * 50, "test"),
    ],
)
def test_classes_with_digits_stay_categories(cells, name) -> None:
    assert detect(cells, name).kind == "categorical"


def test_cells_that_may_identify_are_not_shown() -> None:
    phones = [*(f"0{170 + i % 9} {1000000 + 7919 * i}" for i in range(N - 1)), "unknown"]
    assert "unknown" not in detect(phones, "contact").reason


def test_a_word_for_missing_makes_no_category_of_numbers() -> None:
    cells = [str(i % 100 + 60) for i in range(1000)]
    cells[::10] = ["unknown"] * 100
    column = detect(cells)
    assert "900 of 1000 cells are numbers, row 1 is 'unknown'" in column.reason


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        ([f"{v}%" for v in VALUES], "percent"),
        ([f"{v} %" for v in VALUES], "# %"),
        ([f"{v}%".replace(".", ",") for v in VALUES], "comma+percent"),
        ([*(f"{v}%" for v in VALUES[:-1]), "-"], "gaps+percent"),
    ],
)
def test_percent_is_read_and_written(cells, form) -> None:
    table = Table.from_frame(pa.table({"bp": cells}))
    column = table.schema["bp"]
    assert (column.kind, column.number_format) == ("continuous", form)
    numbers = table.numbers("bp")
    np.testing.assert_array_equal(numbers[:-1], VALUES[:-1])
    back = Table.from_columns(table.schema, table.frame_kind, {"bp": numbers})
    assert [c or "-" for c in back.values("bp")] == [
        c.replace(".0", "").replace(",0", "") for c in cells
    ]


@pytest.mark.parametrize(
    ("kind", "cells", "numbers", "note"),
    [
        ("continuous:gaps", ["1.5", "12O", "?"], [1.5, None, None], "first row 2: '12O'"),
        ("continuous:censored", ["<0.3", ">= 9.5", "2"], [0.3, 9.5, 2], "2 cells read and written"),
        ("continuous:censored+gaps", ["<0.3", "x", "2"], [0.3, None, 2], "row 2: 'x'"),
        ("continuous:percent", ["1.5%", "2%", "3%"], [1.5, 2, 3], ""),
        ("continuous", ["1.5%", "2%", "3%"], [1.5, 2, 3], ""),
        ("continuous", ["1.234,5 EUR", "2 EUR", "3 EUR"], [1234.5, 2, 3], ""),
        ("continuous:$#", ["$1,234.5", "$2", "$3"], [1234.5, 2, 3], ""),
        ("integer", ["1,234,567", "2", "3"], [1234567, 2, 3], ""),
        ("continuous", ["1,5", "2", "3"], [1.5, 2, 3], ""),
        ("continuous:point", ["1.250", "2", "3"], [1.25, 2, 3], ""),
        ("continuous:comma+thousands", ["1.250", "2", "3"], [1250, 2, 3], ""),
        ("integer:gaps", [5.0, 6.0, None], [5, 6, None], ""),  # nothing to do
    ],
)
@pytest.mark.parametrize("frame", [pa.table, pd.DataFrame])
def test_the_user_sets_a_format(kind, cells, numbers, note, frame) -> None:
    table = Table.from_frame(frame({"bp": cells}), kinds={"bp": kind})
    np.testing.assert_array_equal(table.numbers("bp"), np.array(numbers, float))
    assert note in table.schema["bp"].reason
    columns = {"bp": table.numbers("bp")}
    again = Table.from_columns(table.schema, table.frame_kind, columns)
    np.testing.assert_array_equal(again.numbers("bp"), table.numbers("bp"))


@pytest.mark.parametrize(
    ("kind", "cells", "message"),
    [
        ("integer", [2.0, 2.1, 6.4], "row 2: 2.1 is not a whole number"),
        ("integer", ["2", "2.5"], "row 2: 2.5 is not a whole number"),
        ("integer", [None, 0.5], "row 2: 0.5 is not a whole number"),
        ("continuous", ["1.250", "2"], "'1.250' can be read in two ways"),
        (
            "continuous",
            ["<5", "2"],
            "row 1: '<5' is not a number; correct it, set --kind bp=continuous:censored,",
        ),
        ("continuous:gap", ["1"], "'gap' is no format of numbers"),
        ("continuous:percent", ["1%", "2"], "row 2: '2' is not a number"),
        ("continuous:percent", [1.5, 2.5], "stored as double, not as text in the format 'percent'"),
        ("continuous", [1.0, float("inf")], "row 2: inf is infinite"),
        ("boolean", ["a", "b", "c"], "has 3 values, but a boolean has two"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_row(kind, cells, message) -> None:
    with pytest.raises(SchemaError) as caught:
        detect(cells, kinds={"bp": kind})
    assert one_line(str(caught.value), message)


def test_text_that_may_be_read_in_two_ways_is_not_read_by_a_schema() -> None:
    schema = Table.from_frame(pa.table({"bp": [1.5, 2.5]})).schema
    with pytest.raises(SchemaError, match=r"row 2: '1\.250' can be read in two ways"):
        Table.from_frame(pa.table({"bp": ["3", "1.250"]}), schema)


# --- few rows, two marks, nothing left --------------------------------------------------------


def test_money_of_few_rows_is_no_list_of_classes() -> None:
    column = detect([f"${37 * i + 0.5:,.2f}" for i in range(12)], "cost")
    assert column.kind == "text"
    assert "--kind 'cost=continuous:$#' reads" in column.reason
    assert detect([f"{100 * (i % 3)} mg" for i in range(12)], "dose").kind == "categorical"


@pytest.mark.parametrize("n", [8, 60])
def test_points_beside_commas_are_named_with_their_rows(n) -> None:
    texts = [f"{1.25 * i + 0.25}" for i in range(n)]
    column = detect([*texts[:2], texts[2].replace(".", ","), *texts[3:]])
    assert column.kind == "text"
    assert "row 1 is '0.25'" in column.reason and "row 3 is '2,75'" in column.reason


def test_gaps_alone_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"^column 'bp': none of its cells is a number") as error:
        detect(["a", "b", None] * 10, kinds={"bp": "continuous:gaps"})
    assert one_line(str(error.value), "such as 'a'")
    some = detect(["a", "5", "b"] * 10, kinds={"bp": "continuous:gaps"})
    assert "20 cells that are no numbers made missing" in some.reason
