"""What several synthetic tables are compared by, and their paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from tabseed.estimates.contrast import LEVEL, Contrast
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.splits import holm
from tabseed.metrics import DivergenceResult, Overlap
from tabseed.metrics.copies import Copies
from tabseed.metrics.divergence_result import KL_PER_JS
from tabseed.metrics.paired import cost_contrast, divergence_contrast, margin_contrast
from tabseed.metrics.rules import Kept
from tabseed.metrics.usefulness import Cost

DECISIVE = ("js", "cost")  # the measures of the verdict
QUOTED = {"js": ("plain", "js"), "js_coarse": ("coarse", "js"), "kl": ("plain", "kl")}


@dataclass(frozen=True)
class Measure:
    """A number by which tables are compared; less is better.

    ``best`` and ``than`` say what less of it is, of one table and of two.
    """

    title: str
    meaning: str
    best: str
    than: str


MEASURES = {
    "js": Measure(
        "Jensen-Shannon divergence, plain",
        "What judges that learn from these rows find: all columns, down to the last digit.",
        "nearest to the real rows",
        "nearer to the real rows than",
    ),
    "js_coarse": Measure(
        "Jensen-Shannon divergence, coarse",
        "Likewise; the judges see only the twentieth in which a number lies.",
        "nearest to the real rows without exact digits",
        "nearer to the real rows without exact digits than",
    ),
    "kl": Measure(
        "Kullback-Leibler divergence, plain, at least",
        "Of real rows from synthetic rows: a lower bound.",
        "lowest in this bound",
        "lower in this bound than",
    ),
    "margins": Measure(
        "Mean distance of single columns",
        "Each column on its own: Kolmogorov-Smirnov for numbers, total variation for others.",
        "nearest in single columns",
        "nearer in single columns than",
    ),
    "cost": Measure(
        "Cost of learning the target",
        "What models lose that learn from synthetic rows instead of the real ones; below 0 a gain.",
        "best to learn the target from",
        "better to learn the target from than",
    ),
    "copies": Measure(
        "Copies of training rows",
        "Rows equal to a training row in every cell.",
        "lowest in copies",
        "lower in copies than",
    ),
    "near_copies": Measure(
        "Near copies of training rows",
        "Equal to a training row in every category, nearly so in every number.",
        "lowest in near copies",
        "lower in near copies than",
    ),
}


@dataclass(frozen=True)
class Judged:
    """What one synthetic table gets.

    ``estimates`` by measure; ``n_rows`` are all its rows, of which ``copies`` are counted;
    ``margin_draws``: its mean distance of columns where rows are drawn again; ``halves``: the
    divergences of random halves of it.
    """

    n_rows: int
    estimates: dict[str, Estimate]
    divergence: DivergenceResult
    copies: Copies
    rules: tuple[Kept, ...]
    cost: Cost | None
    margin_draws: np.ndarray = field(repr=False, compare=False)
    halves: tuple[DivergenceResult, ...] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {
            "rows": self.n_rows,
            "measures": {key: e.to_dict() for key, e in self.estimates.items()},
            "divergence": self.divergence.to_dict(),
            "copies": self.copies.to_dict(),
            "rules": [rule.to_dict() for rule in self.rules],
            "cost": None if self.cost is None else self.cost.to_dict(),
        }


@dataclass(frozen=True)
class PairedDifference:
    """The ``measure`` of ``first`` minus that of ``second``, with its paired 95 % interval.

    ``p`` is two-sided, ``p_holm`` adjusted for all pairs: in the measures of :data:`DECISIVE`
    together, in each of the others alone. ``would_show`` is the smallest true difference that is
    told four times in five, all looks paid for. ``natural``: neither table has more copies than
    nature explains.
    """

    measure: str
    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    p_holm: float
    would_show: float
    natural: bool = False

    @property
    def told(self) -> bool:
        """Whether the tables differ beyond chance."""
        return self.p_holm < LEVEL

    @property
    def better(self) -> str | None:
        """The table with less of the measure, None where that cannot be told or is no merit."""
        if not self.told or self.natural:
            return None
        return self.first if self.value < 0 else self.second

    @property
    def words(self) -> str:
        """The name of the better table, or why none is called better."""
        return self.better or ("none: as in nature" if self.told else "cannot be told")


def likeness(divergence: DivergenceResult, margins: Estimate) -> dict[str, Estimate]:
    """Return the measures of likeness by their keys."""
    return {
        "js": divergence.js,
        "js_coarse": divergence.js_coarse,
        "kl": divergence.kl,
        "margins": margins,
    }


def copied(copies: Copies, overlap: Overlap) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Return both measures of copies, of a synthetic table and of the held-out rows."""
    equal = copies.shares(copies.n_equal, overlap.n_equal)
    near = copies.shares(copies.n_near, copies.n_near_holdout)
    synthetic, held_out = (
        {"copies": of_equal, "near_copies": of_near}
        for of_equal, of_near in zip(equal, near, strict=True)
    )
    return synthetic, held_out


