"""The command ``tabseed utility``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed.cli.console import Output, guarded, progress_bar
from tabseed.cli.options import (
    FILE,
    AsJson,
    Encoding,
    Force,
    Kinds,
    N,
    Predicted,
    SchemaFile,
    Seed,
    Source,
    read_like,
)
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import FileError, SchemaError, printable

if TYPE_CHECKING:
    from tabseed.estimates.estimate import Estimate
    from tabseed.table import Table
    from tabseed.utility.measure import Measuring
    from tabseed.utility.report import UtilityReport

WIDTH = 88  # of a line of text, beside its label
ROUNDING = 1e-12  # a smaller term is 0


@guarded
def utility(
    train: Annotated[
        Path, typer.Argument(metavar="TRAIN", help="The rows that the generator learned from.")
    ],
    synthetic: Annotated[
        list[Path],
        typer.Argument(
            metavar="SYNTHETIC",
            help="The synthetic rows; several files are draws of generators trained independently.",
        ),
    ],
    holdout: Annotated[
        Path,
        typer.Option("--holdout", metavar=FILE, help="Real rows that trained nothing, to judge."),
    ],
    target: Predicted,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME", help="Compare these only, such as boosting; may be repeated."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, metavar=N, help="Times to train each model.")
    ] = 2,
    report: Annotated[
        Path | None, typer.Option("--report", metavar=FILE, help="Write an HTML page.")
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    encoding: Encoding = "utf-8",
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say if models trained on synthetic rows serve as well."""
    from tabseed.table.files import check_outputs, write_text
    from tabseed.utility.report import assess_utility

    check_outputs([], [report], [train, *synthetic, holdout, schema], force)
    real = Source(train, schema, kind, None, encoding).read()
    names = [f"synthetic ({path})" for path in synthetic]
    drawn = [
        read_like(path, real, name, encoding) for path, name in zip(synthetic, names, strict=True)
    ]
    held = read_like(holdout, real, f"holdout ({holdout})", encoding)
    _check_rows(real, drawn, held, target, [str(train), *names, f"holdout ({holdout})"])
    settings = _measuring(model, seeds, real, target)
    out = Output(as_json, {"target": target})
    with progress_bar() as progress:
        found = assess_utility(
            real,
            drawn,
            held,
            target,
            replace(settings, progress=progress),
            stream_for(Use.UTILITY, seed),
        )
    out.result["utility"] = found.to_dict()
    _say(out, found, real.schema[target].kind == "integer")
    if report is not None:
        from tabseed.utility.drawing import utility_page

        write_text(
            utility_page(found, {"seed": str(seed), "seeds": str(seeds)}), report, force=force
        )
        out.result["report"] = str(report)
        out.say("report", report)
    out.finish("utility")


def _check_rows(
    real: Table, drawn: Sequence[Table], held: Table, target: str, names: Sequence[str]
) -> None:
    """Refuse rows that cannot be used before any model is trained, and say of which file."""
    from tabseed.utility.problem import Problem

    real.schema[target]  # an unknown name raises, with the nearest one
    try:
        problem = Problem.of(real, target)
    except SchemaError as error:
        raise SchemaError(f"{names[0]}: {error}") from error
    for table, name in zip(drawn, names[1:-1], strict=True):
        problem.rows(table, name, to_train=True)
    problem.rows(held, names[-1])


def _measuring(names: list[str] | None, seeds: int, real: Table, target: str) -> Measuring:
    """Take the models named, all if none is; an unknown name is refused."""
    from tabseed.coding.labels import task_of
    from tabseed.utility.measure import Measuring
    from tabseed.utility.models import zoo

    if not names:
        return Measuring(seeds=seeds, n_jobs=-1)
    known = zoo(task_of(real.schema, target), len(real))
    for name in names:
        if name not in known:
            raise FileError(f"--model {name!r}: there are {', '.join(known)}")
    if len(set(names)) < 2:
        raise FileError("--model: a ranking needs 2 models or more")
    return Measuring(models={name: known[name] for name in names}, seeds=seeds, n_jobs=-1)


