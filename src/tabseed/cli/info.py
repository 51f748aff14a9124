"""The command ``tabseed info``: what kind each column is, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.options import (
    FILE,
    AsJson,
    Data,
    Decimal,
    Encoding,
    Force,
    Kinds,
    SchemaFile,
    Source,
    Sql,
    Thousands,
)
from tabseed.cli.progress import progress_bar


@guarded
def info(
    data: Data,
    kind: Kinds = None,
    schema: SchemaFile = None,
    save_schema: Annotated[
        Path | None,
        typer.Option("--save-schema", metavar=FILE, help="Write the kinds as JSON, as SDV does."),
    ] = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Annotated[int, typer.Option("--seed", hidden=True)] = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Show what kind each column is, and why."""
    del seed  # accepted because every command accepts it, but nothing here is random
    from tabseed.table.describe import describe
    from tabseed.table.display import counted
    from tabseed.table.files import check_outputs, write_schema

    if save_schema is not None:
        check_outputs([], [save_schema], [data, schema], force)
    table = Source(data, schema, kind, sql, encoding, decimal, thousands).read()
    columns: list[dict[str, Any]] = []
    with progress_bar("describing") as progress:
        for column in table.schema:
            progress(len(columns), len(table.schema), "columns")
            columns.append(describe(table, column))
    out = Output(as_json, {"rows": len(table), "columns": columns})
    out.say("table", f"{data}: {counted(len(table), 'row')}, {counted(len(columns), 'column')}")
    out.rows(
        ("column", "kind", "missing", "distinct", "values", "why"),
        [
            [
                "?" if c[k] is None else str(c[k])
                for k in ("name", "kind", "missing", "distinct", "values", "reason")
            ]
            for c in columns
        ],
    )
    if save_schema is not None:
        write_schema(table.schema, save_schema, force=force)
        out.result["schema"] = str(save_schema)
        out.say("schema", save_schema)
    out.finish("info")
