"""Twelve scores of hardness, each a short function of what training said of every row.

Notation: S seeds, E epochs, n rows, C classes; z are a row's outputs (logits) after an epoch,
p = softmax(z), y its label, p_y the probability of it. All scores are means over seeds, and larger
is harder. Definitions are those of the papers named in ``references``; what they call easy is
turned round.
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

    A subclass writes :meth:`from_dynamics`. One record serves every score (:func:`score_all`).
    With one class only, all rows are equally hard: 0.

    Parameters
    ----------
    model : str, MLP or model of XGBoost
        What is trained, see :meth:`TrainingDynamics.record`.
    epochs, n_seeds : int
        How long, and how many models.
    """

    in_sample = True
    needs_network: ClassVar[str] = ""
    """Why trees will not do, where they will not."""

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
        """Give the hardness (n,) of the rows tracked, whose labels are ``y`` (n,).

        Class numbers, or float64 targets where the record is of a regression.
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
            raise TabseedError(f"{type(self).__name__}: {self.needs_network}; take model='mlp'")
        if self.task_ == "classification" and len(self.classes_) == 1:
            return self._sure(len(x))
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

    def _sure(self, n: int) -> Scores:
        """Score n rows where there is one class and nothing to learn."""
        return Scores(np.zeros(n))


class AUM(DynamicsScorer):
    """Area under the margin: minus the mean over epochs of z_y - max_{c != y} z_c."""

    references = ("arXiv:2001.10528",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give minus the mean margin."""
        return np.asarray(-dynamics.margins(y).mean(axis=(0, 1), dtype=np.float64))


class SampleLoss(DynamicsScorer):
    """Mean loss over epochs: cross-entropy in nats, or the squared standardised residual."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    references = ("arXiv:2106.00445",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the mean loss."""
        if y.dtype.kind == "f":
            residual = dynamics.outputs[..., 0] - dynamics.standardised(y)
            return np.asarray((residual**2).mean(axis=(0, 1)))
        return np.asarray(-dynamics.log_probabilities(y).mean(axis=(0, 1), dtype=np.float64))


