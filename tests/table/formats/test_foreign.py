"""Workbooks and files of statistics programs: each cell as its program shows it, or one line."""

from __future__ import annotations

import datetime as dt
import zipfile

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from tabseed.errors import FileError, MissingDependencyError, SchemaError
from tabseed.table import Table
from tabseed.table.files import check_table_path, read_table
from tabseed.table.formats import foreign

DAY, STAMP = dt.date(2020, 2, 29), dt.datetime(2020, 2, 29, 23, 59, 58)


@pytest.fixture
def book(tmp_path):
    """Return a function that writes sheets, lists of rows by name, and returns the path."""

    def write(name="t.xlsx", hidden=(), **sheets):
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.active)
        for title, rows in sheets.items():
            sheet = workbook.create_sheet(title)
            sheet.sheet_state = "hidden" if title in hidden else "visible"
            for row in rows:
                sheet.append(row)
        workbook.save(tmp_path / name)
        return tmp_path / name

    return write


COLUMNS = {  # header: its cells in the sheet, the cells that are read
    "whole": ([1, 2.0, None], [1, 2, None]),
    "real": ([1.5, 0.1, 1e-300], [1.5, 0.1, 1e-300]),
    "flag": ([True, None, False], [True, None, False]),
    "day": ([DAY, None, DAY], [DAY, None, DAY]),
    "stamp": ([STAMP, STAMP, None], [STAMP, STAMP, None]),
    "day and stamp": ([DAY, STAMP, None], [dt.datetime(2020, 2, 29), STAMP, None]),
    "text": (["a", " ", "\u00e4"], ["a", None, "\u00e4"]),
    "zip": (["01234", "99999", None], ["01234", "99999", None]),
    "numbers as text": (["1.5", "2", "-3"], [1.5, 2.0, -3.0]),
    "some as text": ([1, "2", 3.0], [1, 2, 3]),
    "one bad": ([1, 2.5, "12O"], ["1", "2.5", "12O"]),
    "errors": (["#N/A", 1, "#DIV/0!"], [None, 1, None]),
    "missing": ([None, None, None], [None, None, None]),
    2020: ([1, 2, 3], [1, 2, 3]),
    None: ([None, None, None], None),  # a column that was once formatted, and is empty
}


def test_cells_are_read_as_the_program_shows_them(book) -> None:
    cells = zip(*(sheet for sheet, _ in COLUMNS.values()), strict=True)
    # rows without cells above, inside and below the table are no rows
    rows = [[], [], list(COLUMNS), next(cells := iter(cells)), [], *cells, [None], [None]]
    table = read_table(book(Only=rows))
    expected = {str(name): read for name, (_, read) in COLUMNS.items() if read is not None}
    assert table.to_pydict() == expected


def test_the_result_of_a_formula_and_a_percentage_are_numbers(book) -> None:
    path = book(A=[["share", "sum"], [0.25, "=A2*2"], [0.5, "=A3*2"]])
    workbook = openpyxl.load_workbook(path)
    for cell in workbook["A"]["A"][1:]:
        cell.number_format = "0%"
    workbook.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert parts[sheet].count(b"<v />") == 2  # openpyxl calculates nothing, a spreadsheet does
    parts[sheet] = parts[sheet].replace(b"<v />", b"<v>0.5</v>", 1).replace(b"<v />", b"<v>1</v>")
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert read_table(path).to_pydict() == {"share": [0.25, 0.5], "sum": [0.5, 1.0]}


@pytest.mark.slow
def test_a_sheet_is_chosen_by_name_and_only_then_if_there_are_several(book) -> None:
    one, two = [["a"], [1], [2]], [["b"], [3], [4]]
    path = book(**{"One": one, "Two 2": two, "Empty": [], "Old": two}, hidden=["Old"])
    with pytest.raises(FileError, match=r"2 sheets with cells .* 't.xlsx#One'"):
        read_table(path)
    for given in ({"path": f"{path}#Two 2"}, {"path": path, "sheet": "Two 2"}):
        assert read_table(**given).to_pydict() == {"b": [3, 4]}
    assert read_table(path, sheet="Old").column_names == ["b"]
    with pytest.raises(FileError, match="has no sheet 'two'; it has 'One', 'Two 2', 'Empty'"):
        read_table(path, sheet="two")
    with pytest.raises(FileError, match="sheet 'Empty' is empty"):
        read_table(f"{path}#Empty")
    assert read_table(book(A=one, B=two, hidden=["B"])).column_names == ["a"]


def test_a_sharp_in_a_name_is_not_always_a_sheet(tmp_path, book) -> None:
    (tmp_path / "a#b.csv").write_text("x\n1\n2\n")
    assert read_table(tmp_path / "a#b.csv").column_names == ["x"]
    assert read_table(book("a.xlsx#b.xlsx", A=[["x"], [1]])).column_names == ["x"]
    with pytest.raises(FileError, match="only a workbook has sheets; leave out the sheet 'b'"):
        read_table(tmp_path / "a#b.csv", sheet="b")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["My study"], ["a", "b"], [1, 2]], "names 1 of 2 columns, not column B; is it a title"),
        ([["a", None, "c"], [1, 2, 3]], "names 2 of 3 columns, not column B"),
        ([["a", "a"], [1, 2]], "column name 'a' occurs twice"),
        ([["a", "b"]], "the sheet has a header but no rows"),
        ([], "the workbook is empty"),
    ],
)
def test_a_sheet_that_is_no_table_is_refused_in_one_line(book, rows, message) -> None:
    with pytest.raises((FileError, SchemaError), match=message) as caught:
        read_table(book(A=rows))
    assert "\n" not in str(caught.value) and "t.xlsx" in str(caught.value)


