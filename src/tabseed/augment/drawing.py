"""Whether augmentation helps as one self-contained page: arms, differences, intervals."""

from __future__ import annotations

from dataclasses import dataclass

from tabseed.augment.arms import ARMS
from tabseed.augment.protocol import AugmentationEvaluation
from tabseed.estimates.splits import Difference
from tabseed.pages import environment
from tabseed.pages.intervals import WIDTH, axis


@dataclass(frozen=True)
class _Line:
    """A difference, and where its interval lies in the plot: (low, mean, high), and 0."""

    name: str
    meaning: str
    difference: Difference
    places: tuple[float, float, float]
    zero: float
    gains: bool


def augmentation_page(found: AugmentationEvaluation, target: str, settings: dict[str, str]) -> str:
    """Give the page. The same evaluation gives the same text; seconds are left out."""
    return (
        environment()
        .get_template("augment/page.html")
        .render(
            found=found,
            target=target,
            settings=settings,
            width=WIDTH,
            against_none=_lines(found.against_none, "arm", found.level),
            over_controls=_lines(found.over_controls, "against", found.level),
            means={arm: found.mean(arm) for arm in found.arms},
            arms=ARMS,
            n_hard=int(found.n_hard.mean()),
            n_added=int(found.n_added.mean()),
        )
    )


def _lines(differences: tuple[Difference, ...], shown: str, level: float) -> list[_Line]:
    """Lay all intervals on one axis, 0 within it."""
    start = min(0.0, *(d.low for d in differences))
    end = max(0.0, *(d.high for d in differences))
    at = axis(start, end)
    return [
        _Line(
            getattr(d, shown),
            ARMS[getattr(d, shown)],
            d,
            (at(d.low), at(d.mean), at(d.high)),
            at(0.0),
            d.gains(level),
        )
        for d in differences
    ]
