"""The command ``tabseed split``: rows to learn from and rows to judge with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.judging import split_rows
from tabseed.cli.options import (
    COLUMN,
    FILE,
    AsJson,
    Data,
    Decimal,
    Encoding,
    Force,
    Kinds,
    Seed,
    Source,
    Sql,
    Thousands,
)


@guarded
def split(
    data: Data,
    train: Annotated[
        Path, typer.Option("--train", metavar=FILE, help="Write the rows to learn from here.")
    ],
    holdout: Annotated[
        Path, typer.Option("--holdout", metavar=FILE, help="Write the rows to judge with here.")
    ],
    share: Annotated[
        float, typer.Option("--share", metavar="SHARE", help="Share of the rows for --train.")
    ] = 0.7,
    stratify: Annotated[
        str | None,
        typer.Option(
            "--stratify", metavar=COLUMN, help="A column whose levels have equal shares in both."
        ),
    ] = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Split rows at random, to learn from and to judge with."""
    from tabseed.table.display import counted
    from tabseed.table.files import check_outputs, write_table

    check_outputs([train, holdout], [], [data], force)
    table = Source(data, None, kind, sql, encoding, decimal, thousands).read()
    parts = split_rows(table, share, seed, stratify)
    out = Output(as_json, {"rows": len(table)})
    for name, part, path in zip(("train", "holdout"), parts, (train, holdout), strict=True):
        write_table(part, path, force=force)
        out.result[name] = {"path": str(path), "rows": len(part)}
        out.say(name, f"{path}: {counted(len(part), 'row')}")
    out.finish("split")
