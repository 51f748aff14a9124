"""Find where a utility gap comes from: wrong responses, wrong features, or a better fit.

Notation: P is the real law of features, Q the synthetic one; mu(x) = E[y | x] or
eta_c(x) = P(y = c | x), with a tilde under the synthetic law; f^ is trained on real rows, f~ on
synthetic ones; R and R~ are the risks under the real and the synthetic law; the loss is squared or
0-1.

    R(f~) - R(f^) = response + feature + estimation
    squared    response    2 E_P[(f~ - f^)(mu~ - mu)]
               feature     (E_P - E_Q)[(f~ - mu~)^2 - (f^ - mu~)^2]
    0-1        response    E_P[(eta~ - eta)_f~ - (eta~ - eta)_f^]
               feature     (E_P - E_Q)[eta~_f^ - eta~_f~]
    both       estimation  R~(f~) - R~(f^)

where eta_f is the share at x of the class that f predicts. Proof: let b(x) be the conditional risk
of f~ minus that of f^ under the synthetic response, (f~ - mu~)^2 - (f^ - mu~)^2 or
eta~_f^ - eta~_f~ (1 - eta_f is the risk at x of predicting f; noise variances cancel). Then
estimation is E_Q b, feature is E_P b - E_Q b, and response is the rest, E_P of the difference of
the real conditional risks minus b: (f - mu)^2 - (f - mu~)^2 = (mu~ - mu)(2 f - mu - mu~), where
only 2 f differs between f~ and f^; and eta_f^ - eta_f~ - (eta~_f^ - eta~_f~). For two classes the
0-1 terms are 2 E_P[(eta~ - eta)(f~ - f^)] and (E_P - E_Q)[(1 - 2 eta~)(f~ - f^)] with labels 0 and
1. The decomposition follows the idea of Xu, Sun and Cheng (arXiv 2305.10015); these formulas are
ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tabseed._random import RandomState
from tabseed.errors import renamed
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.words import number
from tabseed.metrics.usefulness import RISKS
from tabseed.table import Frame
from tabseed.utility.contributions import Contributions
from tabseed.utility.gap import model_first, one
from tabseed.utility.measure import Measured, Measuring, measure

WORDS = {
    "response": "the synthetic responses differ from the real ones where the two models disagree",
    "feature": "the synthetic features have another distribution than the real ones",
    "estimation": "the two models differ in how well they fit the synthetic law",
}


@dataclass(frozen=True)
class Decomposition:
    """One model's gap in three terms, each with a 95 % interval over rows, draws and seeds.

    ``total`` is their sum; ``direct`` is the gap measured on the held-out rows alone.
    ``difference``, with standard error ``difference_se``, is measured on the synthetic rows set
    aside; its expectation is 0 if the mean response mu~ or eta~ is that of the synthetic law. If
    this response is known, the difference is total - direct. ``approximate`` says that the response
    was learned from the synthetic rows: the difference is then the error of the learned response,
    and is subtracted from the response term, so that the terms add up to the gap; the remaining
    error is of second order, the product of the response's error and the features' shift. The
    estimation term is usually negative.
    """

    model: str
    response: Estimate
    feature: Estimate
    estimation: Estimate
    total: Estimate
    direct: Estimate
    difference: Estimate
    difference_se: float
    approximate: bool

    @property
    def headline(self) -> Estimate:
        """The gap, as measured directly."""
        return self.direct

    @property
    def terms(self) -> dict[str, Estimate]:
        """The three terms by name."""
        return {name: getattr(self, name) for name in WORDS}

    @property
    def dominant(self) -> str | None:
        """The name of the largest term whose interval excludes 0; None if there is none."""
        clear = {n: t for n, t in self.terms.items() if not t.low <= 0 <= t.high}
        return max(clear, key=lambda name: abs(clear[name].value)) if clear else None

    @property
    def adds_up(self) -> bool:
        """Whether ``difference`` is 0 within sampling error."""
        return self.difference.low <= 0 <= self.difference.high

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
        return {**asdict(self), "dominant": self.dominant, "adds_up": self.adds_up}

    def __str__(self) -> str:
        terms = ", ".join(
            f"{name} {number(term.value, '+.4g')}" for name, term in self.terms.items()
        )
        about = "about " if self.approximate else ""
        why = "no term differs reliably from 0"
        if self.dominant is not None:
            why = f"the {self.dominant} term dominates: {WORDS[self.dominant]}"
        return (
            f"{self.model}: a gap of {number(self.direct.value, '+.4g')} is {about}{terms}; {why}"
        )


@renamed(how="settings")
@model_first
def utility_decomposition(
    train: Frame,
    synthetic: Frame | Sequence[Frame],
    holdout: Frame,
    target: str,
    settings: Measuring | None = None,
    random_state: RandomState = 0,
    *,
    model: Any,
) -> Decomposition:
    """Return where the gap of :func:`~tabseed.utility.gap.generalization_utility` comes from.

    The arguments are the same. The result is exact only if ``settings.responses`` are the mean
    responses of the synthetic laws (``FeatureResponse.response_mean``); otherwise a forest learns
    them, and the result is approximate. A fifth of the synthetic rows, at most 2,000, trains
    nothing and represents the synthetic law.
    """
    alone = one(model, settings)
    measured = measure(train, synthetic, holdout, target, alone, random_state)
    return decompose(measured)[0]


def decompose(measured: Measured) -> tuple[Decomposition, ...]:
    """Decompose the gap of each model. Cost: passes over the measured arrays."""
    return tuple(
        _decomposition(model, rows, measured)
        for model, rows in zip(measured.models, measured.contributions, strict=True)
    )


def mean_decomposition(measured: Measured) -> Decomposition:
    """Decompose the mean gap over models: each row contributes its mean over models."""
    each = measured.contributions
    mean = replace(
        each[0],
        surplus=np.mean([c.surplus for c in each], axis=0),
        shift=np.mean([c.shift for c in each], axis=0),
        surplus_aside=_means([c.surplus_aside for c in each]),
        shift_aside=_means([c.shift_aside for c in each]),
        added=each[0].added if len(each) == 1 else (),  # means over models are rarely 0
    )
    return _decomposition("mean of models", mean, measured)


def _means(parts: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Average over models, table by table."""
    return [np.mean(part, axis=0) for part in zip(*parts, strict=True)]


def _decomposition(model: str, rows: Contributions, measured: Measured) -> Decomposition:
    terms = rows.terms
    unit = RISKS[measured.problem.task]
    return Decomposition(
        model=model,
        response=terms.response.estimate(unit),
        feature=terms.feature.estimate(unit),
        estimation=terms.estimation.estimate(unit),
        total=terms.total.estimate(unit),
        direct=terms.direct.estimate(unit),
        difference=terms.difference.estimate(unit),
        difference_se=terms.difference.se,
        approximate=not measured.response_known,
    )
