"""Metrics: how a synthetic table compares with real rows, each number with its interval."""

from tabseed.metrics.base import Estimate, Metric, Overlap, Result, check_leakage
from tabseed.metrics.divergence import DiscriminatorDivergence, DivergenceResult
from tabseed.metrics.marginal import MarginalDistance, MarginalResult

METRICS: dict[str, type[Metric]] = {
    "divergence": DiscriminatorDivergence,
    "marginal": MarginalDistance,
}

__all__ = [
    "METRICS",
    "DiscriminatorDivergence",
    "DivergenceResult",
    "Estimate",
    "MarginalDistance",
    "MarginalResult",
    "Metric",
    "Overlap",
    "Result",
    "check_leakage",
]
