"""A neural generator combined with an inductive bias, as a generator."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from tabseed._random import RandomState
from tabseed.archive import Arrays, Holds, estimator_from_plain, estimator_to_plain
from tabseed.coding.encode import Layout
from tabseed.generators import GENERATORS
from tabseed.generators.base import Aids, Generator
from tabseed.generators.conditions import Conditions
from tabseed.generators.neural.base import NeuralGenerator, training_from_plain
from tabseed.generators.neural.ensemble import SeedEnsemble
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias import BIASES
from tabseed.inductive_bias.base import Bench, InductiveBias, learn
from tabseed.inductive_bias.journal import Journal
from tabseed.inductive_bias.weights import StageOne
from tabseed.parameters import SEED, InstanceOf, Parameters, or_none
from tabseed.table import Frame


class FineTuned(Generator):
    """A neural generator trained twice: seeds, then again from weights that a bias makes of them.

    Parameters
    ----------
    generator : NeuralGenerator
        Both trainings use its settings; its ``n_seeds`` is the number of seeds of the second, its
        ``random_state`` has no effect.
    bias : InductiveBias
        ``WeightAveraging()``, ``Pretraining()``, ``MAML()``, ``DomainRandomizedSearch()``,
        ``SeedMixture()``, ``AutoBias()``, or one of the controls.
    fine_tuning : Training or None
        Settings of the second training, for every bias alike; None:
        :func:`~tabseed.inductive_bias.base.second_training` of the first. With a ``warm_up`` the
        weights of the bias themselves are not kept; NotTunedWarning says if they were.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Learned: ``generator_`` (from which rows are drawn), ``bias_`` (the bias used),
    ``ensemble_`` (the seeds of the last training), ``tuning_curves_``.

    References: arXiv:2407.03080.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from tabseed import SeedMixture, VAEBGM
    >>> x = np.random.default_rng(0).integers(0, 5, 60)
    >>> table = pa.table({"x": x, "even": x % 2 == 0})
    >>> model = FineTuned(VAEBGM(), SeedMixture(n_seeds=3), random_state=0).fit(table)
    >>> len(model.generator_.drawn_), model.sample(100).num_rows
    (3, 100)
    """

    min_rows: ClassVar[int] = NeuralGenerator.min_rows
    references: ClassVar[tuple[str, ...]] = ("arXiv:2407.03080",)
    parameters: ClassVar[Parameters] = {
        "generator": InstanceOf(NeuralGenerator, "a generator that learns weights, such as VAEBGM"),
        "bias": InstanceOf(InductiveBias, "an InductiveBias"),
        "fine_tuning": or_none(InstanceOf(Training)),
        "random_state": SEED,
    }

    def __init__(
        self,
        generator: NeuralGenerator,
        bias: InductiveBias,
        fine_tuning: Training | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.generator = generator
        self.bias = bias
        self.fine_tuning = fine_tuning
        self.random_state = random_state

    @property
    def holds(self) -> Holds:  # type: ignore[override]
        """What a model file holds: what that of the generator does."""
        return self.generator.holds

    generator_: NeuralGenerator
    bias_: InductiveBias
    bias_summary_: list[str]

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        bias = clone(self.bias)
        journal = Journal(aids, bias.plan().stages)
        bench = Bench(self._inner(), x, layout, stream, journal, self.fine_tuning)
        self.generator_, self.bias_ = learn(bias, bench)
        self.bias_summary_ = bias.summary()
        if self.bias_ is not bias:
            self.bias_summary_ += self.bias_.summary()
        journal.end()

    def _inner(self) -> NeuralGenerator:
        """Return a copy of ``generator`` that knows the table as this one does."""
        model: NeuralGenerator = clone(self.generator)
        model._know(self, self.n_rows_)
        return model

    @property
    def ensemble_(self) -> SeedEnsemble:
        """The seeds of the last training."""
        return self.generator_.ensemble_

    @property
    def tuning_curves_(self) -> list[np.ndarray]:
        """The curve of each seed in the second training; none if there was no such training.

        (validations, 3): step, training loss, validation loss; step 0 are the weights of the bias.
        """
        return self.ensemble_.curves if self.bias_.plan().last == "tune" else []

    @property
    def knows_likelihood(self) -> bool:
        """Whether the generator within has a likelihood."""
        return self.generator.knows_likelihood

    def log_likelihood(self, table: Frame, *, random_state: RandomState = 0) -> np.ndarray:
        """Return the log-probability of each row (n,): see NeuralGenerator.log_likelihood."""
        return self.generator_.log_likelihood(table, random_state=random_state)

    def _log_probability(self, x: np.ndarray) -> np.ndarray:
        return self.generator_._log_probability(x)

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self.generator_._sample(n, rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        return self.generator_._sample_near(n, conditions, rng)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state, arrays = self.generator_._state()
        return {
            "inner": state,
            "found": self.bias_summary_,
            "bias": estimator_to_plain(self.bias_),
        }, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.generator_ = self._inner()
        self.generator_._restore(state["inner"], arrays)
        self.bias_summary_ = [str(line) for line in state["found"]]
        # teachers of other classes stay plain: nothing asks a fitted bias for them
        self.bias_ = estimator_from_plain(state["bias"], (*BIASES.values(), *GENERATORS.values()))

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        return {**plain, "fine_tuning": training_from_plain(plain["fine_tuning"])}

    def summary(self) -> list[str]:
        """Return lines of text that say what was learned."""
        none = isinstance(self.bias_, StageOne) and self.bias_.bias is None
        name = "none" if none else type(self.bias_).__name__
        head = [f"inductive bias: {name}", *self.bias_summary_, *self._tuning_summary()]
        return head + self.generator_.summary()

    def _tuning_summary(self) -> list[str]:
        """Return a line that says how far the second training went."""
        last = self.bias_.plan().last
        if last == "none":
            return []
        steps = self.ensemble_.best_step[list(self.generator_.drawn_)]
        if last == "judge":
            return ["no second training: the weights are those of the bias"]
        if not steps.any():
            return ["second training: no step, the weights are those of the bias"]
        low, high = steps.min(), steps.max()
        count = f"{low}" if low == high else f"{low} to {high}"
        return [f"second training: {count} steps from the weights of the bias"]
