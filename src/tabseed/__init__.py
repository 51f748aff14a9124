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
    from tabseed.augment.protocol import (
        AugmentationEvaluation,
        AugmentationProtocol,
        evaluate_augmentation,
    )
    from tabseed.augment.stopping import ImportanceKS, KSStopped
    from tabseed.coding.encode import TableEncoder
    from tabseed.evaluation.evaluation import Evaluation, evaluate
    from tabseed.generators.base import Generator, load
    from tabseed.generators.copula import GaussianCopula
    from tabseed.generators.neural.ctgan import CTGAN
    from tabseed.generators.neural.ensemble import Training
    from tabseed.generators.neural.tvae import TVAE
    from tabseed.generators.neural.vaebgm import VAEBGM
    from tabseed.generators.resample import Resample
    from tabseed.generators.smote import SMOTE
    from tabseed.generators.trees.adversarial_forest import AdversarialForest
    from tabseed.generators.trees.sequential import SequentialTrees
    from tabseed.generators.two_stage.feature_response import FeatureResponse
    from tabseed.hardness.assess import HardnessAssessment, assess_hardness
    from tabseed.hardness.base import HardnessScorer
    from tabseed.hardness.dynamics.record import TrainingDynamics
    from tabseed.hardness.dynamics.scores import (
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
    from tabseed.hardness.perturb import Perturbed, perturb
    from tabseed.hardness.shapley.knn import KNNShapley
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
    from tabseed.metrics import (
        ChiSquareDivergence,
        DiscriminatorDivergence,
        MarginalDistance,
        density_ratio_tail,
    )
    from tabseed.space import Choice, Float, Int
    from tabseed.table import Table
    from tabseed.table.files import read_schema, read_table, write_schema, write_table
    from tabseed.table.schema import Column, Schema
    from tabseed.tune import Study, Tuner, parallel_coordinates
    from tabseed.utility.averaging import combine_estimates, independent_sets
    from tabseed.utility.bound import swap_design, utility_bound
    from tabseed.utility.decomposition import utility_decomposition
    from tabseed.utility.gap import generalization_utility
    from tabseed.utility.measure import Measuring
    from tabseed.utility.mix import tune_mix
    from tabseed.utility.ranking import ranking_consistency
    from tabseed.utility.report import UtilityReport, assess_utility

__version__ = version("tabseed")

_HOMES = {
    "AUM": "tabseed.hardness.dynamics.scores",
    "AdversarialForest": "tabseed.generators.trees.adversarial_forest",
    "Agreement": "tabseed.hardness.dynamics.scores",
    "AugmentationEvaluation": "tabseed.augment.protocol",
    "AugmentationProtocol": "tabseed.augment.protocol",
    "AutoBias": "tabseed.inductive_bias.auto",
    "CTGAN": "tabseed.generators.neural.ctgan",
    "ChiSquareDivergence": "tabseed.metrics",
    "Choice": "tabseed.space",
    "CleanLab": "tabseed.hardness.dynamics.scores",
    "Column": "tabseed.table.schema",
    "Continued": "tabseed.inductive_bias.weights",
    "DataIQ": "tabseed.hardness.dynamics.scores",
    "DataMaps": "tabseed.hardness.dynamics.scores",
    "Detector": "tabseed.hardness.dynamics.scores",
    "DiscriminatorDivergence": "tabseed.metrics",
    "DomainRandomizedSearch": "tabseed.inductive_bias.pretraining",
    "EL2N": "tabseed.hardness.dynamics.scores",
    "Evaluation": "tabseed.evaluation.evaluation",
    "FeatureResponse": "tabseed.generators.two_stage.feature_response",
    "FineTuned": "tabseed.inductive_bias.fine_tuned",
    "Float": "tabseed.space",
    "Forgetting": "tabseed.hardness.dynamics.scores",
    "GaussianCopula": "tabseed.generators.copula",
    "Generator": "tabseed.generators.base",
    "GraNd": "tabseed.hardness.dynamics.scores",
    "HardnessAssessment": "tabseed.hardness.assess",
    "HardnessScorer": "tabseed.hardness.base",
    "ImportanceKS": "tabseed.augment.stopping",
    "InductiveBias": "tabseed.inductive_bias.base",
    "Int": "tabseed.space",
    "KNNShapley": "tabseed.hardness.shapley.knn",
    "KSStopped": "tabseed.augment.stopping",
    "MAML": "tabseed.inductive_bias.maml",
    "MarginalDistance": "tabseed.metrics",
    "Measuring": "tabseed.utility.measure",
    "MetaTraining": "tabseed.inductive_bias.maml",
    "Perturbed": "tabseed.hardness.perturb",
    "Pretraining": "tabseed.inductive_bias.pretraining",
    "Prototypicality": "tabseed.hardness.dynamics.scores",
    "Resample": "tabseed.generators.resample",
    "SMOTE": "tabseed.generators.smote",
    "SampleLoss": "tabseed.hardness.dynamics.scores",
    "Schema": "tabseed.table.schema",
    "SeedMixture": "tabseed.inductive_bias.weights",
    "SequentialTrees": "tabseed.generators.trees.sequential",
    "SmallInit": "tabseed.inductive_bias.weights",
    "StageOne": "tabseed.inductive_bias.weights",
    "Study": "tabseed.tune",
    "TVAE": "tabseed.generators.neural.tvae",
    "Table": "tabseed.table.table",
    "TableEncoder": "tabseed.coding.encode",
    "TargetedAugmenter": "tabseed.augment.augmenter",
    "TargetedRegressionAugmenter": "tabseed.augment.augmenter",
    "Training": "tabseed.generators.neural.ensemble",
    "TrainingDynamics": "tabseed.hardness.dynamics.record",
    "Tuner": "tabseed.tune",
    "UtilityReport": "tabseed.utility.report",
    "VAEBGM": "tabseed.generators.neural.vaebgm",
    "VoG": "tabseed.hardness.dynamics.scores",
    "WeightAveraging": "tabseed.inductive_bias.weights",
    "assess_hardness": "tabseed.hardness.assess",
    "assess_utility": "tabseed.utility.report",
    "combine_estimates": "tabseed.utility.averaging",
    "density_ratio_tail": "tabseed.metrics",
    "evaluate": "tabseed.evaluation.evaluation",
    "evaluate_augmentation": "tabseed.augment.protocol",
    "generalization_utility": "tabseed.utility.gap",
    "independent_sets": "tabseed.utility.averaging",
    "load": "tabseed.generators.base",
    "parallel_coordinates": "tabseed.tune",
    "perturb": "tabseed.hardness.perturb",
    "ranking_consistency": "tabseed.utility.ranking",
    "read_schema": "tabseed.table.files",
    "read_table": "tabseed.table.files",
    "swap_design": "tabseed.utility.bound",
    "tune_mix": "tabseed.utility.mix",
    "utility_bound": "tabseed.utility.bound",
    "utility_decomposition": "tabseed.utility.decomposition",
    "write_schema": "tabseed.table.files",
    "write_table": "tabseed.table.files",
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
