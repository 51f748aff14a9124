"""Inductive bias for small tables: initial weights for training, learned from several seeds.

A bias is imported only when it is used, because every one needs PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tabseed.errors import TabseedError

if TYPE_CHECKING:
    from tabseed.inductive_bias.base import InductiveBias

# name on the command line: (module, class)
BIASES: dict[str, tuple[str, str]] = {
    "average": ("tabseed.inductive_bias.weights", "WeightAveraging"),
    "pretrain": ("tabseed.inductive_bias.pretraining", "Pretraining"),
    "maml": ("tabseed.inductive_bias.maml", "MAML"),
    "drs": ("tabseed.inductive_bias.pretraining", "DomainRandomizedSearch"),
    "small-init": ("tabseed.inductive_bias.weights", "SmallInit"),
    "continued": ("tabseed.inductive_bias.weights", "Continued"),
    "stage-one": ("tabseed.inductive_bias.weights", "StageOne"),
    "mixture": ("tabseed.inductive_bias.weights", "SeedMixture"),
    "auto": ("tabseed.inductive_bias.auto", "AutoBias"),
}


def bias_class(name: str) -> type[InductiveBias]:
    """Return the class of the bias of that name.

    Raises TabseedError for an unknown name, MissingDependencyError if PyTorch is not installed.
    """
    if name not in BIASES:
        raise TabseedError(f"no bias is called {name!r}; choose one of {', '.join(BIASES)}")
    module, class_name = BIASES[name]
    bias: type[InductiveBias] = getattr(import_module(module), class_name)
    return bias


__all__ = ["BIASES", "bias_class"]