class Forgetting(DynamicsScorer):
    """How often a row learned is not any more an epoch later; a row never learned counts E times.

    E is more than any row can be forgotten, so that those never learned come first, and finite
    where the paper has infinity.
    """

    references = ("arXiv:1812.05159",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the mean count over seeds."""
        learned = dynamics.learned(y)
        forgotten = (learned[:, :-1] & ~learned[:, 1:]).sum(axis=1)
        return np.asarray(np.where(learned.any(axis=1), forgotten, learned.shape[1]).mean(axis=0))


class CleanLab(DynamicsScorer):
    """Want of self-confidence: 1 - p_y, of models that did not see the row.

    Out of fold in ``fit``. From a record in sample it is 1 - p_y of the last epoch as it is.
    """

    references = ("arXiv:1911.00068",)
    in_sample = False

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give 1 - p_y after the last epoch."""
        last = dynamics.log_probabilities(y)[:, -1]
        return np.asarray(1 - np.exp(last).mean(axis=0, dtype=np.float64))


class Agreement(DynamicsScorer):
    """Doubt of thinned models: 1 - max_c of the mean p over passes with dropout.

    Of trees, each pass keeps four rounds in five. The label is not looked at.
    """

    finds_wrong_labels = False

    references = ("arXiv:1910.13427",)
    passes: ClassVar[int] = 10

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the doubt."""
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
        Of which epoch, from 1; None: the one that ends the first quarter.
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
        """Give the mean norm over seeds."""
        errors = dynamics.errors(y, self._epoch(dynamics)).astype(np.float64)
        return np.asarray(np.linalg.norm(errors, axis=-1).mean(axis=0))


class GraNd(EarlyScorer):
    """Norm of the gradient of a row's loss in all weights, early in training. Networks only."""

    needs_network = "with trees it ranks as EL2N does"

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the mean norm over seeds."""
        return np.asarray(dynamics.gradient_norms(y, self._epoch(dynamics)).mean(axis=0))


# --- gradients and embeddings -------------------------------------------------------------------


class VoG(DynamicsScorer):
    """Variance of gradients: how much that of z_y with respect to the row moves over epochs.

    The standard deviation over epochs, mean over coordinates, and that as a z-score among the rows
    of a class. Networks only. It finds where the model bends, which need not be where labels are
    wrong.
    """

    references = ("arXiv:2008.11600",)
    needs_network = "trees are constant between their cuts and have no gradient"

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the mean z-score over seeds."""
        spread = dynamics.gradient_spread(y)
        return np.asarray(np.mean([within_class(values, y) for values in spread], axis=0))


def within_class(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Standardise values (n,) among the rows of each class; a class that does not vary has 0."""
    count = np.maximum(np.bincount(y), 1)
    away = values - (np.bincount(y, values) / count)[y]
    spread = np.sqrt(np.bincount(y, away**2) / count)[y]
    flat = spread <= 1e-9 * np.abs(values)
    return np.where(flat, 0.0, away / np.where(flat, 1.0, spread))


class Prototypicality(DynamicsScorer):
    """Unlikeness to the own class: 1 - the cosine of a row's embedding and its class's mean one.

    The embedding is the last hidden layer, or the leaves of trees; the mean is over the rows
    trained on.
    """

    references = ("arXiv:2206.14486",)

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the mean over seeds."""
        return np.asarray(1 - dynamics.class_similarity(y).mean(axis=0))


# --- maps of the rows ---------------------------------------------------------------------------


class MapScorer(DynamicsScorer):
    """A score that puts every row on a map of two coordinates, means over seeds."""

    coordinates_: np.ndarray

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the hardness (n,)."""
        return self._hardness(*self.coordinates(dynamics, y))

    def coordinates(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give both coordinates of the rows, (2, n)."""
        raise NotImplementedError

    def _hardness(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _read(self, dynamics: TrainingDynamics, y: np.ndarray) -> Scores:
        return self._placed(self.coordinates(dynamics, y))

    def _sure(self, n: int) -> Scores:
        return self._placed(np.repeat([[1.0], [0.0]], n, axis=1))  # p_y is 1

    def _placed(self, places: np.ndarray) -> Scores:
        return Scores(self._hardness(*places), coordinates=places)


class DataIQ(MapScorer):
    """Low confidence with low aleatoric uncertainty: 1 - confidence - aleatoric uncertainty.

    Confidence is the mean over epochs of p_y, aleatoric uncertainty that of p_y(1 - p_y): a row is
    hard where both are low, easy where the first is high and the second low, ambiguous else. The
    score is 1 for the hardest row and 0 for the easiest, 1/4 for one whose p_y stays at 1/2, and
    equals the mean of (1 - p_y)^2: a row that a model is sure to call something else is harder
    than one that it wavers over, whatever the confidence.

    Attributes
    ----------
    confidence_, aleatoric_ : (n,) float64
        The coordinates.
    groups_ : (n,) str
        "hard" (confidence up to 0.25), "easy" (0.75 or more), both with aleatoric uncertainty
        below 0.2, or "ambiguous".
    """

    references = ("arXiv:2210.13043",)

    def coordinates(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give confidence and aleatoric uncertainty, (2, n)."""
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
        """Part of the map that each row lies in."""
        sure = self.aleatoric_ < 0.2
        hard, easy = sure & (self.confidence_ <= 0.25), sure & (self.confidence_ >= 0.75)
        return np.select([hard, easy], ["hard", "easy"], "ambiguous")


class DataMaps(MapScorer):
    """Low confidence: 1 - the mean over epochs of p_y; its spread over epochs is kept beside.

    Attributes
    ----------
    confidence_, variability_ : (n,) float64
        Mean of p_y and its standard deviation over epochs (ddof 0). High variability is what the
        paper calls ambiguous.
    """

    references = ("arXiv:2009.10795",)

    def coordinates(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give confidence and variability, (2, n)."""
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

    A fifth of the labels are changed to another class, and what training then says of the rows,
    the sequence of p_y over epochs, teaches a logistic regression to tell changed labels. It then
    judges the sequences of the labels as they are; in five folds, so that no row is judged by
    what learned from it. The paper's detector is a recurrent network pretrained on images; this
    one comes from the rows at hand. Rows in sample are trained on twice.
    """

    references = ("arXiv:2212.09321",)
    share: ClassVar[float] = 0.2  # of labels changed
    folds: ClassVar[int] = 5
    fewest: ClassVar[int] = 10  # rows, so that every fold learns from changed labels

    def from_dynamics(self, dynamics: TrainingDynamics, y: np.ndarray) -> np.ndarray:
        """Give the mean probability over seeds. TooFewRowsError for fewer than ten rows."""
        n, classes = len(y), dynamics.outputs.shape[3]
        if n < self.fewest:
            raise TooFewRowsError(f"Detector needs {self.fewest} rows or more, got {n}")
        if classes == 1:
            return np.zeros(n)
        stream = dynamics.stream(FLIP)
        rng = generator(stream)
        place = dynamics.order(y)  # chance goes by what rows hold, not by where they stand
        changed = np.zeros(n, dtype=bool)
        changed[place[rng.permutation(n)[: round(self.share * n)]]] = True
        shift = np.empty(n, dtype=np.int64)
        shift[place] = rng.integers(1, classes, n)
        labels = np.where(changed, (y + shift) % classes, y)
        fold = np.empty(n, dtype=np.int64)
        dealt = generator(child(stream, FOLDS))
        fold[place] = deal(changed[place].astype(np.int64), n, self.folds, dealt)
        # labels that train change what training says; those of rows beside it do not
        taught = dynamics.again(labels) if dynamics.in_sample else dynamics
        return detect(
            np.exp(taught.log_probabilities(labels)),
            changed,
            np.exp(dynamics.log_probabilities(y)),
            fold,
        )


def detect(
    taught: np.ndarray, changed: np.ndarray, judged: np.ndarray, fold: np.ndarray
) -> np.ndarray:
    """Learn from sequences (S, E, n) which labels were changed, (n,) bool; judge others, (n,).

    Row i of ``judged`` is judged by what the rows of other folds taught.
    """
    seeds, epochs, n = taught.shape
    found = np.empty(n)
    for f in np.unique(fold):
        other, own = fold != f, fold == f
        sequences = np.moveaxis(taught[..., other], 1, 2).reshape(-1, epochs)
        model = LogisticRegression(max_iter=1000).fit(sequences, np.tile(changed[other], seeds))
        asked = np.moveaxis(judged[..., own], 1, 2).reshape(-1, epochs)
        found[own] = model.predict_proba(asked)[:, 1].reshape(seeds, -1).mean(axis=0)
    return found


def score_all(dynamics: TrainingDynamics, y: np.ndarray) -> dict[str, np.ndarray]:
    """Give every score that one record serves, by its name in SCORERS, each (n,).

    Those that need a network are left out where the record is of trees, and so are those of
    classes where it is of a regression. CleanLab is out of fold only if the record is.
    Cost beside the record: a pass of all rows through every model, for VoG two; the Detector
    trains once more where rows are in sample.
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
