"""What the page of a utility report shows beside its numbers: intervals and rankings."""

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
    """Place what training on synthetic rows costs each model, from the rows of a report."""
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
    """Place each term of every model, all of them on one axis."""
    lines = {
        name: [Line.of(each.model, each.terms[name]) for each in decompositions] for name in WORDS
    }
    every = [line for one in lines.values() for line in one]
    return {name: on_one_axis(one, every) for name, one in lines.items()}


@dataclass(frozen=True)
class Ranked:
    """A ranking beside that by real rows: in words, Kendall's tau, and the sign of each pair.

    ``tau`` is None where all models tie. ``signs`` are by model, best by real rows first: the
    class and the sign of its pair with each other model in that order.
    """

    judged: str
    words: str
    tau: Estimate | None
    signs: list[tuple[str, list[tuple[str, str]]]]


def ranked(ranking: RankingReport, cell: str) -> Ranked:
    """Show the ranking in ``cell`` beside that by real rows."""
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
