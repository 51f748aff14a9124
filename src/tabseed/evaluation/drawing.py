"""The page of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tabseed.evaluation.evaluation import Evaluation
from tabseed.metrics import Estimate
from tabseed.metrics.divergence import VIEWS
from tabseed.pages import environment
from tabseed.pages.intervals import WIDTH, _axis_end, axis

JUDGES = {"trees": "boosted trees", "mlp": "neural network"}


@dataclass(frozen=True)
class Measure:
    """One number of an evaluation: what synthetic rows get, and what real training rows get."""

    name: str
    meaning: str
    found: Estimate
    reference: Estimate


def measures(evaluation: Evaluation) -> list[Measure]:
    """Give the numbers to quote, the most telling first."""
    found, real = evaluation.divergence, evaluation.divergence_reference
    return [
        Measure(
            "Jensen-Shannon divergence, plain",
            "All columns together, all values as they are, exact grain included.",
            found.js,
            real.js,
        ),
        Measure(
            "Jensen-Shannon divergence, coarse",
            "All columns together, numbers seen by their twentieth only.",
            found.js_coarse,
            real.js_coarse,
        ),
        Measure(
            "Kullback-Leibler divergence, plain",
            "Of real from synthetic rows; unlike the others it has no upper end.",
            found.kl,
            real.kl,
        ),
        Measure(
            "Mean distance of single columns",
            "Each column for itself: Kolmogorov-Smirnov for numbers, total variation for others.",
            evaluation.marginal.mean,
            evaluation.marginal_reference.mean,
        ),
    ]


@dataclass(frozen=True)
class _Plot:
    """Where the two intervals of a measure lie on its axis, in the plot's units."""

    start: float
    end: float
    zero: float
    found: tuple[float, float, float]
    reference: tuple[float, float, float]


def _plot(measure: Measure) -> _Plot:
    both = (measure.found, measure.reference)
    start = min(0.0, *(e.low for e in both))
    highest = max(e.high for e in both)
    end = _axis_end(max(highest, -0.6 * start))  # 0 keeps clear of the end and its label

    at = axis(start, end)
    found, reference = ((at(e.low), at(e.value), at(e.high)) for e in both)
    return _Plot(start, end, at(0.0), found, reference)


def to_html(evaluation: Evaluation) -> str:
    """Give the page. The same evaluation gives the same text; wall-clock time is left out."""
    found = measures(evaluation)
    return (
        environment()
        .get_template("evaluation/page.html")
        .render(
            e=evaluation,
            measures=[(measure, _plot(measure)) for measure in found],
            judges=_judges(evaluation),
            columns=_columns(evaluation),
            bars_end=_bars_end(evaluation),
            views=VIEWS,
            width=WIDTH,
            settings=_settings(evaluation),
        )
    )


def _judges(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Give each discriminator's own numbers: the page quotes the larger, which hides the other."""
    estimates = evaluation.divergence.estimates
    references = evaluation.divergence_reference.estimates
    return [
        {
            "view": view,
            "judge": JUDGES[name],
            "js": found[name]["js"],
            "js_reference": references[view][name]["js"],
            "kl": found[name]["kl"],
        }
        for view, found in estimates.items()
        for name in JUDGES
    ]


def _bars_end(evaluation: Evaluation) -> float:
    pair = (evaluation.marginal, evaluation.marginal_reference)
    return _axis_end(max((max(m.columns.values(), default=0.0) for m in pair), default=0.0))


def _columns(evaluation: Evaluation) -> list[dict[str, Any]]:
    scale = 100 / _bars_end(evaluation)
    reference = evaluation.marginal_reference.columns
    ordered = sorted(evaluation.marginal.columns.items(), key=lambda item: (-item[1], item[0]))
    return [
        {
            "name": name,
            "found": value,
            "reference": reference[name],
            "bar": round(scale * value, 1),
            "mark": round(scale * reference[name], 1),
        }
        for name, value in ordered
    ]


def _settings(evaluation: Evaluation) -> dict[str, str]:
    kept = evaluation.settings
    shown = {"seed": kept["random_state"], "target": kept["target"]}
    given = {key: str(value) for key, value in shown.items() if value is not None}
    plan = evaluation.divergence.plan
    return {
        **given,
        "cross-fitting": f"{plan.folds} folds, {plan.repeats} repeats",
        "python": str(kept["python"]),
        **{name: str(text) for name, text in kept["versions"].items()},
    }
