"""The command ``tabseed utility``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabseed._console import Output, guarded, progress_bar
from tabseed._hardness import Predicted
from tabseed._options import (
    FILE,
    AsJson,
    Encoding,
    Force,
    Kinds,
    N,
    SchemaFile,
    Seed,
    Source,
    read_like,
)
from tabseed.errors import FileError

if TYPE_CHECKING:
    from tabseed.metrics.base import Estimate
    from tabseed.table import Table
    from tabseed.utility.assess import UtilityReport
    from tabseed.utility.measure import Measuring

STREAM = 1007  # below the user's seed, beside those of the other commands


@guarded
def utility(
    train: Annotated[
        Path, typer.Argument(metavar="TRAIN", help="The rows that the generator learned from.")
    ],
    synthetic: Annotated[
        list[Path],
        typer.Argument(
            metavar="SYNTHETIC...",
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
    from tabseed._random import child, seed_sequence
    from tabseed.io import check_outputs, write_text
    from tabseed.utility.assess import assess_utility

    check_outputs([], [report], [train, *synthetic, holdout, schema], force)
    real = Source(train, schema, kind, None, encoding).read()
    drawn = [read_like(path, real, f"synthetic ({path})", encoding) for path in synthetic]
    held = read_like(holdout, real, "holdout", encoding)
    how = _measuring(model, seeds, real, target)
    out = Output(as_json, {"target": target})
    out.say("read", f"{len(real)} training, {sum(map(len, drawn))} synthetic, {len(held)} held-out")
    with progress_bar() as progress:
        found = assess_utility(
            real,
            drawn,
            held,
            target,
            replace(how, progress=progress),
            child(seed_sequence(seed), STREAM),
        )
    out.result["utility"] = found.to_dict()
    _say(out, found)
    if report is not None:
        from tabseed.report.utility import utility_page

        write_text(
            utility_page(found, {"seed": str(seed), "seeds": str(seeds)}), report, force=force
        )
        out.result["report"] = str(report)
        out.say("report", report)
    out.finish("utility")


def _measuring(names: list[str] | None, seeds: int, real: Table, target: str) -> Measuring:
    """Take the models named, all if none is; an unknown name is refused."""
    from tabseed.supervised import task_of
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


def _say(out: Output, found: UtilityReport) -> None:
    """Print the verdict, then what it is made of."""
    from tabseed.utility.measure import SOURCES, SYNTHETIC

    out.say("verdict", found.verdict)
    for warning in found.warnings:
        out.say("note", warning)
    first = found.gaps[0]
    unit = first.signed.unit if first.scores is None else found.score
    out.say(
        "", f"{unit} by what the models trained on; the cost is of the second against the first"
    )
    out.rows(
        ("model", *SOURCES, "cost", "95 % interval"),
        [
            [
                gap.model,
                *(f"{(gap.scores or gap.risks)[source].value:.4g}" for source in SOURCES),
                *_shown(gap.score_costs[SYNTHETIC] if gap.score_costs else gap.signed),
            ]
            for gap in found.gaps
        ],
    )
    out.say("", f"terms of the gap in {first.signed.unit}; * told from 0")
    out.rows(
        ("model", "gap", "response", "feature", "estimation"),
        [
            [term.model, *(_starred(e) for e in (term.direct, *term.terms.values()))]
            for term in (*found.terms, found.mean_term)
        ],
    )
    for cell, agreement in found.ranking.agreements.items():
        tau = agreement.tau
        out.say("", f"{cell}: {agreement}; tau {tau.value:.2f} ({tau.low:.2f} to {tau.high:.2f})")
    fidelity = found.fidelity
    pooled = fidelity.pooled
    out.say(
        "features",
        f"chi-square to the pooled rows {pooled.value:.3f} ({pooled.low:.3f} to {pooled.high:.3f}; "
        f"0 alike, at most 1); reweighted, rows are worth {fidelity.ess_fraction:.0%} of real ones",
    )
    if found.several is not None:
        gains = [gain.value for gain in found.several.gain(float("inf"))]
        out.say(
            "several",
            f"averaging over many such tables would lower the {found.several.loss} by "
            f"{sum(gains) / len(gains):.4g} in the mean of the models",
        )


def _shown(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:+.4g}", f"{estimate.low:+.4g} to {estimate.high:+.4g}"


def _starred(estimate: Estimate) -> str:
    return f"{estimate.value:+.3g}{'' if estimate.low <= 0 <= estimate.high else '*'}"
