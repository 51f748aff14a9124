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
    from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
    from tabseed.augment.monitor import ImportanceKS, KSStopped
    from tabseed.augment.protocol import (
        AugmentationEvaluation,
        AugmentationProtocol,
        evaluate_augmentation,
    )
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
    from tabseed.hardness.assess import HardnessAssessment, assess_hardness
    from tabseed.hardness.base import HardnessScorer
    from tabseed.hardness.characterizers import (
        AUM,
        EL2N,
        Agreement,
        CleanLab,
        DataIQ,
        DataMaps,
        Detector,
        Forgetting,
        GraNd,
        Prototypicality,
        SampleLoss,
        VoG,
    )
    from tabseed.hardness.dynamics import TrainingDynamics
    from tabseed.hardness.perturb import Perturbed, perturb
    from tabseed.hardness.shapley import KNNShapley
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
    from tabseed.metrics import (
        ChiSquareDivergence,
        DiscriminatorDivergence,
        MarginalDistance,
        density_ratio_tail,
    )
    from tabseed.schema import Column, Schema
    from tabseed.space import Choice, Float, Int
    from tabseed.table import Table
    from tabseed.tune import Study, Tuner, parallel_coordinates
    from tabseed.two_stage import FeatureResponse
    from tabseed.utility.assess import UtilityReport, assess_utility
    from tabseed.utility.bound import swap_design, utility_bound
    from tabseed.utility.decomposition import utility_decomposition
    from tabseed.utility.gap import generalization_utility
    from tabseed.utility.measure import Measuring
    from tabseed.utility.mix import tune_mix
    from tabseed.utility.ranking import ranking_consistency
    from tabseed.utility.several import combine_estimates, independent_sets

__version__ = version("tabseed")

_HOMES = {
    "AUM": "tabseed.hardness.characterizers",
    "AdversarialForest": "tabseed.generators.adversarial_forest",
    "Agreement": "tabseed.hardness.characterizers",
    "AugmentationEvaluation": "tabseed.augment.protocol",
    "AugmentationProtocol": "tabseed.augment.protocol",
    "AutoBias": "tabseed.inductive_bias.auto",
    "CTGAN": "tabseed.generators.ctgan",
    "ChiSquareDivergence": "tabseed.metrics",
    "Choice": "tabseed.space",
    "CleanLab": "tabseed.hardness.characterizers",
    "Column": "tabseed.schema",
    "Continued": "tabseed.inductive_bias.weights",
    "DataIQ": "tabseed.hardness.characterizers",
    "DataMaps": "tabseed.hardness.characterizers",
    "Detector": "tabseed.hardness.characterizers",
    "DiscriminatorDivergence": "tabseed.metrics",
    "DomainRandomizedSearch": "tabseed.inductive_bias.pretraining",
    "EL2N": "tabseed.hardness.characterizers",
    "Evaluation": "tabseed.evaluate",
    "FeatureResponse": "tabseed.two_stage",
    "FineTuned": "tabseed.inductive_bias.fine_tuned",
    "Float": "tabseed.space",
    "Forgetting": "tabseed.hardness.characterizers",
    "GaussianCopula": "tabseed.generators.copula",
    "Generator": "tabseed.generators.base",
    "GraNd": "tabseed.hardness.characterizers",
    "HardnessAssessment": "tabseed.hardness.assess",
    "HardnessScorer": "tabseed.hardness.base",
    "ImportanceKS": "tabseed.augment.monitor",
    "InductiveBias": "tabseed.inductive_bias.base",
    "Int": "tabseed.space",
    "KNNShapley": "tabseed.hardness.shapley",
    "KSStopped": "tabseed.augment.monitor",
    "MAML": "tabseed.inductive_bias.maml",
    "MarginalDistance": "tabseed.metrics",
    "Measuring": "tabseed.utility.measure",
    "MetaTraining": "tabseed.inductive_bias.maml",
    "Perturbed": "tabseed.hardness.perturb",
    "Pretraining": "tabseed.inductive_bias.pretraining",
    "Prototypicality": "tabseed.hardness.characterizers",
    "Resample": "tabseed.generators.resample",
    "SMOTE": "tabseed.generators.smote",
    "SampleLoss": "tabseed.hardness.characterizers",
    "Schema": "tabseed.schema",
    "SeedMixture": "tabseed.inductive_bias.weights",
    "SequentialTrees": "tabseed.generators.sequential_trees",
    "SmallInit": "tabseed.inductive_bias.weights",
    "StageOne": "tabseed.inductive_bias.weights",
    "Study": "tabseed.tune",
    "TVAE": "tabseed.generators.tvae",
    "Table": "tabseed.table",
    "TableEncoder": "tabseed.encode",
    "TargetedAugmenter": "tabseed.augment.augmenter",
    "TargetedRegressionAugmenter": "tabseed.augment.augmenter",
    "Training": "tabseed.generators.ensemble",
    "TrainingDynamics": "tabseed.hardness.dynamics",
    "Tuner": "tabseed.tune",
    "UtilityReport": "tabseed.utility.assess",
    "VAEBGM": "tabseed.generators.vaebgm",
    "VoG": "tabseed.hardness.characterizers",
    "WeightAveraging": "tabseed.inductive_bias.weights",
    "assess_hardness": "tabseed.hardness.assess",
    "assess_utility": "tabseed.utility.assess",
    "combine_estimates": "tabseed.utility.several",
    "density_ratio_tail": "tabseed.metrics",
    "evaluate": "tabseed.evaluate",
    "evaluate_augmentation": "tabseed.augment.protocol",
    "generalization_utility": "tabseed.utility.gap",
    "independent_sets": "tabseed.utility.several",
    "load": "tabseed.generators.base",
    "parallel_coordinates": "tabseed.tune",
    "perturb": "tabseed.hardness.perturb",
    "ranking_consistency": "tabseed.utility.ranking",
    "read_schema": "tabseed.io",
    "read_table": "tabseed.io",
    "swap_design": "tabseed.utility.bound",
    "tune_mix": "tabseed.utility.mix",
    "utility_bound": "tabseed.utility.bound",
    "utility_decomposition": "tabseed.utility.decomposition",
    "write_schema": "tabseed.io",
    "write_table": "tabseed.io",
}

