"""The command ``tabseed``. What takes long to import is imported by the command that needs it.

Results go to standard output (with ``--json``: one JSON document and nothing else), progress and
errors to standard error. Exit code 0, or 2 with one line on what, where and what to do.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed.cli.augment import augment
from tabseed.cli.console import Output, emit, guarded, progress_bar, run
from tabseed.cli.hardness import hardness
from tabseed.cli.learning import draw, learn, make_generator
from tabseed.cli.options import (
    COLUMN,
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
    read_like,
)
from tabseed.cli.tune import tune
from tabseed.cli.utility import utility
from tabseed.errors import FileError, SchemaError, TabseedError, TooFewRowsError
from tabseed.generators import GENERATORS

if TYPE_CHECKING:
    import numpy as np

    from tabseed.evaluation.evaluation import Evaluation
    from tabseed.metrics import Estimate
    from tabseed.table import Table
    from tabseed.table.schema import Schema

# Plain help and plain errors: they read the same on a terminal, in a pipe and in a log.
app = typer.Typer(
    name="tabseed",
    help="Synthetic tables from small real ones, and an honest answer to whether they are good.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

HOLDOUT_SHARE = 0.2  # set aside for --report unless the user says otherwise

# Below the user's seed each use has a stream of its own, far from those that generators take.
SPLIT, SYNTH, SAMPLE = 1001, 1002, 1003


# --- around every command -----------------------------------------------------------------------


def _stream(seed: int, use: int) -> np.random.SeedSequence:
    from tabseed._random import child, seed_sequence

    return child(seed_sequence(seed), use)


def _left_out(schema: Schema) -> dict[str, str]:
    return {column.name: column.reason for column in schema.left_out}


def _say_left_out(out: Output, left_out: dict[str, str]) -> None:
    out.result["left_out"] = left_out
    for name, reason in left_out.items():
        out.say("left out", f"column {name!r}: {reason.removesuffix(': left out')}")


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if show_version:
        from tabseed import __version__

        emit(f"tabseed {__version__}", sys.stdout)
    elif context.invoked_subcommand is None:
        emit(context.get_help(), sys.stderr)
        raise typer.Exit(2)


# --- info ---------------------------------------------------------------------------------------


@app.command()
@guarded
def info(
    data: Data,
    kind: Kinds = None,
    schema: SchemaFile = None,
    save_schema: Annotated[
        Path | None,
        typer.Option("--save-schema", metavar=FILE, help="Write the kinds as JSON (SDV reads it)."),
    ] = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    seed: Annotated[int, typer.Option("--seed", hidden=True)] = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Show what kind each column is, and why."""
    del seed  # taken like everywhere, but nothing here is random
    from tabseed.table.describe import describe
    from tabseed.table.files import check_outputs, write_schema

    if save_schema is not None:
        check_outputs([], [save_schema], [data, schema], force)
    table = Source(data, schema, kind, sql, encoding).read()
    columns = [describe(table, column) for column in table.schema]
    out = Output(as_json, {"rows": len(table), "columns": columns})
    out.say("table", f"{data}: {len(table)} rows, {len(columns)} columns")
    out.rows(
        ("column", "kind", "missing", "distinct", "values", "why"),
        [
            [str(c[k]) for k in ("name", "kind", "missing", "distinct", "values", "reason")]
            for c in columns
        ],
    )
    if save_schema is not None:
        write_schema(table.schema, save_schema, force=force)
        out.result["schema"] = str(save_schema)
        out.say("schema", save_schema)
    out.finish("info")


# --- split --------------------------------------------------------------------------------------


