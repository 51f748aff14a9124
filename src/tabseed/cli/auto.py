"""The command ``tabseed auto``: choose a generator, write rows, say whether to use them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.judging import Asked, check_enough, judge, split_rows, stop_if_failed
from tabseed.cli.learning import numbered, save_model, write
from tabseed.cli.options import (
    FILE,
    AsJson,
    Data,
    Decimal,
    DropBreaking,
    Encoding,
    Force,
    Kinds,
    MaxAuc,
    MaxDisclosure,
    N,
    Out,
    PlainCsv,
    Report,
    RulesFile,
    RuleTexts,
    SchemaFile,
    Seed,
    Sensitive,
    Source,
    Spreadsheet,
    Sql,
    Target,
    Thousands,
    read_like,
)
from tabseed.cli.progress import progress_bar
from tabseed.cli.rules import Declared
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import LimitError, SchemaError, TabseedError

if TYPE_CHECKING:
    from tabseed.auto.auto import Auto
    from tabseed.auto.decision import Decision
    from tabseed.table import Table

GOALS = ("share", "augment", "both")
DO_NOT = "do not use"  # the answer that ends with exit code 3
HELD_OUT = 0.2  # share of the rows set aside to judge with


@guarded
def auto(
    data: Data,
    output: Out,
    goal: Annotated[
        str,
        typer.Option(
            "--goal",
            metavar="GOAL",
            help="share: rows like the real ones; augment: a model gains; both.",
        ),
    ] = "share",
    target: Target = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="X",
            help="Try nothing more after about so many minutes. Without it every candidate has its "
            "chance, and the same seed gives the same output.",
        ),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, metavar=N, help="Rows to draw (as DATA has).")
    ] = None,
    tables: Annotated[
        int, typer.Option("--m", min=1, metavar=N, help="Tables to draw, for combined estimates.")
    ] = 1,
    holdout: Annotated[
        Path | None, typer.Option("--holdout", metavar=FILE, help="Real rows to judge with.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar=FILE, help="Save the model here.")
    ] = None,
    report: Report = None,
    decision: Annotated[
        Path | None,
        typer.Option("--decision", metavar=FILE, help="Write the record of the decision as HTML."),
    ] = None,
    sensitive: Sensitive = None,
    max_auc: MaxAuc = None,
    max_disclosure: MaxDisclosure = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar=FILE,
            help="Keep here what was tried; after an interrupt, the same command goes on from it.",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar=N, help="Processes; the rows are the same.")
    ] = 1,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    rule: RuleTexts = None,
    rules: RulesFile = None,
    drop_breaking: DropBreaking = False,
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    plain_csv: PlainCsv = False,
    as_json: AsJson = False,
) -> None:
    """Choose a generator, write rows, and say whether to use them."""
    from tabseed.table.files import check_outputs, check_spreadsheet, check_writable

    began = time.monotonic()
    paths = numbered(output, tables)
    again = resume is not None and resume.exists()  # this run wrote what is there
    check_outputs(paths, [model, report, decision], [data, schema, holdout, resume], force or again)
    check_spreadsheet(output, for_spreadsheet)
    if resume is not None:
        check_writable(resume, force=True)
    _check_goal(goal, target)
    asked = Asked(sensitive, None, max_auc, max_disclosure)
    declared = Declared(rule or (), rules, drop_breaking)
    table = Source(data, schema, kind, sql, encoding, decimal, thousands, declared).read()
    if not len(table.schema.modelled):
        raise SchemaError(f"{data}: every column is an id or free text; set kinds with --kind")
    out = Output(as_json, {"goal": goal, "target": target})
    out.say_read(data, table)
    _check_target(table, goal, target)
    out.say_left_out({c.name: c.reason for c in table.schema.left_out})
    if holdout is None:
        train, held = split_rows(table, 1 - HELD_OUT, seed)
        out.say("set aside", f"{len(held)} rows to judge with, before anything is tried")
    else:
        train, held = table, read_like(holdout, table, "holdout", encoding)
    n = rows or len(table)
    check_enough((len(train), n, len(held)), "the judgement", "give more rows")
    files = Files(paths, force or again, for_spreadsheet, plain_csv)
    racing = _racing((goal, max_auc, minutes, jobs), seed)
    if max_auc is None:  # what no attack was asked about is not left in a file
        _first(out, train, target, n, files, seed, began)
    made = _race(out, racing, train, target, resume)
    drawn = [made.draw(n, random_state=stream_for(Use.AUTO, seed, m)) for m in range(tables)]
    files.write(out, drawn, own=int(max_auc is None))
    save_model(out, made, model, force)
    answer = judge(out, (train, drawn[0], held), target, seed, asked.questions())
    found = _decided(out, made, answer, seed, decision, force)
    if report is not None:
        out.report(answer, report, force)
    out.finish("auto")
    stop_if_failed(False if found.answers.get("share") == DO_NOT else None)


@dataclass(frozen=True)
class Files:
    """Where the tables go, and how they are written."""

    paths: list[Path]
    force: bool
    for_spreadsheet: bool
    plain: bool

    def write(self, out: Output, drawn: Sequence[Table], own: int) -> None:
        """Write tables, the first ones of ``paths``; this run wrote ``own`` of them before."""
        for m, (path, table) in enumerate(zip(self.paths, drawn, strict=False)):
            force = self.force or m < own
            write(out, table, path, force, self.for_spreadsheet, self.plain)


def _check_goal(goal: str, target: str | None) -> None:
    """Raise TabseedError for a goal that does not exist, or that lacks its target."""
    if goal not in GOALS:
        raise TabseedError(f"--goal {goal!r}: there are {', '.join(GOALS)}")
    if goal != "share" and target is None:
        raise TabseedError(f"--goal {goal} needs --target, the column that the model predicts")


def _check_target(table: Table, goal: str, target: str | None) -> None:
    """Raise SchemaError for a target that cannot be predicted, before anything is tried."""
    from tabseed.coding.labels import features_and_labels

    if target is not None:
        table.schema.to_predict(target)
    if goal != "share":
        features_and_labels(table, str(target))


def _first(
    out: Output, train: Table, target: str | None, n: int, files: Files, seed: int, began: float
) -> None:
    """Write a first table by sequential trees: there is a usable one while others are tried."""
    from tabseed.generators.trees.sequential import SequentialTrees

    with progress_bar("a first table") as progress:
        model = SequentialTrees(random_state=seed).fit(train, target=target, progress=progress)
    files.write(out, [model.draw(n)], own=0)
    seconds = time.monotonic() - began
    out.say("", f"a first one, by trees, after {seconds:.1f} s; the best will replace it")


def _racing(settings: tuple[Any, float | None, float | None, int], seed: int) -> Auto:
    """Return what will race; its settings are checked before anything is written."""
    from tabseed.auto.auto import Auto
    from tabseed.parameters import check_parameters

    goal, max_auc, minutes, jobs = settings
    model = Auto(goal, max_auc=max_auc, minutes=minutes, n_jobs=jobs, random_state=seed)
    check_parameters(model)
    return model


def _race(out: Output, model: Auto, train: Table, target: str | None, resume: Path | None) -> Auto:
    """Run the race, and print who is left and why others left."""
    start = time.perf_counter()
    try:
        with progress_bar("trying") as progress:
            model.fit(train, target=target, progress=progress, checkpoint=resume)
    except LimitError as error:
        text = f"Do not use synthetic rows for this; none were written: {error}"
        out.result["decision"] = {"answer": DO_NOT, "verdict": text}
        out.say("verdict", text)
        out.finish("auto")
        stop_if_failed(False)
    summary = model.summary()
    out.result |= {"learned": summary, "seconds_to_learn": round(time.perf_counter() - start, 3)}
    out.say("chosen", summary[0])
    for line in summary[1:]:
        out.say("", line)
    return model


def _decided(
    out: Output, model: Auto, answer: Any, seed: int, path: Path | None, force: bool
) -> Decision:
    """Print the decision, and write its record."""
    from tabseed.auto.decision import Decision

    found = Decision.of(model, answer, {"goal": model.goal, "seed": str(seed)})
    out.result["decision"] = found.to_dict()
    out.verdict(found)
    out.answer(found)
    if path is not None:
        out.report(found, path, force)
    return found
