"""How hard each row is to learn: KNN-Shapley and twelve scores of training dynamics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tabseed.errors import TabseedError

if TYPE_CHECKING:
    from tabseed.hardness.base import HardnessScorer

SCORERS: dict[str, tuple[str, str]] = {
    "knn-shapley": ("tabseed.hardness.shapley", "KNNShapley"),
    "aum": ("tabseed.hardness.characterizers", "AUM"),
    "data-iq": ("tabseed.hardness.characterizers", "DataIQ"),
    "data-maps": ("tabseed.hardness.characterizers", "DataMaps"),
    "el2n": ("tabseed.hardness.characterizers", "EL2N"),
    "forgetting": ("tabseed.hardness.characterizers", "Forgetting"),
    "grand": ("tabseed.hardness.characterizers", "GraNd"),
    "vog": ("tabseed.hardness.characterizers", "VoG"),
    "sample-loss": ("tabseed.hardness.characterizers", "SampleLoss"),
    "prototypicality": ("tabseed.hardness.characterizers", "Prototypicality"),
    "cleanlab": ("tabseed.hardness.characterizers", "CleanLab"),
    "agreement": ("tabseed.hardness.characterizers", "Agreement"),
    "detector": ("tabseed.hardness.characterizers", "Detector"),
}


def scorer_class(name: str) -> type[HardnessScorer]:
    """Look a scorer up by its name on the command line; TabseedError for an unknown one."""
    if name not in SCORERS:
        raise TabseedError(f"no hardness scorer {name!r}; there are {', '.join(SCORERS)}")
    module, attribute = SCORERS[name]
    found: type[HardnessScorer] = getattr(import_module(module), attribute)
    return found
