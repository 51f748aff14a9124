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
from tabseed.augment.arms import Arms, default_model, score_name
from tabseed.augment.protocol import AugmentationProtocol
from tabseed.augment.rows import Rows
from tabseed.errors import FormerName, TooFewRowsError
from tabseed.estimates.estimate import interval
from tabseed.estimates.scores import score_rows
from tabseed.estimates.words import number, span
from tabseed.generators.base import Generator
from tabseed.metrics import Estimate, Metric
from tabseed.pages import Finding, Heading, Row
from tabseed.pages.intervals import Line, on_one_axis
from tabseed.parameters import check_parameters
from tabseed.table import Table
from tabseed.tune.objectives import judge, judged

CHOSEN = "chosen"
GAIN = "+.4f"  # form of a gain
GAIN_DRAWS, LIKENESS_DRAWS = 10, 3
PREPARE, RUN = range(2)  # streams below that of a comparison


@dataclass(frozen=True, repr=False)
class Verdict(Finding):
    """Mean scores by name, and by how much "chosen" is better than each other, positive: better.

    An interval is over the test rows and the draws; the training rows are those of one split, so
    that what another split would give is not in it.
    """

    title = "The settings that were chosen, on rows that no trial saw"

    score: str
    scores: dict[str, float]
    over: dict[str, Estimate]
    n_test: int
    draws: int

    @property
    def verdict(self) -> str:
        """What the test rows say, in a sentence."""
        if not self.over:
            score = number(self.scores[CHOSEN])
            return (
                f"On {self.n_test} rows that no trial saw, the chosen settings reach {score} "
                f"({self.score}); they were compared with no others."
            )
        compared = [f"{_relation(e)} {name}: {_gain(e)}" for name, e in self.over.items()]
        return (
            f"On {self.n_test} rows that no trial saw, the chosen settings are "
            f"{'; '.join(compared)}."
        )

    sentence = FormerName("verdict")

    @property
    def notes(self) -> tuple[str, ...]:
        """What the intervals leave out."""
        if not self.over:
            return ()
        return ("The intervals do not hold what another sample of training rows would change.",)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each contender, its score, and by how much the choice is better."""
        return (
            Heading.text("", "contender"),
            Heading.number(self.score, "score"),
            Heading.number(f"{CHOSEN} is better by", "better_by", GAIN),
            Heading.span("95 % interval", "low", "high", GAIN),
        )

    def rows(self) -> list[Row]:
        """Give each contender, and by how much the choice, which has no gain itself, is better."""
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
        """Give everything, JSON-ready."""
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
            "axis": f"By how much the {CHOSEN} settings are better, in {self.score}.",
            "value": "gain",
            "form": GAIN,
            "table_title": "All contenders",
        }

    def _settings(self) -> dict[str, str]:
        return {"rows to test by": str(self.n_test), "draws": str(self.draws)}


def _relation(gain: Estimate) -> str:
    if gain.low > 0:
        return "better than"
    return "worse than" if gain.high < 0 else "not told apart from"


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
    """Score a model with rows added by each of ``contenders``, "chosen" among them, and by none.

    Cost: a fit of each generator, and G of the model for each.
    """
    check_parameters(augmenter)
    stream = seed_sequence(random_state)
    model = default_model(train.task) if model is None else model
    with one_thread():
        share = AugmentationProtocol().validation
        arms = Arms.on(train, augmenter, model, share, child(stream, PREPARE))
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
    regression = test.task == "regression"
    said = model.predict(points) if regression else model.predict_proba(points)
    rows = score_rows(test.task, test.y, said)
    if rows is None:
        raise TooFewRowsError("the rows to test by hold one class only; test by more of them")
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
