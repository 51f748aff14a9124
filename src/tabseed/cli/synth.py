"""The command ``synth``: learn a table, write synthetic rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.judging import HOLDOUT_SHARE, Judging, judge
from tabseed.cli.learning import draw, learn, make_generator, write
from tabseed.cli.options import (
    FILE,
    AsJson,
    Bias,
    Data,
    Encoding,
    Force,
    Kinds,
    N,
    Out,
    Report,
    SchemaFile,
    Seed,
    Source,
    Spreadsheet,
    Sql,
    Target,
)
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import SchemaError
from tabseed.generators import GENERATORS


@guarded
def synth(
    data: Data,
    output: Out,
    rows: Annotated[
        int | None,
        typer.Option("--rows", min=1, metavar=N, help="How many; as many as came in if not given."),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator",
            metavar="NAME",
            help=f"How to learn: {', '.join(GENERATORS)}. If not given: trees, or vaebgm with "
            "--bias, --paper or --device, which only networks have.",
        ),
    ] = None,
    bias: Bias = "none",
    target: Target = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar=FILE, help="Save what was learned here, for sample."),
    ] = None,
    report: Report = None,
    holdout: Annotated[
        Path | None,
        typer.Option("--holdout", metavar=FILE, help="Real rows to judge with, for --report."),
    ] = None,
    holdout_share: Annotated[
        float | None,
        typer.Option(
            "--holdout-share",
            metavar="SHARE",
            help="Of the rows, set aside before learning if --report has no --holdout "
            f"({HOLDOUT_SHARE:g} if not given).",
        ),
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    paper: Annotated[
        bool, typer.Option("--paper", help="Learn with the settings of the method's authors.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar=FILE,
            help="Keep training's state here while it lasts; after an interrupt, go on from it.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.")
    ] = "auto",
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    as_json: AsJson = False,
) -> None:
    """Learn a table and write synthetic rows."""
    from tabseed.table.files import atomic_write, check_outputs, check_spreadsheet, check_writable

    check_outputs([output], [model, report], [data, schema, holdout, resume], force)
    check_spreadsheet(output, for_spreadsheet)
    if resume is not None:
        check_writable(resume, force=True)
    judging = Judging(report, holdout, holdout_share)
    table = Source(data, schema, kind, sql, encoding).read()
    options = {"device": None if device == "auto" else device, "paper": paper or None}
    maker = make_generator(generator, options, bias, seed)  # last, for it may import PyTorch
    if not len(table.schema.modelled):
        raise SchemaError(f"{data}: every column is an id or free text; set kinds with --kind")
    if target is not None:
        table.schema[target]  # an unknown name raises, with the nearest one
    out = Output(as_json, {"bias": bias})
    out.say("read", f"{data}: {len(table)} rows, {len(table.schema)} columns")
    out.say_left_out({c.name: c.reason for c in table.schema.left_out})
    learned, held = judging.set_aside(out, table, rows or len(table), encoding, seed)
    learn(out, maker, learned, target, resume)
    drawn = draw(out, maker, rows or len(table), stream_for(Use.SYNTH, seed))
    write(out, drawn, output, force, for_spreadsheet)
    if model is not None:
        with atomic_write(model, force=force) as part:
            maker.save(part)
        out.result["model"] = str(model)
        out.say("model", f"{model}: {model.stat().st_size:,} bytes")
    if report is not None and held is not None:
        answer = judge(out, (learned, drawn, held), target, seed)
        out.report(answer, report, force)
    out.finish("synth")
