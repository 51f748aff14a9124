"""The command ``tabseed synth``: learn a table, write synthetic rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.judging import HOLDOUT_SHARE, Judging, judge
from tabseed.cli.learning import draw, learn, make_generator, save_model, say_broken_rules, write
from tabseed.cli.options import (
    FILE,
    AsJson,
    Bias,
    Data,
    Decimal,
    DropBreaking,
    Encoding,
    Force,
    Kinds,
    N,
    Out,
    PlainCsv,
    Report,
    RulesFile,
    RuleTexts,
    SchemaFile,
    Seed,
    Source,
    Spreadsheet,
    Sql,
    Target,
    Teachers,
    Thousands,
)
from tabseed.cli.private import Anyway, Delta, DpMethod, Epsilon, Guarantee, PublicSchema
from tabseed.cli.rules import Declared
from tabseed.cli.streams import Use, stream_for
from tabseed.cli.wanted import KnownFile, Wanted, read_margins
from tabseed.errors import FileError, SchemaError
from tabseed.generators import GENERATORS

if TYPE_CHECKING:
    from tabseed.table import Table


@guarded
def synth(
    data: Data,
    output: Out,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", min=1, metavar=N, help="Number of rows to draw; if not given, that of DATA."
        ),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator",
            metavar="NAME",
            help=f"The generator: {', '.join(GENERATORS)}. If not given: trees, or vaebgm with "
            "--bias, --paper or --device, which only networks have.",
        ),
    ] = None,
    bias: Bias = "none",
    teacher: Teachers = None,
    target: Target = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar=FILE, help="Save the model here, for tabseed sample."),
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
            help="Share of the rows to set aside before learning, for --report without --holdout "
            f"({HOLDOUT_SHARE:g} if not given).",
        ),
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    rule: RuleTexts = None,
    rules: RulesFile = None,
    drop_breaking: DropBreaking = False,
    known: KnownFile = None,
    ids: Annotated[
        bool,
        typer.Option("--ids", help="Make new ids for columns that are ids, of the same form."),
    ] = False,
    paper: Annotated[
        bool, typer.Option("--paper", help="Learn with the settings of the authors of the method.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar=FILE,
            help="Keep the state of training here while it lasts; after an interrupt, the same "
            "command goes on from it.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="One of auto, cpu, cuda.")
    ] = "auto",
    epsilon: Epsilon = None,
    delta: Delta = None,
    dp_method: DpMethod = None,
    public_schema: PublicSchema = None,
    anyway: Anyway = False,
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    plain_csv: PlainCsv = False,
    as_json: AsJson = False,
) -> None:
    """Learn a table and write synthetic rows."""
    from tabseed.coding.labels import target_note
    from tabseed.table.files import check_outputs, check_spreadsheet, check_writable

    inputs = [data, schema, public_schema, holdout, resume, known]
    check_outputs([output], [model, report], inputs, force)
    check_spreadsheet(output, for_spreadsheet)
    guarantee = Guarantee(epsilon, delta, dp_method, public_schema, anyway, seed)
    other = {
        "generator": generator,
        "bias": None if bias == "none" else bias,
        "teacher": teacher,
        "target": target,
        "report": report,
        "holdout": holdout,
        "holdout-share": holdout_share,
        "schema": schema,
        "kind": kind,
        "resume": resume,
        "rule": rule,
        "rules": rules,
        "drop-breaking": drop_breaking,
        "known": known,
        "ids": ids,
        "paper": paper,
        "device": None if device == "auto" else device,
    }
    if guarantee.asked(other):
        return guarantee.release(
            Output(as_json),
            Source(data, public_schema, None, sql, encoding, decimal, thousands),
            rows,
            {"force": force, "for_spreadsheet": for_spreadsheet, "plain": plain_csv},
            (output, model),
        )
    if resume is not None:
        check_writable(resume, force=True)
    judging = Judging(report, holdout, holdout_share)
    declared = Declared(rule or (), rules, drop_breaking)
    table = Source(data, schema, kind, sql, encoding, decimal, thousands, declared).read()
    margins = None if known is None else read_margins(known)
    options = {"device": None if device == "auto" else device, "paper": paper or None}
    # last, because it may import PyTorch
    maker = make_generator(generator, options, bias, seed, teacher or ())
    _check_learnable(data, table, target, maker, resume if bias == "none" else None)
    out = Output(as_json, {"bias": bias, "teachers": list(teacher or ())})
    out.say_read(data, table)
    out.say_left_out({c.name: c.reason for c in table.schema.left_out})
    if table.schema.left_out:
        out.say("", "to keep one with its cells as they are: --kind NAME=categorical")
    train, held_out = judging.set_aside(out, table, rows or len(table), encoding, seed)
    learn(out, maker, train, target, resume)
    n = rows or len(table)
    synthetic = draw(out, maker, Wanted(n, known=margins), stream_for(Use.SYNTH, seed))
    released = _with_ids(out, synthetic, table, seed) if ids else synthetic
    write(out, released, output, force, for_spreadsheet, plain_csv)
    if report is None:
        say_broken_rules(out, train, synthetic)
    save_model(out, maker, model, force)
    notes = () if target is None or report is not None else target_note(table.schema, target)
    out.result["notes"] = list(notes)
    for note in notes:
        out.say("note", note)
    if report is not None and held_out is not None:
        answer = judge(out, (train, synthetic, held_out), target, seed)
        out.report(answer, report, force)
    out.finish("synth")


def _with_ids(out: Output, synthetic: Table, real: Table, seed: int) -> Table:
    """Return the rows with new ids, and print how many columns these are."""
    from tabseed.table.fresh_ids import with_fresh_ids

    names = [column.name for column in real.schema.left_out if column.kind == "id"]
    if not names:
        raise SchemaError("--ids: no column is an id; set one with --kind NAME=id, or leave it out")
    out.say("ids", f"new ones for {', '.join(map(repr, names))}")
    return with_fresh_ids(synthetic, real, random_state=stream_for(Use.IDS, seed))


def _check_learnable(
    data: Path, table: Table, target: str | None, maker: Any, resume: Path | None
) -> None:
    """Raise, before learning, what would fail in it; ``resume`` None: not asked for."""
    if not len(table.schema.modelled):
        raise SchemaError(f"{data}: every column is an id or free text; set kinds with --kind")
    if target is not None:
        table.schema.to_predict(target)  # raises for an unknown name, and suggests a similar one
    if resume is not None and not maker.watchable:
        raise FileError(
            f"--resume: {type(maker).__name__} learns in one go and keeps no state; leave it out"
        )
