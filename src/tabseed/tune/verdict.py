"""Compare the chosen settings with others, on rows that no trial saw.

Notation: n test rows, G draws, psi_i the part of row i in a score, which is the mean of all psi_i.

The value of the chosen trial is the best of many noisy ones, so it flatters the chosen settings.
The test rows are used once, after the choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from tabseed._random import RandomState, child, one_thread, seed_sequence
from tabseed.augment.arms import Arms, default_model, score_name
from tabseed.augment.protocol import AugmentationProtocol
from tabseed.augment.rows import Rows
from tabseed.errors import FormerName, TooFewRowsError
from tabseed.estimates.estimate import interval
from tabseed.estimates.scores import score_rows
from tabseed.estimates.words import few_rows, number, span
from tabseed.generators.base import Generator
from tabseed.metrics import Estimate, Metric
from tabseed.pages import Finding, Heading, Row
from tabseed.pages.intervals import Line, on_one_axis
from tabseed.parameters import check_parameters
from tabseed.table import Table
from tabseed.tune.objectives import judge, judged

CHOSEN, NONE = "chosen", "none"
GAIN = "+.4f"  # the format of a gain
GAIN_DRAWS, LIKENESS_DRAWS = 10, 3
PREPARE, RUN = range(2)  # streams below the one of a comparison


@dataclass(frozen=True, repr=False)
class Verdict(Finding):
    """Mean scores by name, and the gain of "chosen" over each of the others.

    A positive gain means that "chosen" is better. An interval covers the choice of test rows and
    draws; the training rows are those of one split, so it does not cover the choice of these.
    """

    title = "The chosen settings, on rows that no trial saw"

    score: str
    scores: dict[str, float]
    over: dict[str, Estimate]
    n_test: int
    draws: int

    @property
    def verdict(self) -> str:
        """The result on the test rows, in a sentence."""
        if not self.over:
            score = number(self.scores[CHOSEN])
            return (
                f"On {self.n_test} rows that no trial saw, the chosen settings reach {score} "
                f"({self.score}); they were compared with no others."
            )
        if NONE in self.over:
            return self._advice()
        compared = [f"{_relation(e)} {name}: {_gain(e)}" for name, e in self.over.items()]
        return (
            f"On {self.n_test} rows that no trial saw, the chosen settings are "
            f"{'; '.join(compared)}."
        )

    def _advice(self) -> str:
        """Say whether to add rows at all, then how the choice compares with other settings."""
        gain, where = self.over[NONE], f"on {self.n_test} rows that no trial saw"
        others = "".join(
            f" They are {_relation(e)} {name}: {_gain(e)}."
            for name, e in self.over.items()
            if name != NONE
        )
        if gain.low > 0:
            return f"Augment: {where}, rows by the chosen settings gain {_gain(gain)}.{others}"
        if gain.high < 0:
            return f"Do not augment: {where}, added rows make the model worse: {_gain(gain)}."
        if gain.low == gain.high:
            return (
                f"Do not augment: {where}, added rows changed no prediction, so these rows cannot "
                "show which gain would be detected."
            )
        return f"Do not augment: {where}, added rows give no reliable gain: {_gain(gain)}."

    sentence = FormerName("verdict")

    @property
    def notes(self) -> tuple[str, ...]:
        """What the intervals do not cover."""
        if not self.over:
            return ()
        return (
            "The intervals do not cover how another sample of training rows would change this.",
            *few_rows({"test": self.n_test}),
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each contender, its score, and the gain of the choice over it."""
        return (
            Heading.text("", "contender"),
            Heading.number(self.score, "score"),
            Heading.number(f"{CHOSEN} is better by", "better_by", GAIN),
            Heading.span("95 % interval", "low", "high", GAIN),
        )

    def rows(self) -> list[Row]:
        """Return each contender and the gain of the choice over it; the choice itself has none."""
        return [
            {
                "contender": name,
                "score": score,
                **(
                    {"better_by": gain.value, "low": gain.low, "high": gain.high}
                    if (gain := self.over.get(name))
                    else dict.fromkeys(("better_by", "low", "high"))
                ),
            }
            for name, score in self.scores.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
        return {
            "verdict": self.verdict,
            "sentence": self.verdict,
            "notes": list(self.notes),
            "score": self.score,
            "scores": self.scores,
            "over": {name: e.to_dict() for name, e in self.over.items()},
            "n_test": self.n_test,
            "draws": self.draws,
        }

    def _page(self) -> dict[str, Any]:
        return {
            "lines": on_one_axis([Line.of(name, gain) for name, gain in self.over.items()]),
            "axis": f"How much better the {CHOSEN} settings are, in {self.score}.",
            "value": "gain",
            "form": GAIN,
            "table_title": "All contenders",
        }

    def _settings(self) -> dict[str, str]:
        return {"test rows": str(self.n_test), "draws": str(self.draws)}


def _relation(gain: Estimate) -> str:
    if gain.low > 0:
        return "better than"
    return "worse than" if gain.high < 0 else "not reliably different from"


def _gain(gain: Estimate) -> str:
    interval = f"95 % interval {span(gain.low, gain.high, GAIN)}"
    return f"{gain.unit} {number(gain.value, GAIN)} ({interval})"


def gain_verdict(
    train: Rows,
    test: Rows,
    augmenter: Any,
    contenders: Mapping[str, Generator],
    *,
    draws: int = GAIN_DRAWS,
    model: Any = None,
    random_state: RandomState = 0,
) -> Verdict:
    """Score a model with rows that each of ``contenders`` adds, and without added rows.

    One of the contenders is "chosen". Cost: one fit of each generator, and G of the model for it.
    """
    check_parameters(augmenter)
    stream = seed_sequence(random_state)
    model = default_model(train.task) if model is None else model
    with one_thread():
        share = AugmentationProtocol().validation
        arms = Arms.on(train, augmenter, model, share, child(stream, PREPARE))
        points = arms.points.transform(test.features)
        parts = {NONE: _parts(arms.models("none", 1), points, test)}
        for name, generator in contenders.items():
            own = clone(augmenter).set_params(generator=generator)
            own_arms = replace(arms, augmenter=own, stream=child(stream, RUN))
            parts[name] = _parts(own_arms.models("hardest", draws), points, test)
    score, chosen = score_name(train), parts[CHOSEN]
    return Verdict(
        score,
        {name: float(p.mean()) for name, p in parts.items()},
        {name: _interval(chosen - p, score) for name, p in parts.items() if name != CHOSEN},
        len(test),
        draws,
    )


def _interval(difference: np.ndarray, score: str) -> Estimate:
    """Return the mean of (G, n) with its interval over rows and draws; width 0 without spread."""
    if not np.ptp(difference):
        value = float(difference.mean())
        return Estimate(value, value, value, score, "higher")
    return replace(interval([difference], 0.0, score), better="higher")


def _parts(models: Any, points: np.ndarray, test: Rows) -> np.ndarray:
    """Return psi of each draw's model, (G, n)."""
    return np.array([_parts_of(model, points, test) for model in models])


def _parts_of(model: Any, points: np.ndarray, test: Rows) -> np.ndarray:
    regression = test.task == "regression"
    predictions = model.predict(points) if regression else model.predict_proba(points)
    rows = score_rows(test.task, test.y, predictions)
    if rows is None:
        raise TooFewRowsError("the test rows have one class only; set more rows aside")
    return 2 * rows - 1 if len(test.classes) == 2 else rows


def likeness_verdict(
    train: Table,
    test: Table,
    contenders: Mapping[str, Generator],
    *,
    target: str | None = None,
    draws: int = LIKENESS_DRAWS,
    metric: Metric[Any] | None = None,
    random_state: RandomState = 0,
) -> Verdict:
    """Compare the rows of each of ``contenders`` with the test rows; one of them is "chosen".

    The interval of a difference adds the variances of both, as if each had its own test rows: it
    is too wide rather than too narrow.
    """
    stream = seed_sequence(random_state)
    metric = judge() if metric is None else metric
    estimates = {
        name: [
            result.headline
            for result in judged(
                generator, (train, test), target, metric, draws, child(stream, RUN)
            )
        ]
        for name, generator in contenders.items()
    }
    values = {name: float(np.mean([e.value for e in each])) for name, each in estimates.items()}
    half = {
        name: float(np.mean([e.high - e.low for e in each])) / 2 for name, each in estimates.items()
    }
    sign = 1 if metric.better == "higher" else -1
    over = {}
    for name in (n for n in estimates if n != CHOSEN):
        gain = sign * (values[CHOSEN] - values[name])
        width = math.hypot(half[CHOSEN], half[name])
        over[name] = Estimate(gain, gain - width, gain + width, metric.unit, "higher")
    return Verdict(f"JS, {metric.unit}", values, over, len(test), draws)
