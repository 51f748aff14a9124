"""Twelve scores of hardness, each a short function of a record of training.

Notation: S seeds, E epochs, n rows, C classes; z are a row's outputs (logits) after an epoch,
p = softmax(z), y is its label and p_y the probability of y. All scores are means over seeds, and
larger is harder. Definitions are those of the papers in ``references``, with the sign reversed
where larger means easier.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from sklearn.linear_model import LogisticRegression

from tabseed._random import RandomState, child, generator
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.estimates.scores import Task
from tabseed.hardness import SCORERS, scorer_class
from tabseed.hardness.base import FOLDS, HardnessScorer, Scores
from tabseed.hardness.dynamics.record import FLIP, MODEL, TrainingDynamics, is_network
from tabseed.parameters import SEED, Parameters, Whole, or_none


class DynamicsScorer(HardnessScorer):
    """A score of :class:`~tabseed.hardness.dynamics.record.TrainingDynamics`.

    A subclass implements :meth:`from_dynamics`. All scores can be computed from one record
    (:func:`score_all`). If there is only one class, all rows are equally hard: 0.

    Parameters
    ----------
    model : str, MLP or XGBoost model
        The model to train, see :meth:`TrainingDynamics.record`.
    epochs, n_seeds : int
        Number of epochs and number of models.
    """

    in_sample = True
    needs_network: ClassVar[str] = ""
    """Why the score cannot use trees; empty if it can."""

    parameters: ClassVar[Parameters] = {
        "model": MODEL,
        "epochs": Whole(1),
        "n_seeds": Whole(1),
        "random_state": SEED,
    }

    def __init__(
        self,
        model: Any = "mlp",
        *,
        epochs: int = 20,
        n_seeds: int = 3,
        random_state: RandomState = 0,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.n_seeds = n_seeds
        self.random_state = random_state

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the hardness (n,) of the tracked rows, with labels ``y`` (n,).

        Labels are class numbers, or float64 targets if the record is of a regression.
        """
        raise NotImplementedError

    def _score(
        self,
        x: np.ndarray,
        y: np.ndarray,
        x_ref: np.ndarray,
        y_ref: np.ndarray,
        stream: np.random.SeedSequence,
    ) -> Scores:
        if self.needs_network and not is_network(self.model):
            raise TabseedError(f"{type(self).__name__}: {self.needs_network}; use model='mlp'")
        if self.task_ == "classification" and len(self.classes_) == 1:
            return self._single_class(len(x))
        dynamics = TrainingDynamics.record(
            x,
            y,
            x_ref,
            y_ref,
            model=self.model,
            epochs=self.epochs,
            n_seeds=self.n_seeds,
            stream=stream,
        )
        return self._read(dynamics, y)

    def _read(self, dynamics: TrainingDynamics, y: np.ndarray) -> Scores:
        return Scores(self.from_dynamics(dynamics, y))

    def _single_class(self, n: int) -> Scores:
        """Return the scores of n rows if there is one class and nothing to learn."""
        return Scores(np.zeros(n))


