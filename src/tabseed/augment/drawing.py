"""The intervals on the page of an augmentation."""

from __future__ import annotations

from collections.abc import Sequence

from tabseed.augment.arms import ARMS
from tabseed.estimates.splits import Difference
from tabseed.pages import Row
from tabseed.pages.intervals import Line, Placed, on_one_axis


def against_none(rows: Sequence[Row]) -> list[Placed]:
    """Return the gains of all arms except "none" on one axis, from the rows of an evaluation."""
    return on_one_axis(
        [
            Line(
                row["arm"],
                row["gain"],
                row["low"],
                row["high"],
                stands_out=row["reliable"],
                meaning=row["meaning"],
                extra=f"{row['p_holm']:.2g}",
            )
            for row in rows
            if row["gain"] is not None
        ]
    )


def over_controls(differences: Sequence[Difference], level: float) -> list[Placed]:
    """Return the gains of "hardest" over each control on one axis."""
    return on_one_axis(
        [
            Line(
                d.against,
                d.mean,
                d.low,
                d.high,
                stands_out=d.gains(level),
                meaning=ARMS[d.against],
                extra=f"{d.p_holm:.2g}",
            )
            for d in differences
        ]
    )
