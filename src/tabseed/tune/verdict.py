"""The settings that were chosen against others, on rows that no trial saw.

Notation: n test rows, G draws, psi_i the part of row i in a score, whose mean over rows it is.

The value at which settings were chosen is the best of many noisy ones: it flatters them. Test rows
are used once, after the choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from tabseed._random import RandomState, child, one_thread, seed_sequence
from tabseed.augment.protocol import Arms, AugmentationProtocol, default_model, score_name
from tabseed.augment.rows import Rows
from tabseed.generators.base import Generator
from tabseed.metrics import Estimate, Metric
from tabseed.metrics.divergence import interval
from tabseed.table import Table
from tabseed.tune.objectives import judge, judged

CHOSEN = "chosen"
GAIN_DRAWS, LIKENESS_DRAWS = 10, 3
PREPARE, RUN = range(2)  # streams


@dataclass(frozen=True)
class Verdict:
    """Mean scores by name, and by how much "chosen" is better than each other, positive: better.

    An interval is over the test rows and the draws; the training rows are those of one split, so
    that what another split would give is not in it.
    """

    score: str
    scores: dict[str, float]
    over: dict[str, Estimate]
    n_test: int
    draws: int

    @property
    def sentence(self) -> str:
        """Say what the test rows say."""
        said = [f"{_how(e)} {name}: {_signed(e)}" for name, e in self.over.items()]
        return (
            f"On {self.n_test} rows that no trial saw, the chosen settings are {'; '.join(said)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return {
            "sentence": self.sentence,
            "score": self.score,
            "scores": self.scores,
            "over": {name: e.to_dict() for name, e in self.over.items()},
            "n_test": self.n_test,
            "draws": self.draws,
        }


def _how(e: Estimate) -> str:
    if e.low > 0:
        return "better than"
    return "worse than" if e.high < 0 else "not told apart from"


def _signed(e: Estimate) -> str:
    return f"{e.unit} {e.value:+.4f} (95 % interval {e.low:+.4f} to {e.high:+.4f})"


def gain_verdict(
    train: Rows,
    test: Rows,
    augmenter: Any,
    contenders: Mapping[str, Generator],
    *,
    draws: int = GAIN_DRAWS,
    model: Any = None,
    random_state: RandomState = None,
) -> Verdict:
    """Score a model with rows added by each of ``contenders``, "chosen" among them, and by none.

    Cost: a fit of each generator, and G of the model for each.
    """
    stream = seed_sequence(random_state)
    model = default_model(train.task) if model is None else model
    with one_thread():
        arms = Arms.on(train, augmenter, model, AugmentationProtocol(), child(stream, PREPARE))
        points = arms.points.transform(test.features)
        parts = {"none": _parts(arms.models("none", 1), points, test)}
        for name, generator in contenders.items():
            own = clone(augmenter).set_params(generator=generator)
            drawing = replace(arms, augmenter=own, stream=child(stream, RUN))
            parts[name] = _parts(drawing.models("hardest", draws), points, test)
    score, mine = score_name(train), parts[CHOSEN]
    return Verdict(
        score,
        {name: float(p.mean()) for name, p in parts.items()},
        {name: _interval(mine - p, score) for name, p in parts.items() if name != CHOSEN},
        len(test),
        draws,
    )


def _interval(difference: np.ndarray, score: str) -> Estimate:
    """Give the mean (G, n) with its interval over rows and draws; no spread, no width."""
    if not np.ptp(difference):
        value = float(difference.mean())
        return Estimate(value, value, value, score, "higher")
    return replace(interval([difference], 0.0, score), better="higher")


def _parts(models: Any, points: np.ndarray, test: Rows) -> np.ndarray:
    """Give psi of each draw's model, (G, n)."""
    return np.array([_parts_of(model, points, test) for model in models])


def _parts_of(model: Any, points: np.ndarray, test: Rows) -> np.ndarray:
    if test.task == "regression":
        return r2_parts(test.y, model.predict(points))
    parts = auc_parts(test.y, model.predict_proba(points))
    return 2 * parts - 1 if len(test.classes) == 2 else parts


def auc_parts(y: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Give psi (n,) of the area under the ROC curve of class shares (n, C); classes all occur.

    With A the area, v_i the share of the other side's rows that row i is on the right side of
    (ties half), p the share of i's side: psi_i = A + (v_i - A) / p. Its variance over n is that of
    DeLong et al. 1988 (doi:10.2307/2531595). With more than two classes, the mean of one class
    against the rest.
    """
    classes = range(share.shape[1]) if share.shape[1] > 2 else (1,)
    return np.mean([_one_auc(y == c, share[:, c]) for c in classes], axis=0)


def _one_auc(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    high, low = np.sort(score[positive]), np.sort(score[~positive])
    among = np.where(positive, _rank(low, score), 1 - _rank(high, score))
    p, area = float(positive.mean()), float(among[positive].mean())
    return area + (among - area) / np.where(positive, p, 1 - p)


def _rank(ordered: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Give the share of ``ordered`` below each score, ties half."""
    sides = (np.searchsorted(ordered, score, side) for side in ("left", "right"))
    return np.asarray(sum(sides)) / (2 * len(ordered))


def r2_parts(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Give psi (n,) of R2 = 1 - E/S: 1 - e_i^2/S + (E/S) ((y_i - mean y)^2/S - 1).

    E and S are mean squares, of the errors e_i and of y around its mean.
    """
    error, away = (y - predicted) ** 2, (y - y.mean()) ** 2
    s = away.mean()
    return 1 - error / s + error.mean() / s * (away / s - 1)


def likeness_verdict(
    train: Table,
    test: Table,
    target: str | None,
    contenders: Mapping[str, Generator],
    *,
    draws: int = LIKENESS_DRAWS,
    metric: Metric | None = None,
    random_state: RandomState = None,
) -> Verdict:
    """Judge rows of each of ``contenders``, "chosen" among them, by the test rows.

    The interval of a difference adds the variances of both, as if each had test rows of its own:
    it is too wide rather than too narrow.
    """
    stream = seed_sequence(random_state)
    metric = judge() if metric is None else metric
    found = {
        name: [
            one.headline
            for one in judged(made, (train, test), target, metric, draws, child(stream, RUN))
        ]
        for name, made in contenders.items()
    }
    values = {name: float(np.mean([e.value for e in es])) for name, es in found.items()}
    half = {name: float(np.mean([e.high - e.low for e in es])) / 2 for name, es in found.items()}
    sign = 1 if metric.better == "higher" else -1
    over = {}
    for name in (n for n in found if n != CHOSEN):
        gain = sign * (values[CHOSEN] - values[name])
        wide = math.hypot(half[CHOSEN], half[name])
        over[name] = Estimate(gain, gain - wide, gain + wide, metric.unit, "higher")
    return Verdict(f"JS, {metric.unit}", values, over, len(test), draws)
