"""The command ``tabseed sample``: draw rows from a saved model, also only those that are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.learning import completed, draw, numbered, write
from tabseed.cli.options import COLUMN, FILE, AsJson, Force, N, Out, PlainCsv, Seed, Spreadsheet
from tabseed.cli.streams import Use, stream_for
from tabseed.cli.wanted import KnownFile, Wanted, read_margins
from tabseed.errors import FileError, TabseedError


@guarded
def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A file from synth --model.")],
    output: Out,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, metavar=N, help="Number of rows to draw.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Draw only rows that meet it, such as 'sex = female and age >= 60'.",
        ),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option("--balance", metavar=COLUMN, help="Draw as many rows of each of its levels."),
    ] = None,
    counts: Annotated[
        str | None,
        typer.Option(
            "--counts",
            metavar="COLUMN=LEVEL:N,...",
            help="Draw so many rows of each level, such as outcome=yes:500,no:500; instead of "
            "--rows.",
        ),
    ] = None,
    known: KnownFile = None,
    complete: Annotated[
        Path | None,
        typer.Option(
            "--complete",
            metavar=FILE,
            help="Fill the missing cells of these rows, which may also lack columns; instead of "
            "--rows.",
        ),
    ] = None,
    copies: Annotated[
        int,
        typer.Option(
            "--copies",
            min=1,
            metavar=N,
            help="With --complete: fill so many times, each into a file of its own (out-1.csv, "
            "...), for multiple imputation.",
        ),
    ] = 1,
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    plain_csv: PlainCsv = False,
    as_json: AsJson = False,
) -> None:
    """Draw rows from a saved model."""
    from tabseed.saved import load
    from tabseed.table.files import check_outputs, check_spreadsheet

    outputs = numbered(output, copies)
    check_outputs(outputs, [], [model, known, complete], force)
    check_spreadsheet(output, for_spreadsheet)
    if complete is None:
        if copies > 1:
            raise TabseedError("--copies needs --complete, the rows to fill")
        margins = None if known is None else read_margins(known)
        wanted = Wanted(rows, where, balance, counts, margins)
    elif any(value is not None for value in (rows, where, balance, counts, known)):
        raise TabseedError(
            "--complete says which rows: leave --rows, --where, --balance, --counts and --known out"
        )
    out = Output(as_json, {"model": str(model)})
    maker = load(model)
    stream = stream_for(Use.SAMPLE, seed)
    try:
        if complete is None:
            tables = [draw(out, maker, wanted, stream)]
        else:
            tables = completed(out, maker, complete, copies, stream)
    except (TabseedError, MemoryError):
        raise
    except Exception as error:  # a saved model can draw; this file was changed afterwards
        raise FileError(f"{model}: not a sound model file: {error}") from error
    for table, path in zip(tables, outputs, strict=True):
        write(out, table, path, force, for_spreadsheet, plain_csv)
    if copies > 1:
        out.result["output"] = [str(path) for path in outputs]
    out.finish("sample")
