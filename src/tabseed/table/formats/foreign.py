"""Workbooks (Excel, OpenDocument) and files of SPSS, Stata and SAS, read by their own libraries.

A sheet is a table whose first row with cells is the header. Its cells have types: a column of
numbers, days, moments or true/false is one; a column of text, or of several kinds, is read as the
same column of a text file would be. So a number that is stored as text counts as one. The result
of a formula is what the program saved. A cell with an error (#N/A) holds no value. Writing such
files is not supported: every program that made one opens CSV.
"""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import FileError, not_installed, one_line
from tabseed.table.formats import apart
from tabseed.table.formats.binary import check_dates, too_large
from tabseed.table.formats.delimited import Wishes, cells_as_table, check_names
from tabseed.table.formats.process import run_script
from tabseed.table.index import ROWS, are_row_numbers, without_row_numbers

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
STATISTICS = {  # ending: the reader of pyreadstat
    ".sav": "sav",
    ".zsav": "sav",
    ".por": "por",
    ".dta": "dta",
    ".sas7bdat": "sas7bdat",
    ".xpt": "xport",
}
MAX_BYTES = 2**30  # unpacked; a workbook takes several times as much while it is read
SECONDS = 300  # a sheet of a million rows and ten columns takes about 30


def with_sheet(path: str | os.PathLike[str], sheet: str | None) -> tuple[Path, str | None]:
    """Split ``FILE#Sheet`` for a workbook; a file whose name is so called stays whole.

    FileError for a sheet of a file that is no workbook.
    """
    path = Path(path)
    file, mark, name = str(path).rpartition("#")
    if sheet is None and mark and name and Path(file).suffix.lower() in WORKBOOKS:
        if not os.path.exists(path):
            path, sheet = Path(file), name
    if sheet is not None and path.suffix.lower() not in WORKBOOKS:
        raise FileError(f"{path}: only a workbook has sheets; leave out the sheet {sheet!r}")
    return path, sheet


def read_workbook(path: Path, sheet: str | None, wishes: Wishes) -> pa.Table:
    """Read a sheet of a workbook; None: the only visible one with cells.

    FileError for an unsound or too large file, several sheets, or no rows; SchemaError for a
    column without a name; MissingDependencyError without python-calamine.
    """
    if find_spec("python_calamine") is None:
        raise not_installed("a workbook", "python-calamine")
    _check_size(path)
    cells = _read_apart(path, {"reader": "sheet", "sheet": sheet})
    where = f"{path}, sheet {sheet!r}" if sheet is not None else str(path)
    columns = _named_columns(where, cells)
    typed = {name: _typed(text, held) for name, (text, held) in columns.items()}
    kept = {name for name, cells in typed.items() if cells is None or name in wishes.text_columns}
    texts = cells_as_table({name: columns[name][0] for name in columns if name in kept}, wishes)
    table = pa.table({name: texts[name] if name in kept else typed[name] for name in columns})
    table = without_row_numbers(table)
    check_dates(where, table)
    return table


def read_statistics(path: Path, encoding: str) -> pa.Table:
    """Read a file of SPSS, Stata or SAS, by its ending; codes with labels are categories.

    FileError for an unsound or too large file; MissingDependencyError without pyreadstat.
    """
    if find_spec("pyreadstat") is None:
        raise not_installed(f"a {path.suffix} file", "pyreadstat")
    named = None if encoding == "utf-8" else encoding  # otherwise what the file says
    reader = STATISTICS[path.suffix.lower()]
    table = _read_apart(path, {"reader": reader, "encoding": named})
    check_names(path, table.column_names)
    check_dates(str(path), table)
    return table


def _check_size(path: Path) -> None:
    """Raise FileError for a packed workbook whose parts state too large a size."""
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return  # .xls is not packed; the reader says what else is wrong
    if total > MAX_BYTES:
        raise too_large(path, MAX_BYTES)


def _read_apart(path: Path, options: dict[str, Any]) -> pa.Table:
    """Return what :mod:`tabseed.table.formats.apart` answers."""
    try:
        done = run_script(apart, path, MAX_BYTES, json.dumps(options), seconds=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise FileError(f"{path}: not read after {SECONDS} s; save the table as CSV") from error
    if done.returncode == 0:
        table: pa.Table = pa.ipc.open_stream(done.stdout).read_all()
        return table
    if done.returncode == 2:
        raise too_large(path, MAX_BYTES)
    if done.returncode == 1:
        raise FileError(f"{path}: {one_line(done.stdout.decode(errors='replace'))}")
    raise FileError(
        f"{path}: reading it ends the process that tries: it is damaged, or has a cell far away "
        "from the table; delete what is empty around the table, or save it as CSV"
    )


# --- sheets -------------------------------------------------------------------------------------


def _named_columns(
    where: str, cells: pa.Table
) -> dict[str, tuple[pa.ChunkedArray, pa.ChunkedArray]]:
    """Return, by name, the cells of each column as text and what they hold."""
    pairs = [(cells[f"t{j}"], cells[f"k{j}"]) for j in range(cells.num_columns // 2)]
    names = [text[0].as_py() for text, _ in pairs]
    bodies = [(text.slice(1), held.slice(1)) for text, held in pairs]
    used = [
        (j, name)
        for j, (name, (text, _)) in enumerate(zip(names, bodies, strict=True))
        if name is not None or text.null_count < len(text)
    ]
    nameless = [j for j, name in used if name is None]
    if nameless == [used[0][0]] and len(used) > 1 and are_row_numbers(bodies[nameless[0]][0]):
        used[0] = (nameless.pop(), ROWS)
    if nameless:
        raise FileError(
            f"{where}: the first row with cells names {len(used) - len(nameless)} of {len(used)} "
            f"columns, not column {_letters(nameless[0])}; is it a title, or are cells merged? "
            "Give the sheet one row of names, and nothing above it"
        )
    if cells.num_rows < 2:
        raise FileError(f"{where}: the sheet has a header but no rows")
    checked = check_names(where, [str(name) for _, name in used])
    return {name: bodies[j] for name, (j, _) in zip(checked, used, strict=True)}


def _letters(index: int) -> str:
    """Return the letters of a column, counted from the first one with cells: A, B, ..., AA."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(65 + rest) + text
    return text


def _typed(text: pa.ChunkedArray, held: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column whose cells hold one kind of value; None for text, and for several kinds."""
    kinds = set(held.unique().to_pylist()) - {apart.MISSING}
    if kinds == {apart.NUMBER}:
        numbers = text.cast(pa.float64())
        whole = pc.all(pc.match_substring_regex(text, "^-?[0-9]+$")).as_py()
        return text.cast(pa.int64()) if whole else numbers
    if kinds == {apart.FLAG}:
        return text.cast(pa.bool_())
    if kinds == {apart.DAY}:
        return text.cast(pa.date32())
    if kinds in ({apart.STAMP}, {apart.DAY, apart.STAMP}):
        return text.cast(pa.timestamp("us"))
    return None