def paired_differences(tables: Mapping[str, Judged]) -> tuple[PairedDifference, ...]:
    """Return the difference in each measure between all pairs of tables, judged alike."""
    keys = [key for key in MEASURES if key in next(iter(tables.values())).estimates]
    decisive = [key for key in keys if key in DECISIVE]
    families = [decisive, *([key] for key in keys if key not in DECISIVE)]
    found = [d for family in families for d in _family(family, tables)]
    return tuple(sorted(found, key=lambda d: keys.index(d.measure)))


def _family(keys: list[str], tables: Mapping[str, Judged]) -> list[PairedDifference]:
    """Return the differences of all pairs in some measures, looked at together."""
    looks = [(key, a, b) for key in keys for a, b in combinations(tables, 2)]
    contrasts = [_contrast(key, tables[a], tables[b]) for key, a, b in looks]
    adjusted = holm(np.array([contrast.p for contrast in contrasts]))
    differences = []
    for (key, a, b), contrast, p in zip(looks, contrasts, adjusted, strict=True):
        low, high, missed = _with_missed(key, contrast, tables[a], tables[b])
        differences.append(
            PairedDifference(
                measure=key,
                first=a,
                second=b,
                value=contrast.value,
                low=low,
                high=high,
                p=contrast.p,
                p_holm=float(p),
                would_show=max(contrast.detectable(LEVEL / len(looks)), missed),  # Holm's first
                natural=not any(_unnatural(key, tables[name].copies) for name in (a, b)),
            )
        )
    return differences


def _unnatural(key: str, copies: Copies) -> bool:
    if key == "copies":
        return copies.equal_beyond_chance
    return key != "near_copies" or copies.near_beyond_chance


def _contrast(key: str, a: Judged, b: Judged) -> Contrast:
    if key in QUOTED:
        return divergence_contrast((a.divergence, a.halves), (b.divergence, b.halves), *QUOTED[key])
    if key == "margins":
        values = a.estimates[key].value, b.estimates[key].value
        return margin_contrast(values, (a.margin_draws, b.margin_draws))
    if key == "cost" and a.cost is not None and b.cost is not None:
        return cost_contrast(a.cost, b.cost)
    n, m = a.copies.n_synthetic, b.copies.n_synthetic
    if key == "copies":
        return Contrast.of_shares(a.copies.n_equal, n, b.copies.n_equal, m)
    return Contrast.of_shares(a.copies.n_near, n, b.copies.n_near, m)


def _with_missed(key: str, found: Contrast, a: Judged, b: Judged) -> tuple[float, float, float]:
    """Return the ends of an interval, and the divergence that all judges may have missed.

    A divergence that is not told from 0 may be as large as the smallest that would show
    (:func:`~tabseed.metrics.divergence.smallest_js`), although judges that learned nothing agree
    closely. So a difference that is not told from 0 reaches that far.
    """
    low, high = found.ends
    limit = a.divergence.smallest_js
    if a.estimates[key].unit == "share":
        return max(low, -1.0), min(high, 1.0), 0.0
    if key not in QUOTED or limit is None:
        return low, high, 0.0
    limit *= KL_PER_JS if key == "kl" else 1.0
    first, second = a.estimates[key], b.estimates[key]
    # of a divergence that is told from 0, its value; of one that is not, all down to 0
    least_first, least_second = (e.value if e.low > 0 else 0.0 for e in (first, second))
    if low <= 0 <= high:
        if first.low <= 0:
            high = max(high, limit - least_second)
        if second.low <= 0:
            low = min(low, least_first - limit)
    return low, high, limit if min(first.low, second.low) <= 0 else 0.0
