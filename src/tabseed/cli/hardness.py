"""The command ``tabseed hardness``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.learning import make_scorer
from tabseed.cli.options import (
    FILE,
    AsJson,
    Data,
    Decimal,
    Encoding,
    Force,
    Kinds,
    Method,
    N,
    Predicted,
    SchemaFile,
    Seed,
    Source,
    Spreadsheet,
    Sql,
    Thousands,
    read_like,
)
from tabseed.cli.progress import progress_bar
from tabseed.errors import LeakageError, TabseedError

if TYPE_CHECKING:
    from tabseed.hardness.assess import HardnessAssessment
    from tabseed.table import Table


@guarded
def hardness(
    data: Data,
    target: Predicted,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar=FILE, help="Write the score of every row here."),
    ] = None,
    method: Method = "knn-shapley",
    neighbors: Annotated[
        int | None,
        typer.Option(
            "--neighbors", min=1, metavar=N, help="Neighbours, for knn-shapley (5 if not given)."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Model, for the other methods: mlp (if not given), trees, xgboost.",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar=FILE,
            help="Other rows to score by; if not given, parts of the table score each other.",
        ),
    ] = None,
    show: Annotated[
        int, typer.Option("--show", min=0, metavar=N, help="Number of the hardest rows to print.")
    ] = 10,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar=FILE, help="Write an HTML page with pictures."),
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    as_json: AsJson = False,
) -> None:
    """Say which rows are hard to learn, and why they may be."""
    from tabseed.hardness.assess import assess_hardness
    from tabseed.table.files import check_outputs, check_spreadsheet, write_table

    check_outputs([output] if output else [], [report], [data, schema, reference], force)
    if output is not None:
        check_spreadsheet(output, for_spreadsheet)
    elif for_spreadsheet:
        raise TabseedError("--for-spreadsheet needs --output; name a CSV file, or leave it out")
    scorer = make_scorer(method, {"n_neighbors": neighbors, "model": model}, random_state=seed)
    table = Source(data, schema, kind, sql, encoding, decimal, thousands).read()
    table.schema[target]  # raises for an unknown name, and suggests a similar one
    other_rows = None
    if reference is not None:
        other_rows = read_like(reference, table, "reference", encoding)
        _check_others(table, other_rows)
    with progress_bar("scoring"):
        answer = assess_hardness(table, target, scorer, reference=other_rows)
    out = Output(as_json, {"method": method, "target": target, "task": answer.task})
    out.say_read(data, table)
    _say(out, answer, show)
    if output is not None:
        write_table(answer.to_arrow(), output, force=force, for_spreadsheet=for_spreadsheet)
        out.result["output"] = str(output)
        out.say("scores", output)
    if report is not None:
        out.report(answer, report, force)
    out.finish("hardness")


def _check_others(table: Table, reference: Table) -> None:
    """Refuse a reference of the scored rows: a row among its own neighbours never looks hard."""
    from tabseed.metrics.leakage import count_equal, row_keys

    scored = table.select(reference.schema)
    overlap, beyond_chance = count_equal(*row_keys([scored, reference]))
    if beyond_chance:
        raise LeakageError(
            f"--reference repeats the rows to score: {overlap.n_equal} of {overlap.n_holdout} of "
            "its rows equal one of them, and a row that scores itself looks easy; give other rows, "
            "or leave it out, and parts of the table score each other"
        )


def _say(out: Output, answer: HardnessAssessment, show: int) -> None:
    """Print the verdict, the counts of hints and the hardest rows; keep all of it for JSON."""
    from tabseed.hardness.hints import HINTS

    n, hints = len(answer.hardness), answer.hint_counts()
    hard = sum(count["hardest"] for count in hints.values())
    out.say("scored", f"{n} rows by {answer.method}, larger is harder")
    out.verdict(answer)
    out.result |= {"verdict": answer.verdict, "notes": list(answer.notes), "hints": hints}
    out.rows(
        ("hint", f"of {n} rows", f"of the hardest {hard}", "meaning"),
        [
            [name, str(count["all"]), str(count["hardest"]), meaning]
            for (name, count), meaning in zip(hints.items(), HINTS.values(), strict=True)
        ],
    )
    rows = answer.rows()[:show]
    out.result["hardest"] = [{**row, "label": str(row["label"])} for row in rows]
    if rows:
        out.answer(answer, rows)
