"""The plainest generator: real rows drawn with replacement, as they are or smoothed."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tabseed._random import RandomState
from tabseed.archive import Arrays
from tabseed.coding.encode import Layout
from tabseed.generators.base import Aids, Generator
from tabseed.parameters import SEED, Parameters, Real


class Resample(Generator):
    """Bootstrap: each drawn row is a training row, with its numbers moved a little on request.

    The baseline that every generator must beat. With ``smoothing`` 0 the drawn rows are copies,
    and the model file holds copies too: neither protects privacy. With smoothing h > 0 a number x
    becomes x + h sd(x) c eps, eps normal, c = (4/(3n))^(1/5) (the normal reference rule), and is
    then moved back to the range and grid of the training rows; missing cells and values that
    occur often (atoms) stay as they are, and so do columns that another column determines.

    References: Efron, Annals of Statistics 7 (1979); Silverman, Density Estimation (1986), 3.31
    and 6.4 (smoothed bootstrap).
    """

    references: ClassVar[tuple[str, ...]] = ("doi:10.1214/aos/1176344552",)
    parameters: ClassVar[Parameters] = {"smoothing": Real(0), "random_state": SEED}

    def __init__(self, smoothing: float = 0.0, random_state: RandomState = 0) -> None:
        self.smoothing = smoothing
        self.random_state = random_state

    rows_: np.ndarray

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        del layout, stream, aids
        self.rows_ = x

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        layout = self.encoder_.layout_
        x = self.rows_[rng.integers(0, len(self.rows_), n)]
        if self.smoothing == 0:
            return x
        width = self.smoothing * (4 / (3 * len(self.rows_))) ** 0.2
        values = []
        for block in layout.blocks:
            value = layout.values(block, x)
            if block.numeric and len(block.knots) and block.parent < 0:
                free = ~np.isnan(value) & ~np.isin(value, block.atoms)
                smoothed = block.snap(value + width * block.scale * rng.standard_normal(n))
                value = np.where(free, smoothed, value)
            values.append(value)
        return layout.from_values(values)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {"rows": self.rows_}

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.rows_ = arrays["rows"]
        width = self.encoder_.layout_.width
        if self.rows_.shape[1:] != (width,) or not np.isfinite(self.rows_).all():
            raise ValueError(f"rows of shape {self.rows_.shape}, an encoder of width {width}")

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned."""
        change = "as they are" if self.smoothing == 0 else f"smoothed by {self.smoothing:g}"
        return [f"resampled rows, {change}: copies do not protect privacy", *super().summary()]
