"""What judges find, in words: how well they tell rows apart, and what they would miss."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tabseed.estimates.words import number
from tabseed.metrics import DivergenceResult

NO_LIMIT = 0.99  # a divergence that only tables without any likeness have
TOLD = (  # from which divergence on rows are told apart how, the largest first
    (0.8, "nearly always"),
    (0.5, "in most cases"),
    (0.2, "often"),
    (0.05, "better than by guessing"),
    (-math.inf, "a little better than by guessing"),
)


def told(result: DivergenceResult | None) -> str:
    """Say in a sentence, after a space, how well judges tell rows apart; empty if they do not."""
    if result is None or result.js.low <= 0:
        return ""
    js = result.js
    how = next(words for least, words in TOLD if js.value >= least)
    return (
        f" Judges that learn from these rows tell them apart {how}: a divergence of at least "
        f"{number(js.low)}, about {number(js.value)} (0 alike, 1 always told apart); with more "
        "rows they could find more."
    )


def divergences(
    found: DivergenceResult | None, reference: DivergenceResult | None
) -> Iterator[str]:
    """Yield the divergences with the rows that gave them, and what judges would miss."""
    if found is None:
        return
    beside = "" if reference is None else f"; the training rows get {reference.js.text()}"
    yield (
        f"Jensen-Shannon divergence, in bits, found by judges with {found.n_real} real and "
        f"{found.n_synthetic} synthetic rows: {found.js.text()}; if exact digits do not count, "
        f"{found.js_coarse.text()}{beside}. The intervals are of what judges with so many rows "
        "find, not of the divergence itself: only their lower ends bound it."
    )
    if found.js.low > 0 or found.smallest_js is None:
        return
    if found.smallest_js > NO_LIMIT:
        yield "So few rows are not enough for judges to show any difference."
        return
    yield (
        f"Judges would miss a simple difference of a divergence below {found.smallest_js:.2g}, and "
        "larger ones that take more rows to learn."
    )
