"""The command ``tabseed sample``: draw rows from a saved model, also only those that are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.learning import draw, write
from tabseed.cli.options import COLUMN, AsJson, Force, N, Out, PlainCsv, Seed, Spreadsheet
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
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    plain_csv: PlainCsv = False,
    as_json: AsJson = False,
) -> None:
    """Draw rows from a saved model."""
    from tabseed.saved import load
    from tabseed.table.files import check_outputs, check_spreadsheet

    check_outputs([output], [], [model, known], force)
    check_spreadsheet(output, for_spreadsheet)
    wanted = Wanted(rows, where, balance, counts, None if known is None else read_margins(known))
    out = Output(as_json, {"model": str(model)})
    maker = load(model)
    try:
        table = draw(out, maker, wanted, stream_for(Use.SAMPLE, seed))
    except (TabseedError, MemoryError):
        raise
    except Exception as error:  # a saved model can draw; this file was changed afterwards
        raise FileError(f"{model}: not a sound model file: {error}") from error
    write(out, table, output, force, for_spreadsheet, plain_csv)
    out.finish("sample")
