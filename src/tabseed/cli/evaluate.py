"""The command ``evaluate``: are synthetic rows alike, are they useful, and whose secrets?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.judging import Asked, judge, stop_if_failed
from tabseed.cli.options import (
    FILE,
    AsJson,
    Decimal,
    Encoding,
    Force,
    Kinds,
    Known,
    MaxAuc,
    MaxDisclosure,
    Report,
    SchemaFile,
    Seed,
    Sensitive,
    Source,
    Target,
    Thousands,
    Train,
    read_like,
)
from tabseed.cli.progress import progress_bar
from tabseed.errors import TabseedError

if TYPE_CHECKING:
    from tabseed.evaluation.comparison import Comparison
    from tabseed.evaluation.evaluation import Evaluation
    from tabseed.table import Table


@guarded
def evaluate(
    train: Train,
    synthetic: Annotated[
        list[Path],
        typer.Argument(
            metavar="SYNTHETIC...", help="The synthetic rows; several tables are compared."
        ),
    ],
    holdout: Annotated[
        Path | None,
        typer.Option(
            "--holdout",
            metavar=FILE,
            help="Real rows not used in training, to judge (tabseed split); without them much "
            "cannot be said.",
        ),
    ] = None,
    target: Target = None,
    sensitive: Sensitive = None,
    known: Known = None,
    max_auc: MaxAuc = None,
    max_disclosure: MaxDisclosure = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar=FILE,
            help="The model file, if an attacker would have it too: attacks then use it.",
        ),
    ] = None,
    shadows: Annotated[
        bool,
        typer.Option(
            "--shadows",
            help="With --model: learn its generator anew from halves of the rows, to attack the "
            "most exposed ones, and without each of those. Takes as long as 53 fits.",
        ),
    ] = False,
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
    """Say if rows are alike, useful, and whose secrets they tell.

    Several tables are compared in likeness and usefulness. Exit code 3 if a limit for privacy is
    set and not kept.
    """
    from tabseed.table.files import check_outputs

    check_outputs([], [report], [train, *synthetic, holdout, schema, model], force)
    asked = Asked(sensitive, known, max_auc, max_disclosure)
    if shadows and model is None:
        raise TabseedError("--shadows needs --model, whose generator is to be learned anew")
    several = len(synthetic) > 1
    if several and (asked.of_privacy or model is not None):
        raise TabseedError(
            "--sensitive, --known, --max-auc, --max-disclosure and --model are for one synthetic "
            "table; evaluate each by itself"
        )
    if several and holdout is None:
        raise TabseedError("several synthetic tables are compared by held-out rows: --holdout")
    real = Source(train, schema, kind, None, encoding, decimal, thousands).read()
    fakes = {
        name: read_like(path, real, f"synthetic {name!r}" if several else "synthetic", encoding)
        for name, path in names_of(synthetic).items()
    }
    held_out = None if holdout is None else read_like(holdout, real, "holdout", encoding)
    out = Output(as_json)
    answer: Evaluation | Comparison
    passed = None
    if several and held_out is not None:
        answer = _compare(out, real, fakes, held_out, target, seed)
    else:
        (fake,) = fakes.values()
        questions = asked.questions()
        if model is not None:
            from tabseed.saved import load

            questions = questions.about(load(model), real, len(fake), shadows=shadows)
        answer = judge(out, (real, fake, held_out), target, seed, questions)
        passed = answer.passed
    out.say_left_out(answer.left_out)
    if report is not None:
        out.report(answer, report, force)
    out.finish("evaluate")
    stop_if_failed(passed)


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