class AUM(DynamicsScorer):
    """Area under the margin: minus the mean over epochs of z_y - max_{c != y} z_c."""

    references = ("arXiv:2001.10528",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return minus the mean margin."""
        return np.asarray(-dynamics.margins(y).mean(axis=(0, 1), dtype=np.float64))


class SampleLoss(DynamicsScorer):
    """Mean loss over epochs: cross-entropy in nats, or the squared standardised residual."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    references = ("arXiv:2106.00445",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the mean loss."""
        if y.dtype.kind == "f":
            residual = dynamics.outputs[..., 0] - dynamics.standardised(y)
            return np.asarray((residual**2).mean(axis=(0, 1)))
        return np.asarray(-dynamics.log_probabilities(y).mean(axis=(0, 1), dtype=np.float64))


class Forgetting(DynamicsScorer):
    """How often a learned row is forgotten an epoch later; E for a row that is never learned.

    No row can be forgotten E times, so rows that are never learned come first. E is finite, where
    the paper uses infinity.
    """

    references = ("arXiv:1812.05159",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the mean count over seeds."""
        learned = dynamics.learned(y)
        forgotten = (learned[:, :-1] & ~learned[:, 1:]).sum(axis=1)
        return np.asarray(np.where(learned.any(axis=1), forgotten, learned.shape[1]).mean(axis=0))


class CleanLab(DynamicsScorer):
    """Lack of confidence in the label: 1 - p_y, from models that did not see the row.

    ``fit`` scores out of fold. From an in-sample record the score is 1 - p_y of the last epoch.
    """

    references = ("arXiv:1911.00068",)
    in_sample = False

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return 1 - p_y after the last epoch."""
        last = dynamics.log_probabilities(y)[:, -1]
        return np.asarray(1 - np.exp(last).mean(axis=0, dtype=np.float64))


class Agreement(DynamicsScorer):
    """Doubt of thinned models: 1 - max_c of the mean p over passes with dropout.

    With trees, a pass keeps four of five rounds on average. The label is not used.
    """

    finds_wrong_labels = False

    references = ("arXiv:1910.13427",)
    passes: ClassVar[int] = 10

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the doubt."""
        del y
        return np.asarray(1 - dynamics.thinned(self.passes).max(axis=1))


# --- early in training --------------------------------------------------------------------------


class EarlyScorer(DynamicsScorer):
    """A score of one early epoch.

    Parameters
    ----------
    model, epochs, n_seeds
        As for every score.
    epoch : int or None
        The epoch to score after, counted from 1; None: the last of the first quarter.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    references = ("arXiv:2107.07075",)

    parameters: ClassVar[Parameters] = {**DynamicsScorer.parameters, "epoch": or_none(Whole(1))}

    def __init__(
        self,
        model: Any = "mlp",
        *,
        epochs: int = 20,
        n_seeds: int = 3,
        epoch: int | None = None,
        random_state: RandomState = 0,
    ) -> None:
        super().__init__(model, epochs=epochs, n_seeds=n_seeds, random_state=random_state)
        self.epoch = epoch

    def _epoch(self, dynamics: TrainingDynamics) -> int:
        return math.ceil(dynamics.outputs.shape[1] / 4) if self.epoch is None else self.epoch


class EL2N(EarlyScorer):
    """Norm of the error early in training: ||p - onehot(y)||_2, or the absolute residual."""

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the mean norm over seeds."""
        errors = dynamics.errors(y, self._epoch(dynamics)).astype(np.float64)
        return np.asarray(np.linalg.norm(errors, axis=-1).mean(axis=0))


class GraNd(EarlyScorer):
    """Norm of the gradient of a row's loss in all weights, early in training. Networks only."""

    needs_network = "with trees it ranks rows as EL2N does"

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the mean norm over seeds."""
        return np.asarray(dynamics.gradient_norms(y, self._epoch(dynamics)).mean(axis=0))


# --- gradients and embeddings -------------------------------------------------------------------


class VoG(DynamicsScorer):
    """Variance of gradients: how much the gradient of z_y in the row varies over epochs.

    The standard deviation over epochs, averaged over coordinates, as a z-score among the rows of a
    class. Networks only. It is high where the model bends, which need not be where labels are
    wrong.
    """

    references = ("arXiv:2008.11600",)
    needs_network = "trees are constant between their cuts and have no gradient"

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the mean z-score over seeds."""
        spread = dynamics.gradient_spread(y)
        return np.asarray(np.mean([within_class(values, y) for values in spread], axis=0))


def within_class(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Standardise values (n,) among the rows of each class; 0 for a class that does not vary."""
    count = np.maximum(np.bincount(y), 1)
    deviation = values - (np.bincount(y, values) / count)[y]
    spread = np.sqrt(np.bincount(y, deviation**2) / count)[y]
    constant = spread <= 1e-9 * np.abs(values)
    return np.where(constant, 0.0, deviation / np.where(constant, 1.0, spread))


class Prototypicality(DynamicsScorer):
    """Dissimilarity to the class: 1 - cosine of a row's embedding and the mean one of its class.

    The embedding is the last hidden layer, or the leaves of trees; the mean is over the training
    rows.
    """

    references = ("arXiv:2206.14486",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the mean over seeds."""
        return np.asarray(1 - dynamics.class_similarity(y).mean(axis=0))


# --- maps of the rows ---------------------------------------------------------------------------


class MapScorer(DynamicsScorer):
    """A score that also gives every row two coordinates on a map, which are means over seeds."""

    coordinates_: np.ndarray

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the hardness (n,)."""
        return self._hardness(*self.coordinates(dynamics, y))

    def coordinates(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return both coordinates of the rows, (2, n)."""
        raise NotImplementedError

    def _hardness(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _read(self, dynamics: TrainingDynamics, y: np.ndarray) -> Scores:
        return self._scores(self.coordinates(dynamics, y))

    def _single_class(self, n: int) -> Scores:
        return self._scores(np.repeat([[1.0], [0.0]], n, axis=1))  # p_y is 1

    def _scores(self, coordinates: np.ndarray) -> Scores:
        return Scores(self._hardness(*coordinates), coordinates=coordinates)


class DataIQ(MapScorer):
    """Low confidence with low aleatoric uncertainty: 1 - confidence - aleatoric uncertainty.

    Confidence is the mean over epochs of p_y, aleatoric uncertainty that of p_y(1 - p_y). A row is
    hard if both are low, easy if the first is high and the second low, and ambiguous otherwise. The
    score equals the mean of (1 - p_y)^2: 1 for the hardest possible row, 0 for the easiest, and 1/4
    for one whose p_y stays at 1/2. Whatever the confidence, a row that a model surely takes for
    something else is harder than one that it wavers over.

    Attributes
    ----------
    confidence_, aleatoric_ : (n,) float64
        The coordinates.
    groups_ : (n,) str
        "hard" (confidence up to 0.25) or "easy" (0.75 or more), both with aleatoric uncertainty
        below 0.2; otherwise "ambiguous".
    """

    references = ("arXiv:2210.13043",)

    def coordinates(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return confidence and aleatoric uncertainty, (2, n)."""
        p = np.exp(dynamics.log_probabilities(y).astype(np.float64))
        return np.stack([p.mean(axis=(0, 1)), (p * (1 - p)).mean(axis=(0, 1))])

    def _hardness(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray(1 - first - second)

    @property
    def confidence_(self) -> np.ndarray:
        """Mean p_y."""
        return np.asarray(self.coordinates_[0])

    @property
    def aleatoric_(self) -> np.ndarray:
        """Mean p_y(1 - p_y)."""
        return np.asarray(self.coordinates_[1])

    @property
    def groups_(self) -> np.ndarray:
        """The part of the map in which each row lies."""
        sure = self.aleatoric_ < 0.2
        hard, easy = sure & (self.confidence_ <= 0.25), sure & (self.confidence_ >= 0.75)
        return np.select([hard, easy], ["hard", "easy"], "ambiguous")


class DataMaps(MapScorer):
    """Low confidence: 1 - the mean over epochs of p_y; also records the spread over epochs.

    Attributes
    ----------
    confidence_, variability_ : (n,) float64
        Mean of p_y and its standard deviation over epochs (ddof 0). The paper calls rows with high
        variability ambiguous.
    """

    references = ("arXiv:2009.10795",)

    def coordinates(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return confidence and variability, (2, n)."""
        p = np.exp(dynamics.log_probabilities(y).astype(np.float64))
        return np.stack([p.mean(axis=(0, 1)), p.std(axis=1).mean(axis=0)])

    def _hardness(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        del second
        return np.asarray(1 - first)

    @property
    def confidence_(self) -> np.ndarray:
        """Mean p_y."""
        return np.asarray(self.coordinates_[0])

    @property
    def variability_(self) -> np.ndarray:
        """Standard deviation of p_y over epochs."""
        return np.asarray(self.coordinates_[1])


# --- a detector that learns ---------------------------------------------------------------------


class Detector(DynamicsScorer):
    """Probability that a row's label is wrong, learned from labels made wrong on purpose.

    A fifth of the labels are changed to another class. From the sequences of p_y over epochs that
    follow, a logistic regression learns to recognise changed labels. It then judges the sequences
    of the original labels, in five folds, so that no row is judged by a regression that learned
    from it. The paper's detector is a recurrent network pretrained on images; this one learns from
    the given rows. In-sample scoring trains on the rows twice.
    """

    references = ("arXiv:2212.09321",)
    share: ClassVar[float] = 0.2  # of the labels are changed
    folds: ClassVar[int] = 5
    fewest: ClassVar[int] = 10  # rows: every fold then learns from changed labels

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Return the mean probability over seeds. TooFewRowsError for fewer than ten rows."""
        n, classes = len(y), dynamics.outputs.shape[3]
        if n < self.fewest:
            raise TooFewRowsError(f"Detector needs at least {self.fewest} rows, got {n}")
        if classes == 1:
            return np.zeros(n)
        stream = dynamics.stream(FLIP)
        rng = generator(stream)
        order = dynamics.order(y)  # random choices follow the values of rows, not their order
        changed = np.zeros(n, dtype=bool)
        changed[order[rng.permutation(n)[: round(self.share * n)]]] = True
        shift = np.empty(n, dtype=np.int64)
        shift[order] = rng.integers(1, classes, n)
        labels = np.where(changed, (y + shift) % classes, y)
        fold = np.empty(n, dtype=np.int64)
        rng_folds = generator(child(stream, FOLDS))
        fold[order] = deal(changed[order].astype(np.int64), n, self.folds, rng_folds)
        # in sample the changed labels are training labels, so the models must be trained again
        record = dynamics.again(labels) if dynamics.in_sample else dynamics
        return detect(
            np.exp(record.log_probabilities(labels)),
            changed,
            np.exp(dynamics.log_probabilities(y)),
            fold,
        )


def detect(
    known: np.ndarray, changed: np.ndarray, judged: np.ndarray, fold: np.ndarray
) -> np.ndarray:
    """Return the probability (n,) that the labels behind ``judged`` (S, E, n) are wrong.

    A regression learns from the sequences ``known`` (S, E, n) which labels were ``changed`` (n,).
    Each row is judged by the regression on the rows of other folds.
    """
    seeds, epochs, n = known.shape
    result = np.empty(n)
    for f in np.unique(fold):
        other, own = fold != f, fold == f
        sequences = np.moveaxis(known[..., other], 1, 2).reshape(-1, epochs)
        model = LogisticRegression(max_iter=1000).fit(sequences, np.tile(changed[other], seeds))
        queries = np.moveaxis(judged[..., own], 1, 2).reshape(-1, epochs)
        result[own] = model.predict_proba(queries)[:, 1].reshape(seeds, -1).mean(axis=0)
    return result


def score_all(dynamics: TrainingDynamics, y: np.ndarray) -> dict[str, np.ndarray]:
    """Return every score that one record allows, by its name in SCORERS, each (n,).

    Scores that need a network are left out for records of trees, scores for classes for records of
    a regression. CleanLab is out of fold only if the record is. Cost in addition to the record: a
    pass of all rows through every model, two for VoG; the Detector trains once more if the record
    is in sample.
    """
    task: Task = "regression" if y.dtype.kind == "f" else "classification"
    scores = {}
    for name in SCORERS:
        kind = scorer_class(name)
        if not issubclass(kind, DynamicsScorer) or task not in kind.tasks:
            continue
        if dynamics.of_networks or not kind.needs_network:
            scores[name] = kind().from_dynamics(dynamics, y)
    return scores
