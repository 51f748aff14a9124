"""How hard each row is to learn: KNN-Shapley and twelve scores from training dynamics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tabseed.errors import TabseedError

if TYPE_CHECKING:
    from tabseed.hardness.base import HardnessScorer

SCORERS: dict[str, tuple[str, str]] = {
    "knn-shapley": ("tabseed.hardness.shapley.knn", "KNNShapley"),
    "aum": ("tabseed.hardness.dynamics.scores", "AUM"),
    "data-iq": ("tabseed.hardness.dynamics.scores", "DataIQ"),
    "data-maps": ("tabseed.hardness.dynamics.scores", "DataMaps"),
    "el2n": ("tabseed.hardness.dynamics.scores", "EL2N"),
    "forgetting": ("tabseed.hardness.dynamics.scores", "Forgetting"),
    "grand": ("tabseed.hardness.dynamics.scores", "GraNd"),
    "vog": ("tabseed.hardness.dynamics.scores", "VoG"),
    "sample-loss": ("tabseed.hardness.dynamics.scores", "SampleLoss"),
    "prototypicality": ("tabseed.hardness.dynamics.scores", "Prototypicality"),
    "cleanlab": ("tabseed.hardness.dynamics.scores", "CleanLab"),
    "agreement": ("tabseed.hardness.dynamics.scores", "Agreement"),
    "detector": ("tabseed.hardness.dynamics.scores", "Detector"),
}


def scorer_class(name: str) -> type[HardnessScorer]:
    """Return the scorer class with this command-line name; TabseedError for an unknown name."""
    if name not in SCORERS:
        raise TabseedError(f"no hardness scorer {name!r}; there are {', '.join(SCORERS)}")
    module, attribute = SCORERS[name]
    scorer: type[HardnessScorer] = getattr(import_module(module), attribute)
    return scorer
