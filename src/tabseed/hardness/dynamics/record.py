"""A record of how models treat every row during training, from which many scores are computed.

Notation: S seeds, E epochs, n tracked rows, m training rows, w coordinates of a row, C classes.
z are a row's outputs (logits) and p = softmax(z).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import log_softmax

from tabseed._random import RandomState, child, seed_sequence
from tabseed.errors import SchemaError, TabseedError
from tabseed.hardness.dynamics import boosted as _boosted
from tabseed.hardness.dynamics import mlp as _mlp
from tabseed.hardness.dynamics.boosted import Boosted
from tabseed.hardness.dynamics.mlp import MLP, Networks
from tabseed.parameters import AnyOf, Having, InstanceOf, OneOf, Whole, check

TRAIN, AGAIN, THIN, FLIP = range(4)  # child streams of the stream of a record
NAMED = OneOf(("mlp", "trees", "xgboost"))
MODEL = AnyOf(
    (NAMED, InstanceOf(MLP), Having(("get_booster",), "", classes=True)),
    f"{NAMED}, an MLP or an XGBoost model",
)


@dataclass(frozen=True)
class Origin:
    """Where a record comes from: models, tracked rows, training rows and labels, random stream."""

    trained: Networks | Boosted
    model: Any
    x: np.ndarray
    x_ref: np.ndarray
    y_ref: np.ndarray
    stream: np.random.SeedSequence


@dataclass(frozen=True)
class TrainingDynamics:
    """The outputs of S models for n rows after each of E epochs of training.

    Gradients and embeddings are computed from the recorded weights when a score needs them.

    Attributes
    ----------
    outputs : (S, E, n, C) float32
        Logits of the classes; in a regression (C = 1), predictions of the standardised target.
    centre, spread : float
        In a regression, the mean and standard deviation that standardise the target.
    origin : Origin or None
        The models and rows behind the outputs; None for outputs from elsewhere, which are enough
        only for scores of outputs.
    """

    outputs: np.ndarray
    centre: float = 0.0
    spread: float = 1.0
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.outputs, np.ndarray):
            raise SchemaError(
                "outputs must be an array (seeds, epochs, rows, classes), not a "
                f"{type(self.outputs).__name__}"
            )
        if self.outputs.ndim != 4:
            raise SchemaError(
                "outputs must be an array (seeds, epochs, rows, classes), not one of "
                f"{self.outputs.ndim} dimensions"
            )

    @classmethod
    def record(
        cls,
        x: np.ndarray,
        y: np.ndarray,
        x_ref: np.ndarray | None = None,
        y_ref: np.ndarray | None = None,
        *,
        model: Any = "mlp",
        epochs: int = 20,
        n_seeds: int = 3,
        stream: RandomState = 0,
    ) -> Self:
        """Train on (x_ref, y_ref) and track the rows ``x``; without a reference, train on ``x``.

        ``x`` is (n, w), standardised, as returned by :class:`~tabseed.coding.points.Features`;
        ``y`` contains class numbers 0, 1, ..., or the float64 targets of a regression. ``model`` is
        "mlp" or an :class:`~tabseed.hardness.dynamics.mlp.MLP`; "trees", gradient boosting of
        scikit-learn; or "xgboost", or an XGBoost class or instance, whose parameters are used
        except for rounds, threads and seed. An epoch of trees is five rounds. The same ``stream``
        gives the same bytes on any number of cores.

        Cost: for networks, 8 P operations for each row, epoch and seed (P weights, 15,000 for 50
        coordinates), and 4 S E n C bytes. TabseedError for bad parameters, NothingLearnedError if
        training diverges, MissingDependencyError if ``model`` needs XGBoost and it is not
        installed.
        """
        caller = "TrainingDynamics.record"
        check(caller, "model", model, MODEL)
        check(caller, "epochs", epochs, Whole(1))
        check(caller, "n_seeds", n_seeds, Whole(1))
        x_ref = x if x_ref is None else x_ref
        y_ref = y if y_ref is None else y_ref
        centre, spread, targets = 0.0, 1.0, y_ref
        n_outputs = 1
        if y_ref.dtype.kind == "f":
            centre, spread = float(y_ref.mean()), float(y_ref.std()) or 1.0
            targets = (y_ref - centre) / spread
        else:
            n_outputs = 1 + int(max(y.max(), y_ref.max()))
        stream = seed_sequence(stream)
        streams = [child(stream, TRAIN, seed) for seed in range(n_seeds)]
        if is_network(model):
            settings = MLP() if model == "mlp" else model
            trained: Networks | Boosted = _mlp.train(
                settings, _columns(x_ref), targets, n_outputs, epochs, streams
            )
        else:
            trained = _boosted.train(model, _columns(x_ref), targets, n_outputs, epochs, streams)
        origin = Origin(trained, model, x, x_ref, y_ref, stream)
        return cls(trained.outputs(_columns(x)), centre, spread, origin)

    def again(self, y_ref: np.ndarray) -> TrainingDynamics:
        """Return a second record of the same rows, trained on other labels with another stream."""
        origin, (seeds, epochs) = self._origin("a second training"), self.outputs.shape[:2]
        stream = child(origin.stream, AGAIN)
        # the largest label tells the record how many classes there are
        return TrainingDynamics.record(
            origin.x,
            np.array([self.outputs.shape[3] - 1]),
            origin.x_ref,
            y_ref,
            model=origin.model,
            epochs=epochs,
            n_seeds=seeds,
            stream=stream,
        )

    @property
    def in_sample(self) -> bool:
        """Whether the tracked rows are the training rows."""
        return self.origin is not None and self.origin.x_ref is self.origin.x

    @property
    def of_networks(self) -> bool:
        """Whether the models are networks."""
        return self.origin is not None and isinstance(self.origin.trained, Networks)

    def stream(self, *path: int) -> np.random.SeedSequence:
        """Return a child stream of the record's own stream."""
        return child(self._origin("random numbers").stream, *path)

    def order(self, y: np.ndarray) -> np.ndarray:
        """Return the tracked rows in an order that depends only on their values: indices (n,)."""
        return np.lexsort((y, *self._origin("an order of rows").x.T))

    def _origin(self, subject: str) -> Origin:
        if self.origin is None:
            raise TabseedError(
                f"{subject} cannot come from outputs alone; use TrainingDynamics.record"
            )
        return self.origin

    # -- from the outputs

    def log_probabilities(self, y: np.ndarray) -> np.ndarray:
        """Return log p_y of every row, seed and epoch, (S, E, n) float32."""
        return _own(log_softmax(self.outputs, axis=-1), y)

    def margins(self, y: np.ndarray) -> np.ndarray:
        """Return z_y minus the largest other output, (S, E, n) float32; 0 if there is one class."""
        if self.outputs.shape[3] == 1:
            return np.zeros(self.outputs.shape[:3], dtype=np.float32)
        own = y[:, None] == np.arange(self.outputs.shape[3])
        others = np.where(own, -np.inf, self.outputs).max(axis=-1)
        return np.asarray(_own(self.outputs, y) - others)

    def learned(self, y: np.ndarray) -> np.ndarray:
        """Return whether the largest output is that of the row's class, (S, E, n) bool."""
        return np.asarray(self.outputs.argmax(axis=-1) == y)

    def errors(self, y: np.ndarray, epoch: int) -> np.ndarray:
        """Return the slopes of the loss with respect to the outputs after an epoch, (S, n, C).

        Epochs count from 1 to E. The slopes are p - onehot(y) for classes, and the residual in
        standard deviations for a regression.
        """
        epochs = self.outputs.shape[1]
        if not 1 <= epoch <= epochs:
            raise TabseedError(f"epoch={epoch} is not one of the recorded epochs, 1 to {epochs}")
        labels = self.standardised(y) if y.dtype.kind == "f" else y
        return _mlp.output_slopes(self.outputs[:, epoch - 1], labels)

    def standardised(self, y: np.ndarray) -> np.ndarray:
        """Return targets (n,) on the scale of the outputs."""
        return np.asarray((y - self.centre) / self.spread)

    # -- from the models

    def gradient_norms(self, y: np.ndarray, epoch: int) -> np.ndarray:
        """Return the norm of the gradient of each row's loss in all weights, (S, n).

        Weights are those after the given epoch. In a regression the loss is half the squared error.
        Networks only.
        """
        networks, x = self._networks("gradient norms")
        return networks.gradient_norms(x, self.errors(y, epoch), epoch - 1)

    def gradient_spread(self, y: np.ndarray) -> np.ndarray:
        """Return the spread over epochs of the gradient of z_y with respect to the row, (S, n).

        The mean over coordinates of their standard deviations (ddof 0). Networks only.
        """
        networks, x = self._networks("gradients with respect to rows")
        return networks.gradient_spread(x, y[:, None] == np.arange(self.outputs.shape[3]))

    def class_similarity(self, y: np.ndarray) -> np.ndarray:
        """Return the cosine of each row's embedding and the mean embedding of its class, (S, n).

        The mean is over the training rows. The embedding is the last hidden layer, or the leaf in
        each tree.
        """
        origin = self._origin("an embedding")
        x, x_ref = _columns(origin.x), _columns(origin.x_ref)
        return origin.trained.class_similarity(x, y, x_ref, origin.y_ref)

    def thinned(self, passes: int) -> np.ndarray:
        """Return the mean class probabilities over passes with dropout, or subsets of the trees."""
        origin = self._origin("a thinned model")
        return origin.trained.thinned(_columns(origin.x), passes, child(origin.stream, THIN))

    def _networks(self, subject: str) -> tuple[Networks, np.ndarray]:
        origin = self._origin(subject)
        if not isinstance(origin.trained, Networks):
            raise TabseedError(f"trees have no {subject}; record with model='mlp'")
        return origin.trained, _columns(origin.x)


def is_network(model: Any) -> bool:
    """Return whether ``model``, one of MODEL, is a network rather than trees."""
    return isinstance(model, MLP) or (isinstance(model, str) and model == "mlp")


def _columns(x: np.ndarray) -> np.ndarray:
    """Return the rows, with a column of 0 if they have none, so that every model accepts them."""
    return x if x.shape[1] else np.zeros((len(x), 1))


def _own(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Select the value of each row's class: (S, E, n, C) -> (S, E, n)."""
    return np.asarray(np.take_along_axis(values, y[None, None, :, None], axis=-1)[..., 0])
