"""Does augmentation help on this table? Arms side by side on repeated splits, and a verdict.

Notation: J splits, n1 rows that train, n2 that test, k hard rows, m rows added, A arms, G draws.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.utils.validation import has_fit_parameter

from tabseed._random import RandomState, child, one_thread, seed_sequence
from tabseed.augment.augmenter import (
    HardSet,
    TargetedAugmenter,
    TargetedRegressionAugmenter,
    smallest,
)
from tabseed.augment.rows import Rows
from tabseed.coding.labels import Features, score_rows, seeded
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.estimates.splits import Difference, compare, family
from tabseed.generators.base import Progress
from tabseed.generators.smote import SMOTE

ARMS = {
    "none": "all training rows, nothing added",
    "weighted": "the hard rows weigh 1 + m/k, nothing added",
    "duplicated": "the hard rows, repeated",
    "random": "drawn by the generator from as many random rows",
    "easiest": "drawn by the generator from as many of the easiest rows",
    "hardest": "drawn by the generator from the hardest rows",
    "full": "drawn by the generator from all training rows",
    "smote": "drawn by SMOTE from all training rows",
}
SPLIT, INNER, SCORE, CONTROL, LEARN, DRAW, MODEL = range(7)  # streams below that of a split
PATIENCE = 50  # rounds without gain


@dataclass(frozen=True)
class AugmentationProtocol:
    """How arms are compared.

    ``splits`` J outer splits, each with a share ``test`` of the rows to test by; ``draws`` G, the
    draws (and seeds of the model) that an arm's score is the mean of; ``validation``, the share of
    the training rows that tells when boosting stops; ``arms`` beside "none" and "hardest", of
    ARMS; ``level``, the error that each family of comparisons is held to.
    """

    splits: int = 10
    test: float = 0.2
    draws: int = 3
    validation: float = 0.2
    arms: tuple[str, ...] = ("weighted", "duplicated", "random", "easiest", "full", "smote")
    level: float = 0.05

    @property
    def names(self) -> list[str]:
        """All arms, in the order of ARMS."""
        return [a for a in ARMS if a in (*self.arms, "none", "hardest")]

    def check(self) -> None:
        """Raise TabseedError for settings out of range."""
        for arm in self.arms:
            if arm not in ARMS:
                raise TabseedError(f"arms are {', '.join(ARMS)}; got {arm!r}")
        for name in ("test", "validation", "level"):
            if not 0 < getattr(self, name) < 1:
                raise TabseedError(f"{name} is a share between 0 and 1, got {getattr(self, name)}")
        if self.splits < 2 or self.draws < 1:
            raise TabseedError(
                f"2 splits and 1 draw are the fewest, got {self.splits} and {self.draws}"
            )


@dataclass(frozen=True)
class AugmentationEvaluation:
    """What each arm scores, and how surely arms differ.

    ``scores`` (J, A, G), larger is better; ``against_none``, a Difference for each other arm;
    ``over_controls``, of "hardest" against each other arm but "none"; ``n_hard`` k and ``n_added``
    m of each split, (J,); ``seconds`` by arm, of all splits, the scorer's among them where an arm
    needs hardness.
    """

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

    def mean(self, arm: str) -> float:
        """Give the mean score of an arm over splits and draws."""
        return float(self.scores[:, self.arms.index(arm)].mean())

    @property
    def gaining(self) -> tuple[str, ...]:
        """Arms that reliably beat none, Holm's adjustment over all arms."""
        return tuple(d.arm for d in self.against_none if d.gains(self.level))

    @property
    def verdict(self) -> str:
        """Say in one sentence whether adding rows like the hardest helps."""
        hardest = next(d for d in self.against_none if d.arm == "hardest")
        found = f"{self.score} {hardest.mean:+.4f} ({_interval(hardest, self.level)})"
        if "hardest" in self.gaining:
            rivals = [d.against for d in self.over_controls if not d.gains(self.level)]
            if not rivals:
                return f"Rows like the hardest help, more than every control: {found} over none."
            return (
                f"Rows like the hardest help, {found} over none, but not reliably more than "
                f"{_listed(rivals)}."
            )
        power = f"a gain of {hardest.detectable:.4f} would have been found with a power of 80 %"
        if self.gaining:
            return (
                f"No reliable gain from rows like the hardest, {found} over none; "
                f"{_listed(self.gaining)} reliably help{'s' * (len(self.gaining) == 1)}."
            )
        if hardest.mean < 0 and hardest.p_holm < self.level:
            return f"Rows like the hardest make the model worse: {found} over none."
        return f"No reliable gain: {found} over none; {power}."

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return {
            "verdict": self.verdict,
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
        }


