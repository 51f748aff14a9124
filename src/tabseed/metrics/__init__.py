"""Metrics: how a synthetic table compares with real rows, each number with its interval."""

from typing import Any

from tabseed.estimates.estimate import Estimate
from tabseed.metrics.base import Metric, Result
from tabseed.metrics.chance import Compared, Family, Null
from tabseed.metrics.chi2 import ChiSquareDivergence, ChiSquareResult, PermutationNull
from tabseed.metrics.coverage import Coverage, CoverageResult
from tabseed.metrics.density_ratio import (
    DensityRatioTail,
    density_ratio_tail,
    discrete_chi_square,
    gaussian_chi_square,
)
from tabseed.metrics.divergence import DiscriminatorDivergence
from tabseed.metrics.divergence_result import DivergenceResult
from tabseed.metrics.judge_curve import JudgeCurve, JudgeCurveResult
from tabseed.metrics.leakage import Overlap, check_leakage
from tabseed.metrics.marginal import MarginalDistance, MarginalResult
from tabseed.metrics.pairs import PairDistance, PairResult
from tabseed.metrics.two_sample import TwoSampleResult, TwoSampleTest

METRICS: dict[str, type[Metric[Any]]] = {
    "chi2": ChiSquareDivergence,
    "coverage": Coverage,
    "divergence": DiscriminatorDivergence,
    "marginal": MarginalDistance,
    "pairs": PairDistance,
    "two-sample": TwoSampleTest,
}

__all__ = [
    "METRICS",
    "ChiSquareDivergence",
    "ChiSquareResult",
    "Compared",
    "Coverage",
    "CoverageResult",
    "DensityRatioTail",
    "DiscriminatorDivergence",
    "DivergenceResult",
    "Estimate",
    "Family",
    "JudgeCurve",
    "JudgeCurveResult",
    "MarginalDistance",
    "MarginalResult",
    "Metric",
    "Null",
    "Overlap",
    "PairDistance",
    "PairResult",
    "PermutationNull",
    "Result",
    "TwoSampleResult",
    "TwoSampleTest",
    "check_leakage",
    "density_ratio_tail",
    "discrete_chi_square",
    "gaussian_chi_square",
]
