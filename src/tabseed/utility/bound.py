"""Bound a gap by the divergence of the features alone, and separate the two laws by swaps.

Notation: P and Q are the real and the synthetic law of features, r = dP/dQ,
chi2 = chi2(P || Q) = E_Q[r^2] - 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from tabseed.errors import TabseedError
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.means import BALANCED, SHARE, mean_over
from tabseed.estimates.words import number, span
from tabseed.metrics.usefulness import RISKS
from tabseed.parameters import FUNCTION, InstanceOf, OneOf, Pair, Real, checked, or_none, shown
from tabseed.utility.contributions import Contributions
from tabseed.utility.measure import Measured

LABEL = "diagnostic, not a guarantee"
Loss = Literal["squared", "0-1"]
UNITS: dict[Loss, str] = {"squared": RISKS["regression"], "0-1": RISKS["classification"]}


ROWS = Pair("a pair of features and labels")


def shift_bound(chi2: float, sd: float) -> float:
    """Bound |E_P g - E_Q g| by sqrt(chi2) sd_Q[g], by Cauchy and Schwarz on E_Q[(r - 1)(g - c)].

    The bound is 0 if either factor is 0, even if the other is infinite: a constant has no shift.
    """
    if not chi2 >= 0:
        raise TabseedError(f"chi2 must be 0 or more, got {chi2}; pass 0 for a negative estimate")
    return 0.0 if chi2 == 0 or sd == 0 else math.sqrt(chi2) * sd


@dataclass(frozen=True)
class BoundReport:
    """How far the gap R(f~) - R(f^) can lie, given the chi-square divergence of the features.

    ``feature_bound`` = sqrt(chi2 Var_Q[b]) bounds the size of the feature term; ``response`` and
    ``estimation`` are the other two terms, as measured
    (:class:`~tabseed.utility.decomposition.Decomposition`), and the gap lies within
    ``feature_bound`` of their sum: from ``low`` to ``high``; ``size`` bounds its absolute value.
    All are estimates from samples, and samples give no upper bound of chi2: ``certified`` is
    therefore always False. ``feature`` is the term itself, for comparison: the bound is loose.
    ``approximate`` is that of the Decomposition.
    """

    model: str
    chi2: float
    feature_bound: float
    feature: float
    response: float
    estimation: float
    low: float
    high: float
    size: float
    unit: str
    approximate: bool
    certified: bool = False
    label: str = LABEL

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
        return asdict(self)

    def __str__(self) -> str:
        response, estimation = (number(v, "+.4g") for v in (self.response, self.estimation))
        return (
            f"{self.model} ({self.label}): response {response}, estimation {estimation}, features "
            f"at most {self.feature_bound:.4g} (chi2 {self.chi2:.3g}): a gap from "
            f"{span(self.low, self.high, '.4g')} {self.unit}"
        )


@checked(measured=InstanceOf(Measured, "what measure() returns"), chi2=Real())
def utility_bound(measured: Measured, chi2: float) -> tuple[BoundReport, ...]:
    """Bound each model's gap by the chi-square divergence of the features, real || synthetic.

    ``chi2`` may be a closed form or an estimate; the uncertainty of an estimate is not carried on.
    Var_Q[b] is the variance over the synthetic rows set aside, averaged over draws and seeds.
    TabseedError for a negative ``chi2``.
    """
    return tuple(
        _bound(model, rows, measured, chi2)
        for model, rows in zip(measured.models, measured.contributions, strict=True)
    )


def _bound(model: str, rows: Contributions, measured: Measured, chi2: float) -> BoundReport:
    terms = rows.terms
    spread = float(np.mean([b.std(axis=-1).mean() for b in rows.shift_aside]))
    bound = shift_bound(chi2, spread)
    rest = terms.response.value + terms.estimation.value
    return BoundReport(
        model=model,
        chi2=float(chi2),
        feature_bound=bound,
        feature=terms.feature.value,
        response=terms.response.value,
        estimation=terms.estimation.value,
        low=rest - bound,
        high=rest + bound,
        size=abs(rest) + bound,
        unit=RISKS[measured.problem.task],
        approximate=not measured.response_known,
    )


# --- the swap design ----------------------------------------------------------------------------


@dataclass(frozen=True)
class SwapDesign:
    """The risk of one predictor with features and responses each real or synthetic.

    ``real_real``, ``real_synthetic`` (real features, synthetic responses) and
    ``synthetic_synthetic`` are plain means; ``synthetic_real`` needs an oracle or a density
    ratio, and is None without. ``response_gap`` = real_real - real_synthetic, paired by row, and
    ``feature_gap`` = real_synthetic - synthetic_synthetic: their sum is the real minus the
    synthetic risk. ``ess`` is the effective share of the weighted rows; None without weights.
    """

    real_real: Estimate
    real_synthetic: Estimate
    synthetic_synthetic: Estimate
    synthetic_real: Estimate | None
    response_gap: Estimate
    feature_gap: Estimate
    ess: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
        return asdict(self)


@checked(
    predict=FUNCTION,
    real=ROWS,
    synthetic=ROWS,
    loss=OneOf(tuple(UNITS)),
    oracle=or_none(FUNCTION),
)
def swap_design(
    predict: Callable[[Any], np.ndarray],
    real: tuple[Any, np.ndarray],
    synthetic: tuple[Any, np.ndarray],
    sampled: np.ndarray,
    loss: Loss,
    *,
    ratio: np.ndarray | None = None,
    oracle: Callable[[Any], np.ndarray] | None = None,
) -> SwapDesign:
    """Separate the effects of the laws of features and of responses, for one predictor.

    ``real`` and ``synthetic`` are features (in the form that ``predict`` takes) and labels, (h,)
    and (k,), of rows that trained neither the predictor nor the generator; ``sampled`` (h,) are
    synthetic responses to the real features (``FeatureResponse.sample_response``). The fourth cell
    is E_Q of the loss with real labels: from ``oracle``, which draws labels for given features
    (simulated laws), or from real rows weighted by 1 / r, where ``ratio`` (h,) is r = dP/dQ at each
    row. Weights are normalised to mean 1; the interval does not include their own error.
    TabseedError for lengths that do not match.
    """
    (x, y), (x_synthetic, y_synthetic) = real, synthetic
    y, y_synthetic, sampled = map(_labels, (y, y_synthetic, sampled))
    ratio = None if ratio is None else _labels(ratio)
    if len(sampled) != len(y) or (ratio is not None and len(ratio) != len(y)):
        raise TabseedError("swap_design: sampled and ratio must have one value for each real row")
    predicted, predicted_synthetic = map(_labels, (predict(x), predict(x_synthetic)))
    real_real, real_synthetic = (_losses(predicted, labels, loss) for labels in (y, sampled))
    both_synthetic = _losses(predicted_synthetic, y_synthetic, loss)
    added, unit = BALANCED if loss == "0-1" else (), UNITS[loss]
    fourth, ess = None, None
    if oracle is not None:
        fourth = _losses(predicted_synthetic, _labels(oracle(x_synthetic)), loss)
    elif ratio is not None:
        if ratio.dtype.kind not in "iuf" or not (np.isfinite(ratio).all() and (ratio > 0).all()):
            raise TabseedError("swap_design: every density ratio must be finite and above 0")
        weight = 1 / np.asarray(ratio)
        weight = weight / weight.mean()
        mean = (weight * real_real).mean()
        fourth = mean + weight * (real_real - mean)
        ess = float(1 / (weight**2).mean())
    return SwapDesign(
        real_real=_cell(real_real, loss),
        real_synthetic=_cell(real_synthetic, loss),
        synthetic_synthetic=_cell(both_synthetic, loss),
        synthetic_real=None if fourth is None else _cell(fourth, loss),
        response_gap=mean_over((real_real - real_synthetic)[None, None], added=added).estimate(
            unit
        ),
        feature_gap=mean_over(real_synthetic[None, None], [-both_synthetic[None]], added).estimate(
            unit
        ),
        ess=ess,
    )


def _labels(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise TabseedError(
            f"swap_design: {shown(values)} must be an array with one value for each row"
        )
    return array


def _losses(predicted: np.ndarray, y: np.ndarray, loss: Loss) -> np.ndarray:
    if len(predicted) != len(y):
        raise TabseedError(f"swap_design: {len(predicted)} predictions for {len(y)} labels")
    if loss == "squared":
        if y.dtype.kind not in "biuf":
            raise TabseedError("swap_design: the squared loss is for labels that are numbers")
        return np.asarray((np.asarray(predicted) - y) ** 2, dtype=np.float64)
    return np.asarray((np.asarray(predicted) != y).astype(np.float64))


def _cell(rows: np.ndarray, loss: Loss) -> Estimate:
    added = SHARE if loss == "0-1" else ()
    ceiling = 1.0 if loss == "0-1" else np.inf
    return mean_over(rows[None, None], added=added).estimate(
        UNITS[loss], floor=0.0, ceiling=ceiling
    )
