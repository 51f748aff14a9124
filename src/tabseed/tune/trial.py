"""A trial of a study: settings of one family, and the result of the objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Trial:
    """Settings of one family, and the draws of the objective, larger is better.

    ``state`` is "done", "failed" (``message`` says why; no draws) or "running".
    """

    number: int
    family: str
    settings: dict[str, Any]
    state: str
    draws: tuple[float, ...]
    message: str
    seconds: float | None

    @property
    def value(self) -> float:
        """The mean of the draws; NaN without draws."""
        return float(np.mean(self.draws)) if self.draws else float("nan")

    @property
    def standard_error(self) -> float:
        """The standard error of that mean over the draws; NaN for fewer than two."""
        k = len(self.draws)
        return float(np.std(self.draws, ddof=1) / np.sqrt(k)) if k > 1 else float("nan")
