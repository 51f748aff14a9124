"""The laws of generators, biases, scorers, augmenters and metrics as checks for your own classes.

    from tabseed.testing import check_generator
    check_generator(MyGenerator())

Each check is a function of one instance, and raises AssertionError with a description of what is
wrong. The checks do not need pytest, and need PyTorch only if the class does; they use pandas and
polars if these are installed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
from tabseed.augment.stopping import KSStopped
from tabseed.generators.base import Generator
from tabseed.hardness.base import HardnessScorer
from tabseed.metrics import Metric
from tabseed.testing import (
    augment,
    averaging,
    biases,
    generators,
    hardness,
    meta_learning,
    metrics,
    neural,
    parameters,
    training,
)
from tabseed.testing.laws import Check, laws_in
from tabseed.testing.tables import N_ROWS, example_table, frames, gappy_table, odd_tables

LAWS: dict[str, tuple[Check, ...]] = {
    "parameters": laws_in(parameters),
    "metric": laws_in(metrics),
    "scorer": laws_in(hardness),
    "generator": laws_in(generators),
    "network": laws_in(neural),
    "long training": laws_in(training),
    "augmenter": laws_in(augment),
    "bias": laws_in(biases),
    "averaging": laws_in(averaging),
    "meta-learning": laws_in(meta_learning),
}
"""All checks, by the kind of object that they are laws of; each is also a name of this module."""


def __getattr__(name: str) -> Check:
    for check in (check for checks in LAWS.values() for check in checks):
        if check.__name__ == name:
            return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def checks_of(estimator: Any) -> tuple[Check, ...]:
    """Return the checks for an estimator, or for any object that declares ``parameters``."""
    if not isinstance(getattr(type(estimator), "parameters", None), Mapping):
        raise TypeError(f"no laws are known for {type(estimator).__name__}")
    return tuple(check for kind in ("parameters", *_kinds(estimator)) for check in LAWS[kind])


def _kinds(estimator: Any) -> list[str]:
    """Return the kinds in LAWS that it belongs to."""
    trained = _is(estimator, "tabseed.generators.neural.base", "NeuralGenerator")
    tuned = _is(estimator, "tabseed.inductive_bias.fine_tuned", "FineTuned")
    kinds = {
        "metric": isinstance(estimator, Metric),
        "scorer": isinstance(estimator, HardnessScorer),
        "generator": isinstance(estimator, Generator),
        "network": trained,
        "long training": trained or tuned or isinstance(estimator, KSStopped),
        "augmenter": isinstance(estimator, TargetedAugmenter | TargetedRegressionAugmenter),
        "bias": _is(estimator, "tabseed.inductive_bias.base", "InductiveBias"),
        "averaging": _is(estimator, "tabseed.inductive_bias.weights", "WeightAveraging"),
        "meta-learning": _is(estimator, "tabseed.inductive_bias.maml", "MAML"),
    }
    return [kind for kind, applies in kinds.items() if applies]


def _is(estimator: Any, module: str, name: str) -> bool:
    """Return whether it is of that class; a class of a module not imported has no instances."""
    imported = sys.modules.get(module)
    return imported is not None and isinstance(estimator, getattr(imported, name))


def check_generator(generator: Generator) -> None:
    """Run every law of generators on ``generator``, which is not changed."""
    for check in checks_of(generator):
        check(generator)


def check_metric(metric: Metric[Any]) -> None:
    """Run every law of metrics on ``metric``."""
    for check in checks_of(metric):
        check(metric)


def check_scorer(scorer: HardnessScorer) -> None:
    """Run every law of hardness scorers on ``scorer``, which is not changed."""
    for check in checks_of(scorer):
        check(scorer)


def check_augmenter(augmenter: TargetedAugmenter | TargetedRegressionAugmenter) -> None:
    """Run every law of augmenters on ``augmenter``, which is not changed."""
    for check in checks_of(augmenter):
        check(augmenter)


def check_bias(bias: Any) -> None:
    """Run every law of inductive biases on ``bias``, which is not changed. Needs PyTorch.

    Choose few seeds and small settings: the laws hold at any size.
    """
    for check in checks_of(bias):
        check(bias)


__all__ = [
    "LAWS",
    "N_ROWS",
    "Check",
    "check_augmenter",
    "check_bias",
    "check_generator",
    "check_metric",
    "check_scorer",
    "checks_of",
    "example_table",
    "frames",
    "gappy_table",
    "odd_tables",
]
