"""What training says of every row while it goes on: one record, which many scores read.

Notation: S seeds, E epochs, n rows tracked, m rows trained on, w coordinates of a row, C classes.
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

TRAIN, AGAIN, THIN, FLIP = range(4)  # streams below that of a record
NAMED = OneOf(("mlp", "trees", "xgboost"))
MODEL = AnyOf(
    (NAMED, InstanceOf(MLP), Having(("get_booster",), "", classes=True)),
    f"{NAMED}, an MLP or a model of XGBoost",
)


@dataclass(frozen=True)
class Origin:
    """Where a record is from: model, rows tracked and trained on, labels trained on, stream."""

    trained: Networks | Boosted
    model: Any
    x: np.ndarray
    x_ref: np.ndarray
    y_ref: np.ndarray
    stream: np.random.SeedSequence


@dataclass(frozen=True)
class TrainingDynamics:
    """The outputs of S models for n rows after each of E epochs of training.

    Gradients and embeddings are worked out from the recorded weights when a score asks for them.

    Attributes
    ----------
    outputs : (S, E, n, C) float32
        Logits of the classes; in a regression (C = 1) predictions of the standardised target.
    centre, spread : float
        In a regression, what standardises the target: its mean and standard deviation.
    origin : Origin or None
        The models and rows behind the outputs; None for outputs that come from elsewhere, from
        which only scores of outputs follow.
    """

    outputs: np.ndarray
    centre: float = 0.0
    spread: float = 1.0
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if self.outputs.ndim != 4:
            raise SchemaError(
                "outputs are (seeds, epochs, rows, classes), got an array of "
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
        """Train on (x_ref, y_ref) and track the rows ``x``; without a reference, on the rows.

        ``x`` is (n, w), standardised, as :class:`~tabseed.coding.points.Features` gives it;
        ``y`` class numbers 0, 1, ..., or float64 targets of a regression. ``model`` is "mlp" or
        an :class:`~tabseed.hardness.dynamics.mlp.MLP`; "trees", gradient boosting of scikit-learn;
        "xgboost", or a class or an instance of XGBoost's, whose parameters count but for rounds,
        threads and seed. An epoch of trees is five rounds. The same ``stream`` gives the same
        bytes, with any number of cores.

        Cost: networks, 8 P operations for each row, epoch and seed (P weights, 15,000 for 50
        coordinates), and 4 S E n C bytes. TabseedError for bad parameters, NothingLearnedError
        where training diverges, MissingDependencyError where XGBoost is asked for and not there.
        """
        where = "TrainingDynamics.record"
        check(where, "model", model, MODEL)
        check(where, "epochs", epochs, Whole(1))
        check(where, "n_seeds", n_seeds, Whole(1))
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
            how = MLP() if model == "mlp" else model
            trained: Networks | Boosted = _mlp.train(
                how, _columns(x_ref), targets, n_outputs, epochs, streams
            )
        else:
            trained = _boosted.train(model, _columns(x_ref), targets, n_outputs, epochs, streams)
        origin = Origin(trained, model, x, x_ref, y_ref, stream)
        return cls(trained.outputs(_columns(x)), centre, spread, origin)

    def again(self, y_ref: np.ndarray) -> TrainingDynamics:
        """Record the same rows once more, trained on other labels, with another stream."""
        origin, (seeds, epochs) = self._origin("a second training"), self.outputs.shape[:2]
        stream = child(origin.stream, AGAIN)
        # the labels tracked say how many classes there are
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
        """Whether the rows tracked are those trained on."""
        return self.origin is not None and self.origin.x_ref is self.origin.x

    @property
    def of_networks(self) -> bool:
        """Whether the models are networks."""
        return self.origin is not None and isinstance(self.origin.trained, Networks)

    def stream(self, *path: int) -> np.random.SeedSequence:
        """Give a stream of the record's own."""
        return child(self._origin("random numbers").stream, *path)

    def order(self, y: np.ndarray) -> np.ndarray:
        """Give the rows tracked in an order that depends on what they hold only, (n,)."""
        return np.lexsort((y, *self._origin("an order of rows").x.T))

    def _origin(self, what: str) -> Origin:
        if self.origin is None:
            raise TabseedError(f"{what} needs TrainingDynamics.record, not outputs alone")
        return self.origin

    # -- what the outputs say

    def log_probabilities(self, y: np.ndarray) -> np.ndarray:
        """log p_y of every row, seed and epoch, (S, E, n) float32."""
        return _own(log_softmax(self.outputs, axis=-1), y)

    def margins(self, y: np.ndarray) -> np.ndarray:
        """z_y less the largest other output, (S, E, n) float32; 0 where there is one class."""
        if self.outputs.shape[3] == 1:
            return np.zeros(self.outputs.shape[:3], dtype=np.float32)
        own = y[:, None] == np.arange(self.outputs.shape[3])
        others = np.where(own, -np.inf, self.outputs).max(axis=-1)
        return np.asarray(_own(self.outputs, y) - others)

    def learned(self, y: np.ndarray) -> np.ndarray:
        """Whether the largest output is that of the row's class, (S, E, n) bool."""
        return np.asarray(self.outputs.argmax(axis=-1) == y)

    def errors(self, y: np.ndarray, epoch: int) -> np.ndarray:
        """Slopes of the loss with respect to the outputs after an epoch, 1 to E: (S, n, C).

        p - onehot(y) for classes; the residual, in standard deviations, for a regression.
        """
        epochs = self.outputs.shape[1]
        if not 1 <= epoch <= epochs:
            raise TabseedError(f"epoch={epoch} is not one of the {epochs} recorded")
        labels = self.standardised(y) if y.dtype.kind == "f" else y
        return _mlp.output_slopes(self.outputs[:, epoch - 1], labels)

    def standardised(self, y: np.ndarray) -> np.ndarray:
        """Give targets (n,) as the outputs have them."""
        return np.asarray((y - self.centre) / self.spread)

    # -- what the models say

    def gradient_norms(self, y: np.ndarray, epoch: int) -> np.ndarray:
        """Norm of each row's gradient of the loss in all weights after an epoch, (S, n).

        Networks only. For half the squared error in a regression.
        """
        networks, x = self._networks("gradient norms")
        return networks.gradient_norms(x, self.errors(y, epoch), epoch - 1)

    def gradient_spread(self, y: np.ndarray) -> np.ndarray:
        """Spread over epochs of the gradient of z_y with respect to the row, (S, n).

        A standard deviation (ddof 0) for each coordinate, then their mean. Networks only.
        """
        networks, x = self._networks("gradients with respect to rows")
        return networks.gradient_spread(x, y[:, None] == np.arange(self.outputs.shape[3]))

    def class_similarity(self, y: np.ndarray) -> np.ndarray:
        """Cosine of each row's embedding and the mean one of its class, (S, n).

        The mean is over the rows trained on. The embedding is the last hidden layer, or the leaf
        in each tree.
        """
        origin = self._origin("an embedding")
        x, x_ref = _columns(origin.x), _columns(origin.x_ref)
        return origin.trained.class_similarity(x, y, x_ref, origin.y_ref)

    def thinned(self, passes: int) -> np.ndarray:
        """Mean probabilities of the classes over passes with dropout, or parts of the trees."""
        origin = self._origin("a thinned model")
        return origin.trained.thinned(_columns(origin.x), passes, child(origin.stream, THIN))

    def _networks(self, what: str) -> tuple[Networks, np.ndarray]:
        origin = self._origin(what)
        if not isinstance(origin.trained, Networks):
            raise TabseedError(f"{what}: trees have none; record with model='mlp'")
        return origin.trained, _columns(origin.x)


def is_network(model: Any) -> bool:
    """Say whether ``model``, one of MODEL, is a network, and not trees."""
    return isinstance(model, MLP) or (isinstance(model, str) and model == "mlp")


def _columns(x: np.ndarray) -> np.ndarray:
    """Give rows that have no coordinate one, so that every model takes them."""
    return x if x.shape[1] else np.zeros((len(x), 1))


def _own(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Take what belongs to each row's class: (S, E, n, C) -> (S, E, n)."""
    return np.asarray(np.take_along_axis(values, y[None, None, :, None], axis=-1)[..., 0])
