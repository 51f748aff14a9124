"""The command ``tabseed tune``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.augment import HARDEST
from tabseed.cli.console import Output, emit, guarded
from tabseed.cli.learning import make_generator
from tabseed.cli.options import (
    FILE,
    AsJson,
    Data,
    Decimal,
    Encoding,
    Force,
    Kinds,
    N,
    SchemaFile,
    Seed,
    Source,
    Sql,
    Target,
    Thousands,
    check_classes,
)
from tabseed.cli.progress import progress_bar
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import FileError, SchemaError, TabseedError, printable
from tabseed.generators import GENERATORS
from tabseed.hardness import SCORERS

if TYPE_CHECKING:
    from tabseed.table import Table
    from tabseed.tune import Verdict
    from tabseed.tune.aims import Aim, Prepared
    from tabseed.tune.outcome import Outcome

PURPOSES = ("augment", "synth")
FAMILIES = ("trees", "arf", "copula", "smote")  # by default: those that need no PyTorch
TRIALS = 20  # if neither trials nor minutes are given


@guarded
def tune(
    data: Data,
    study: Annotated[
        str,
        typer.Option(
            "--study",
            metavar=FILE,
            help="SQLite file for the trials; the same command continues, several may at once.",
        ),
    ],
    target: Target = None,
    purpose: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="PURPOSE",
            help="augment: gain of a model from rows like the hardest; synth: likeness of rows.",
        ),
    ] = "augment",
    generator: Annotated[
        list[str] | None,
        typer.Option(
            "--generator",
            metavar="NAME",
            help=f"One of {', '.join(GENERATORS)}; may be repeated. The choice is compared with "
            f"the first. If not given: {', '.join(FAMILIES)}.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            min=1,
            metavar=N,
            help=f"Trials of the study in all ({TRIALS} without --minutes).",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", metavar="X", help="Begin no trial after so many minutes."),
    ] = None,
    draws: Annotated[
        int,
        typer.Option(
            "--draws", min=1, metavar=N, help="Draws in each trial, whose mean is its value."
        ),
    ] = 3,
    jobs: Annotated[
        int,
        typer.Option("--jobs", min=1, metavar=N, help="Trials at once; only 1 is reproducible."),
    ] = 1,
    hardest: Annotated[
        float | None,
        typer.Option(
            "--hardest",
            metavar="SHARE",
            help=f"Share of the rows to learn from; for augment ({HARDEST}).",
        ),
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Keep the hardest share of each class.")
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help=f"How to score hardness, for augment (knn-shapley): {', '.join(SCORERS)}.",
        ),
    ] = None,
    test_share: Annotated[
        float,
        typer.Option(
            "--test-share",
            metavar="SHARE",
            help="Share of the rows set aside to compare the choice with the default; 0: no test.",
        ),
    ] = 0.2,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar=FILE, help="Write an HTML page with every trial."),
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Choose a generator and its settings by trials."""
    from tabseed._random import child
    from tabseed.coding.labels import target_note
    from tabseed.table.files import check_outputs, check_writable
    from tabseed.tune import Tuner, TuningReport
    from tabseed.tune.aims import SEARCH, fingerprint
    from tabseed.tune.outcome import Outcome

    file = None if "://" in study else Path(study)
    check_outputs([], [report], [data, schema, file], force)
    if file is not None:
        check_writable(file, force=True)
    _check_budget(minutes, test_share)
    generators = _generators(generator or list(FAMILIES))
    fixed = {"--for": purpose, "--target": target, "--test-share": test_share, "--draws": draws}
    fixed |= _hard_rows(purpose, target, (hardest, method, per_class))
    table = Source(data, schema, kind, sql, encoding, decimal, thousands).read()
    stream = stream_for(Use.TUNE, seed)
    tuner = Tuner(generators, storage=study, random_state=child(stream, SEARCH))
    out = Output(as_json, {"for": purpose, "target": target, "study": study})
    out.say_read(data, table)
    about = {"table": fingerprint(table), **fixed}
    if file is None or file.exists():  # refuse another study before any work
        out.say("study", f"{study}: trials already there: {len(tuner.begin(about).trials)}")
    aim = _aim(table, fixed)
    prepared = aim.prepare(generators, stream)
    out.say("rows", f"{prepared.n_train} to learn from, {prepared.n_test} set aside")
    budget = TRIALS if trials is None and minutes is None else trials
    with _resumable(study), progress_bar("trying settings") as progress:
        finished = tuner.run(
            prepared.objective,
            trials=budget,
            minutes=minutes,
            n_jobs=jobs,
            about=about,
            progress=progress,
        )
    outcome = Outcome(finished, generators, aim)
    _say_chosen(out, outcome)
    test = _tested(out, outcome, prepared)
    settings = {"data": str(data), "seed": str(seed), **{k: str(v) for k, v in about.items()}}
    read_as = () if target is None else target_note(table.schema, target)
    answer = TuningReport(finished, aim.sentence, aim.unit, outcome.python, test, settings, read_as)
    for line in read_as:
        out.say("note", line)
    out.result |= {"verdict": answer.verdict, "notes": list(answer.notes)}
    if report is not None:
        out.report(answer, report, force)
    out.finish("tune")