__all__ = [
    "AUM",
    "AdversarialForest",
    "Agreement",
    "AugmentationEvaluation",
    "AugmentationProtocol",
    "AutoBias",
    "CTGAN",
    "ChiSquareDivergence",
    "Choice",
    "CleanLab",
    "Column",
    "Continued",
    "DataIQ",
    "DataMaps",
    "Detector",
    "DiscriminatorDivergence",
    "DomainRandomizedSearch",
    "EL2N",
    "Evaluation",
    "FileError",
    "FeatureResponse",
    "FineTuned",
    "Float",
    "Forgetting",
    "GaussianCopula",
    "Generator",
    "GraNd",
    "HardnessAssessment",
    "HardnessScorer",
    "ImportanceKS",
    "InductiveBias",
    "Int",
    "KNNShapley",
    "LeakageError",
    "KSStopped",
    "MAML",
    "MarginalDistance",
    "Measuring",
    "MetaTraining",
    "MissingDependencyError",
    "NothingLearnedError",
    "OrthogonalSeedsWarning",
    "Perturbed",
    "Pretraining",
    "Prototypicality",
    "Resample",
    "SMOTE",
    "SampleLoss",
    "Schema",
    "SchemaError",
    "SeedMixture",
    "SequentialTrees",
    "SmallInit",
    "StageOne",
    "Study",
    "TVAE",
    "Table",
    "TableEncoder",
    "TabseedError",
    "TooFewRowsError",
    "TargetedAugmenter",
    "TargetedRegressionAugmenter",
    "Training",
    "TrainingDynamics",
    "Tuner",
    "UtilityReport",
    "VAEBGM",
    "VoG",
    "WeightAveraging",
    "__version__",
    "assess_hardness",
    "assess_utility",
    "combine_estimates",
    "density_ratio_tail",
    "evaluate",
    "evaluate_augmentation",
    "generalization_utility",
    "independent_sets",
    "load",
    "parallel_coordinates",
    "perturb",
    "ranking_consistency",
    "read_schema",
    "read_table",
    "swap_design",
    "tune_mix",
    "utility_bound",
    "utility_decomposition",
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
