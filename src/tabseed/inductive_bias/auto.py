"""Choose the bias that helps this table, judged on rows that none of the candidates saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.stats import t as student
from sklearn.base import clone

from tabseed._random import child
from tabseed.errors import NothingLearnedError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.generators.base import Aids
from tabseed.inductive_bias import bias_class
from tabseed.inductive_bias.base import CHOICE, Bench, InductiveBias, Plan, Stacked, learn
from tabseed.inductive_bias.weights import StageOne
from tabseed.parameters import Each, InstanceOf, Parameters, Whole, or_none

LEVEL = 0.05  # chance that a bias is chosen although none helps
ORDER, SCORE = 0, 1  # streams of the choice
CANDIDATES = ("average", "pretrain", "maml", "drs", "small-init", "mixture")


class AutoBias(InductiveBias):
    """Choose the bias whose law gives held-out real rows the largest likelihood, or none.

    The rows are split into ``folds`` parts. Each candidate learns from all parts but one; then
    the log-likelihood of the rows of that part is computed under the law that its rows are drawn
    from, latent mixture included. The candidate of the largest mean gain over no bias is used if
    the gain is reliable: if the one-sided t interval over rows, at level 0.05 divided by the number
    of candidates, lies above 0. Then it learns from all rows.

    Parameters
    ----------
    n_seeds : int
        Number of seeds of each candidate if ``candidates`` is None.
    candidates : sequence of InductiveBias, or None
        None: averaging, pre-training, MAML, domain randomisation, small initial weights, mixture.
    folds : int

    Learned: ``gains_`` (n, candidates), nats by which each row is likelier than without a bias;
    ``chosen_``, the index of the candidate used, or None. Cost: ``folds`` times that of all
    candidates together. The rows of one table decide: a mean gain below about two of its standard
    errors cannot be seen, and no bias is chosen then.
    """

    gains_: np.ndarray
    chosen_: int | None

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "candidates": or_none(Each(InstanceOf(InductiveBias, "an InductiveBias"))),
        "folds": Whole(2),
    }

    def __init__(
        self,
        n_seeds: int = 10,
        candidates: Sequence[InductiveBias] | None = None,
        folds: int = 3,
    ) -> None:
        self.n_seeds = n_seeds
        self.candidates = candidates
        self.folds = folds

    def _candidates(self) -> list[InductiveBias]:
        if self.candidates is not None:
            return [clone(bias) for bias in self.candidates]
        return [bias_class(name)(n_seeds=self.n_seeds) for name in CANDIDATES]

    def plan(self) -> Plan:
        """Return the plan: all candidates in each fold, then the one chosen, as yet unknown."""
        plans = [bias.plan() for bias in self._candidates()]
        own = [max(1, plan.stages - (plan.first == "shared")) for plan in plans]
        stages = self.folds * (1 + sum(own)) + max((plan.stages for plan in plans), default=1)
        return Plan(self.n_seeds, stages=stages)

    def resolve(self, bench: Bench) -> InductiveBias:
        """Compare the candidates; return the one to use, or StageOne() for no bias."""
        candidates = self._candidates()
        if not bench.model.knows_likelihood:
            raise TabseedError(
                f"AutoBias compares likelihoods of rows; {type(bench.model).__name__} has none: "
                "choose a bias by name"
            )
        n = len(bench.x)
        if n < 5 * self.folds:
            raise TooFewRowsError(
                f"AutoBias with {self.folds} folds needs at least {5 * self.folds} rows, got {n}"
            )
        rng = np.random.default_rng(child(bench.stream, CHOICE, ORDER))
        fold = deal(None, n, self.folds, rng)
        self.gains_ = np.empty((n, len(candidates)))
        for k in range(self.folds):
            held_out = np.flatnonzero(fold == k)
            self.gains_[held_out] = self._gains(candidates, bench, k, held_out)
        self.chosen_ = self._choose()
        none = StageOne(n_seeds=bench.model.n_seeds)
        return none if self.chosen_ is None else candidates[self.chosen_]

    def _gains(
        self, candidates: list[InductiveBias], bench: Bench, fold: int, held_out: np.ndarray
    ) -> np.ndarray:
        """Return the gain in log-likelihood of the rows held out, (held out, candidates)."""
        stream = child(bench.stream, CHOICE, SCORE, fold)
        part = replace(
            bench,
            x=np.delete(bench.x, held_out, axis=0),
            stream=stream,
            prefix=f"fold {fold + 1} of {self.folds}, ",
        )
        none = StageOne(n_seeds=bench.model.n_seeds)
        labels = ["", *(f" ({at})" for at in range(1, len(candidates) + 1))]
        rows = bench.rows[held_out]
        likelihoods = [
            self._log_likelihood(clone(bias), replace(part, label=label), rows, stream)
            for label, bias in zip(labels, (none, *candidates), strict=True)
        ]
        return np.asarray(np.stack(likelihoods[1:], axis=1) - likelihoods[0][:, None])

    @staticmethod
    def _log_likelihood(
        bias: InductiveBias, bench: Bench, rows: np.ndarray, stream: np.random.SeedSequence
    ) -> np.ndarray:
        name = f"{bench.prefix}{type(bias).__name__}{bench.label}, likelihood"

        def compute(aids: Aids) -> dict[str, np.ndarray]:
            del aids
            rng = np.random.default_rng(child(stream, SCORE))  # the same noise for all
            try:
                model, _ = learn(bias, bench)
            except NothingLearnedError:
                if not bench.label:  # without a bias
                    raise
                return {"log_likelihood": np.full(len(rows), -np.inf)}  # so it is not chosen
            return {"log_likelihood": model._log_likelihood(rows, rng)}

        return bench.journal.once(name, compute, around=True)["log_likelihood"]

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean gains and the lower ends of their one-sided intervals."""
        n, k = self.gains_.shape
        learned = np.isfinite(self.gains_).all(axis=0)
        gains = np.where(learned, self.gains_, 0.0)
        mean, standard_error = gains.mean(axis=0), gains.std(axis=0, ddof=1) / n**0.5
        low = mean - student.ppf(1 - LEVEL / k, n - 1) * standard_error
        return np.where(learned, mean, -np.inf), np.where(learned, low, -np.inf)

    def _choose(self) -> int | None:
        mean, low = self._bounds()
        best = int(mean.argmax())
        return best if low[best] > 0 else None

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        return self.resolve(bench).initial_weights(ensemble, bench)

    def summary(self) -> list[str]:
        """Return lines of text: what was compared, which bias was chosen, and why."""
        mean, low = self._bounds()
        names = [type(bias).__name__ for bias in self._candidates()]
        lines = [
            f"{name}: {m:+.3f} nats a row (reliably at least {b:+.3f})"
            if np.isfinite(m)
            else f"{name}: learns nothing here"
            for name, m, b in zip(names, mean, low, strict=True)
        ]
        chosen = (
            "none is reliably better than no bias: none is used"
            if self.chosen_ is None
            else f"{names[self.chosen_]} is used"
        )
        head = (
            f"log-likelihood of {len(self.gains_)} rows, each held out once ({self.folds} folds), "
            "against no bias:"
        )
        return [head, *lines, chosen]
