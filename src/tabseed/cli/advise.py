"""The command ``tabseed advise``."""

from __future__ import annotations

from tabseed.cli.console import Output, guarded
from tabseed.cli.options import (
    AsJson,
    Data,
    Decimal,
    Encoding,
    Force,
    Kinds,
    Predicted,
    Report,
    SchemaFile,
    Seed,
    Source,
    Sql,
    Thousands,
)
from tabseed.cli.progress import progress_bar
from tabseed.cli.streams import Use, stream_for


@guarded
def advise(
    data: Data,
    target: Predicted,
    report: Report = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say, before anything is trained, if synthetic rows will help."""
    from tabseed.advice import advise as advice_on
    from tabseed.table.files import check_outputs

    check_outputs([], [report], [data, schema], force)
    table = Source(data, schema, kind, sql, encoding, decimal, thousands).read()
    out = Output(as_json, {"target": target})
    out.say_read(data, table)
    with progress_bar("looking") as progress:
        found = advice_on(
            table, target, random_state=stream_for(Use.ADVISE, seed), progress=progress
        )
    out.result["advice"] = found.to_dict()
    out.verdict(found)
    out.answer(found)
    if report is not None:
        out.report(found, report, force)
    out.finish("advise")
