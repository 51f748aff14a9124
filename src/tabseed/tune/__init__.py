"""Tuning: which family, by a bandit, and which of its settings, by a Gaussian process."""

from tabseed.tune.objectives import AugmentationGain, Fidelity
from tabseed.tune.picture import parallel_coordinates
from tabseed.tune.study import Study, Trial
from tabseed.tune.tuner import Tuner
from tabseed.tune.verdict import Verdict, gain_verdict, likeness_verdict

__all__ = [
    "AugmentationGain",
    "Fidelity",
    "Study",
    "Trial",
    "Tuner",
    "Verdict",
    "gain_verdict",
    "likeness_verdict",
    "parallel_coordinates",
]
