"""The arms: biases, their controls, teachers and what is beside them, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tabseed as ts

NONE = "none"
CONTROLS = (NONE, "small-init", "continued")
TEACHER = "trees, the teacher"
SMOOTHED, MANY, MORE = "resample, smoothed", "none, N = 10,000", "none, 30 seeds"


def families() -> list[ts.Generator]:
    """Return a teacher of each family that is no network."""
    return [ts.SequentialTrees(), ts.GaussianCopula(), ts.AdversarialForest()]


def taught(teacher: ts.Generator | None = None, **settings: Any) -> ts.Pretraining:
    """Return pre-training by a teacher, by default trees."""
    return ts.Pretraining(teacher=teacher or ts.SequentialTrees(), **settings)


# the controls: the same network on the same rows, without a bias
BARE: dict[str, Callable[[], ts.InductiveBias]] = {
    NONE: lambda: ts.StageOne(),
    "small-init": lambda: ts.SmallInit(),
    "continued": lambda: ts.Continued(),
    MORE: lambda: ts.StageOne(n_seeds=30),
}
# the four ways of the paper, with and without the second training, and mixtures of seeds
PAPER: dict[str, Callable[[], ts.InductiveBias]] = {
    "average": lambda: ts.WeightAveraging(),
    "average of branches": lambda: ts.WeightAveraging(branches=60),
    "pretrain": lambda: ts.Pretraining(),
    "pretrain, not tuned": lambda: ts.StageOne(ts.Pretraining()),
    "drs": lambda: ts.DomainRandomizedSearch(),
    "drs, not tuned": lambda: ts.StageOne(ts.DomainRandomizedSearch()),
    "drs, latent law of the pool": lambda: ts.DomainRandomizedSearch(latent="generated"),
    "maml": lambda: ts.MAML(),
    "mixture": lambda: ts.SeedMixture(),
}
# a teacher of another family; bootstrap rows are the control: nothing but the real rows
TAUGHT: dict[str, Callable[[], ts.InductiveBias]] = {
    "taught by trees": taught,
    "taught by trees, not tuned": lambda: ts.StageOne(taught()),
    "taught by trees, latent law of the real rows": lambda: taught(latent="real"),
    "taught by bootstrap rows": lambda: taught(ts.Resample()),
    "taught by the copula": lambda: taught(ts.GaussianCopula()),
    "taught by families": lambda: ts.DomainRandomizedSearch(teachers=families()),
    "maml of families": lambda: ts.MAML(teachers=families()),
    "mixture taught by trees": lambda: ts.SeedMixture(taught()),
}
BIASES = BARE | PAPER | TAUGHT
BESIDE: dict[str, Callable[[], ts.Generator]] = {
    TEACHER: lambda: ts.SequentialTrees(),
    SMOOTHED: lambda: ts.Resample(smoothing=1.0),
}
