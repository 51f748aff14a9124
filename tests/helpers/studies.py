"""Small spaces and objectives, and the values of a study's trials."""

from __future__ import annotations

import numpy as np

import tabseed as ts
from tabseed.space import Choice, Float, Int

SPACES = {
    "a": {"x": Float(0.0, 1.0), "c": Choice(("p", "q"))},
    "b": {"n": Int(1, 100, log=True)},
}


def noisy(family: str, settings: dict, stream: np.random.SeedSequence) -> list[float]:
    noise = 0.05 * np.random.default_rng(stream).normal(size=3)
    top = -((settings["x"] - 0.7) ** 2) if family == "a" else -0.2
    return (top + noise).tolist()


def plain(study: ts.Study) -> list[tuple]:
    return [(t.number, t.family, t.settings, t.state, t.draws) for t in study.trials]
