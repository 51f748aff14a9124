"""The pictures on the page of a utility report: intervals and rankings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabseed.estimates.estimate import Estimate
from tabseed.pages import Row
from tabseed.pages.intervals import Line, Placed, on_one_axis
from tabseed.utility.decomposition import WORDS, Decomposition
from tabseed.utility.ranking import CONSISTENT, INCONSISTENT, TRTR, TSTR, TSTS, RankingReport

SIGNS = {CONSISTENT: ("same", "="), INCONSISTENT: ("other", "≠"), 0: ("open", "·")}
JUDGED = {TSTR: "judged by real rows", TSTS: "judged by synthetic rows"}


def costs(rows: Sequence[Row]) -> list[Placed]:
    """Return each model's cost of training on synthetic rows, on one axis, from a report's rows."""
    return on_one_axis(
        [
            Line(
                row["model"],
                row["cost"],
                row["cost_low"],
                row["cost_high"],
                stands_out=not row["cost_low"] <= 0 <= row["cost_high"],
            )
            for row in rows
        ]
    )


def terms(decompositions: Sequence[Decomposition]) -> dict[str, list[Placed]]:
    """Return each term of every model, all on one axis."""
    lines = {
        name: [Line.of(each.model, each.terms[name]) for each in decompositions] for name in WORDS
    }
    every = [line for one in lines.values() for line in one]
    return {name: on_one_axis(one, every) for name, one in lines.items()}


@dataclass(frozen=True)
class Ranked:
    """A ranking compared with that by real rows: in words, by Kendall's tau, and pair by pair.

    ``tau`` is None if all models tie. ``signs`` has each model, the best by real rows first, with
    the CSS class and the sign of its pair with each model in that order.
    """

    judged: str
    words: str
    tau: Estimate | None
    signs: list[tuple[str, list[tuple[str, str]]]]


def ranked(ranking: RankingReport, cell: str) -> Ranked:
    """Compare the ranking in ``cell`` with that by real rows."""
    order = ranking.risks[TRTR].argsort(kind="stable")
    agreement = ranking.agreements[cell]
    signs = [
        (
            ranking.models[i],
            [("self", "") if i == j else SIGNS[int(agreement.pairs[i, j])] for j in order],
        )
        for i in order
    ]
    tau = None if math.isnan(agreement.tau.value) else agreement.tau
    return Ranked(JUDGED[cell], ranking.pairs_in_words(cell), tau, signs)
