"""The command ``tabseed``. What takes long to import is imported by the command that needs it.

Results go to standard output (with ``--json``: one JSON document and nothing else), progress and
errors to standard error. Exit code 0, or 2 with one line on what, where and what to do.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed._console import Output, guarded, progress_bar
from tabseed.errors import FileError, SchemaError, TooFewRowsError

if TYPE_CHECKING:
    import numpy as np

    from tabseed.evaluate import Evaluation
    from tabseed.metrics import Estimate
    from tabseed.schema import Column, Schema
    from tabseed.table import Table

# Plain help and plain errors: they read the same on a terminal, in a pipe and in a log.
app = typer.Typer(
    name="tabseed",
    help="Synthetic tables from small real ones, and an honest answer to whether they are good.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[Path, typer.Argument(help="CSV, TSV, Parquet, Arrow or DuckDB file.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides everything that is random.")]
Sql = Annotated[
    str | None,
    typer.Option("--sql", help="Query of a DuckDB file, or of any other table as 'data'."),
]
Encoding = Annotated[str, typer.Option("--encoding", help="Of text files.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="COLUMN=KIND", help="Set a column's kind; may be repeated."),
]
SchemaFile = Annotated[
    Path | None, typer.Option("--schema", help="Kinds of the columns, as info --save-schema wrote.")
]
Target = Annotated[str | None, typer.Option("--target", help="The column to be predicted.")]
Report = Annotated[Path | None, typer.Option("--report", help="Write an HTML page here.")]
Spreadsheet = Annotated[
    bool,
    typer.Option("--for-spreadsheet", help="Defuse text that a spreadsheet would run (CSV only)."),
]

# Below the user's seed each use has a stream of its own, far from those that generators take.
SPLIT, SYNTH, SAMPLE = 1001, 1002, 1003


# --- around every command -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """Where a table lies and what the user says of its columns."""

    path: Path
    schema: Path | None = None
    kinds: Sequence[str] | None = None
    sql: str | None = None
    encoding: str = "utf-8"

    def read(self) -> Table:
        from tabseed.io import read_schema, read_table, text_columns
        from tabseed.table import Table

        schema = read_schema(self.schema) if self.schema else None
        kinds = dict(map(_parse_kind, self.kinds or ()))
        as_text = text_columns(schema or ()) | {
            n for n, k in kinds.items() if k.startswith("datetime:")
        }
        frame = read_table(self.path, sql=self.sql, encoding=self.encoding, text_columns=as_text)
        return Table.from_frame(frame, schema=schema, kinds=kinds)


def _parse_kind(text: str) -> tuple[str, str]:
    name, equals, kind = text.rpartition("=")
    if not equals or not name:
        raise SchemaError(f"--kind {text!r}: write it as COLUMN=KIND, as in zip=categorical")
    return name, kind


def _read_like(path: Path, table: Table, what: str, encoding: str = "utf-8") -> Table:
    """Read a further file of the columns of ``table``."""
    from tabseed.io import read_table, text_columns
    from tabseed.metrics.base import conform

    frame = read_table(path, encoding=encoding, text_columns=text_columns(table.schema))
    return conform(frame, table.schema.modelled, what)


def _stream(seed: int, use: int) -> np.random.SeedSequence:
    from tabseed._random import child, seed_sequence

    return child(seed_sequence(seed), use)


def _left_out(schema: Schema) -> dict[str, str]:
    return {column.name: column.reason for column in schema.left_out}


def _say_left_out(out: Output, left_out: dict[str, str]) -> None:
    out.result["left_out"] = left_out
    for name, reason in left_out.items():
        out.say("left out", f"column {name!r}: {reason.removesuffix(': left out')}")


# --- info ---------------------------------------------------------------------------------------


@app.command()
@guarded
def info(
    data: Data,
    kind: Kinds = None,
    schema: SchemaFile = None,
    save_schema: Annotated[
        Path | None, typer.Option("--save-schema", help="Write the kinds as JSON (SDV reads it).")
    ] = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    seed: Annotated[int, typer.Option("--seed", hidden=True)] = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Show what kind each column is, and why."""
    del seed  # taken like everywhere, but nothing here is random
    from tabseed.io import check_outputs, write_schema

    if save_schema is not None:
        check_outputs([], [save_schema], [data, schema], force)
    table = _Source(data, schema, kind, sql, encoding).read()
    columns = [_describe(table, column) for column in table.schema]
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


