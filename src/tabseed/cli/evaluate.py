"""The command ``evaluate``: how far are synthetic rows from real ones?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from tabseed.cli.progress import progress_bar

if TYPE_CHECKING:
    from tabseed.evaluation.comparison import Comparison
    from tabseed.evaluation.evaluation import Evaluation
    from tabseed.table import Table


@guarded
def evaluate(
    train: Annotated[
        Path, typer.Argument(metavar="TRAIN", help="The rows that the generator learned from.")
    ],
    synthetic: Annotated[
        list[Path],
        typer.Argument(
            metavar="SYNTHETIC...", help="The synthetic rows; several tables are compared."
        ),
    ],
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
    """Say how far synthetic rows are from real ones; compare several tables."""
    from tabseed.table.files import check_outputs

    check_outputs([], [report], [train, *synthetic, holdout, schema], force)
    real = Source(train, schema, kind, None, encoding, decimal, thousands).read()
    several = len(synthetic) > 1
    fakes = {
        name: read_like(path, real, f"synthetic {name!r}" if several else "synthetic", encoding)
        for name, path in names_of(synthetic).items()
    }
    held_out = read_like(holdout, real, "holdout", encoding)
    out = Output(as_json)
    answer: Evaluation | Comparison
    if several:
        answer = _compare(out, real, fakes, held_out, target, seed)
    else:
        (fake,) = fakes.values()
        answer = judge(out, (real, fake, held_out), target, seed)
    out.say_left_out(answer.left_out)
    if report is not None:
        out.report(answer, report, force)
    out.finish("evaluate")


def names_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the files by name, with as many folders as tell all of them apart.

    A file that is given twice gets a number.
    """
    files, depth = set(paths), 1
    while len({_tail(path, depth) for path in files}) < len(files):
        depth += 1
    taken = {_tail(path, depth) for path in files}
    named: dict[str, Path] = {}
    for path in paths:
        name, again = _tail(path, depth), 1
        while name in named or (again > 1 and name in taken):
            again += 1
            name = f"{_tail(path, depth)} ({again})"
        named[name] = path
    return named


def _tail(path: Path, depth: int) -> str:
    return str(Path(*path.parts[-depth:]))


def _compare(
    out: Output,
    real: Table,
    fakes: Mapping[str, Table],
    held_out: Table,
    target: str | None,
    seed: int,
) -> Comparison:
    """Compare synthetic tables and print the answer."""
    from tabseed.evaluation.comparison import compare

    with progress_bar("comparing") as progress:
        answer = compare(
            real, fakes, held_out, target=target, random_state=seed, n_jobs=-1, progress=progress
        )
    out.result["comparison"] = answer.to_dict()
    out.verdict(answer)
    out.answer(answer)
    return answer
