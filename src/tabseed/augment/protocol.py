"""Does augmentation help on this table? Compare arms on repeated splits and give a verdict.

Notation: J splits, n1 training rows, n2 test rows, k hard rows, m added rows, A arms, G draws.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from sklearn.utils.validation import has_fit_parameter

from tabseed._progress import Progress
from tabseed._random import RandomState, child, one_thread, seed_sequence, seed_text
from tabseed.augment import drawing
from tabseed.augment.arms import ARMS, Arms, default_model, held_out, model_score, score_name
from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
from tabseed.augment.rows import Rows
from tabseed.errors import TabseedError
from tabseed.estimates.splits import Difference, compare, family
from tabseed.estimates.words import few_rows, listed, number, span
from tabseed.pages import Finding, Heading, Row, settings_of
from tabseed.parameters import (
    ESTIMATOR,
    FUNCTION,
    N_JOBS,
    Each,
    InstanceOf,
    OneOf,
    Parameters,
    Real,
    Whole,
    check_parameters,
    checked,
    or_none,
)

GAIN = "+.4f"  # format of a gain
GAIN_KEYS = {
    "gain": "mean",
    "low": "low",
    "high": "high",
    "p_holm": "p_holm",
}  # key: attribute of a Difference
LABEL = "the label"  # name of a label that has none
FEW_SPLITS = 5
SPLIT = 0  # child stream of the stream of a split, next to those in arms.py


@dataclass(frozen=True)
class AugmentationProtocol:
    """How to compare arms.

    ``splits``: the number J of outer splits. ``test``: the share of the rows to test on in each.
    ``draws``: the number G of draws (and seeds of the model) over which an arm's score is averaged.
    ``validation``: the share of the training rows that determines when boosting stops. ``arms``:
    keys of ARMS, in addition to "none" and "hardest". ``level``: the error rate of each family of
    comparisons.
    """

    splits: int = 10
    test: float = 0.2
    draws: int = 3
    validation: float = 0.2
    arms: tuple[str, ...] = ("weighted", "duplicated", "random", "easiest", "full", "smote")
    level: float = 0.05

    parameters: ClassVar[Parameters] = {
        "splits": Whole(2),
        "test": Real(above=0, below=1),
        "draws": Whole(1),
        "validation": Real(above=0, below=1),
        "arms": Each(OneOf(tuple(ARMS)), 0),
        "level": Real(above=0, below=1),
    }

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def names(self) -> list[str]:
        """The names of all arms, in the order of ARMS."""
        return [a for a in ARMS if a in (*self.arms, "none", "hardest")]


@dataclass(frozen=True, repr=False)
class AugmentationEvaluation(Finding):
    """The scores of the arms, and how surely they differ.

    ``scores`` (J, A, G), larger is better; ``against_none``, a Difference from "none" for each
    other arm; ``over_controls``, the Difference of "hardest" from each arm other than "none";
    ``n_hard`` k and ``n_added`` m of each split, (J,); ``seconds`` by arm, over all splits,
    including the scorer if the arm needs hardness; ``settings`` of the augmenter and the seed, as
    text; ``remarks`` are further notes on the table; ``classes``
    has, of an augmented table, the rows of each class before, added and after.
    """

    title = "Do more hard rows help?"
    _template = "augment/page.html"

    target: str
    score: str
    arms: tuple[str, ...]
    scores: np.ndarray
    against_none: tuple[Difference, ...]
    over_controls: tuple[Difference, ...]
    n_train: int
    n_test: int
    n_hard: np.ndarray
    n_added: np.ndarray
    level: float
    seconds: dict[str, float] = field(compare=False)
    settings: dict[str, str] = field(compare=False)
    remarks: tuple[str, ...] = ()
    classes: dict[str, dict[str, int]] = field(default_factory=dict)

    def mean(self, arm: str) -> float:
        """Return the mean score of an arm over splits and draws."""
        return float(self.scores[:, self.arms.index(arm)].mean())

    @property
    def gaining(self) -> tuple[str, ...]:
        """Arms that reliably beat "none", with Holm's adjustment over all arms."""
        return tuple(d.arm for d in self.against_none if d.gains(self.level))

    @property
    def verdict(self) -> str:
        """Whether adding rows like the hardest helps, in one sentence."""
        hardest = next(d for d in self.against_none if d.arm == "hardest")
        gain = (
            f"{self.score} {number(hardest.mean, GAIN)} ({100 * (1 - self.level):g} % interval "
            f"{span(hardest.low, hardest.high, GAIN)}) over none"
        )
        if "hardest" in self.gaining:
            rivals = [d.against for d in self.over_controls if not d.gains(self.level)]
            if not rivals:
                return f"Rows like the hardest help, more than every control: {gain}."
            return (
                f"Rows like the hardest help, {gain}, but not reliably more than {listed(rivals)}."
            )
        if self.gaining:
            return (
                f"No reliable gain from rows like the hardest, {gain}; "
                f"{listed(self.gaining)} reliably help{'s' * (len(self.gaining) == 1)}."
            )
        if hardest.mean < 0 and hardest.p_holm < self.level:
            return f"Rows like the hardest make the model worse: {gain}."
        if not hardest.detectable > 0:
            return (
                f"No reliable gain: {gain}. Every split gave the same difference, so these rows "
                "cannot show which gain would be detected."
            )
        return (
            f"No reliable gain: {gain}; a gain of {hardest.detectable:.4f} would be detected "
            "with a power of 80 %."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the added rows; too few splits or rows; how the target was read."""
        splits = len(self.scores)
        wide = f"With {splits} splits intervals are wide; 10 splits detect smaller gains."
        few = few_rows({"training": self.n_train})
        scale = ["Gini is 2 AUC - 1: 0 by chance, 1 perfect."] if self.score == "Gini" else []
        return (*([wide] if splits < FEW_SPLITS else []), *few, *scale, *self.remarks)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The columns: arm, score, and gain over "none" with its interval and p-value."""
        return (
            Heading.text("training rows", "arm"),
            Heading.number(self.score, "score"),
            Heading.number("gain over none", "gain", GAIN),
            Heading.span(f"{100 * (1 - self.level):g} % interval", "low", "high", GAIN),
            Heading.number("p, adjusted", "p_holm", ".2g"),
        )

    def rows(self) -> list[Row]:
        """Return each arm with its mean score and its gain over "none" (None for "none" itself)."""
        gains = {d.arm: d for d in self.against_none}
        return [
            {
                "arm": arm,
                "meaning": ARMS[arm],
                "score": self.mean(arm),
                **(
                    {key: getattr(gains[arm], name) for key, name in GAIN_KEYS.items()}
                    if arm in gains
                    else dict.fromkeys(GAIN_KEYS)
                ),
                "reliable": arm in self.gaining,
            }
            for arm in self.arms
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "target": self.target,
            "gaining": list(self.gaining),
            "score": self.score,
            "arms": {
                arm: {
                    "meaning": ARMS[arm],
                    "mean": self.mean(arm),
                    "scores": self.scores[:, a].tolist(),
                    "seconds": self.seconds[arm],
                }
                for a, arm in enumerate(self.arms)
            },
            "against_none": [d.to_dict() for d in self.against_none],
            "over_controls": [d.to_dict() for d in self.over_controls],
            "n_train": self.n_train,
            "n_test": self.n_test,
            "n_hard": self.n_hard.tolist(),
            "n_added": self.n_added.tolist(),
            "level": self.level,
            "classes": self.classes,
        }

    def _page(self) -> dict[str, Any]:
        return {
            "against_none": drawing.against_none(self.rows()),
            "over_controls": drawing.over_controls(self.over_controls, self.level),
            "level": f"{100 * (1 - self.level):g} %",
            "n_hard": int(self.n_hard.mean()),
            "n_added": int(self.n_added.mean()),
        }

    def _settings(self) -> dict[str, str]:
        splits, draws = self.scores.shape[0], self.scores.shape[2]
        about = {"target": self.target, "splits": str(splits), "draws": str(draws)}
        return {**about, **self.settings}


@checked(
    augmenter=InstanceOf(
        (TargetedAugmenter, TargetedRegressionAugmenter),
        "a TargetedAugmenter or TargetedRegressionAugmenter",
    ),
    model=or_none(ESTIMATOR),
    protocol=InstanceOf(AugmentationProtocol, "an AugmentationProtocol"),
    n_jobs=N_JOBS,
    progress=or_none(FUNCTION),
)
def evaluate_augmentation(
    X: Any,
    y: Any,
    augmenter: TargetedAugmenter | TargetedRegressionAugmenter,
    *,
    model: Any = None,
    protocol: AugmentationProtocol = AugmentationProtocol(),
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> AugmentationEvaluation:
    """Estimate whether rows like the hardest improve a model of this table, and by how much.

    Each of J splits (stratified by class) uses its n1 training rows only: it chooses the model's
    number of rounds, scores the rows by one another, takes the k hardest, and trains the model in
    each arm of ARMS, with m added rows in all arms except "none" and "weighted". Test rows are used
    once, for the score. Differences are paired over splits, with intervals that take into account
    that splits share rows (:func:`~tabseed.estimates.splits.compare`). p-values are Holm's within
    two families: every arm against "none", and "hardest" against every other arm.

    - "random" and "easiest" take as many rows of each class as there are among the hard rows, so
      they differ from "hardest" only in hardness, not in the balance of classes.
    - No training row is lost: hardness is cross-fitted, and the rows that determine the number of
      rounds train afterwards. So "none" already has every row that the other arms use.
    - The number of rounds is the best one without added rows, the same in all arms; no arm is tuned
      further. A generator that tunes itself does so in every arm, on that arm's rows.
    - The score is Gini, 2 AUC - 1, for two classes; the mean one-vs-rest AUC for more; R2 for a
      regression. The score of an arm on a split is the mean over G draws from one fit of the
      generator, each with another seed of the model. The generator is fitted anew on each split.

    ``model`` is a classifier with ``predict_proba``, or a regressor, for points (n, w) as returned
    by :class:`~tabseed.coding.points.Features`; None: scikit-learn's histogram boosting. Rounds are
    chosen for scikit-learn's and XGBoost's boosting; any other model trains as it is. Any
    ``n_jobs`` gives the same bytes, except in ``seconds``. ``progress(done, total, message)`` is
    called after each split. Cost: J times the scorer, 5 fits of generators, A G fits of the model.

    Raises TabseedError for unsuitable settings, SchemaError for unsuitable rows, and
    TooFewRowsError if a class has no test rows or there are too few hard rows.
    """
    augmenter.check_settings()
    if augmenter.hardest == 1:
        raise TabseedError(
            "hardest=1 takes all rows, so there is no share to compare; lower hardest"
        )
    rows = Rows.of(X, y, augmenter.task)
    model = default_model(augmenter.task) if model is None else model
    _check_model(model, rows, protocol)
    stream = seed_sequence(random_state)
    job = delayed(_run_split)
    jobs = (job(rows, augmenter, model, protocol, child(stream, j)) for j in range(protocol.splits))
    splits = list(_with_progress(_parallel(n_jobs)(jobs), protocol.splits, progress))
    target = getattr(y, "name", None)
    return _evaluation(
        rows,
        protocol,
        splits,
        target=LABEL if target is None else str(target),
        settings={**settings_of(augmenter), "seed": seed_text(stream)},
    )


@dataclass(frozen=True)
class _Split:
    """The results of one split: scores (A, G), seconds (A,), and numbers of rows."""

    scores: np.ndarray
    seconds: np.ndarray
    n_train: int
    n_test: int
    n_hard: int
    n_added: int


def _evaluation(
    rows: Rows,
    protocol: AugmentationProtocol,
    splits: list[_Split],
    *,
    target: str,
    settings: dict[str, str],
) -> AugmentationEvaluation:
    names, scores = protocol.names, np.stack([split.scores for split in splits])
    mean = dict(zip(names, scores.mean(axis=2).T, strict=True))
    n_train, n_test = splits[0].n_train, splits[0].n_test  # the same in all splits
    ratio, level = n_test / n_train, protocol.level

    def against(arm: str, other: str) -> Difference:
        return compare(arm, other, mean[arm] - mean[other], ratio, level)

    seconds = np.sum([split.seconds for split in splits], axis=0)
    controls = [a for a in names if a not in ("none", "hardest")]
    return AugmentationEvaluation(
        target=target,
        score=score_name(rows),
        arms=tuple(names),
        scores=scores,
        against_none=family([against(a, "none") for a in names if a != "none"]),
        over_controls=family([against("hardest", a) for a in controls]),
        n_train=n_train,
        n_test=n_test,
        n_hard=np.array([split.n_hard for split in splits]),
        n_added=np.array([split.n_added for split in splits]),
        level=level,
        seconds=dict(zip(names, seconds.tolist(), strict=True)),
        settings=settings,
    )


def _parallel(n_jobs: int | None) -> Parallel:
    streams = getattr(get_active_backend()[0], "supports_return_generator", False)
    return Parallel(n_jobs=n_jobs, return_as="generator" if streams else "list")


def _with_progress(results: Any, total: int, progress: Progress | None) -> Iterator[_Split]:
    for count, split in enumerate(results, 1):
        if progress is not None:
            progress(count, total, f"{count} of {total} splits")
        yield split


# --- one split ----------------------------------------------------------------------------------


def _run_split(
    rows: Rows,
    augmenter: TargetedAugmenter | TargetedRegressionAugmenter,
    model: Any,
    protocol: AugmentationProtocol,
    stream: np.random.SeedSequence,
) -> _Split:
    is_test = held_out(rows, protocol.test, child(stream, SPLIT))
    train, test = rows.take(np.flatnonzero(~is_test)), rows.take(np.flatnonzero(is_test))
    with one_thread():
        arms = Arms.on(train, augmenter, model, protocol.validation, stream)
        x_test = arms.points.transform(test.features)
        scores, seconds = [], []
        for name in protocol.names:
            start = time.perf_counter()
            models = arms.models(name, protocol.draws)
            scores.append([model_score(fitted, x_test, test) for fitted in models])
            needs = name in ("weighted", "duplicated", "easiest", "hardest")
            seconds.append(time.perf_counter() - start + needs * arms.scoring)
    return _Split(
        np.array(scores),
        np.array(seconds),
        len(train),
        len(test),
        len(arms.hard.indices),
        arms.quota.m,
    )


# --- the model ----------------------------------------------------------------------------------


def _check_model(model: Any, rows: Rows, protocol: AugmentationProtocol) -> None:
    name = type(model).__name__
    if rows.task == "classification" and not hasattr(model, "predict_proba"):
        raise TabseedError(
            f"{name} has no predict_proba, which scoring needs; choose another model"
        )
    if "weighted" in protocol.arms and not has_fit_parameter(model, "sample_weight"):
        raise TabseedError(f"{name} takes no sample weights; leave the arm 'weighted' out")