def _describe(table: Table, column: Column) -> dict[str, Any]:
    import pyarrow.compute as pc

    values = table.to_arrow()[column.name]
    return {
        "name": column.name,
        "kind": column.kind,
        "missing": values.null_count,
        "distinct": len(pc.unique(values.drop_null())),
        "values": _shown_values(table, column),
        "reason": column.reason,
    }


def _shown_values(table: Table, column: Column, most: int = 3) -> str:
    """Show a range or the commonest levels; never a value of an id or free text."""
    import numpy as np

    from tabseed.schema import LEFT_OUT, NUMERIC

    if column.kind in LEFT_OUT:
        return "not shown"
    if column.kind in NUMERIC:
        numbers = table.numbers(column.name)
        if np.isnan(numbers).all():
            return ""
        ends: list[Any] = [np.nanmin(numbers), np.nanmax(numbers)]
        if column.kind == "datetime":
            ends = [np.datetime64(int(end), "us").astype("datetime64[s]") for end in ends]
            return " to ".join(str(end).removesuffix("T00:00:00") for end in ends)
        return " to ".join(f"{end:.6g}" for end in ends)
    codes = table.codes(column.name)
    counts = np.bincount(codes[codes >= 0], minlength=len(column.categories))
    common = np.argsort(-counts, kind="stable")[:most]
    shown = ", ".join(str(column.categories[at])[:30] for at in common)
    return shown + (", ..." if len(column.categories) > most else "")


# --- split --------------------------------------------------------------------------------------


