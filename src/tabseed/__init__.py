"""Synthetic tables from small real ones, and an honest answer to whether they are any good.

Names are imported when they are first used: importing tabseed loads neither torch nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("tabseed")

# Each public name once, under its module; __init__.pyi is generated from it.
_ROOMS = {
    "augment.augmenter": "TargetedAugmenter TargetedRegressionAugmenter",
    "augment.protocol": "AugmentationEvaluation AugmentationProtocol evaluate_augmentation",
    "augment.stopping": "ImportanceKS KSStopped",
    "advice.advise": "Advice advise",
    "auto.auto": "Auto",
    "auto.decision": "Decision",
    "blend.blend": "Blend",
    "coding.encode": "TableEncoder",
    "errors": (
        "AbsentClassWarning FileError KnowledgeWarning LeakageError LeftOutWarning LimitError "
        "MissingDependencyError NoTargetWarning NothingLearnedError NotTunedWarning "
        "OrthogonalSeedsWarning SchemaError TabseedError TooFewRowsError"
    ),
    "evaluation.comparison": "compare Comparison",
    "evaluation.evaluation": "evaluate Evaluation",
    "evaluation.likeness": "Likeness",
    "evaluation.likeness_report": "LikenessReport",
    "evaluation.questions": "Questions",
    "evidence.verify": "Verification",
    "generators.base": "Generator",
    "generators.completion": "complete",
    "generators.copula": "GaussianCopula",
    "generators.neural.ctgan": "CTGAN",
    "generators.neural.stopping": "Training",
    "generators.neural.tvae": "TVAE",
    "generators.neural.vaebgm": "VAEBGM",
    "generators.private.marginals": "PrivateMarginals",
    "generators.resample": "Resample",
    "generators.smote": "SMOTE",
    "generators.trees.adversarial_forest": "AdversarialForest",
    "generators.trees.sequential": "SequentialTrees",
    "generators.two_stage.feature_response": "FeatureResponse",
    "hardness.assess": "assess_hardness HardnessAssessment",
    "hardness.base": "HardnessScorer",
    "hardness.dynamics.record": "TrainingDynamics",
    "hardness.dynamics.scores": (
        "Agreement AUM CleanLab DataIQ DataMaps Detector EL2N Forgetting GraNd "
        "Prototypicality SampleLoss VoG"
    ),
    "hardness.perturb": "perturb Perturbed",
    "hardness.shapley.knn": "KNNShapley",
    "inductive_bias.auto": "AutoBias",
    "inductive_bias.base": "InductiveBias",
    "inductive_bias.fine_tuned": "FineTuned",
    "inductive_bias.maml": "MAML MetaTraining",
    "inductive_bias.pretraining": "DomainRandomizedSearch Pretraining",
    "inductive_bias.weights": "Continued SeedMixture SmallInit StageOne WeightAveraging",
    "metrics": (
        "ChiSquareDivergence Coverage density_ratio_tail DiscriminatorDivergence MarginalDistance "
        "PairDistance TwoSampleTest"
    ),
    "privacy.disclosed": "DisclosureResult",
    "privacy.disclosure": "AttributeDisclosure",
    "privacy.membership": "MembershipInference",
    "privacy.membership_result": "MembershipResult",
    "privacy.report": "Privacy PrivacyReport",
    "rules.sdv": "rules_from_sdv rules_to_sdv",
    "rules.search": "find_rules find_slips",
    "saved": "load",
    "space": "Choice Float Int",
    "table": "Table",
    "table.fresh_ids": "with_fresh_ids",
    "table.files": "read_schema read_table write_schema write_table",
    "table.schema": "Column Schema",
    "tune": "parallel_coordinates Study Tuner TuningReport",
    "utility.averaging": "independent_sets",
    "utility.bound": "swap_design utility_bound",
    "utility.combining": "combine_estimates",
    "utility.decomposition": "utility_decomposition",
    "utility.gap": "generalization_utility",
    "utility.measure": "measure Measured Measuring",
    "utility.mix": "Mixing tune_mix",
    "utility.ranking": "ranking_consistency",
    "utility.report": "assess_utility UtilityReport",
    "utility.usefulness": "Usefulness",
}
_HOMES = {name: f"tabseed.{room}" for room, names in _ROOMS.items() for name in names.split()}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tabseed' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
