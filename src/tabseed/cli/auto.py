"""The command ``tabseed auto``: choose a generator, write rows, say whether to use them."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.cli.console import Output, emit, guarded
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
from tabseed.errors import LimitError, SchemaError, TabseedError, TooFewRowsError, printable

if TYPE_CHECKING:
    from tabseed.archive import Lasting
    from tabseed.auto.auto import Auto
    from tabseed.auto.decision import Decision
    from tabseed.evaluation.evaluation import Evaluation
    from tabseed.pages import Finding
    from tabseed.table import Table

GOALS = ("share", "augment", "both")
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
    from tabseed.table.files import check_outputs, check_spreadsheet

    began = time.monotonic()
    paths = numbered(output, tables)
    kept = _kept(resume)
    owned = frozenset() if kept is None else kept.owned()
    inputs = [data, schema, holdout, resume]
    check_outputs(paths, [model, report, decision], inputs, force, owned)
    check_spreadsheet(output, for_spreadsheet)
    _check_goal(goal, target)
    racing = _racing((goal, max_auc, minutes, jobs), seed)
    asked = Asked(sensitive, None, max_auc, max_disclosure)
    declared = Declared(rule or (), rules, drop_breaking)
    out = Output(as_json, {"goal": goal, "target": target})
    source = Source(data, schema, kind, sql, encoding, decimal, thousands, declared)
    table = _read(out, source, goal, target, asked)
    train, held = _set_aside(out, table, holdout, encoding, seed)
    n = rows or len(table)
    check_enough((len(train), n, len(held)), "the judgement", "give more rows")
    files = Files(out, paths, model, (for_spreadsheet, plain_csv), force, owned, kept)
    record = Record(decision, files, _settings(data, racing, asked, seed))
    with _until_done(files, kept):
        first = (
            None
            if asked.limited
            else functools.partial(_first, train, target, n, files, seed, began)
        )
        answer = None
        if _raced(out, racing, train, target, kept, first):
            streams = [stream_for(Use.AUTO, seed, m) for m in range(tables)]
            drawn = [racing.draw(n, random_state=stream) for stream in streams]
            if not asked.limited:  # what no limit was asked about is not left in a file
                files.write(drawn, racing)
            answer = judge(out, (train, drawn[0], held), target, seed, asked.questions())
        found = record.of(out, racing, answer)
        if answer is not None and asked.limited and found.kept is not False:
            files.write(drawn, racing)
        if answer is not None and report is not None:
            files.report(answer, report)
    if found.kept is False and not files.written:
        out.say("", "no table was written")
    out.finish("auto")
    stop_if_failed(False if found.kept is False else None)


@dataclass
class Files:
    """Where tables and the model go, how they are written, and what was written so far."""

    out: Output
    paths: list[Path]
    model: Path | None
    style: tuple[bool, bool]  # for a spreadsheet; plain
    force: bool
    owned: frozenset[Path]  # that this command wrote before it was interrupted
    kept: Lasting | None  # where it notes what it writes
    written: str = ""

    def may_replace(self, path: Path | None) -> bool:
        """Whether a file may be written again."""
        return self.force or (path is not None and path.resolve() in self.owned)

    def first(self, table: Table) -> None:
        """Write a first table, which another will replace."""
        self._write(self.paths[0], table)
        self.owned |= {self.paths[0].resolve()}
        self.written = "the rows of a first candidate"

    def write(self, tables: Sequence[Table], model: Auto) -> None:
        """Write all tables, and save the model."""
        for path, table in zip(self.paths, tables, strict=True):
            self._write(path, table)
        self.written = "the rows that were chosen"
        if self.model is not None:
            with self._noted(self.model):
                save_model(self.out, model, self.model, self.may_replace(self.model))

    def report(self, answer: Finding, path: Path) -> None:
        """Write the page of an answer."""
        with self._noted(path):
            self.out.report(answer, path, self.may_replace(path))

    def _write(self, path: Path, table: Table) -> None:
        with self._noted(path):
            write(self.out, table, path, self.may_replace(path), *self.style)

    def _noted(self, path: Path) -> AbstractContextManager[None]:
        return nullcontext() if self.kept is None else self.kept.writing(path)


@dataclass(frozen=True)
class Record:
    """The page of the decision: where it goes, and the settings that it lists."""

    path: Path | None
    files: Files
    settings: dict[str, str]

    def of(self, out: Output, model: Auto, answer: Evaluation | None) -> Decision:
        """Print the decision, and write its page."""
        from tabseed.auto.decision import Decision

        found = Decision.of(model, answer, self.settings)
        out.result["decision"] = found.to_dict()
        out.verdict(found)
        out.answer(found)
        if self.path is not None:
            self.files.report(found, self.path)
        return found


def _kept(resume: Path | None) -> Lasting | None:
    """Return what keeps the state of the command; FileError for a file of another kind."""
    from tabseed.archive import Lasting
    from tabseed.table.files import check_writable

    if resume is None:
        return None
    check_writable(resume, force=True)
    return Lasting(resume)


@contextmanager
def _until_done(files: Files, kept: Lasting | None) -> Iterator[None]:
    """Remove the state when all is done; else say what is on the disk, and how to go on."""
    try:
        yield
    except BaseException:
        if files.written:
            emit(
                printable(f"{files.paths[0]} has {files.written}; nothing judged them"), sys.stderr
            )
        if kept is not None and kept.path.is_file():
            text = f"{kept.path} holds what was tried; run the same command to go on from it"
            emit(printable(text), sys.stderr)
        raise
    if kept is not None:
        kept.path.unlink(missing_ok=True)


def _check_goal(goal: str, target: str | None) -> None:
    """Raise TabseedError for a goal that does not exist, or that lacks its target."""
    if goal not in GOALS:
        raise TabseedError(f"--goal {goal!r}: there are {', '.join(GOALS)}")
    if goal != "share" and target is None:
        raise TabseedError(f"--goal {goal} needs --target, the column that the model predicts")


def _read(out: Output, source: Source, goal: str, target: str | None, asked: Asked) -> Table:
    """Read the table; SchemaError for columns that cannot be asked about, before anything else."""
    from tabseed.metrics.problem import Problem

    table = source.read()
    if not len(table.schema.modelled):
        raise SchemaError(f"{source.path}: every column is an id or free text; set kinds (--kind)")
    out.say_read(source.path, table)
    asked.check_columns(table.schema)
    if target is not None:
        table.schema.to_predict(target)
        try:
            Problem.of(table, target)
        except SchemaError as error:
            if goal != "share":
                raise
            out.say("note", f"whether the rows are useful will not be judged: {error}")
    out.say_left_out({c.name: c.reason for c in table.schema.left_out})
    return table


def _set_aside(
    out: Output, table: Table, holdout: Path | None, encoding: str, seed: int
) -> tuple[Table, Table]:
    """Return the rows that race, and those that judge."""
    from tabseed.evaluation.likeness import MIN_ROWS
    from tabseed.metrics import check_leakage
    from tabseed.table.display import counted

    if holdout is not None:
        held = read_like(holdout, table, "holdout", encoding)
        check_leakage(table.select(held.schema), held)
        return table, held
    least = next(n for n in count() if n - floor(n * (1 - HELD_OUT) + 0.5) >= MIN_ROWS)
    if len(table) < least:
        raise TooFewRowsError(
            f"{counted(len(table), 'row')} are too few: a fifth of them judges, and a judgement "
            f"needs {MIN_ROWS}; give at least {least} rows, or others to judge with (--holdout)"
        )
    train, held = split_rows(table, 1 - HELD_OUT, seed)
    out.say("set aside", f"{len(held)} rows to judge with, before anything is tried")
    return train, held


def _settings(data: Path, model: Auto, asked: Asked, seed: int) -> dict[str, str]:
    """Return what the record of the decision lists of the data and of what was asked."""
    from tabseed.evidence.bundle import file_hash

    told = {
        "goal": model.goal,
        "largest AUC of an attack": model.max_auc,
        "largest excess of disclosure": asked.max_disclosure,
        "sensitive columns": ", ".join(asked.sensitive or ()) or None,
        "minutes": model.minutes,
        "seed": seed,
        "data": f"{data.name}, SHA-256 {file_hash(data)[1]}",
    }
    return {name: str(value) for name, value in told.items() if value is not None}


def _first(train: Table, target: str | None, n: int, files: Files, seed: int, began: float) -> None:
    """Write a first table by sequential trees: there is a usable one while others are tried."""
    from tabseed.generators.trees.sequential import SequentialTrees

    model = SequentialTrees(random_state=seed).fit(train, target=target)
    files.first(model.draw(n))
    seconds = time.monotonic() - began
    files.out.say("", f"a first one, by trees, after {seconds:.1f} s; the best will replace it")


def _racing(settings: tuple[Any, float | None, float | None, int], seed: int) -> Auto:
    """Return what will race; its settings are checked before anything is written."""
    from tabseed.auto.auto import Auto
    from tabseed.parameters import check_parameters

    goal, max_auc, minutes, jobs = settings
    model = Auto(goal, max_auc=max_auc, minutes=minutes, n_jobs=jobs, random_state=seed)
    check_parameters(model)
    return model


def _raced(
    out: Output,
    model: Auto,
    train: Table,
    target: str | None,
    kept: Lasting | None,
    first: Callable[[], None] | None,
) -> bool:
    """Run the race, and print who is left and why others left; return whether anybody is.

    ``first`` is called once the state of the race is on the disk: from then on outputs are its own.
    """
    start, begun = time.perf_counter(), False
    try:
        with progress_bar("trying") as progress:

            def step(done: int, total: int, message: str) -> None:
                nonlocal begun
                if not begun and first is not None:
                    first()
                begun = True
                progress(done, total, message)

            model.fit(train, target=target, progress=step, checkpoint=kept)
    except LimitError:
        return False
    summary = model.summary()
    out.result |= {"learned": summary, "seconds_to_learn": round(time.perf_counter() - start, 3)}
    out.say("chosen", summary[0])
    for line in summary[1:]:
        out.say("", line)
    return True