@app.command()
@guarded
def split(
    data: Data,
    train: Annotated[Path, typer.Option("--train", help="Write the rows to learn from here.")],
    holdout: Annotated[Path, typer.Option("--holdout", help="Write the rows to judge with here.")],
    share: Annotated[float, typer.Option("--share", help="Of the rows, for --train.")] = 0.7,
    stratify: Annotated[
        str | None, typer.Option("--stratify", help="Column whose levels keep their shares.")
    ] = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Split rows at random: some to learn from, the others to judge with."""
    from tabseed.io import check_outputs, write_table

    check_outputs([train, holdout], [], [data], force)
    table = _Source(data, None, kind, sql, encoding).read()
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
    output: Annotated[Path, typer.Option("--output", "-o", help="Write synthetic rows here.")],
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="How many; as many as came in if not given.")
    ] = None,
    generator: Annotated[str, typer.Option("--generator", help="How to learn.")] = "vaebgm",
    target: Target = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Save the fitted generator here.")
    ] = None,
    report: Report = None,
    holdout: Annotated[
        Path | None, typer.Option("--holdout", help="Real rows to judge with, for --report.")
    ] = None,
    holdout_share: Annotated[
        float,
        typer.Option(
            "--holdout-share",
            help="Of the rows, set aside before learning if --report has no --holdout.",
        ),
    ] = 0.2,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    paper: Annotated[
        bool, typer.Option("--paper", help="The settings of the method's authors.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="Keep training's state here; go on from it.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    as_json: AsJson = False,
) -> None:
    """Learn a table and write synthetic rows."""
    from tabseed.io import atomic_write, check_outputs

    check_outputs([output], [model, report], [data, schema, holdout, resume], force)
    if holdout is not None and report is None:
        raise FileError("--holdout is for --report; name a report, or leave the holdout out")
    options = {"device": None if device == "auto" else device, "paper": paper or None}
    maker = _generator(generator, options, seed)
    table = _Source(data, schema, kind, sql, encoding).read()
    if not len(table.schema.modelled):
        raise SchemaError(f"{data}: every column is an id or free text; set kinds with --kind")
    if target is not None:
        table.schema[target]  # an unknown name raises, with the nearest one
    out = Output(as_json)
    out.say("read", f"{data}: {len(table)} rows, {len(table.schema)} columns")
    _say_left_out(out, _left_out(table.schema))
    learned, held = table, None
    if report is not None and holdout is not None:
        held = _read_like(holdout, table, "holdout", encoding)
    elif report is not None:
        learned, held = _split(table, 1 - holdout_share, seed)
        out.say("set aside", f"{len(held)} rows to judge with, before learning")
    if held is not None:
        _check_enough((len(learned), rows or len(table), len(held)))
    _fit(out, maker, learned, target, resume)
    drawn = _draw(out, maker, rows or len(table), _stream(seed, SYNTH))
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


def _check_enough(sizes: tuple[int, int, int]) -> None:
    """Refuse before learning what judging would refuse after it."""
    from tabseed.evaluate import MIN_ROWS

    for n, name in zip(
        sizes, ("rows to learn from", "synthetic rows", "holdout rows"), strict=True
    ):
        if n < MIN_ROWS:
            raise TooFewRowsError(
                f"{n} {name} are too few for --report, which needs {MIN_ROWS}; "
                "leave the report out or give more rows"
            )


def _generator(name: str, options: dict[str, Any], seed: int) -> Any:
    """Make the generator of this name; an option left at its default is not passed on."""
    from tabseed.generators import GENERATORS, generator_class

    if name not in GENERATORS:
        raise FileError(f"--generator {name!r}: there are {', '.join(sorted(GENERATORS))}")
    generator = generator_class(name)(random_state=seed)
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        if key not in generator.get_params():
            raise FileError(f"--{key}: {name} has no such option")
    return generator.set_params(**given)


def _fit(out: Output, maker: Any, table: Table, target: str | None, resume: Path | None) -> None:
    began = time.perf_counter()
    with progress_bar() as progress:
        maker.fit(table, target=target, progress=progress, checkpoint=resume)
    seconds = time.perf_counter() - began
    name, columns = type(maker).__name__, list(table.schema.modelled.names)
    learned = list(maker.summary_())
    out.result |= {
        "generator": name,
        "rows_learned": len(table),
        "columns": columns,
        "learned": learned,
        "seconds_to_learn": round(seconds, 3),
    }
    out.say("learned", f"{len(columns)} columns of {len(table)} rows, {name}, {seconds:.1f} s")
    for line in learned:
        out.say("", line)


def _draw(out: Output, maker: Any, n: int, stream: np.random.SeedSequence) -> Table:
    from tabseed.table import Table

    began = time.perf_counter()
    drawn = Table.from_frame(maker.sample(n, random_state=stream), schema=maker.schema_.modelled)
    out.result["rows"] = n
    out.say("drew", f"{n} rows, {time.perf_counter() - began:.1f} s")
    return drawn


def _write(out: Output, table: Table, path: Path, force: bool, for_spreadsheet: bool) -> None:
    from tabseed.io import write_table

    write_table(table.to_arrow(), path, force=force, for_spreadsheet=for_spreadsheet)
    out.result["output"] = str(path)
    out.say("table", path)


@app.command()
@guarded
def sample(
    model: Annotated[Path, typer.Argument(help="Saved by synth --model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write synthetic rows here.")],
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many.")],
    seed: Seed = 0,
    force: Force = False,
    for_spreadsheet: Spreadsheet = False,
    as_json: AsJson = False,
) -> None:
    """Draw rows from a saved model."""
    from tabseed.generators.base import load
    from tabseed.io import check_outputs

    check_outputs([output], [], [model], force)
    out = Output(as_json, {"model": str(model)})
    drawn = _draw(out, load(model), rows, _stream(seed, SAMPLE))
    _write(out, drawn, output, force, for_spreadsheet)
    out.finish("sample")


# --- evaluate -----------------------------------------------------------------------------------


@app.command()
@guarded
def evaluate(
    train: Annotated[Path, typer.Argument(help="The rows that the generator learned from.")],
    synthetic: Annotated[Path, typer.Argument(help="The synthetic rows.")],
    holdout: Annotated[
        Path, typer.Option("--holdout", help="Real rows that trained nothing, to judge with.")
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
    """Say, with uncertainty, how far synthetic rows are from real ones."""
    from tabseed.io import check_outputs

    check_outputs([], [report], [train, synthetic, holdout, schema], force)
    real = _Source(train, schema, kind, None, encoding).read()
    fake = _read_like(synthetic, real, "synthetic", encoding)
    held = _read_like(holdout, real, "holdout", encoding)
    out = Output(as_json)
    found = _judge(out, (real, fake, held), target, seed)
    if report is not None:
        _write_report(out, found, report, force)
    out.finish("evaluate")


def _judge(
    out: Output, tables: tuple[Table, Table, Table], target: str | None, seed: int
) -> Evaluation:
    from tabseed.evaluate import evaluate as judge
    from tabseed.report import measures

    with progress_bar() as progress:
        found = judge(*tables, target=target, random_state=seed, progress=progress)
    out.result["evaluation"] = found.to_dict()
    out.say("verdict", found.verdict)
    _say_left_out(out, found.left_out)
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
    from tabseed.report import write_report

    write_report(found, path, force=force)
    out.result["report"] = str(path)
    out.say("report", path)


def main() -> None:
    """Run the command line."""
    # an end by the system's wish cleans up like one by the user's
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except BrokenPipeError:
        # the reader of our output left early, as head does; nothing is left to say to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
