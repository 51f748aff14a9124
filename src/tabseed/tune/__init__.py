"""Tuning: which family, by a bandit, and which of its settings, by a Gaussian process."""

from tabseed.tune.picture import parallel_coordinates
from tabseed.tune.study import Study, Trial, Tuner

__all__ = ["Study", "Trial", "Tuner", "parallel_coordinates"]
