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
    read_like,
)
from tabseed.errors import TabseedError

if TYPE_CHECKING:
    from tabseed.hardness.assess import HardnessAssessment

HARDEST = 0.1  # the share of rows whose hints are counted apart


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
        typer.Option("--neighbors", min=1, metavar=N, help="Of knn-shapley (5 if not given)."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="Of the others: mlp (if not given), trees, xgboost."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar=FILE,
            help="Further rows to score by; if not given, parts of the table score each other.",
        ),
    ] = None,
    show: Annotated[
        int, typer.Option("--show", min=0, metavar=N, help="Print so many of the hardest rows.")
    ] = 10,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar=FILE, help="Write an HTML page with pictures."),
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    as_json: AsJson = False,
) -> None:
    """Say which rows are hard to learn, and why they may be."""
    from tabseed.hardness.assess import assess_hardness
    from tabseed.table.files import check_outputs, check_spreadsheet, write_table, write_text

    check_outputs([output] if output else [], [report], [data, schema, reference], force)
    if output is not None:
        check_spreadsheet(output, for_spreadsheet)
    elif for_spreadsheet:
        raise TabseedError("--for-spreadsheet is for --output; name a CSV file, or leave it out")
    scorer = make_scorer(method, {"n_neighbors": neighbors, "model": model}, random_state=seed)
    table = Source(data, schema, kind, sql, encoding).read()
    table.schema[target]  # an unknown name raises, with the nearest one
    further = None
    if reference is not None:
        further = read_like(reference, table, "reference", encoding)
    found = assess_hardness(table, target, scorer, reference=further)
    out = Output(as_json, {"method": method, "target": target, "task": found.task})
    out.say("read", f"{data}: {len(table)} rows, {len(table.schema)} columns")
    _say(out, found, show)
    if output is not None:
        write_table(found.to_arrow(), output, force=force, for_spreadsheet=for_spreadsheet)
        out.result["output"] = str(output)
        out.say("scores", output)
    if report is not None:
        from tabseed.hardness.drawing import hardness_page

        write_text(hardness_page(table, found, {"seed": str(seed)}), report, force=force)
        out.result["report"] = str(report)
        out.say("report", report)
    out.finish("hardness")


def _say(out: Output, found: HardnessAssessment, show: int) -> None:
    """Print the counts of hints and the hardest rows; keep both for JSON."""
    from tabseed.hardness.hints import HINTS

    counts = found.counts(HARDEST)
    n, hard = len(found.hardness), sum(count for _, count in counts.values())
    out.say("scored", f"{n} rows by {found.method}, larger is harder")
    if found.task == "regression":
        out.say("", f"{found.target} is a number; for classes, --kind {found.target}=categorical")
    out.result["hints"] = {
        name or "none": {"all": every, "hardest": few} for name, (every, few) in counts.items()
    }
    out.rows(
        ("hint", f"of {n} rows", f"of the hardest {hard}", "meaning"),
        [[h or "none", str(every), str(few), HINTS[h]] for h, (every, few) in counts.items()],
    )
    error = found.standard_error
    rows = [
        {
            "row": int(i) + 1,
            "label": str(found.labels[i]),
            "hardness": float(found.hardness[i]),
            "standard_error": None if error is None or error[i] != error[i] else float(error[i]),
            "hint": str(found.hint[i]),
        }
        for i in found.hardest(show)
    ]
    out.result["hardest"] = rows
    if rows:
        cells = [[_text(value) for value in row.values()] for row in rows]
        out.rows(("row", "label", "hardness", "standard error", "hint"), cells)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)
