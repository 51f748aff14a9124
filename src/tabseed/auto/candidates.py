"""The candidates of a race of which nothing is said, quick and strong ones first."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from tabseed.generators import generator_class
from tabseed.generators.base import Generator

Goal = Literal["share", "augment", "both"]
NETWORKS = "vaebgm, mixture of seeds"
LARGE = 20  # rows in a leaf, for rows that lie less near the training rows
NETWORK_ROWS = 3_000  # beyond so many training rows a network in a race takes too long


def default_candidates(
    goal: Goal, n_rows: int, target: str | None, *, limited: bool = False
) -> dict[str, Generator]:
    """Return candidates by name: families; for a goal or a limit, what serves it."""
    trees, copula, forest = map(generator_class, ("trees", "copula", "arf"))
    found: dict[str, Generator] = {"trees": trees(), "copula": copula(), "forest": forest()}
    if limited:
        found["trees, honest"] = trees(honest=True)
        found[f"trees, honest, leaves of {LARGE}"] = trees(honest=True, min_leaf=LARGE)
    if goal != "share":
        found["smote"] = generator_class("smote")()
        if target is not None:
            two_stage = generator_class("two-stage")
            found["trees, response chosen"] = two_stage(trees(), response="auto")
            found["copula, response chosen"] = two_stage(copula(), response="auto")
    if find_spec("torch") is not None and n_rows <= NETWORK_ROWS:
        from tabseed.inductive_bias.fine_tuned import FineTuned
        from tabseed.inductive_bias.weights import SeedMixture

        found[NETWORKS] = FineTuned(generator_class("vaebgm")(), SeedMixture())
    return found
