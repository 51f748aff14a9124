"""The numbers on the page of an evaluation: intervals on axes, judges, attacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabseed.estimates.estimate import Estimate
from tabseed.evaluation.likeness_report import LikenessReport
from tabseed.metrics import DivergenceResult
from tabseed.metrics.divergence import VIEWS
from tabseed.pages import Row
from tabseed.pages.intervals import WIDTH, Line, Tick, axis, axis_end, on_one_axis, ticks
from tabseed.privacy.membership_result import MembershipResult
from tabseed.privacy.report import PrivacyReport
from tabseed.utility.report import UtilityReport

JUDGES = {"trees": "boosted trees", "mlp": "neural network"}
LISTED = 400  # numbers of likeness on the page; all are in the JSON document
GUESS = 0.5  # the AUC of guessing
SIDE = 240.0  # of the curve of an attack


@dataclass(frozen=True)
class Plot:
    """The positions of a measure's two intervals on its axis, in the plot's units."""

    zero: float
    ticks: tuple[Tick, ...]
    synthetic: tuple[float, float, float]
    real: tuple[float, float, float]


def of_page(
    rows: Sequence[Row],
    likeness: LikenessReport | None,
    usefulness: UtilityReport | None,
    privacy: PrivacyReport | None,
) -> dict[str, Any]:
    """Return what the template of the page needs, beside the pictures of rows."""
    found: dict[str, Any] = {
        "numbers": [(row, plot(row)) for row in rows if row["real_low"] is not None],
        "plot_width": WIDTH,
        "views": VIEWS,
        "listed": LISTED,
        "judges": [],
        "attacks": [],
        "roc": None,
        "useful": {},
    }
    if likeness is not None and likeness.divergence and likeness.divergence_reference:
        found["judges"] = judges(likeness.divergence, likeness.divergence_reference)
    if privacy is not None and privacy.membership is not None:
        found |= {"attacks": attacks(privacy.membership), "roc": Curve.of(privacy.membership)}
    if usefulness is not None:
        found["useful"] = usefulness.pictures()
    return found


def plot(row: Row) -> Plot:
    """Return the positions of both intervals, of synthetic and of real rows, in an answer's row."""
    start = min(0.0, row["low"], row["real_low"])
    highest = max(row["high"], row["real_high"])
    end = axis_end(max(highest, -0.6 * start))  # keep 0 clear of the end and its label
    at = axis(start, end)
    synthetic, real = (
        (at(row[low]), at(row[value]), at(row[high]))
        for low, value, high in (("low", "value", "high"), ("real_low", "real", "real_high"))
    )
    return Plot(at(0.0), ticks(start, end), synthetic, real)


def judges(result: DivergenceResult, reference: DivergenceResult) -> list[dict[str, Any]]:
    """Return each discriminator's own numbers, since the page quotes only the larger ones."""
    return [
        {
            "view": view,
            "judge": JUDGES[name],
            "js": estimates[name]["js"],
            "js_reference": reference.estimates[view][name]["js"],
            "kl": estimates[name]["kl"],
        }
        for view, estimates in result.estimates.items()
        for name in JUDGES
    ]


def attacks(result: MembershipResult) -> list[Any]:
    """Return the attacks' AUC less that of guessing, on one axis."""
    return on_one_axis(
        [
            Line.of(row["attack"], Estimate(*_above_guessing(row), "AUC - 0.5"))
            for row in result.rows()
        ]
    )


def _above_guessing(row: Row) -> tuple[float, float, float]:
    return row["auc"] - GUESS, row["auc_low"] - GUESS, row["auc_high"] - GUESS


@dataclass(frozen=True)
class Curve:
    """True- by false-positive rate of an attack, and its range by chance, as paths."""

    line: str
    band: str
    side: float = SIDE

    @classmethod
    def of(cls, result: MembershipResult) -> Curve:
        """Draw the curve of the strongest attack over all rows."""
        up = [f"{SIDE * f:.1f} {SIDE * (1 - high):.1f}" for f, _, _, high in result.roc]
        back = [f"{SIDE * f:.1f} {SIDE * (1 - low):.1f}" for f, _, low, _ in reversed(result.roc)]
        line = [f"{SIDE * f:.1f} {SIDE * (1 - true):.1f}" for f, true, _, _ in result.roc]
        return cls(f"M{'L'.join(line)}", f"M{'L'.join(up + back)}z")
