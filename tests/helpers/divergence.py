"""Tables of mixed kinds, and one way to judge two of them with few fits."""

from __future__ import annotations

import numpy as np

from tabseed.metrics import DiscriminatorDivergence


def mixed(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return four dependent columns: two numbers, two categories, some cells missing."""
    z = rng.normal(size=n)
    age = np.round(40 + 12 * z + rng.normal(size=n))
    pay = np.exp(z + 0.3 * rng.normal(size=n))
    job = np.array(["low", "mid", "high"])[np.digitize(z, [-0.5, 0.7])]
    old = np.where(age > 45, "yes", "no")
    age[rng.random(n) < 0.1] = np.nan
    return {"age": age, "pay": pay, "job": job, "old": old}


FAST = {"views": ("plain",), "permutations": 0, "folds": 3, "repeats": 2}


def judge(real, synthetic, seed: int = 0, progress=None, train=None, **options: object):
    return DiscriminatorDivergence(**{**FAST, **options}).evaluate(
        real, synthetic, train=train, random_state=seed, progress=progress
    )
