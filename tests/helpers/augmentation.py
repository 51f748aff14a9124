"""A brief comparison of arms on a small table."""

from __future__ import annotations

import numpy as np

from tabseed import (
    AugmentationProtocol,
    Resample,
    TargetedAugmenter,
)

BRIEF = AugmentationProtocol(splits=3, draws=1)

AUGMENTER = TargetedAugmenter(Resample(smoothing=0.3), hardest=0.2)


def table(n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, (x[:, 0] + rng.normal(size=n) > 0).astype(int)
