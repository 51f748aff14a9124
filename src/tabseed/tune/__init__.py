"""Tuning: a bandit chooses the family, and a Gaussian process the settings within it."""

from tabseed.tune.drawing import parallel_coordinates
from tabseed.tune.objectives import AugmentationGain, Fidelity
from tabseed.tune.report import TuningReport
from tabseed.tune.study import Study
from tabseed.tune.trial import Trial
from tabseed.tune.tuner import Tuner
from tabseed.tune.verdict import Verdict, gain_verdict, likeness_verdict

__all__ = [
    "AugmentationGain",
    "Fidelity",
    "Study",
    "Trial",
    "Tuner",
    "TuningReport",
    "Verdict",
    "gain_verdict",
    "likeness_verdict",
    "parallel_coordinates",
]
