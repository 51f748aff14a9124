"""How hard each row is to learn: KNN-Shapley and twelve scores of training dynamics."""

from __future__ import annotations

from importlib import import_module

from tabseed.errors import TabseedError
from tabseed.hardness.base import HardnessScorer

SCORERS: dict[str, tuple[str, str]] = {
    "knn-shapley": ("tabseed.hardness.shapley", "KNNShapley"),
}


def scorer_class(name: str) -> type[HardnessScorer]:
    """Look a scorer up by its name on the command line; TabseedError for an unknown one."""
    if name not in SCORERS:
        raise TabseedError(f"no hardness scorer {name!r}; there are {', '.join(SCORERS)}")
    module, attribute = SCORERS[name]
    found: type[HardnessScorer] = getattr(import_module(module), attribute)
    return found
