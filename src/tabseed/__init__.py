"""Synthetic tables from small real ones, and an honest answer to whether they are any good.

Names are looked up when they are used: importing tabseed loads neither torch nor scikit-learn.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tabseed.errors import (
    FileError,
    LeakageError,
    MissingDependencyError,
    NothingLearnedError,
    OrthogonalSeedsWarning,
    SchemaError,
    TabseedError,
    TooFewRowsError,
)

if TYPE_CHECKING:
    from tabseed.encode import TableEncoder
    from tabseed.evaluate import Evaluation, evaluate
    from tabseed.generators.adversarial_forest import AdversarialForest
    from tabseed.generators.base import Generator, load
    from tabseed.generators.copula import GaussianCopula
    from tabseed.generators.ctgan import CTGAN
    from tabseed.generators.ensemble import Training
    from tabseed.generators.resample import Resample
    from tabseed.generators.sequential_trees import SequentialTrees
    from tabseed.generators.smote import SMOTE
    from tabseed.generators.tvae import TVAE
    from tabseed.generators.vaebgm import VAEBGM
    from tabseed.inductive_bias.auto import AutoBias
    from tabseed.inductive_bias.base import InductiveBias
    from tabseed.inductive_bias.fine_tuned import FineTuned
    from tabseed.inductive_bias.maml import MAML, MetaTraining
    from tabseed.inductive_bias.pretraining import DomainRandomizedSearch, Pretraining
    from tabseed.inductive_bias.weights import (
        Continued,
        SeedMixture,
        SmallInit,
        StageOne,
        WeightAveraging,
    )
    from tabseed.io import read_schema, read_table, write_schema, write_table
    from tabseed.metrics import DiscriminatorDivergence, MarginalDistance
    from tabseed.schema import Column, Schema
    from tabseed.table import Table

__version__ = version("tabseed")

_HOMES = {
    "AdversarialForest": "tabseed.generators.adversarial_forest",
    "AutoBias": "tabseed.inductive_bias.auto",
    "CTGAN": "tabseed.generators.ctgan",
    "Column": "tabseed.schema",
    "Continued": "tabseed.inductive_bias.weights",
    "DiscriminatorDivergence": "tabseed.metrics",
    "DomainRandomizedSearch": "tabseed.inductive_bias.pretraining",
    "Evaluation": "tabseed.evaluate",
    "FineTuned": "tabseed.inductive_bias.fine_tuned",
    "GaussianCopula": "tabseed.generators.copula",
    "Generator": "tabseed.generators.base",
    "InductiveBias": "tabseed.inductive_bias.base",
    "MAML": "tabseed.inductive_bias.maml",
    "MarginalDistance": "tabseed.metrics",
    "MetaTraining": "tabseed.inductive_bias.maml",
    "Pretraining": "tabseed.inductive_bias.pretraining",
    "Resample": "tabseed.generators.resample",
    "SMOTE": "tabseed.generators.smote",
    "Schema": "tabseed.schema",
    "SeedMixture": "tabseed.inductive_bias.weights",
    "SequentialTrees": "tabseed.generators.sequential_trees",
    "SmallInit": "tabseed.inductive_bias.weights",
    "StageOne": "tabseed.inductive_bias.weights",
    "TVAE": "tabseed.generators.tvae",
    "Table": "tabseed.table",
    "TableEncoder": "tabseed.encode",
    "Training": "tabseed.generators.ensemble",
    "VAEBGM": "tabseed.generators.vaebgm",
    "WeightAveraging": "tabseed.inductive_bias.weights",
    "evaluate": "tabseed.evaluate",
    "load": "tabseed.generators.base",
    "read_schema": "tabseed.io",
    "read_table": "tabseed.io",
    "write_schema": "tabseed.io",
    "write_table": "tabseed.io",
}

__all__ = [
    "AdversarialForest",
    "AutoBias",
    "CTGAN",
    "Column",
    "Continued",
    "DiscriminatorDivergence",
    "DomainRandomizedSearch",
    "Evaluation",
    "FileError",
    "FineTuned",
    "GaussianCopula",
    "Generator",
    "InductiveBias",
    "LeakageError",
    "MAML",
    "MarginalDistance",
    "MetaTraining",
    "MissingDependencyError",
    "NothingLearnedError",
    "OrthogonalSeedsWarning",
    "Pretraining",
    "Resample",
    "SMOTE",
    "Schema",
    "SchemaError",
    "SeedMixture",
    "SequentialTrees",
    "SmallInit",
    "StageOne",
    "TVAE",
    "Table",
    "TableEncoder",
    "TabseedError",
    "TooFewRowsError",
    "Training",
    "VAEBGM",
    "WeightAveraging",
    "__version__",
    "evaluate",
    "load",
    "read_schema",
    "read_table",
    "write_schema",
    "write_table",
]


class _Package(ModuleType):
    """Keep ``tabseed.evaluate`` the function: importing the module of that name would hide it."""

    @property
    def evaluate(self) -> Any:
        return __getattr__("evaluate")

    @evaluate.setter
    def evaluate(self, module: ModuleType) -> None:
        """Decline what the import system would put here."""


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tabseed' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