def test_a_cell_far_away_ends_no_process_of_ours(book) -> None:
    path = book(A=[["x"], [1]])
    workbook = openpyxl.load_workbook(path)
    workbook["A"]["XFD1048576"] = 3  # a table of 17 billion cells
    workbook.save(path)
    with pytest.raises(FileError, match="has a cell far away from the table") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_packed_bomb_is_not_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(foreign, "MAX_BYTES", 2**20)
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 2**21)
    with pytest.raises(FileError, match="holds more than 1 MiB of data"):
        read_table(path)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [*foreign.WORKBOOKS, *foreign.STATISTICS])
def test_files_that_are_something_else_are_refused_in_one_line(tmp_path, ending) -> None:
    path = tmp_path / f"t{ending}"
    path.write_bytes(b"PK\x03\x04" + b"\x00" * 60)
    with pytest.raises(FileError) as caught:
        read_table(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_the_library_that_is_missing_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(foreign, "find_spec", lambda name: None)
    for name, package in (("t.xlsx", "python-calamine"), ("t.sav", "pyreadstat")):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(MissingDependencyError, match=f"pip install {package}$"):
            read_table(tmp_path / name)


def test_workbooks_are_not_written(tmp_path) -> None:
    for name in ("t.xlsx", "t.sav"):
        with pytest.raises(FileError, match=r"only read; writable are \.csv"):
            check_table_path(tmp_path / name)


def test_an_open_document_sheet_is_read(tmp_path) -> None:
    """Written by hand: the smallest sheet that the format allows."""
    space = "urn:oasis:names:tc:opendocument:xmlns"
    rows = (
        "".join(
            f'<table:table-cell office:value-type="string"><text:p>{name}</text:p>'
            "</table:table-cell>"
            for name in ("a", "day")
        ),
        '<table:table-cell office:value-type="float" office:value="1.5"/>'
        f'<table:table-cell office:value-type="date" office:date-value="{DAY}"/>',
    )
    content = (
        f'<office:document-content xmlns:office="{space}:office:1.0" '
        f'xmlns:table="{space}:table:1.0" xmlns:text="{space}:text:1.0">'
        '<office:body><office:spreadsheet><table:table table:name="S">'
        + "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
        + "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{space}:manifest:1.0"/>')
        archive.writestr("content.xml", content)
    assert read_table(tmp_path / "t.ods").to_pydict() == {"a": [1.5], "day": [DAY]}


# --- SPSS, Stata, SAS ---------------------------------------------------------------------------

SEX, PAIN = {1: "male", 2: "female"}, {1: "none", 2: "some", 3: "much"}
STUDY = pd.DataFrame(
    {
        "sex": [1.0, 2.0, None, 1.0],
        "pain": [3.0, 1.0, 1.0, None],
        "partly": [1.0, 2.0, 3.0, 1.0],  # a label for some of its values only
        "alike": [1.0, 2.0, 1.0, 2.0],  # two codes of one label
        "age": [20.0, 99.0, 41.0, 33.0],
        "weight": [70.5, 80.25, None, 61.0],
        "note": ["a", "", "c", "d"],
        "day": [DAY] * 4,
        "stamp": pd.to_datetime([STAMP] * 4),
    }
)
LABELS = {"sex": SEX, "pain": PAIN, "partly": {3: "many"}, "alike": {1: "yes", 2: "yes"}}
READ = {
    "sex": ["male", "female", None, "male"],
    "pain": ["much", "none", "none", None],
    "partly": [1, 2, 3, 1],
    "alike": [1, 2, 1, 2],
    "age": [20, 99, 41, 33],
    "weight": [70.5, 80.25, None, 61.0],
    "note": ["a", None, "c", "d"],
    "day": [DAY] * 4,
    "stamp": [STAMP] * 4,
}


def test_a_file_of_spss_has_labels_missing_codes_and_dates(tmp_path) -> None:
    path = str(tmp_path / "t.sav")
    pyreadstat.write_sav(
        STUDY,
        path,
        variable_value_labels=LABELS,
        variable_measure={"pain": "ordinal", "sex": "nominal"},
        missing_ranges={"age": [99]},
        column_labels={"age": "Age in years"},
    )
    table = read_table(path)
    assert table.to_pydict() == READ | {"age": [20, None, 41, 33]}
    schema = Table.from_frame(table).schema
    assert (schema["pain"].kind, schema["pain"].categories) == ("ordinal", tuple(PAIN.values()))
    assert schema["sex"].kind == "categorical"


def test_a_file_of_stata_has_labels_and_dates(tmp_path) -> None:
    path = str(tmp_path / "t.dta")
    pyreadstat.write_dta(STUDY, path, variable_value_labels=LABELS)
    assert read_table(path).to_pydict() == READ


def test_a_file_of_sas_is_read(tmp_path) -> None:
    path, plain = str(tmp_path / "t.xpt"), ["sex", "age", "weight", "note"]
    pyreadstat.write_xport(STUDY[plain], path)
    assert read_table(path).to_pydict() == {n: READ[n] for n in plain} | {"sex": [1, 2, None, 1]}
