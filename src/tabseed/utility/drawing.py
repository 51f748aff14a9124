"""Utility as one self-contained page: what it costs, who is chosen, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabseed.estimates.estimate import Estimate
from tabseed.pages import environment
from tabseed.pages.intervals import WIDTH, axis
from tabseed.utility.decomposition import WORDS
from tabseed.utility.measure import REAL, REPEATED, SAME_SIZE, SOURCES, SYNTHETIC
from tabseed.utility.ranking import CONSISTENT, INCONSISTENT, TSTR, TSTS
from tabseed.utility.report import UtilityReport

SIGNS = {CONSISTENT: ("same", "="), INCONSISTENT: ("other", "≠"), 0: ("open", "·")}


@dataclass(frozen=True)
class _Line:
    """An interval, and where it lies in the plot: (low, value, high), and 0."""

    name: str
    estimate: Estimate
    places: tuple[float, float, float]
    zero: float

    @property
    def told(self) -> bool:
        """Whether it is told from 0."""
        return not self.estimate.low <= 0 <= self.estimate.high


def utility_page(found: UtilityReport, settings: dict[str, str]) -> str:
    """Give the page. The same report gives the same text."""
    gaps = found.gaps
    all_terms = (*found.terms, found.mean_term)
    scored = all(gap.scores is not None for gap in gaps)
    costs = [gap.score_costs[SYNTHETIC] if gap.score_costs else gap.signed for gap in gaps]
    return (
        environment()
        .get_template("utility/page.html")
        .render(
            found=found,
            settings=settings,
            width=WIDTH,
            unit=found.score if scored else gaps[0].signed.unit,
            risk=gaps[0].signed.unit,
            sources=SOURCES,
            shown=[(gap.model, [(gap.scores or gap.risks)[s] for s in SOURCES]) for gap in gaps],
            costs=_lines([gap.model for gap in gaps], costs),
            terms={
                name: _lines(
                    [term.model for term in all_terms],
                    [term.terms[name] for term in all_terms],
                    [e for term in all_terms for e in term.terms.values()],
                )
                for name in WORDS
            },
            words=WORDS,
            matrices={cell: _matrix(found, cell) for cell in (TSTR, TSTS)},
            cells={TSTR: "judged by real rows", TSTS: "judged by synthetic rows"},
            pairs={cell: found.ranking.pairs_in_words(cell) for cell in (TSTR, TSTS)},
            tau={cell: _tau(found, cell) for cell in (TSTR, TSTS)},
            names=(REAL, SYNTHETIC, SAME_SIZE, REPEATED),
        )
    )


def _tau(found: UtilityReport, cell: str) -> Estimate | None:
    """Give Kendall's tau, None where all models tie."""
    tau = found.ranking.agreements[cell].tau
    return None if math.isnan(tau.value) else tau


def _lines(
    names: Sequence[str], estimates: Sequence[Estimate], beside: Sequence[Estimate] = ()
) -> list[_Line]:
    """Lay all intervals on one axis, 0 and those of the plots ``beside`` within it."""
    start = min(0.0, *(e.low for e in (*estimates, *beside)))
    end = max(0.0, *(e.high for e in (*estimates, *beside)))
    at = axis(start, end)
    return [
        _Line(name, e, (at(e.low), at(e.value), at(e.high)), at(0.0))
        for name, e in zip(names, estimates, strict=True)
    ]


def _matrix(found: UtilityReport, cell: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Give models, best by real rows first, and for each the sign of every pair with another."""
    order = found.ranking.risks["TRTR"].argsort(kind="stable")
    pairs = found.ranking.agreements[cell].pairs
    return [
        (
            found.ranking.models[i],
            [("self", "") if i == j else SIGNS[int(pairs[i, j])] for j in order],
        )
        for i in order
    ]
