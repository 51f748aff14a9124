"""Read workbooks and files of statistics programs; a script for a process of its own:

    python -I apart.py SYS_PATH FILE MAX_BYTES OPTIONS

The libraries that read such files trust them: one cell at the far end of a sheet, or a damaged
byte, can end the process. :mod:`tabseed.table.formats.foreign` starts this one, with bounded
memory. ``SYS_PATH`` and ``OPTIONS`` are JSON. The answer on standard output is an Arrow stream
(exit code 0) or one line that says what is wrong (exit code 1); nothing for too large a file (exit
code 2).
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

MISSING, NUMBER, TEXT, FLAG, DAY, STAMP, TIME = range(7)  # what a cell of a sheet holds
_HOLDS = {
    float: NUMBER,
    int: NUMBER,
    str: TEXT,
    bool: FLAG,
    dt.date: DAY,
    dt.datetime: STAMP,
    dt.time: TIME,
    dt.timedelta: TIME,
}
_WHOLE = 2.0**53


class Unreadable(Exception):
    """What is wrong with the file, and what to do, in one line without the file's name."""


# --- workbooks ----------------------------------------------------------------------------------


def read_sheet(path: str, sheet: str | None) -> Any:
    """Return the cells of a sheet as Arrow, the header in the first row.

    Column j of the sheet is two columns, its cells as text (``t<j>``) and what they hold
    (``k<j>``: MISSING, NUMBER, ...). Rows without a cell are left out.
    """
    import pyarrow as pa
    import python_calamine as calamine

    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            rows = _chosen(book, sheet, Path(path).name)
    except calamine.PasswordError:
        raise Unreadable("is protected by a password; save it without one") from None
    except calamine.CalamineError as error:
        raise Unreadable(f"not a sound workbook: {error}") from None
    columns = {}
    for j, cells in enumerate(zip(*rows, strict=True)):
        columns[f"t{j}"] = pa.array([_as_text(cell) for cell in cells], pa.string())
        columns[f"k{j}"] = pa.array([_held(cell) for cell in cells], pa.uint8())
    return pa.table(columns)


def _chosen(book: Any, sheet: str | None, file: str) -> list[list[Any]]:
    """Return the rows of the sheet of this name; without a name, of the only one with cells."""
    sheets = [s for s in book.sheets_metadata if str(s.typ).endswith("WorkSheet")]
    names = [s.name for s in sheets]
    if sheet is not None:
        if sheet not in names:
            raise Unreadable(f"has no sheet {sheet!r}; it has {', '.join(map(repr, names))}")
        return _rows(book, sheet) or _none(f"sheet {sheet!r}")
    visible = [s.name for s in sheets if str(s.visible).endswith("Visible")] or names
    filled = {name: rows for name in visible if (rows := _rows(book, name))}
    if len(filled) > 1:
        some = ", ".join(map(repr, filled))
        raise Unreadable(
            f"has {len(filled)} sheets with cells ({some}); name one after the file, as in "
            f"{file + '#' + next(iter(filled))!r} (in Python: sheet=...)"
        )
    return next(iter(filled.values()), None) or _none("the workbook")


def _none(what: str) -> Any:
    raise Unreadable(f"{what} is empty; a table needs a header and rows")


def _rows(book: Any, name: str) -> list[list[Any]]:
    rows = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
    return [row for row in rows if any(_held(cell) for cell in row)]


def _held(cell: Any) -> int:
    if isinstance(cell, str) and not cell.strip():
        return MISSING  # an error, such as #N/A or #DIV/0!, is no value either
    return _HOLDS[type(cell)]


def _as_text(cell: Any) -> str | None:
    if isinstance(cell, str):
        return cell if cell.strip() else None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return str(int(cell)) if float(cell).is_integer() and abs(cell) < _WHOLE else repr(cell)
    return str(cell) if isinstance(cell, dt.timedelta) else str(cell.isoformat())


# --- SPSS, Stata, SAS ---------------------------------------------------------------------------


def read_statistics(path: str, reader: str, encoding: str | None) -> Any:
    """Return a file that ``pyreadstat.read_<reader>`` reads, as Arrow.

    Codes that all have a label of their own become categories, in the order of the codes, ordered
    if the file calls the column ordinal. Values that the file declares missing, and empty texts,
    are missing.
    """
    import pyarrow as pa
    import pyreadstat

    try:
        read = getattr(pyreadstat, f"read_{reader}")
        data, about = read(path, output_format="dict", encoding=encoding)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        raise Unreadable(f"not a sound file: {error}; if it is old, name its encoding") from None
    except UnicodeError as error:
        raise Unreadable(f"a text cannot be read: {error}; name the file's encoding") from None
    except (OverflowError, ValueError) as error:
        raise Unreadable(f"a value cannot be read: {error}") from None
    columns = {}
    for name, values in data.items():
        cells = _statistics_cells(name, list(values))
        labels = about.variable_value_labels.get(name)
        ordered = about.variable_measure.get(name) == "ordinal"
        columns[name] = _labelled(cells, labels, ordered) if labels else cells
    return pa.table(columns)


def _statistics_cells(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    present = [None if v is None or v != v or v == "" else v for v in values]
    try:
        cells = pa.array(present)
    except (pa.ArrowException, TypeError) as error:
        raise Unreadable(f"column {name!r} holds values of several types: {error}") from None
    if pa.types.is_floating(cells.type):
        numbers = [v for v in present if v is not None]
        if all(float(v).is_integer() and abs(v) < _WHOLE for v in numbers):
            return cells.cast(pa.int64())
    return cells


def _labelled(cells: Any, labels: dict[Any, Any], ordered: bool) -> Any:
    """Return codes as their labels; as they are, if one has none or shares it with another."""
    import pyarrow as pa

    texts = {code: str(text) for code, text in labels.items()}
    present = set(cells.drop_null().to_pylist())
    if len(set(texts.values())) < len(texts) or not present <= set(texts):
        return cells
    codes = sorted(texts, key=lambda code: (isinstance(code, str), code))
    index = {code: i for i, code in enumerate(codes)}
    indices = pa.array([None if v is None else index[v] for v in cells.to_pylist()], pa.int32())
    levels = pa.array([texts[code] for code in codes], pa.string())
    return pa.DictionaryArray.from_arrays(indices, levels, ordered=ordered)


# --- the process --------------------------------------------------------------------------------


def _beside(name: str) -> Any:
    """Load a module from this folder without the package, whose imports take their time."""
    spec: Any = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _main(sys_path: str, path: str, limit: str, options: str) -> int:
    sys.path[:] = json.loads(sys_path)
    import pyarrow as pa

    soundness = _beside("soundness")
    soundness.bound_memory(path, int(limit))
    wishes = json.loads(options)
    reader = wishes.pop("reader")
    try:
        table = read_sheet(path, **wishes) if reader == "sheet" else None
        if table is None:
            table = read_statistics(path, reader, **wishes)
        if table.nbytes > int(limit):
            return 2
        with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
            stream.write_table(table)
    except MemoryError:
        return 2
    except (Unreadable, OSError) as error:
        soundness.say(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
