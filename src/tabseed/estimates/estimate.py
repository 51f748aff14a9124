"""An estimate: a value with its interval, its unit and its direction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from tabseed.estimates.words import THOUSANDTHS, number, span

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Estimate:
    """One number with its 95 % interval, its unit and the direction in which it is better."""

    value: float
    low: float
    high: float
    unit: str
    better: Better = "lower"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "unit": self.unit,
            "better": self.better,
        }

    def text(self, form: str = THOUSANDTHS) -> str:
        """Write the value with its interval in brackets, by a format specification.

        >>> Estimate(0.5, 0.25, 0.75, "bits").text()
        '0.500 (0.250 to 0.750)'
        """
        return f"{number(self.value, form)} ({span(self.low, self.high, form)})"

    def __str__(self) -> str:
        return f"{number(self.value)} {self.unit} (95 % interval {span(self.low, self.high)})"


def finite(data: Mapping[str, Any]) -> dict[str, Any]:
    """Replace numbers that JSON lacks by None, at any depth of dicts, lists and tuples.

    >>> finite({"a": [1.5, float("nan")], "b": float("inf")})
    {'a': [1.5, None], 'b': None}
    """
    return {key: _finite(value) for key, value in data.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return finite(value)
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def interval(parts: list[np.ndarray], floor: float, unit: str) -> Estimate:
    """Return the sum of the means of independent samples (repeats, rows) with its 95 % interval."""
    value, pieces = sum_of_means(parts)
    error, freedom = error_of(pieces, floor)
    half = float(student.ppf(0.975, freedom)) * error
    return Estimate(value, value - half, value + half, unit, "lower")


Piece = tuple[float, float]  # a variance and its degrees of freedom


def sum_of_means(parts: Sequence[np.ndarray]) -> tuple[float, list[Piece]]:
    """Return the sum of the means of independent samples (repeats, rows), and its variances.

    These are the variance over the rows of each sample, of rows averaged over repeats, and that of
    the repeats' sums over their number. All samples have the same repeats.
    """
    repeats = sum(part.mean(axis=1) for part in parts)
    pieces = [
        (float(part.mean(axis=0).var(ddof=1)) / part.shape[1], part.shape[1] - 1.0)
        for part in parts
    ]
    if len(repeats) > 1:
        pieces.append((float(np.var(repeats, ddof=1)) / len(repeats), len(repeats) - 1.0))
    return float(np.mean(repeats)), pieces


def error_of(pieces: Sequence[Piece], floor: float = 0.0) -> tuple[float, float]:
    """Return the standard error of a sum and its degrees of freedom (Welch and Satterthwaite).

    ``floor`` is a standard error that adds to the others and is known.
    """
    total = sum(v for v, _ in pieces) + floor**2
    if total == 0:
        return 0.0, 1.0
    freedom = total**2 / max(sum(v**2 / df for v, df in pieces), 1e-300)
    return math.sqrt(total), min(freedom, 1e6)
