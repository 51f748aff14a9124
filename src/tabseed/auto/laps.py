"""A lap of a race: a candidate learns all folds but one, which then judges it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sklearn.base import clone

from tabseed._progress import silent
from tabseed._random import child, one_thread
from tabseed.auto.candidates import Goal
from tabseed.blend.blend import as_cells
from tabseed.errors import TabseedError, one_line
from tabseed.generators.base import Aids, Generator
from tabseed.metrics.usefulness import Yardstick
from tabseed.privacy.attacks import Near, scores
from tabseed.privacy.bounds import Auc
from tabseed.privacy.targets import Targets
from tabseed.table import Table

LEARN, DRAW, ATTACK = range(3)  # streams below that of a lap
READ = 1_000  # rows of each table that attacks read
NONE = np.empty(0)


@dataclass(frozen=True)
class Asked:
    """What a lap measures: rows that a forest will compare, attacks, and a model's score."""

    goal: Goal
    n_drawn: int
    attacked: bool
    target: str | None  # of the models that learn from the augmented rows

    @property
    def gained(self) -> bool:
        """Whether it is asked what models gain."""
        return self.goal != "share" and self.target is not None

    @property
    def alike(self) -> bool:
        """Whether a forest compares the drawn rows."""
        return self.goal != "augment"


@dataclass(frozen=True)
class Lap:
    """What was measured of one candidate on one fold of h rows.

    ``drawn`` (m, columns): cells of rows that it draws; ``aucs`` (A,): of each attack, of telling
    the rows that it learned from those of the fold; ``gains`` (h,): the score that the models gain
    on each row of the fold by learning synthetic rows beside the real ones, in ``unit``. Arrays are
    empty where they were not asked, and all are if it failed: ``error`` says why.
    """

    drawn: np.ndarray
    aucs: np.ndarray
    gains: np.ndarray
    seconds: float
    unit: str = ""
    error: str = ""


def run_lap(
    candidate: Generator,
    knower: Generator,
    x: np.ndarray,
    held: np.ndarray,
    asked: Asked,
    yardstick: Yardstick | None,
    stream: np.random.SeedSequence,
) -> Lap:
    """Let a copy learn encoded rows x (n, w), and ask ``held`` (h, w) about it.

    ``yardstick``: what models say of ``held`` that learned x alone, if it is asked what they gain.
    """
    began = time.perf_counter()
    try:
        with warnings.catch_warnings(), one_thread():
            warnings.simplefilter("ignore", UserWarning)  # of one fold: the last fit warns
            model: Generator = clone(candidate)
            model._learn_as(knower, x, child(stream, LEARN), Aids(None, None))
            rows = model._sample(asked.n_drawn, np.random.default_rng(child(stream, DRAW)))
            layout, decoded = model.encoder_.layout_, model.encoder_.inverse_transform
            drawn = as_cells(layout, rows)
            learned, made, judging = map(decoded, (x, rows, held))
            aucs = _aucs(learned, made, judging, child(stream, ATTACK)) if asked.attacked else NONE
            gains, unit = (NONE, "") if yardstick is None else _gains(learned, made, yardstick)
    except TabseedError as error:
        return Lap(NONE, NONE, NONE, time.perf_counter() - began, error=one_line(error))
    return Lap(drawn, aucs, gains, time.perf_counter() - began, unit)


def _aucs(real: Table, synthetic: Table, held: Table, stream: np.random.SeedSequence) -> np.ndarray:
    """Return the AUC of each attack that needs rows alone."""
    targets = Targets.of((real, held, synthetic), READ, child(stream, 0))
    near = Near.of(targets.values, len(targets))
    step: Callable[[str], None] = lambda _: silent(0, 1, "")  # noqa: E731
    found = scores(targets, near, child(stream, 1), progress=step)
    return np.array([Auc.of(score, targets.member).estimate().value for score in found.values()])


def _gains(real: Table, synthetic: Table, yardstick: Yardstick) -> tuple[np.ndarray, str]:
    """Return what each held-out row adds to the gain of models that learn both tables; its unit."""
    more = synthetic.take(np.arange(min(len(real), len(synthetic))))
    both = Table.from_frame(
        pa.concat_tables([real.to_arrow(), more.to_arrow()]), schema=real.schema
    )
    cost = yardstick.cost(yardstick.rows(both))
    return -cost.rows, cost.cost.unit
