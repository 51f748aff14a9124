"""CTGAN: a conditional generative adversarial network on levels and normalised numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tabseed._random import RandomState
from tabseed.archive import Arrays, under
from tabseed.coding.encode import Layout
from tabseed.coding.levels import pick
from tabseed.generators.conditions import Conditions
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.learner import to_tensor, torch
from tabseed.generators.neural.modes import ModeCoding
from tabseed.generators.neural.near import rows_near
from tabseed.generators.neural.players import AdversarialNetworks
from tabseed.generators.neural.stopping import Training
from tabseed.parameters import SEED, TEXT, InstanceOf, Parameters, Real, Whole, or_none
from tabseed.space import Choice, Float, Int

SETTLING = 4_000  # rows of the batch whose statistics normalise the rows drawn later
STATISTICS = ("mean", "variance")


class CTGAN(NeuralGenerator):
    """Conditional tabular GAN (arXiv:1907.00503, section 4.3).

    Numbers are mode-normalised (:class:`~tabseed.generators.neural.modes.ModeCoding`). A
    conditional vector names one level of one discrete column; training rows are sampled to match
    it, levels by their log frequency. The critic sees ``pac`` rows at once; a penalty keeps the
    norm of its gradients near 1 (WGAN-GP). There is no likelihood: the seed and the step are kept
    whose rows are nearest, by energy distance, to the rows set aside.

    Parameters
    ----------
    hidden_dim : int
        Hidden units of each of two layers of generator and critic; codes have half as many
        dimensions.
    pac : int
        Rows that the critic judges together.
    matching : float
        Weight of the squared distance between the second moments of generated and real rows in
        the generator's loss (moment matching, arXiv:1502.02761). 0 is the paper's loss; with few
        rows the critic alone learns dependencies slowly and leaves the marginals inaccurate.
    max_modes : int
        Largest number of modes of a column; the paper's is 10. One is better for few rows: the
        normal scores reproduce a law of many modes too, and depend smoothly on codes.
    n_seeds : int
        Pairs of networks trained at once; rows are drawn from the one of smallest energy distance.
    training : Training or None
        A step is one of the critic and one of the generator; both have the same learning rate.
    device : str
        "auto" (a GPU if there is one), "cpu", "cuda".
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> x = np.random.default_rng(0).normal(size=60)
    >>> table = pa.table({"x": x, "positive": x > 0})
    >>> brief = Training(steps=20)
    >>> CTGAN(n_seeds=2, training=brief, random_state=0).fit(table).sample(1000).num_rows
    1000
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:1907.00503", "arXiv:1704.00028")
    parameters: ClassVar[Parameters] = {
        "hidden_dim": Whole(1, search=Int(32, 512, log=True)),
        "pac": Whole(1, search=Choice((1, 2, 5, 10))),
        "matching": Real(0, search=Float(0.01, 10.0, log=True)),
        "max_modes": Whole(1, search=Int(1, 10)),
        "n_seeds": Whole(1),
        "training": or_none(InstanceOf(Training)),
        "device": TEXT,
        "random_state": SEED,
    }
    criterion: ClassVar[tuple[str, str]] = ("energy distance", "")

    network_: AdversarialNetworks
    laws_: list[Arrays]  # for each seed in drawn_: shares of the levels, batch statistics

    def __init__(
        self,
        hidden_dim: int = 128,
        pac: int = 10,
        matching: float = 1.0,
        max_modes: int = 1,
        n_seeds: int = 10,
        training: Training | None = None,
        device: str = "auto",
        random_state: RandomState = 0,
    ) -> None:
        self.hidden_dim = hidden_dim
        self.pac = pac
        self.matching = matching
        self.max_modes = max_modes
        self.n_seeds = n_seeds
        self.training = training
        self.device = device
        self.random_state = random_state

    def _training(self, n: int) -> Training:
        return self.training or Training(
            steps=1_500, learning_rate=2e-3, patience=12, warm_up=600, validate_every=25
        )

    def _network(self, layout: Layout) -> AdversarialNetworks:
        return self._of_modes(ModeCoding(layout, self.max_modes))

    def _of_modes(self, coding: ModeCoding) -> AdversarialNetworks:
        latent_dim = max(1, self.hidden_dim // 2)  # as in the paper, 128 and 256
        return AdversarialNetworks(coding, latent_dim, self.hidden_dim, self.pac, self.matching)

    def _learn_latent(self, rows: np.ndarray, split: Split, stream: np.random.SeedSequence) -> None:
        """Learn the frequencies of the conditions, and the batch statistics."""
        self.laws_ = []
        for at, seed in enumerate(self.drawn_):
            rng = np.random.default_rng(stream)
            share = rows[split.train[seed]][:, self.network_.level_inputs].mean(
                axis=0, dtype=np.float64
            )
            law = {"share": share}
            noise = self.network_.noise(rng, SETTLING)[:, : self.network_.latent_dim]
            condition = self._conditions(share, SETTLING, rng)
            with torch.no_grad():
                statistics = self.network_.statistics(
                    self._stacked(at), to_tensor(noise)[None], to_tensor(condition)[None]
                )
            for layer, pair in enumerate(statistics):
                for name, value in zip(STATISTICS, pair, strict=True):
                    law[f"{name}{layer}"] = value[0].numpy()
            self.laws_.append(law)

    def _conditions(self, share: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return conditions (n, D): a random discrete column, a level by its share ``share``."""
        member = self.network_.condition_member.numpy()
        condition = np.zeros((n, len(share)), np.float32)
        if len(share):
            cumulative = np.cumsum(member * share, axis=1)
            column = rng.integers(0, len(member), n)
            condition[np.arange(n), pick(cumulative[column], rng.random(n))] = 1.0
        return condition

    def _sample_seed(self, at: int, n: int, rng: np.random.Generator) -> np.ndarray:
        network = self.network_
        noise = network.noise(rng, n)
        condition = self._conditions(self.laws_[at]["share"], n, rng)
        inputs = np.hstack([noise[:, : network.latent_dim], condition])
        logits, scores = self._outputs(at, inputs, rng)
        noisy = logits + noise[:, network.latent_dim : network.latent_dim + logits.shape[1]]
        levels = [noisy[:, column.levels].argmax(axis=1) for column in network.coding.columns]
        return network.coding.decode(levels, scores, rng)

    def _inputs(self, at: int, n: int, rng: np.random.Generator) -> np.ndarray:
        normal = rng.standard_normal((n, self.network_.latent_dim), dtype=np.float32)
        return np.hstack([normal, self._conditions(self.laws_[at]["share"], n, rng)])

    def _outputs(
        self, at: int, inputs: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logits of the levels (n, L) and mode scores (n, m) for codes and conditions."""
        del rng
        network, law = self.network_, self.laws_[at]
        statistics = [
            tuple(to_tensor(law[f"{name}{layer}"])[None] for name in STATISTICS)
            for layer in range(2)
        ]
        with torch.no_grad():
            logits, scores, _ = network.outputs(
                self._stacked(at),
                to_tensor(inputs[:, : network.latent_dim])[None],
                to_tensor(inputs[:, network.latent_dim :])[None],
                [(mean, variance) for mean, variance in statistics],
            )
        return logits[0].numpy(), scores[0].double().numpy()

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        found = rows_near(self, self.network_.coding, conditions, n, rng)
        return self._sample(n, rng) if found is None else found

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state, arrays = super()._state()
        for at, law in enumerate(self.laws_):
            arrays |= {f"law.{at}.{name}": value for name, value in law.items()}
        return state, arrays | self.network_.coding.to_arrays()

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        super()._restore(state, arrays)
        self.laws_ = [under(f"law.{at}.", arrays) for at in range(len(self.drawn_))]
        levels, layer = (len(self.network_.level_inputs),), (1, self.hidden_dim)
        shapes = {f"{name}{at}": layer for at in range(2) for name in STATISTICS}
        for law in self.laws_:
            for name, shape in {"share": levels, **shapes}.items():
                sound = law[name].shape == shape and np.isfinite(law[name]).all()
                if not sound or (not name.startswith("mean") and (law[name] < 0).any()):
                    raise ValueError(f"{name}: a generator of this table cannot have these values")

    def _network_from(self, layout: Layout, arrays: Arrays) -> AdversarialNetworks:
        return self._of_modes(ModeCoding.from_arrays(layout, arrays))
