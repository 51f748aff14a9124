"""The rows of a table by hardness as one self-contained page: no network, no script."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabseed.hardness.assess import HardnessAssessment
from tabseed.hardness.hints import HINTS
from tabseed.pages import environment
from tabseed.table import Table

WIDTH, HEIGHT, MAP = 640.0, 150.0, 420.0  # of the pictures, in their own units
BINS, DOTS, LISTED, CELLS = 60, 2_000, 20, 8  # bars; rows on the map; rows listed, their columns
SHARE = 0.1  # of the rows, the hardest, whose hints are counted apart
CLASSES = dict(zip(HINTS, ("out", "mis", "rare", "amb", "none"), strict=True))
EDGE = 0.005  # of the rows on either side of the map lie on its edge


@dataclass(frozen=True)
class _Bar:
    """A bar of the histogram: its place, and its parts from the bottom, (class, top, height)."""

    x: float
    width: float
    parts: list[tuple[str, float, float]]


def hardness_page(table: Table, found: HardnessAssessment, settings: dict[str, str]) -> str:
    """Give the page: how hard rows are, why they may be, and the hardest of them.

    ``table`` holds the rows that ``found`` is about. The same input gives the same text.
    """
    listed = found.hardest(LISTED)
    names = [c.name for c in table.schema.modelled if c.name != found.target][:CELLS]
    cells = table.take(listed)
    columns = {name: cells.values(name) for name in names}
    error = found.standard_error
    rows = [
        {
            "row": int(i) + 1,
            "label": found.labels[i],
            "hardness": float(found.hardness[i]),
            "error": None if error is None or np.isnan(error[i]) else float(error[i]),
            "hint": found.hint[i],
            "cells": [columns[name][place] for name in names],
        }
        for place, i in enumerate(listed)
    ]
    counts = found.counts(SHARE)
    return (
        environment()
        .get_template("hardness/page.html")
        .render(
            found=found,
            n=len(found.hardness),
            n_hard=sum(few for _, few in counts.values()),
            counts=counts,
            hints=HINTS,
            classes=CLASSES,
            rows=rows,
            names=names,
            more=len(table.schema.modelled) - 1 - len(names),
            bars=_bars(found),
            low=float(found.hardness.min()),
            high=float(found.hardness.max()),
            dots=_dots(found),
            shown=min(DOTS, len(found.hardness)),
            sizes=(WIDTH, HEIGHT, MAP),
            settings=settings,
        )
    )


def _bars(found: HardnessAssessment) -> list[_Bar]:
    """Cut the range of hardness in BINS; stack the hints; heights by the root of the count.

    The root, because the hardest rows are few and are what people look for.
    """
    low, high = found.hardness.min(), found.hardness.max()
    scaled = (found.hardness - low) / ((high - low) or 1.0)
    place = np.minimum((scaled * BINS).astype(int), BINS - 1)
    order = list(reversed(HINTS))
    counts = np.array([np.bincount(place[found.hint == h], minlength=BINS) for h in order])
    total = counts.sum(axis=0)
    unit = HEIGHT / np.sqrt(total.max())
    width = WIDTH / BINS
    bars = []
    for b in np.flatnonzero(total):
        height = unit * np.sqrt(total[b])
        tops = np.cumsum(counts[:, b]) / total[b] * height
        parts = [
            (CLASSES[h], round(HEIGHT - top, 1), round(height * count / total[b], 2))
            for h, top, count in zip(order, tops, counts[:, b], strict=True)
            if count
        ]
        bars.append(_Bar(round(b * width, 1), round(width - 1, 1), parts))
    return bars


def _dots(found: HardnessAssessment) -> list[tuple[str, float, float, float]]:
    """Place up to DOTS rows on the map, the hardest last and largest: (class, x, y, radius)."""
    n = len(found.hardness)
    hard = found.hardest(min(n, DOTS // 4))
    rest = np.setdiff1d(np.arange(n), hard)
    rest = rest[np.linspace(0, len(rest) - 1, min(len(rest), DOTS - len(hard))).astype(int)]
    chosen = np.concatenate([rest, hard[::-1]])
    low, high = np.quantile(found.places, [EDGE, 1 - EDGE], axis=0)
    at = np.clip((found.places - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    size = 1.5 + 3.5 * (1 - (found.rank - 1) / max(n - 1, 1)) ** 6
    return [
        (
            CLASSES[found.hint[i]],
            round(8 + at[i, 0] * (WIDTH - 16), 1),
            round(8 + (1 - at[i, 1]) * (MAP - 16), 1),
            round(float(size[i]), 1),
        )
        for i in chosen
    ]