def _say(out: Output, found: UtilityReport, whole: bool) -> None:
    """Print the verdict, then what it is made of; ``whole``: the target is of whole numbers."""
    for place, sentence in enumerate(found.sentences):
        _wrapped(out, "" if place else "verdict", sentence)
    for warning in found.warnings:
        _wrapped(out, "note", warning)
    if whole:
        classes = f"{found.target} is a number; for classes, --kind {found.target}=categorical"
        _wrapped(out, "note", classes)
    rows = f"{found.n_train} training, {sum(found.n_synthetic)} synthetic, {found.n_holdout}"
    out.say("read", f"{rows} held-out")
    _say_scores(out, found)
    _say_terms(out, found)
    _say_rankings(out, found)
    fidelity = found.fidelity
    pooled = fidelity.pooled
    _wrapped(
        out,
        "features",
        f"chi-square to the pooled rows {pooled.value:.3f} ({pooled.low:.3f} to {pooled.high:.3f}; "
        f"0 alike, at most 1); synthetic rows reweighted to the real law are worth "
        f"{fidelity.ess_fraction:.0%} of their number",
    )
    if found.several is not None:
        gains = [gain.value for gain in found.several.gain(float("inf"))]
        _wrapped(
            out,
            "several",
            "averaging what models of very many such tables say would change the "
            f"{found.several.loss} by {-sum(gains) / len(gains):+.3g} (mean of models, a forecast)",
        )


def _say_scores(out: Output, found: UtilityReport) -> None:
    from tabseed.utility.measure import REAL, REPEATED, SAME_SIZE, SYNTHETIC

    first = found.gaps[0]
    unit = first.signed.unit if first.scores is None else found.score
    _wrapped(
        out,
        "models",
        f"{unit} on held-out rows, by what the models trained on: real rows, synthetic rows, as "
        "many synthetic rows as real ones, real rows repeated to the number of the synthetic "
        "ones; cost: real against synthetic",
    )
    out.rows(
        ("model", "real", "synthetic", "as many", "repeated", "cost", "95 % interval"),
        [
            [
                gap.model,
                *(
                    f"{(gap.scores or gap.risks)[source].value:.4g}"
                    for source in (REAL, SYNTHETIC, SAME_SIZE, REPEATED)
                ),
                *_shown(gap.score_costs[SYNTHETIC] if gap.score_costs else gap.signed),
            ]
            for gap in found.gaps
        ],
    )


def _say_terms(out: Output, found: UtilityReport) -> None:
    unit = found.gaps[0].signed.unit
    _wrapped(out, "terms", f"where the gap in {unit} comes from; * surely other than 0")
    out.rows(
        ("model", "gap", "response", "feature", "estimation"),
        [
            [term.model, *(_starred(e) for e in (term.direct, *term.terms.values()))]
            for term in (*found.terms, found.mean_term)
        ],
    )


def _say_rankings(out: Output, found: UtilityReport) -> None:
    from tabseed.utility.report import RANKINGS

    _wrapped(
        out,
        "rankings",
        "against models trained and judged on real rows: pairs of models told apart in both "
        "rankings, those that keep their order, and how many would be told apart by chance alone",
    )
    out.rows(
        ("models", "told apart", "alike", "by chance", "tau", "95 % interval"),
        [
            [
                RANKINGS[cell],
                str(agreement.decided),
                str(agreement.consistent),
                f"{agreement.by_chance:.1f}",
                _number(agreement.tau.value),
                f"{_number(agreement.tau.low)} to {_number(agreement.tau.high)}",
            ]
            for cell, agreement in found.ranking.agreements.items()
        ],
    )


def _wrapped(out: Output, label: str, text: str) -> None:
    """Print a long text in lines that a terminal shows whole."""
    lines = wrap(printable(text), WIDTH, break_long_words=False, break_on_hyphens=False)
    for line in lines:
        out.say(label, line)
        label = ""


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.2f}"


def _shown(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:+.4g}", f"{estimate.low:+.4g} to {estimate.high:+.4g}"


def _starred(estimate: Estimate) -> str:
    value = 0.0 if abs(estimate.value) < ROUNDING else estimate.value
    return f"{value:+.3g}{'' if estimate.low <= 0 <= estimate.high else '*'}"
