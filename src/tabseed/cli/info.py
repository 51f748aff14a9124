"""The command ``tabseed info``: what kind each column is, and why; what a model file holds."""

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
from tabseed.cli.rules import say_found
from tabseed.errors import FileError


@guarded
def info(
    data: Data,
    kind: Kinds = None,
    schema: SchemaFile = None,
    save_schema: Annotated[
        Path | None,
        typer.Option("--save-schema", metavar=FILE, help="Write the kinds as JSON, as SDV does."),
    ] = None,
    rules: Annotated[
        bool,
        typer.Option("--rules", help="Find what all rows keep and chance would not show."),
    ] = False,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Annotated[int, typer.Option("--seed", hidden=True)] = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Show the kind of each column and why, or what a model holds."""
    del seed  # accepted because every command accepts it, but nothing here is random
    from tabseed.archive import is_model_file
    from tabseed.table.describe import describe
    from tabseed.table.display import counted
    from tabseed.table.files import check_outputs, write_schema

    if save_schema is not None:
        check_outputs([], [save_schema], [data, schema], force)
    if is_model_file(data) or data.suffix == ".tabseed":
        options = {"schema": schema, "kind": kind, "sql": sql, "save-schema": save_schema}
        options |= {"decimal": decimal, "thousands": thousands, "rules": "yes" if rules else None}
        _refuse(data, [name for name, value in options.items() if value is not None])
        _info_of_model(data, as_json)
        return
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
    if rules:
        say_found(out, table)
    if save_schema is not None:
        write_schema(table.schema, save_schema, force=force)
        out.result["schema"] = str(save_schema)
        out.say("schema", save_schema)
    out.finish("info")


def _refuse(model: Path, options: list[str]) -> None:
    if options:
        raise FileError(f"{model} is a model file: --{options[0]} is for tables; leave it out")


def _info_of_model(path: Path, as_json: bool) -> None:
    """Say what a model file learned, and what it holds of the rows."""
    from tabseed.archive import estimator_to_plain
    from tabseed.saved import load
    from tabseed.table.display import counted

    model = load(path)
    plain, columns = estimator_to_plain(model), model.schema_.modelled
    out = Output(
        as_json,
        {
            "generator": plain["class"],
            "parameters": plain["parameters"],
            "rows": model.n_rows_,
            "target": model.target_,
            "columns": [{"name": c.name, "kind": c.kind, "reason": c.reason} for c in columns],
            "learned": model.summary(),
            "holds": model.holds.to_dict(),
        },
    )
    size = f"{counted(model.n_rows_, 'row')} and {counted(len(columns), 'column')}"
    target = "" if model.target_ is None else f", target {model.target_!r}"
    out.say("model", f"{path}: {plain['class']}, learned from {size}{target}")
    for line in model.summary():
        out.say("", line)
    out.rows(("column", "kind", "why"), [[c.name, c.kind, c.reason] for c in columns])
    out.finish("info")
