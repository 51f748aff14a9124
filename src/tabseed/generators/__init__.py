"""Generators learn a table and draw rows. Each is imported on first use: some need PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tabseed.errors import TabseedError

if TYPE_CHECKING:
    from tabseed.generators.base import Generator

# name on the command line: (module, class)
GENERATORS: dict[str, tuple[str, str]] = {
    "trees": ("tabseed.generators.trees.sequential", "SequentialTrees"),
    "arf": ("tabseed.generators.trees.adversarial_forest", "AdversarialForest"),
    "copula": ("tabseed.generators.copula", "GaussianCopula"),
    "smote": ("tabseed.generators.smote", "SMOTE"),
    "resample": ("tabseed.generators.resample", "Resample"),
    "two-stage": ("tabseed.generators.two_stage.feature_response", "FeatureResponse"),
    "vaebgm": ("tabseed.generators.neural.vaebgm", "VAEBGM"),
    "tvae": ("tabseed.generators.neural.tvae", "TVAE"),
    "ctgan": ("tabseed.generators.neural.ctgan", "CTGAN"),
}

# by --epsilon: no seed reaches their noise, so that a fit cannot be repeated as laws ask of others
PRIVATE = ("tabseed.generators.private.marginals", "PrivateMarginals")


def generator_class(name: str) -> type[Generator]:
    """Return the class of that name.

    TabseedError for an unknown name, MissingDependencyError if what it needs is not installed.
    """
    if name not in GENERATORS:
        raise TabseedError(f"no generator {name!r}; there are {', '.join(GENERATORS)}")
    module, class_name = GENERATORS[name]
    cls: type[Generator] = getattr(import_module(module), class_name)
    return cls


__all__ = ["GENERATORS", "PRIVATE", "generator_class"]