@app.command()
@guarded
def split(
    data: Data,
    train: Annotated[
        Path, typer.Option("--train", metavar=FILE, help="Write the rows to learn from here.")
    ],
    holdout: Annotated[
        Path, typer.Option("--holdout", metavar=FILE, help="Write the rows to judge with here.")
    ],
    share: Annotated[
        float, typer.Option("--share", metavar="SHARE", help="Of the rows, for --train.")
    ] = 0.7,
    stratify: Annotated[
        str | None,
        typer.Option("--stratify", metavar=COLUMN, help="A column whose levels keep their shares."),
    ] = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Split rows at random, to learn from and to judge with."""
    from tabseed.table.files import check_outputs, write_table

    check_outputs([train, holdout], [], [data], force)
    table = Source(data, None, kind, sql, encoding).read()
    parts = _split(table, share, seed, stratify)
    out = Output(as_json, {"rows": len(table)})
    for name, part, path in zip(("train", "holdout"), parts, (train, holdout), strict=True):
        write_table(part.to_arrow(), path, force=force)
        out.result[name] = {"path": str(path), "rows": len(part)}
        out.say(name, f"{path}: {len(part)} rows")
    out.finish("split")


def _split(
    table: Table, share: float, seed: int, stratify: str | None = None
) -> tuple[Table, Table]:
    first, second = table.split(share, stratify=stratify, random_state=_stream(seed, SPLIT))
    if not len(first) or not len(second):
        raise TooFewRowsError(
            f"{len(table)} rows cannot be split {share:g} to {1 - share:g}: one part would be empty"
        )
    return first, second


# --- synth and sample ---------------------------------------------------------------------------


@app.command()
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
    judging = _Judging(report, holdout, holdout_share)
    table = Source(data, schema, kind, sql, encoding).read()
    options = {"device": None if device == "auto" else device, "paper": paper or None}
    maker = make_generator(generator, options, bias, seed)  # last, for it may import PyTorch
    if not len(table.schema.modelled):
        raise SchemaError(f"{data}: every column is an id or free text; set kinds with --kind")
    if target is not None:
        table.schema[target]  # an unknown name raises, with the nearest one
    out = Output(as_json, {"bias": bias})
    out.say("read", f"{data}: {len(table)} rows, {len(table.schema)} columns")
    _say_left_out(out, _left_out(table.schema))
    learned, held = judging.set_aside(out, table, rows or len(table), encoding, seed)
    learn(out, maker, learned, target, resume)
    drawn = draw(out, maker, rows or len(table), _stream(seed, SYNTH))
    _write(out, drawn, output, force, for_spreadsheet)
    if model is not None:
        with atomic_write(model, force=force) as part:
            maker.save(part)
        out.result["model"] = str(model)
        out.say("model", f"{model}: {model.stat().st_size:,} bytes")
    if report is not None and held is not None:
        found = _judge(out, (learned, drawn, held), target, seed)
        _write_report(out, found, report, force)
    out.finish("synth")


@dataclass(frozen=True)
class _Judging:
    """Where the rows that judge come from; refuses before learning what would fail after it."""

    report: Path | None
    holdout: Path | None
    share: float | None

    def __post_init__(self) -> None:
        for value, name in ((self.holdout, "--holdout"), (self.share, "--holdout-share")):
            if value is not None and self.report is None:
                raise TabseedError(f"{name} is for --report; name a report, or leave it out")
        if self.holdout is not None and self.share is not None:
            raise TabseedError("--holdout-share goes without --holdout: the rows come from there")
        if self.share is not None and not 0 < self.share < 1:
            raise TabseedError(f"--holdout-share {self.share:g}: must lie between 0 and 1")

    def set_aside(
        self, out: Output, table: Table, rows: int, encoding: str, seed: int
    ) -> tuple[Table, Table | None]:
        """Give the rows to learn from and, if there will be a report, those to judge with."""
        if self.report is None:
            return table, None
        if self.holdout is not None:
            from tabseed.metrics import check_leakage

            learned, held = table, read_like(self.holdout, table, "holdout", encoding)
            check_leakage(learned.select(held.schema), held)
        else:
            learned, held = _split(table, 1 - (self.share or HOLDOUT_SHARE), seed)
            out.say("set aside", f"{len(held)} rows to judge with, before learning")
        _check_enough((len(learned), rows, len(held)))
        return learned, held


def _check_enough(sizes: tuple[int, int, int]) -> None:
    """Refuse before learning what judging would refuse after it."""
    from tabseed.evaluation.evaluation import MIN_ROWS

    for n, name in zip(
        sizes, ("rows to learn from", "synthetic rows", "holdout rows"), strict=True
    ):
        if n < MIN_ROWS:
            raise TooFewRowsError(
                f"{n} {name} are too few for --report, which needs {MIN_ROWS}; "
                "leave the report out or give more rows"
            )


def _write(out: Output, table: Table, path: Path, force: bool, for_spreadsheet: bool) -> None:
    from tabseed.table.files import write_table

    write_table(table.to_arrow(), path, force=force, for_spreadsheet=for_spreadsheet)
    out.result["output"] = str(path)
    out.say("table", path)


@app.command()
@guarded
def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Saved by synth --model.")],
    output: Out,
    rows: Annotated[int, typer.Option("--rows", min=1, metavar=N, help="How many.")],
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    as_json: AsJson = False,
) -> None:
    """Draw rows from a saved model."""
    from tabseed.saved import load
    from tabseed.table.files import check_outputs, check_spreadsheet

    check_outputs([output], [], [model], force)
    check_spreadsheet(output, for_spreadsheet)
    out = Output(as_json, {"model": str(model)})
    maker = load(model)
    try:
        drawn = draw(out, maker, rows, _stream(seed, SAMPLE))
    except TabseedError:
        raise
    except Exception as error:  # what was saved draws; what does not was changed since
        raise FileError(f"{model}: not a sound model file: {error}") from error
    _write(out, drawn, output, force, for_spreadsheet)
    out.finish("sample")


# --- evaluate -----------------------------------------------------------------------------------


@app.command()
@guarded
def evaluate(
    train: Annotated[
        Path, typer.Argument(metavar="TRAIN", help="The rows that the generator learned from.")
    ],
    synthetic: Annotated[Path, typer.Argument(metavar="SYNTHETIC", help="The synthetic rows.")],
    holdout: Annotated[
        Path,
        typer.Option("--holdout", metavar=FILE, help="Real rows that trained nothing, to judge."),
    ],
    target: Target = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    encoding: Encoding = "utf-8",
    report: Report = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say how far synthetic rows are from real ones."""
    from tabseed.table.files import check_outputs

    check_outputs([], [report], [train, synthetic, holdout, schema], force)
    real = Source(train, schema, kind, None, encoding).read()
    fake = read_like(synthetic, real, "synthetic", encoding)
    held = read_like(holdout, real, "holdout", encoding)
    out = Output(as_json)
    found = _judge(out, (real, fake, held), target, seed)
    _say_left_out(out, found.left_out)
    if report is not None:
        _write_report(out, found, report, force)
    out.finish("evaluate")


def _judge(
    out: Output, tables: tuple[Table, Table, Table], target: str | None, seed: int
) -> Evaluation:
    from tabseed.evaluation.drawing import measures
    from tabseed.evaluation.evaluation import evaluate as judge

    with progress_bar() as progress:
        found = judge(*tables, target=target, random_state=seed, progress=progress)
    out.result["evaluation"] = found.to_dict()
    out.say("verdict", found.verdict)
    for note in found.notes:
        out.say("note", note)
    out.rows(
        ("measure", "synthetic", "95 % interval", "real rows get", "95 % interval", "unit"),
        [[m.name, *_shown(m.found), *_shown(m.reference), m.found.unit] for m in measures(found)],
    )
    return found


def _shown(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}"


def _write_report(out: Output, found: Evaluation, path: Path, force: bool) -> None:
    found.to_html(path, force=force)
    out.result["report"] = str(path)
    out.say("report", path)


app.command()(hardness)
app.command()(augment)
app.command()(tune)
app.command()(utility)


def main() -> None:
    """Run the command line."""
    # an end by the system's wish cleans up like one by the user's
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w"))
        getattr(sys, name).reconfigure(errors="backslashreplace")
    sys.exit(run(app, sys.argv[1:]))
