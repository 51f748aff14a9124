"""How hard each row is to learn: KNN-Shapley and twelve scores of training dynamics."""

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
    """Look a scorer up by its name on the command line; TabseedError for an unknown one."""
    if name not in SCORERS:
        raise TabseedError(f"no hardness scorer {name!r}; there are {', '.join(SCORERS)}")
    module, attribute = SCORERS[name]
    found: type[HardnessScorer] = getattr(import_module(module), attribute)
    return found
