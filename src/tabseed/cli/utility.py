"""The command ``tabseed utility``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.options import (
    FILE,
    AsJson,
    Decimal,
    Encoding,
    Force,
    Kinds,
    N,
    Predicted,
    SchemaFile,
    Seed,
    Source,
    Thousands,
    Train,
    read_like,
)
from tabseed.cli.progress import progress_bar
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import FileError, SchemaError, printable
from tabseed.estimates.words import number, span

if TYPE_CHECKING:
    from tabseed.estimates.estimate import Estimate
    from tabseed.table import Table
    from tabseed.utility.measure import Measuring
    from tabseed.utility.report import UtilityReport

WIDTH = 88  # of a line of text, beside its label
ROUNDING = 1e-12  # a smaller term is 0


@guarded
def utility(
    train: Train,
    synthetic: Annotated[
        list[Path],
        typer.Argument(
            metavar="SYNTHETIC",
            help="The synthetic rows; give several files if they are draws of generators trained "
            "independently.",
        ),
    ],
    holdout: Annotated[
        Path,
        typer.Option("--holdout", metavar=FILE, help="Real rows not used in training, to judge."),
    ],
    target: Predicted,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME", help="Compare only these, such as boosting; repeatable."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, metavar=N, help="How often to train each model.")
    ] = 2,
    report: Annotated[
        Path | None, typer.Option("--report", metavar=FILE, help="Write an HTML page.")
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say if models trained on synthetic rows are as good."""
    from tabseed.table.files import check_outputs
    from tabseed.utility.report import assess_utility

    check_outputs([], [report], [train, *synthetic, holdout, schema], force)
    real = Source(train, schema, kind, None, encoding, decimal, thousands).read()
    names = [f"synthetic ({path})" for path in synthetic]
    fake = [
        read_like(path, real, name, encoding) for path, name in zip(synthetic, names, strict=True)
    ]
    held_out = read_like(holdout, real, f"holdout ({holdout})", encoding)
    _check_rows(real, fake, held_out, target, [str(train), *names, f"holdout ({holdout})"])
    settings = _measuring(model, seeds, real, target)
    out = Output(as_json, {"target": target})
    with progress_bar("training models") as progress:
        answer = assess_utility(
            real,
            fake,
            held_out,
            target,
            replace(settings, progress=progress),
            stream_for(Use.UTILITY, seed),
        )
    out.result["utility"] = answer.to_dict()
    _say(out, answer)
    if report is not None:
        out.report(answer, report, force)
    out.finish("utility")


def _check_rows(
    real: Table, fake: Sequence[Table], held_out: Table, target: str, names: Sequence[str]
) -> None:
    """Raise for unusable rows, with the name of their file, before any model is trained."""
    from tabseed.metrics.problem import Problem

    real.schema[target]  # raises for an unknown name, and suggests a similar one
    try:
        problem = Problem.of(real, target)
    except SchemaError as error:
        raise SchemaError(f"{names[0]}: {error}") from error
    for table, name in zip(fake, names[1:-1], strict=True):
        problem.rows(table, name, to_train=True)
    problem.rows(held_out, names[-1])


def _measuring(names: list[str] | None, seeds: int, real: Table, target: str) -> Measuring:
    """Return settings with the models of these names, or all; FileError for an unknown name."""
    from tabseed.coding.labels import task_of
    from tabseed.metrics.models import zoo
    from tabseed.utility.measure import Measuring

    if not names:
        return Measuring(seeds=seeds, n_jobs=-1)
    known = zoo(task_of(real.schema, target), len(real))
    for name in names:
        if name not in known:
            raise FileError(f"--model {name!r} is not one of {', '.join(known)}")
    if len(set(names)) < 2:
        raise FileError("--model: a ranking needs 2 models or more")
    return Measuring(models={name: known[name] for name in names}, seeds=seeds, n_jobs=-1)


def _say(out: Output, answer: UtilityReport) -> None:
    """Print the verdict, then the figures behind it."""
    for i, sentence in enumerate(answer.sentences):
        _wrapped(out, "" if i else "verdict", sentence)
    for note in answer.notes:
        _wrapped(out, "note", note)
    rows = f"{answer.n_train} training, {sum(answer.n_synthetic)} synthetic, {answer.n_holdout}"
    out.say("read", f"{rows} held-out")
    _say_scores(out, answer)
    _say_terms(out, answer)
    _say_rankings(out, answer)
    fidelity = answer.fidelity
    pooled = fidelity.pooled
    _wrapped(
        out,
        "features",
        f"chi-square to the pooled rows {number(pooled.value)} ({span(pooled.low, pooled.high)}; "
        f"0 alike, at most 1); synthetic rows reweighted to the real law are worth "
        f"{fidelity.ess_fraction:.0%} of their number",
    )
    if answer.several is not None:
        gains = [gain.value for gain in answer.several.gain(float("inf"))]
        change = number(-sum(gains) / len(gains), "+.3g")
        _wrapped(
            out,
            "several",
            "averaging the predictions of models from very many such tables would change the "
            f"{answer.several.loss} by {change} (mean over models, a forecast)",
        )


def _say_scores(out: Output, answer: UtilityReport) -> None:
    _wrapped(
        out,
        "models",
        f"{answer.unit} on held-out rows, by the rows that trained the models: real rows, "
        "synthetic rows, as many synthetic rows as real ones, real rows repeated to the number of "
        "the synthetic ones; cost: real against synthetic",
    )
    out.answer(answer)


def _say_terms(out: Output, answer: UtilityReport) -> None:
    unit = answer.gaps[0].signed.unit
    _wrapped(out, "terms", f"where the gap in {unit} comes from; * 0 is outside the interval")
    out.rows(
        ("model", "gap", "response", "feature", "estimation"),
        [
            [term.model, *(_starred(e) for e in (term.direct, *term.terms.values()))]
            for term in answer.all_terms
        ],
    )


def _say_rankings(out: Output, answer: UtilityReport) -> None:
    from tabseed.utility.report import RANKINGS

    _wrapped(
        out,
        "rankings",
        "against models trained and judged on real rows: pairs of models told apart in both "
        "rankings, those of them in the same order, and how many chance alone would tell apart",
    )
    out.rows(
        ("models", "told apart", "alike", "by chance", "tau", "95 % interval"),
        [
            [
                RANKINGS[cell],
                str(agreement.decided),
                str(agreement.consistent),
                f"{agreement.by_chance:.1f}",
                number(agreement.tau.value, ".2f"),
                span(agreement.tau.low, agreement.tau.high, ".2f"),
            ]
            for cell, agreement in answer.ranking.agreements.items()
        ],
    )


def _wrapped(out: Output, label: str, text: str) -> None:
    """Print a long text in lines that fit a terminal."""
    lines = wrap(printable(text), WIDTH, break_long_words=False, break_on_hyphens=False)
    for line in lines:
        out.say(label, line)
        label = ""


def _starred(estimate: Estimate) -> str:
    value = 0.0 if abs(estimate.value) < ROUNDING else estimate.value
    return f"{number(value, '+.3g')}{'' if estimate.low <= 0 <= estimate.high else '*'}"
