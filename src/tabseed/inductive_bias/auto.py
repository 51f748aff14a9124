"""Choose the bias that helps this table, judged on rows that none of the candidates saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from scipy.stats import t as student
from sklearn.base import clone

from tabseed._random import child
from tabseed.archive import Arrays
from tabseed.errors import NothingLearnedError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.generators.base import Aids
from tabseed.generators.trees.sequential import SequentialTrees
from tabseed.inductive_bias.base import CHOICE, Bench, InductiveBias, Plan, Stacked, learn
from tabseed.inductive_bias.pretraining import Pretraining
from tabseed.inductive_bias.weights import SeedMixture, StageOne
from tabseed.metrics.discriminators import DISCRIMINATORS, Run, cross_fit
from tabseed.metrics.divergence import js_rows
from tabseed.metrics.judge_encoder import JudgeEncoder
from tabseed.parameters import Each, InstanceOf, OneOf, Parameters, Whole, or_none
from tabseed.table import Table

LEVEL = 0.05  # chance that a bias is chosen although none helps
ORDER, SCORE, JUDGED = 0, 1, 2  # streams of the choice
DRAWN = 10  # rows drawn for each row held out, for the criterion "divergence"
FOLDS, REPEATS = 5, 2  # of its discriminators
Criterion = Literal["likelihood", "divergence"]
# by the number of seeds. Averaging, MAML and search among the seeds are not among them: in six
# settings none was better than no bias, and likelihood takes what averaging does to King for a
# gain (experiments/inductive_bias)
CANDIDATES: tuple[Callable[[int], InductiveBias], ...] = (
    lambda n: SeedMixture(n_seeds=n),
    lambda n: Pretraining(n_seeds=n, teacher=SequentialTrees()),
    lambda n: SeedMixture(Pretraining(n_seeds=n, teacher=SequentialTrees()), n_seeds=n),
)
UNITS = {"likelihood": "nats a row", "divergence": "bits of JS"}


class AutoBias(InductiveBias):
    """Choose the bias whose law is nearest to held-out real rows, or none.

    The rows are split into ``folds`` parts. Each candidate learns from all parts but one, and is
    compared with no bias on the rows of that part. The candidate of the largest mean gain over no
    bias is used if the gain is reliable: if the one-sided t interval over rows, at level 0.05
    divided by the number of candidates, lies above 0. Then it learns from all rows.

    Parameters
    ----------
    n_seeds : int
        Number of seeds of each candidate if ``candidates`` is None.
    candidates : sequence of InductiveBias, or None
        None: a mixture of seeds, pre-training on rows of sequential trees, and a mixture of seeds
        that were pre-trained so. In eight settings of five draws of 300 rows the one of largest
        held-out likelihood had a JS within 0.011 of the best of these and the paper's four, on
        average over draws, and gained 0.009 to 0.132 over none; these were chosen on the draws of
        six of them.
    folds : int
    criterion : "likelihood" or "divergence"
        "likelihood": the log-likelihood of the rows held out under the law that rows are drawn
        from, latent mixture included; only for generators that know it. "divergence": the
        Jensen-Shannon divergence between the rows held out of all folds and DRAWN times as many
        drawn rows, by cross-fitted discriminators; for all generators.

    Learned: ``gains_`` (n, candidates), by how much each row is better than without a bias: nats,
    or its part of the divergence in bits; ``chosen_``, the index of the candidate used, or None.
    Cost: ``folds`` times that of
    all candidates together. The rows of one table decide: a mean gain below about two of its
    standard errors cannot be seen, and no bias is chosen then.
    """

    gains_: np.ndarray
    chosen_: int | None
    _drawn_variance: np.ndarray | float = 0.0  # of the mean gains (K,), from drawn rows

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "candidates": or_none(Each(InstanceOf(InductiveBias, "an InductiveBias"))),
        "folds": Whole(2),
        "criterion": OneOf(get_args(Criterion)),
    }

    def __init__(
        self,
        n_seeds: int = 10,
        candidates: Sequence[InductiveBias] | None = None,
        folds: int = 3,
        criterion: Criterion = "likelihood",
    ) -> None:
        self.n_seeds = n_seeds
        self.candidates = candidates
        self.folds = folds
        self.criterion = criterion

    def _candidates(self) -> list[InductiveBias]:
        if self.candidates is not None:
            return [clone(bias) for bias in self.candidates]
        return [make(self.n_seeds) for make in CANDIDATES]

    def plan(self) -> Plan:
        """Return the plan: all candidates in each fold, then the one chosen, as yet unknown."""
        plans = [bias.plan() for bias in self._candidates()]
        own = [max(1, plan.stages - (plan.first == "shared")) for plan in plans]
        stages = self.folds * (1 + sum(own)) + max((plan.stages for plan in plans), default=1)
        return Plan(self.n_seeds, stages=stages)

    def resolve(self, bench: Bench) -> InductiveBias:
        """Compare the candidates; return the one to use, or StageOne() for no bias."""
        candidates = self._candidates()
        if self.criterion == "likelihood" and not bench.model.knows_likelihood:
            raise TabseedError(
                f"AutoBias compares likelihoods of rows; {type(bench.model).__name__} has none: "
                "choose a bias by name, or criterion='divergence'"
            )
        n = len(bench.x)
        if n < 5 * self.folds:
            raise TooFewRowsError(
                f"AutoBias with {self.folds} folds needs at least {5 * self.folds} rows, got {n}"
            )
        rng = np.random.default_rng(child(bench.stream, CHOICE, ORDER))
        fold = deal(None, n, self.folds, rng)
        held_out = [np.flatnonzero(fold == k) for k in range(self.folds)]
        found = [self._found(candidates, bench, k, rows) for k, rows in enumerate(held_out)]
        if self.criterion == "likelihood":
            self._likelihood_gains(np.argsort(np.concatenate(held_out)), found)
        else:
            self._divergence_gains(bench, found)
        self.chosen_ = self._choose()
        none = StageOne(n_seeds=bench.model.n_seeds)
        return none if self.chosen_ is None else candidates[self.chosen_]

    def _found(
        self, candidates: list[InductiveBias], bench: Bench, fold: int, held_out: np.ndarray
    ) -> list[np.ndarray]:
        """Return what one fold shows of no bias and of each candidate.

        Log-likelihoods of the rows held out (h,), or encoded rows drawn (DRAWN h, w); of a
        candidate that learned nothing -inf, or no rows.
        """
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
        return [
            self._of_bias(clone(bias), replace(part, label=label), rows, stream)
            for label, bias in zip(labels, (none, *candidates), strict=True)
        ]

    def _of_bias(
        self, bias: InductiveBias, bench: Bench, rows: np.ndarray, stream: np.random.SeedSequence
    ) -> np.ndarray:
        by_likelihood = self.criterion == "likelihood"

        def compute(aids: Aids) -> Arrays:
            del aids
            rng = np.random.default_rng(child(stream, SCORE))  # the same noise for all
            try:
                model, _ = learn(bias, bench)
            except NothingLearnedError:
                if not bench.label:  # without a bias
                    raise
                if by_likelihood:  # either way it is not chosen
                    return {"found": np.full(len(rows), -np.inf)}
                return {"found": np.empty((0, bench.layout.width))}
            if by_likelihood:
                return {"found": model._log_likelihood(rows, rng)}
            return {"found": model._sample(DRAWN * len(rows), rng)}

        name = f"{bench.prefix}{type(bias).__name__}{bench.label}, {self.criterion}"
        return bench.journal.once(name, compute, around=True)["found"]

    def _likelihood_gains(self, order: np.ndarray, found: list[list[np.ndarray]]) -> None:
        each = np.concatenate([np.stack(fold, axis=1) for fold in found])[order]  # (n, 1 + K)
        self.gains_ = each[:, 1:] - each[:, :1]

    def _divergence_gains(self, bench: Bench, found: list[list[np.ndarray]]) -> None:
        real = bench.model.encoder_.inverse_transform(bench.x)
        drawn = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        stream = child(bench.stream, CHOICE, JUDGED)  # the same folds for all
        complete = [len(x) == len(drawn[0]) for x in drawn]
        parts = [
            _js_parts(real, bench.model.encoder_.inverse_transform(x), stream) if whole else None
            for x, whole in zip(drawn, complete, strict=True)
        ]
        n, m = len(bench.x), len(drawn[0])
        assert parts[0] is not None  # without a bias, nothing learned raises
        none_real, none_drawn = parts[0]
        self.gains_ = np.full((n, len(parts) - 1), -np.inf)
        self._drawn_variance = np.zeros(len(parts) - 1)
        for k, part in enumerate(parts[1:]):
            if part is not None:
                drawn_gain = (none_drawn.mean() - part[1].mean()) / 2
                self.gains_[:, k] = (none_real - part[0]) / 2 + drawn_gain
                both = none_drawn.var(ddof=1) + part[1].var(ddof=1)
                self._drawn_variance[k] = both / (4 * m)

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean gains and the lower ends of their one-sided intervals."""
        n, k = self.gains_.shape
        learned = np.isfinite(self.gains_).all(axis=0)
        gains = np.where(learned, self.gains_, 0.0)
        mean = gains.mean(axis=0)
        standard_error = np.sqrt(gains.var(axis=0, ddof=1) / n + self._drawn_variance)
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
        names = [_name_of(bias) for bias in self._candidates()]
        lines = [
            f"{name}: {m:+.3f} {UNITS[self.criterion]} (reliably at least {b:+.3f})"
            if np.isfinite(m)
            else f"{name}: learns nothing here"
            for name, m, b in zip(names, mean, low, strict=True)
        ]
        chosen = (
            "none is reliably better than no bias: none is used"
            if self.chosen_ is None
            else f"{names[self.chosen_]} is used"
        )
        what = "log-likelihood" if self.criterion == "likelihood" else "divergence"
        head = (
            f"{what} of {len(self.gains_)} rows, each held out once ({self.folds} folds), "
            "against no bias:"
        )
        return [head, *lines, chosen]


def _js_parts(
    real: Table, drawn: Table, stream: np.random.SeedSequence
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each real and each drawn row adds to twice the JS, in bits: (n,), (m,).

    The log ratio of a row is the mean over discriminators and repeats, none of which saw the row.
    """
    n, m = len(real), len(drawn)
    is_real = np.arange(n + m) < n
    features = {"plain": JudgeEncoder().encode(real, drawn)}
    runs = [Run("plain", is_real, child(stream, repeat), FOLDS) for repeat in range(REPEATS)]
    total = np.zeros(n + m)
    for _, _, fold in cross_fit(features, runs, n_jobs=1):
        total[fold.scored] += fold.ratio
    rows = js_rows(total / (len(DISCRIMINATORS) * REPEATS), is_real)
    return rows[:n], rows[n:]


def _name_of(bias: InductiveBias) -> str:
    """Return a bias as text: its class, the bias inside it, and who teaches."""
    inner, teacher = getattr(bias, "bias", None), getattr(bias, "teacher", None)
    of = "" if inner is None else f" of {_name_of(inner)}"
    taught = "" if teacher is None else f" taught by {type(teacher).__name__}"
    return f"{type(bias).__name__}{of}{taught}"