def _interval(d: Difference, level: float) -> str:
    interval = f"{100 * (1 - level):g} % interval {d.low:+.4f} to {d.high:+.4f}"
    return f"{interval}, p = {d.p_holm:.2g} after Holm"


def _listed(arms: Any) -> str:
    *first, last = arms
    return f"{', '.join(first)} and {last}" if first else str(last)


def evaluate_augmentation(
    X: Any,
    y: Any,
    augmenter: TargetedAugmenter | TargetedRegressionAugmenter,
    *,
    model: Any = None,
    protocol: AugmentationProtocol = AugmentationProtocol(),
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> AugmentationEvaluation:
    """Say whether rows like the hardest improve a model of this table, and by how much.

    On each of J splits (stratified by class), from its n1 training rows alone: the model's number
    of rounds is chosen, rows are scored by one another, the k hardest are kept, and each arm of
    ARMS trains the model, with m rows added in all arms but "none" and "weighted". Test rows are
    used once, for the score. Differences are paired, over splits, with intervals that know that
    splits share rows (:func:`~tabseed.estimates.splits.compare`); p-values are Holm's within
    two families, every arm against none and "hardest" against every other arm.

    - "random" and "easiest" take as many rows of each class as the hard rows have, so that they
      differ from "hardest" in hardness alone, not in the balance of classes.
    - No row is given up on the way: hardness is cross-fitted, and once the rounds are known the
      rows that told them train too. So "none" already has every row that the other arms use.
    - Rounds are those best without added rows, the same in all arms; no arm is tuned further. A
      generator that tunes itself does so in every arm, on that arm's rows.
    - The score is Gini, 2 AUC - 1, for two classes; the mean one-vs-rest AUC for more; R2 of a
      regression. Of an arm on a split it is the mean over G draws from one fit of the generator,
      each with another seed of the model; the generator is fitted anew on each split.

    ``model`` is a classifier with ``predict_proba``, or a regressor, of points (n, w) as
    :class:`~tabseed.coding.labels.Features` gives them; None: scikit-learn's histogram
    boosting. Rounds are chosen for it and for XGBoost's; another model trains as it is.
    The same bytes for any ``n_jobs``, ``seconds`` apart. ``progress(done, total, message)`` is
    called after each split. Cost: J times the scorer, 5 fits of generators, A G fits of the model.

    Raises TabseedError for settings that do not fit, SchemaError for rows that do not, and
    TooFewRowsError where a class cannot be tested by, or hard rows are too few.
    """
    protocol.check()
    if augmenter.hardest == 1:
        raise TabseedError("hardest=1 takes all rows: there is no share of them to compare")
    rows = Rows.of(X, y, augmenter.task)
    model = default_model(augmenter.task) if model is None else model
    _check_model(model, rows, protocol)
    stream = seed_sequence(random_state)
    job = delayed(_run_split)
    jobs = (job(rows, augmenter, model, protocol, child(stream, j)) for j in range(protocol.splits))
    found = list(_told(_spread(n_jobs)(jobs), protocol.splits, progress))
    return _evaluation(rows, protocol, found)


@dataclass(frozen=True)
class _Split:
    """What one split gives: scores (A, G), seconds (A,), and numbers of rows."""

    scores: np.ndarray
    seconds: np.ndarray
    n_train: int
    n_test: int
    n_hard: int
    n_added: int


def _evaluation(
    rows: Rows, protocol: AugmentationProtocol, found: list[_Split]
) -> AugmentationEvaluation:
    names, scores = protocol.names, np.stack([split.scores for split in found])
    mean = dict(zip(names, scores.mean(axis=2).T, strict=True))
    n_train, n_test = found[0].n_train, found[0].n_test  # shares of classes: all splits alike
    ratio, level = n_test / n_train, protocol.level

    def against(arm: str, other: str) -> Difference:
        return compare(arm, other, mean[arm] - mean[other], ratio, level)

    seconds = np.sum([split.seconds for split in found], axis=0)
    controls = [a for a in names if a not in ("none", "hardest")]
    return AugmentationEvaluation(
        score=score_name(rows),
        arms=tuple(names),
        scores=scores,
        against_none=family([against(a, "none") for a in names if a != "none"]),
        over_controls=family([against("hardest", a) for a in controls]),
        n_train=n_train,
        n_test=n_test,
        n_hard=np.array([split.n_hard for split in found]),
        n_added=np.array([split.n_added for split in found]),
        level=level,
        seconds=dict(zip(names, seconds.tolist(), strict=True)),
    )


def _spread(n_jobs: int | None) -> Parallel:
    streams = getattr(get_active_backend()[0], "supports_return_generator", False)
    return Parallel(n_jobs=n_jobs, return_as="generator" if streams else "list")


def _told(found: Any, total: int, progress: Progress | None) -> Iterator[_Split]:
    for done, split in enumerate(found, 1):
        if progress is not None:
            progress(done, total, f"{done} of {total} splits")
        yield split


# --- one split ----------------------------------------------------------------------------------


def _run_split(
    rows: Rows,
    augmenter: TargetedAugmenter | TargetedRegressionAugmenter,
    model: Any,
    protocol: AugmentationProtocol,
    stream: np.random.SeedSequence,
) -> _Split:
    held = held_out(rows, protocol.test, child(stream, SPLIT))
    train, test = rows.take(np.flatnonzero(~held)), rows.take(np.flatnonzero(held))
    with one_thread():
        arms = Arms.on(train, augmenter, model, protocol, stream)
        x_test = arms.points.transform(test.features)
        scores, seconds = [], []
        for name in protocol.names:
            began = time.perf_counter()
            models = arms.models(name, protocol.draws)
            scores.append([model_score(fitted, x_test, test) for fitted in models])
            needs = name in ("weighted", "duplicated", "easiest", "hardest")
            seconds.append(time.perf_counter() - began + needs * arms.scoring)
    return _Split(
        np.array(scores), np.array(seconds), len(train), len(test), len(arms.hard.places), arms.m
    )


@dataclass(frozen=True)
class Arms:
    """What all arms of a split share: training rows, the hard ones, the model with its rounds."""

    train: Rows
    augmenter: Any
    model: Any
    points: Features
    hard: HardSet
    m: int
    scoring: float
    stream: np.random.SeedSequence

    @classmethod
    def on(
        cls,
        train: Rows,
        augmenter: Any,
        model: Any,
        protocol: AugmentationProtocol,
        stream: np.random.SeedSequence,
    ) -> Arms:
        """Score the training rows, keep the hard ones, find the model's number of rounds."""
        points = Features().fit(train.features)
        held = held_out(train, protocol.validation, child(stream, INNER), testing=False)
        x = points.transform(train.features)
        model = seeded(model, child(stream, MODEL))
        model = with_rounds(model, (x[~held], train.y[~held]), (x[held], train.y[held]))
        began = time.perf_counter()
        hard = augmenter.choose(train, child(stream, SCORE))
        scoring = time.perf_counter() - began
        m = augmenter.n_drawn(len(hard.places))
        return cls(train, augmenter, model, points, hard, m, scoring, stream)

    def models(self, arm: str, draws: int) -> Iterator[Any]:
        """Train the model with what the arm adds, once a draw."""
        x = self.points.transform(self.train.features)
        generator = self._generator(arm)
        for g in range(draws):
            model = seeded(self.model, child(self.stream, MODEL, g))
            if arm == "weighted":
                weight = np.ones(len(x))
                weight[self.hard.places] += self.m / len(self.hard.places)
                yield model.fit(x, self.train.y, sample_weight=weight)
                continue
            added = self._added(arm, generator, child(self.stream, DRAW, g))
            more = self.points.transform(added.features)
            yield model.fit(np.concatenate([x, more]), np.concatenate([self.train.y, added.y]))

    def _generator(self, arm: str) -> Any:
        """Let the generator of an arm learn the rows of the arm."""
        stream = child(self.stream, LEARN)
        if arm == "smote":
            return SMOTE(random_state=stream).fit(self.train.table, target=self.train.label)
        if arm in ("none", "weighted", "duplicated"):
            return None
        return self.augmenter.learned(self.train.take(self._learned_by(arm)), stream)

    def _added(self, arm: str, generator: Any, stream: np.random.SeedSequence) -> Rows:
        if generator is not None:
            return self.train.draw(generator, self.m, stream)
        size = self.m if arm == "duplicated" else 0
        order = np.random.default_rng(stream).permutation(self.hard.places)
        return self.train.take(np.resize(order, size))  # each as often as the others, or once more

    def _learned_by(self, arm: str) -> np.ndarray:
        """Give the rows that the generator learns; controls match the hard rows' classes."""
        if arm == "hardest":
            return self.hard.places
        if arm == "full":
            return np.arange(len(self.train))
        classes = self.train.y if self.train.task == "classification" else np.zeros(len(self.train))
        group = classes.astype(np.int64)
        quota = np.bincount(group[self.hard.places], minlength=int(group.max()) + 1)
        group = np.where(self.hard.allowed, group, -1)
        if arm == "easiest":
            assert self.hard.hardness is not None
            return smallest(self.hard.hardness, group, quota)
        lots = np.random.default_rng(child(self.stream, CONTROL)).random(len(group))
        return smallest(lots, group, quota)


def held_out(
    rows: Rows, share: float, stream: np.random.SeedSequence, *, testing: bool = True
) -> np.ndarray:
    """Say which rows are set aside, (n,) bool: ``share`` of each class, leaving one or more.

    With ``testing`` TooFewRowsError where a class has no row to test by.
    """
    classes = rows.y if rows.task == "classification" else np.zeros(len(rows))
    group = classes.astype(np.int64)
    held = np.bincount(group)
    quota = np.minimum(np.rint(share * held).astype(int), np.maximum(held - 1, 0))
    if testing and (quota == 0).any():
        which = int(np.flatnonzero(quota == 0)[0])
        what = f"class {rows.classes[which]!r}" if len(rows.classes) else "the table"
        raise TooFewRowsError(
            f"{what} has {held[which]} rows, of which a share of {share:g} is none to test by"
        )
    lots = np.random.default_rng(stream).random(len(rows))
    return np.isin(np.arange(len(rows)), smallest(lots, group, quota))


# --- the model ----------------------------------------------------------------------------------


def default_model(task: str) -> Any:
    """Give the model that arms are compared by if none is named."""
    kind = (
        HistGradientBoostingClassifier
        if task == "classification"
        else HistGradientBoostingRegressor
    )
    return kind(learning_rate=0.05, max_iter=1_000)


def _check_model(model: Any, rows: Rows, protocol: AugmentationProtocol) -> None:
    name = type(model).__name__
    if rows.task == "classification" and not hasattr(model, "predict_proba"):
        raise TabseedError(f"{name} has no predict_proba, by which arms are scored")
    if "weighted" in protocol.arms and not has_fit_parameter(model, "sample_weight"):
        raise TabseedError(f"{name} takes no weights; leave the arm 'weighted' out")


Pair = tuple[np.ndarray, np.ndarray]


def with_rounds(model: Any, train: Pair, held: Pair) -> Any:
    """Give the model with the number of rounds at which it does best on the rows held out.

    Known are scikit-learn's histogram boosting and XGBoost; another model comes back as it is.
    """
    parameters = model.get_params()
    made = clone(model)
    if isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        made.set_params(early_stopping=True, n_iter_no_change=PATIENCE, scoring="loss")
        made.fit(*train, X_val=held[0], y_val=held[1])
        best = max(1, int(np.argmax(made.validation_score_)))  # the first is of no round
        return clone(model).set_params(early_stopping=False, max_iter=best)
    if {"early_stopping_rounds", "n_estimators"} <= parameters.keys():
        made.set_params(early_stopping_rounds=PATIENCE)
        made.fit(*train, eval_set=[held], verbose=False)
        best = int(made.best_iteration) + 1
        return clone(model).set_params(early_stopping_rounds=None, n_estimators=best)
    return made


def score_name(rows: Rows) -> str:
    """Name what :func:`model_score` gives."""
    if rows.task == "regression":
        return "R2"
    return "Gini" if len(rows.classes) == 2 else "AUC"


def model_score(model: Any, x: np.ndarray, test: Rows) -> float:
    """Gini of two classes, mean one-vs-rest AUC of more, R2 of a regression."""
    regression = test.task == "regression"
    rows = score_rows(test.task, test.y, model.predict(x) if regression else model.predict_proba(x))
    score = float("nan") if rows is None else float(rows.mean())
    return 2 * score - 1 if len(test.classes) == 2 else score
