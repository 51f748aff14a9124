"""The command ``evaluate``: how far are synthetic rows from real ones?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.judging import judge
from tabseed.cli.options import (
    FILE,
    AsJson,
    Decimal,
    Encoding,
    Force,
    Kinds,
    Report,
    SchemaFile,
    Seed,
    Source,
    Target,
    Thousands,
    read_like,
)


@guarded
def evaluate(
    train: Annotated[
        Path, typer.Argument(metavar="TRAIN", help="The rows that the generator learned from.")
    ],
    synthetic: Annotated[Path, typer.Argument(metavar="SYNTHETIC", help="The synthetic rows.")],
    holdout: Annotated[
        Path,
        typer.Option("--holdout", metavar=FILE, help="Real rows not used in training, to judge."),
    ],
    target: Target = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    report: Report = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say how far synthetic rows are from real ones."""
    from tabseed.table.files import check_outputs

    check_outputs([], [report], [train, synthetic, holdout, schema], force)
    real = Source(train, schema, kind, None, encoding, decimal, thousands).read()
    fake = read_like(synthetic, real, "synthetic", encoding)
    held_out = read_like(holdout, real, "holdout", encoding)
    out = Output(as_json)
    answer = judge(out, (real, fake, held_out), target, seed)
    out.say_left_out(answer.left_out)
    if report is not None:
        out.report(answer, report, force)
    out.finish("evaluate")