def _check_budget(minutes: float | None, test_share: float) -> None:
    if minutes is not None and not minutes > 0:
        raise TabseedError(f"--minutes {minutes:g}: must be more than 0")
    if not 0 <= test_share < 1:
        raise TabseedError(f"--test-share {test_share:g}: must be at least 0 and less than 1")


def _generators(names: list[str]) -> dict[str, Any]:
    if len(set(names)) < len(names):
        raise FileError(f"--generator: {', '.join(names)}: name each one once")
    return {name: make_generator(name, {}, "none", 0) for name in names}


def _hard_rows(
    purpose: str, target: str | None, options: tuple[float | None, str | None, bool]
) -> dict[str, Any]:
    """Return the options that only --for augment has; refuse options that do not fit together."""
    hardest, method, per_class = options
    if purpose not in PURPOSES:
        raise TabseedError(f"--for {purpose!r}: there are {', '.join(PURPOSES)}")
    if purpose == "augment":
        if target is None:
            raise TabseedError("--for augment needs --target, the column that the model predicts")
        return {
            "--hardest": HARDEST if hardest is None else hardest,
            "--method": method or "knn-shapley",
            "--per-class": per_class,
        }
    values = {"--hardest": hardest, "--method": method, "--per-class": per_class or None}
    for name, value in values.items():
        if value is not None:
            raise TabseedError(f"{name} belongs to --for augment; leave it out")
    return {}


def _aim(table: Table, fixed: dict[str, Any]) -> Aim:
    """Return the aim that the options describe."""
    from tabseed.tune.aims import Gain, Likeness

    common = table, fixed["--target"], fixed["--test-share"], fixed["--draws"]
    if fixed["--for"] == "augment":
        if fixed["--per-class"]:
            check_classes(table, fixed["--target"], "--per-class")
        return Gain(*common, fixed["--hardest"], fixed["--method"], fixed["--per-class"])
    if not len(table.schema.modelled):
        raise SchemaError("every column is an id or free text; set kinds with --kind")
    return Likeness(*common)


@contextmanager
def _resumable(study: str) -> Iterator[None]:
    """Say, if trials are interrupted, that the study keeps those that are finished."""
    try:
        yield
    except KeyboardInterrupt:
        emit(printable(f"{study} keeps the trials; the same command continues"), sys.stderr)
        raise


def _say_chosen(out: Output, outcome: Outcome) -> None:
    """Print the best trial of each family and the choice; keep all trials for JSON."""
    python = outcome.python  # raises if no trial has a value
    study = outcome.study.to_dict()
    out.result["trials"] = study["trials"]
    out.result["chosen"] = {**study["chosen"], "python": python}
    out.rows(("generator", "trials", "best value", "settings"), outcome.families())
    out.say("chosen", outcome.study.verdict.removeprefix("Chosen: "))
    out.say("", python)


def _tested(out: Output, outcome: Outcome, prepared: Prepared) -> Verdict | None:
    """Compare the choice with the default on the rows set aside, and print the verdict."""
    if prepared.compare is None:
        out.say("test", "none: with --test-share 0 nothing shows how good the choice is")
        return None
    contenders = outcome.contenders()
    if len(contenders) == 1:
        out.say("note", f"{outcome.default} with its own settings was chosen")
    verdict = prepared.compare(contenders)
    out.result["test"] = verdict.to_dict()
    out.say("test", verdict.verdict)
    return verdict
