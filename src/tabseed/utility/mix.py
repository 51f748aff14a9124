"""Choose how many synthetic rows to add to the real ones, and at what weight; possibly none.

Real rows have weight 1, and a n synthetic rows have weight w each. The best share of surrogate
rows is in general neither 0 nor 1 (Jain, Montanari and Sasoglu, NeurIPS 2024); here
cross-validation on real rows chooses it, and trains the generator again in every fold.

Notation: n real rows, F folds, R repeats, J = F R splits, G mixes, the first of which adds none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import t as student

from tabseed._progress import Progress
from tabseed._random import RandomState, child, seed_sequence, seed_text
from tabseed.coding.labels import seeded, target_note
from tabseed.errors import TabseedError, TooFewRowsError, one_line, renamed
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.folds import deal
from tabseed.estimates.splits import split_error
from tabseed.estimates.words import number, span
from tabseed.metrics.models import output, train, zoo
from tabseed.metrics.problem import Labelled, Problem, points, squared_loss, squared_name
from tabseed.pages import Finding, Heading, Row
from tabseed.pages.intervals import Line, on_one_axis
from tabseed.parameters import (
    ESTIMATOR,
    FUNCTION,
    GENERATOR,
    N_JOBS,
    Each,
    Parameters,
    Real,
    Whole,
    check_parameters,
    checked,
    given_or_default,
    or_none,
)
from tabseed.table import Frame, Table, table_to_learn

FOLDS, FOLD, LEARN, DRAW, MODEL, FINAL = range(6)  # streams below that of a search


@dataclass(frozen=True)
class Mixing:
    """Settings of the comparison of mixes: ``repeats`` of ``folds`` folds, ``draws`` in each fold.

    ``progress(done, total, message)`` is called after each split.
    """

    folds: int = 5
    repeats: int = 3
    draws: int = 1
    n_jobs: int | None = None
    progress: Progress | None = None

    parameters: ClassVar[Parameters] = {
        "folds": Whole(2),
        "repeats": Whole(1),
        "draws": Whole(1),
        "n_jobs": N_JOBS,
        "progress": or_none(FUNCTION),
    }

    def __post_init__(self) -> None:
        check_parameters(self)
        if self.folds * self.repeats < 3:
            raise TabseedError(
                "Mixing: two folds once leave a single split to choose by; raise folds or repeats"
            )

    def as_text(self) -> dict[str, str]:
        """Return what decides the figures, for the foot of a page."""
        return {
            "cross-validation": f"{self.folds} folds, {self.repeats} repeats",
            "draws": str(self.draws),
        }


HEADINGS = (
    Heading("weight", ("weight",)),
    Heading("amount", ("amount",)),
    Heading("rows", ("n_synthetic",)),
    Heading.number("error", "error", ".4f"),
    Heading.number("gain", "gain", "+.4f"),
    Heading.span("95 % interval", "low", "high", "+.4f"),
    Heading.text("", "note"),
)


@dataclass(frozen=True, repr=False)
class Mix(Finding):
    """The weight of synthetic rows beside real ones that :func:`tune_mix` chose.

    ``weight`` is that of a synthetic row, where a real one has 1; ``amount`` is the number of
    synthetic rows in multiples of the n real rows; both are 0 if none are added. Arrays (G,) have
    an entry for every mix, none first: ``weights``, ``amounts``, ``errors`` in ``loss`` on real
    rows, ``gains`` (the error without synthetic rows minus that with them), their standard errors
    ``se`` and 95 % intervals ``low``, ``high``, for each mix alone. ``gain`` is that of the whole
    procedure, including the choice, on rows that no choice saw. ``target_read_as`` says how whole
    numbers of the target were read.
    """

    title = "How many synthetic rows to add to the real ones?"

    weight: float
    amount: float
    loss: str
    weights: np.ndarray
    amounts: np.ndarray
    errors: np.ndarray
    gains: np.ndarray
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gain: Estimate
    n_real: int
    splits: int
    settings: dict[str, str] = field(compare=False)
    _table: Table = field(compare=False)
    _generator: Any = field(compare=False)
    target_read_as: tuple[str, ...] = ()

    @property
    def n_synthetic(self) -> int:
        """The number of synthetic rows."""
        return round(self.amount * self.n_real)

    @property
    def surely_better(self) -> bool:
        """Whether tuning the mix, including the choice, reliably beats real rows alone."""
        return self.gain.low > 0

    @property
    def verdict(self) -> str:
        """The recommendation in a sentence, and what it changes."""
        change = number(-self.gain.value, "+.4f")
        effect = (
            f"choosing by cross-validation changes the {self.loss} by {change} "
            f"({span(-self.gain.high, -self.gain.low, '+.4f')}) against {self.errors[0]:.4f}"
        )
        if self.weight == 0:
            return f"Leave synthetic rows out: no mix gains more than a standard error; {effect}."
        comparison = "reliably better" if self.surely_better else "not reliably better"
        return (
            f"Add {self.n_synthetic} synthetic rows of weight {self.weight:g} to the "
            f"{self.n_real} real ones; {comparison} than real rows alone: {effect}."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the intervals of single mixes do not cover."""
        return (
            "The interval of each mix is for that mix alone, so the best of many looks too good. "
            "The change in the verdict is on rows that no choice saw.",
            *self.target_read_as,
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each mix, its error on real rows, and its gain over real rows alone."""
        return HEADINGS

    def rows(self) -> list[Row]:
        """Return the mixes that were tried, none first; :meth:`training_rows` has the rows."""
        columns = ("weights", "amounts", "errors", "gains", "se", "low", "high")
        mixes = zip(*(getattr(self, name).tolist() for name in columns), strict=True)
        chosen = (self.weight, self.amount)
        return [
            {
                "weight": weight,
                "amount": amount,
                "n_synthetic": round(amount * self.n_real),
                "error": error,
                "gain": gain,
                "se": se,
                "low": low,
                "high": high,
                "note": "chosen" if (weight, amount) == chosen else "",
            }
            for weight, amount, error, gain, se, low, high in mixes
        ]

    def training_rows(self, random_state: RandomState = None) -> tuple[Any, np.ndarray]:
        """Return the rows to train on, real ones first, and their weights (n + m,).

        The rows are a frame of the kind that came in, without ids and free text. The synthetic
        rows come from the generator trained on all real rows; without ``random_state`` they are
        the same at each call.
        """
        real, m = self._table, self.n_synthetic if self.weight > 0 else 0
        weights = np.concatenate([np.ones(len(real)), np.full(m, self.weight)])
        if m == 0:
            return real.to_frame(), weights
        synthetic = self._generator.sample(m, random_state=random_state)
        both = (real, Table.from_frame(synthetic, schema=real.schema))
        columns = {
            name: np.concatenate([table.cells(name) for table in both])
            for name in real.schema.names
        }
        return Table.from_columns(real.schema, real.frame_kind, columns).to_frame(), weights

    def to_dict(self) -> dict[str, Any]:
        """Return everything except rows in JSON-ready form."""
        curve = ("weights", "amounts", "errors", "gains", "se", "low", "high")
        return {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "weight": self.weight,
            "amount": self.amount,
            "n_real": self.n_real,
            "n_synthetic": self.n_synthetic,
            "loss": self.loss,
            "gain": self.gain.to_dict(),
            "surely_better": self.surely_better,
            "splits": self.splits,
            **{name: getattr(self, name).tolist() for name in curve},
            "settings": dict(self.settings),
        }

    def _page(self) -> dict[str, Any]:
        lines = [
            Line(
                f"{row['n_synthetic']} rows of weight {row['weight']:g}",
                row["gain"],
                row["low"],
                row["high"],
                stands_out=not row["low"] <= 0 <= row["high"],
                meaning=row["note"],
            )
            for row in self.rows()[1:]
        ]
        return {
            "lines": on_one_axis(lines),
            "axis": f"Gain of each mix over the {self.n_real} real rows alone, in {self.loss}.",
            "value": "gain",
            "form": "+.4f",
            "table_title": "All mixes",
        }

    def _settings(self) -> dict[str, str]:
        return self.settings


SHARES = Each(Real(above=0))


@renamed(how="settings")
@checked(model=or_none(ESTIMATOR), weights=SHARES, amounts=SHARES)
def tune_mix(
    train: Frame,
    generator: Any,
    target: str,
    *,
    model: Any = None,
    weights: Sequence[float] = (0.25, 0.5, 1.0),
    amounts: Sequence[float] = (0.5, 1.0, 2.0, 5.0),
    settings: Mixing | None = None,
    random_state: RandomState = 0,
) -> Mix:
    """Choose the weight and amount of synthetic rows to add to the real ones, possibly none.

    In each of J splits the generator learns the real rows of the other folds only and draws rows,
    and ``model`` learns both, once for each mix; its error is the squared error (for classes the
    Brier score, summed over classes) on the real rows of the fold. ``generator`` is therefore
    unfitted; a table is refused, because its generator would have seen the rows that judge.
    Smaller amounts are the first rows of the largest one.

    The choice is the mix with the smallest error if its gain over none exceeds one standard error,
    and none otherwise. Standard errors allow for the rows that splits share (variance
    (1/J + 1/(F - 1)) s^2, Nadeau and Bengio, Machine Learning 52 (2003),
    doi:10.1023/A:1024068626366; an approximation). ``gain`` is judged outside the choice: for each
    split the choice is made again without the losses of that split's rows, in every repeat.

    ``model`` is a scikit-learn estimator of points (n, w); None: histogram boosting. A model that
    takes no weights of rows needs ``weights=(1,)``. Pass the model that does best on real rows
    alone: one that overfits its few rows, as untuned boosting does on 100, gains from anything that
    smooths them, and may still be worse than another. ``settings`` None: ``Mixing()``. The same
    bytes for any ``n_jobs``. Cost: J fits of the generator and J draws G fits of the model; by
    default 15 and 195, about a minute on one core for 300 rows.

    Raises TabseedError for settings or a generator that do not fit, SchemaError, and
    TooFewRowsError for fewer than two rows in each fold.
    """
    settings = given_or_default(settings, Mixing)
    grid = _grid(weights, amounts)
    _check(generator)
    real = table_to_learn(train)
    problem = Problem.of(real, target, [model])
    real = real.select(problem.schema)
    rows = problem.rows(real, "train")
    if len(rows) < 2 * settings.folds:
        raise TooFewRowsError(
            f"{settings.folds} folds need at least {2 * settings.folds} rows, got {len(rows)}"
        )
    stream = seed_sequence(random_state)
    if model is None:
        model = zoo(problem.task, len(rows) - math.ceil(len(rows) / settings.folds))["boosting"]
    classes = rows.y if problem.task == "classification" else None
    fold = _folds(classes, len(rows), settings, stream)
    split = _Split(problem, real, rows, generator, model, grid, settings.draws)
    losses = _cross_validated(split, fold, settings, stream)
    every = np.ones(len(rows), dtype=bool)
    gains = _gains(losses, fold, every)
    choice = _chosen(gains, settings.folds)
    fitted = None
    if choice > 0:
        fitted = seeded(generator, child(stream, FINAL)).fit(real, target=target)
    mean, se = _with_error(gains, settings.folds)
    half = student.ppf(0.975, len(gains) - 1) * se
    return Mix(
        weight=grid[choice][0],
        amount=grid[choice][1],
        loss=squared_name(problem),
        weights=np.array([w for w, _ in grid]),
        amounts=np.array([a for _, a in grid]),
        errors=_split_means(losses, fold, every).mean(axis=0),
        gains=mean,
        se=se,
        low=mean - half,
        high=mean + half,
        gain=_judged(losses, fold, squared_name(problem)),
        n_real=len(rows),
        splits=fold.shape[0] * settings.folds,
        settings={
            "generator": one_line(generator),
            "model": one_line(model),
            **settings.as_text(),
            "seed": seed_text(stream),
        },
        _table=real,
        _generator=fitted,
        target_read_as=target_note(real.schema, target),
    )


def _folds(
    classes: np.ndarray | None, n: int, settings: Mixing, stream: np.random.SeedSequence
) -> np.ndarray:
    """Deal the folds of each repeat: (repeats, n)."""
    rngs = [np.random.default_rng(child(stream, FOLDS, r)) for r in range(settings.repeats)]
    return np.stack([deal(classes, n, settings.folds, rng) for rng in rngs])


def _grid(weights: Sequence[float], amounts: Sequence[float]) -> list[tuple[float, float]]:
    """Return the mixes as (weight, amount), none first; weight 0 means none for any amount."""
    w, a = sorted(set(map(float, weights)) - {0.0}), sorted(set(map(float, amounts)) - {0.0})
    if not w or not a or not all(0 < v < math.inf for v in (*w, *a)):
        raise TabseedError(f"weights and amounts must be numbers above 0, got {weights}, {amounts}")
    return [(0.0, 0.0), *((weight, amount) for weight in w for amount in a)]


def _check(generator: Any) -> None:
    if not GENERATOR.accepts(generator):
        raise TabseedError(
            f"tune_mix takes a generator, which it trains in every fold, got a "
            f"{type(generator).__name__}: the generator of a table has seen the rows that judge"
        )


# --- one split ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Split:
    """The common parts of all splits; :meth:`run` takes the held-out rows and a stream."""

    problem: Problem
    real: Table
    rows: Labelled
    generator: Any
    model: Any
    grid: list[tuple[float, float]]
    draws: int

    def run(self, held_out: np.ndarray, stream: np.random.SeedSequence) -> np.ndarray:
        """Return the loss of each held-out row with each mix, (k, G), mean over draws."""
        learn, judge = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        fitted = seeded(self.generator, child(stream, LEARN)).fit(
            self.real.take(learn), target=self.problem.target
        )
        most = self._size(self.grid[-1][1], len(learn))
        total = np.zeros((len(judge), len(self.grid)))
        for g in range(self.draws):
            sample = fitted.sample(most, random_state=child(stream, DRAW, g))
            synthetic = self.problem.rows(sample, "synthetic")
            x, x_synthetic, x_judge = points(
                self.rows.take(learn), synthetic, self.rows.take(judge)
            )
            for i, (weight, amount) in enumerate(self.grid):
                m = self._size(amount, len(learn))
                w = np.concatenate([np.ones(len(x)), np.full(m, weight)])
                model = train(
                    self.model,
                    np.concatenate([x, x_synthetic[:m]]),
                    np.concatenate([self.rows.y[learn], synthetic.y[:m]]),
                    self.problem,
                    child(stream, MODEL, g),  # the same seed for all mixes, which are paired
                    None if (w == 1).all() else w,
                )
                predicted = output(model, x_judge, self.problem)
                total[:, i] += squared_loss(self.problem, self.rows.y[judge], predicted)
        return total / self.draws

    @staticmethod
    def _size(amount: float, n: int) -> int:
        return round(amount * n)


def _cross_validated(
    split: _Split,
    fold: np.ndarray,
    settings: Mixing,
    stream: np.random.SeedSequence,
) -> np.ndarray:
    """Return the loss of each row with each mix in each repeat, (R, n, G)."""
    cells = [(r, f) for r in range(len(fold)) for f in range(settings.folds)]
    jobs = (delayed(split.run)(fold[r] == f, child(stream, FOLD, r, f)) for r, f in cells)
    losses = np.empty((*fold.shape, len(split.grid)))
    results = Parallel(n_jobs=settings.n_jobs, return_as="generator")(jobs)
    for done, ((r, f), result) in enumerate(zip(cells, results, strict=True), 1):
        losses[r, fold[r] == f] = result
        if settings.progress is not None:
            settings.progress(done, len(cells), "splits")
    return losses


# --- the choice, and its gain -------------------------------------------------------------------


def _split_means(losses: np.ndarray, fold: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return the mean loss of each split with each mix, over rows in ``keep``: (J', G).

    A split without such rows is left out.
    """
    inside = (fold[:, None] == np.arange(fold.max() + 1)[:, None]) & keep  # (R, F, n)
    count = inside.sum(axis=-1).ravel()
    total = (inside @ losses).reshape(-1, losses.shape[-1])
    return np.asarray(total[count > 0] / count[count > 0, None])


def _gains(losses: np.ndarray, fold: np.ndarray, keep: np.ndarray) -> np.ndarray:
    means = _split_means(losses, fold, keep)
    return np.asarray(means[:, :1] - means)


def _with_error(gains: np.ndarray, folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over splits of gains (J, ...), and its standard error with shared rows."""
    return gains.mean(axis=0), split_error(gains, 1 / (folds - 1))


def _chosen(gains: np.ndarray, folds: int) -> int:
    """Return the mix that gains most, or 0 (none) if it gains at most one standard error."""
    mean, se = _with_error(gains, folds)
    best = int(mean.argmax())
    return best if mean[best] > se[best] else 0


def _judged(losses: np.ndarray, fold: np.ndarray, unit: str) -> Estimate:
    """Judge the choice by rows that it did not see: in each split, from the other rows' losses."""
    folds = int(fold.max()) + 1
    gains = _gains(losses, fold, np.ones(fold.shape[1], dtype=bool))
    unseen = np.array(
        [
            gains[j, _chosen(_gains(losses, fold, fold[r] != f), folds)]
            for j, (r, f) in enumerate(np.ndindex(len(fold), folds))
        ]
    )
    mean, se = _with_error(unseen, folds)
    half = float(student.ppf(0.975, len(unseen) - 1) * se)
    return Estimate(float(mean), float(mean) - half, float(mean) + half, unit, "higher")
