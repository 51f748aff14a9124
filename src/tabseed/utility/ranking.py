"""Would you pick the same model? Compare rankings by synthetic rows with that by real rows.

The question is that of Xu, Sun and Cheng (arXiv 2305.10015); the intervals, tests and conditions
in :func:`rank` are ours.

Notation: K models, D synthetic tables, S seeds, h held-out rows, R_k the risk of model k trained
and judged on real rows, B bootstrap replicates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed._random import RandomState, child, seed_sequence
from tabseed.errors import TabseedError, renamed
from tabseed.estimates.estimate import Estimate, finite
from tabseed.estimates.scores import SCORES, score_rows
from tabseed.estimates.words import DIGITS, number, span
from tabseed.metrics.problem import Problem, loss, squared_loss, squared_name
from tabseed.parameters import FLAG, Whole, checked
from tabseed.table import Frame
from tabseed.utility.agreement import (
    BLOCK,
    ROUNDING,
    kendall_tau_b,
    order,
    permutation_p,
    spearman_rho,
)
from tabseed.utility.measure import (
    REAL,
    REPEATED,
    SAME_SIZE,
    SYNTHETIC,
    Measured,
    Measuring,
    measure,
)

TRTR, TSTR, TSTS, TRTS = "TRTR", "TSTR", "TSTS", "TRTS"
TSTR_SAME, TRTR_REPEATED = "TSTR, as many rows as real", "TRTR, rows repeated"
CELLS = {  # the source of the training rows, and whether synthetic rows judge
    TRTR: (REAL, False),
    TSTR: (SYNTHETIC, False),
    TSTS: (SYNTHETIC, True),
    TRTS: (REAL, True),
    TSTR_SAME: (SAME_SIZE, False),
    TRTR_REPEATED: (REPEATED, False),
}
CONSISTENT, UNDECIDED, INCONSISTENT = 1, 0, -1
FEW_MODELS = 5  # fewer models rank alike by chance too often
ROWS, TABLES, SEEDS, ASIDE, PERMUTED = range(5)  # streams below that of a report


@dataclass(frozen=True)
class Agreement:
    """How far the ranking in ``cell`` agrees with TRTR, the ranking by real rows.

    ``pairs`` (K, K) has CONSISTENT, INCONSISTENT or UNDECIDED, the last if the interval of the gap
    contains 0 in either cell; the counts are over the K (K - 1) / 2 pairs. ``by_chance`` is the
    number of pairs that would be decided if all models were equal. ``tau`` is Kendall's tau-b of
    the risks; ``p`` is the probability that unrelated rankings agree as much (one-sided;
    ``p_exact`` is True if all permutations were counted); ``spearman`` is the rank correlation;
    ``tau_extra`` is tau-b of the extra scores.
    """

    cell: str
    pairs: np.ndarray
    consistent: int
    inconsistent: int
    undecided: int
    by_chance: float
    tau: Estimate
    p: float
    p_exact: bool
    spearman: float
    tau_extra: float

    @property
    def decided(self) -> int:
        """The number of pairs decided in both cells."""
        return self.consistent + self.inconsistent

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return finite(
            {
                "cell": self.cell,
                "pairs": self.pairs.tolist(),
                "consistent": self.consistent,
                "inconsistent": self.inconsistent,
                "undecided": self.undecided,
                "by_chance": self.by_chance,
                "tau": self.tau.to_dict(),
                "p": self.p,
                "p_exact": self.p_exact,
                "spearman": self.spearman,
                "tau_extra": self.tau_extra,
            }
        )


@dataclass(frozen=True)
class Choice:
    """The model that scores best in ``cell``, and its regret: R_k - min_j R_j on real rows.

    If several models tie, the first is named, and the regret is their mean.
    """

    cell: str
    model: str
    regret: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {"cell": self.cell, "model": self.model, "regret": self.regret.to_dict()}


@dataclass(frozen=True)
class RankingReport:
    """Scores of K models in every cell of CELLS, and how far their rankings agree.

    ``risks[cell]`` (K,) is the risk (``risk_name``); ``extra[cell]`` (K,) is the AUC or R2
    (``extra_name``). ``gaps[cell]`` (3, K, K) is the risk of model i minus that of model j: value,
    low, high. ``choices`` are by TSTR and by TSTS, the choice of someone who has synthetic rows
    only. ``random_regret`` is the mean regret of a model chosen at random. ``repeatable`` is tau-b
    of TRTR with itself on other held-out rows: the largest agreement that these rows can show. A
    second real training sample would reach less; only more real rows can show how much less.
    """

    models: tuple[str, ...]
    risk_name: str
    risks: dict[str, np.ndarray]
    extra_name: str
    extra: dict[str, np.ndarray]
    gaps: dict[str, np.ndarray]
    agreements: dict[str, Agreement]
    choices: dict[str, Choice]
    random_regret: float
    repeatable: Estimate
    sizes: dict[str, int]
    warnings: tuple[str, ...]

    @property
    def headline(self) -> Estimate:
        """Kendall's tau-b of training on synthetic rows against training on real ones."""
        return self.agreements[TSTR].tau

    @property
    def verdict(self) -> str:
        """Whether the choice would be the same, and how many pairs keep their order."""
        return f"{self.choice_in_words()} {self.pairs_in_words(TSTR)}"

    def choice_in_words(self) -> str:
        """Return in words which model TSTR would choose, and what that costs on real rows."""
        trained = "Trained on synthetic rows"
        choice, regret = self.choices[TSTR], self.choices[TSTR].regret
        best = self.models[int(self.risks[TRTR].argmin())]
        lowest = np.flatnonzero((order(self.risks[TSTR]) <= 0).all(axis=1))
        ties = [self.models[k] for k in lowest]
        if regret.value == 0:
            return f"{trained} and judged by real ones, the best model is the same, {choice.model}."
        price = (
            f"costs {number(regret.value, DIGITS)} in {self.risk_name} (95 % interval "
            f"{span(regret.low, regret.high, DIGITS)}; a model chosen at random: "
            f"{number(self.random_regret, DIGITS)})"
        )
        if len(ties) > 1:
            return (
                f"{trained}, {len(ties)} models tie for the best ({', '.join(ties)}): one of "
                f"them instead of {best}, the best by real rows, {price} on average."
            )
        return (
            f"{trained}, you would choose {choice.model} instead of {best}, the best by "
            f"{self.risk_name} on real rows, which {price}."
        )

    def pairs_in_words(self, cell: str) -> str:
        """Return in words how many pairs the rows tell apart, and how many keep their order."""
        agreement, pairs = self.agreements[cell], math.comb(len(self.models), 2)
        if not agreement.decided:
            return (
                "These rows tell no pair of models apart in both rankings, which neither shows nor "
                "refutes that the rankings agree."
            )
        return (
            f"Of {pairs} {'pair' if pairs == 1 else 'pairs'} of models these rows tell "
            f"{agreement.decided} apart, and {agreement.consistent} of them "
            f"{'keeps its' if agreement.consistent == 1 else 'keep their'} order (by chance alone "
            f"{agreement.by_chance:.1f} would be told apart)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
        return {
            "verdict": self.verdict,
            "models": list(self.models),
            "risk_name": self.risk_name,
            "risks": {cell: risk.tolist() for cell, risk in self.risks.items()},
            "extra_name": self.extra_name,
            "extra": finite({cell: scores.tolist() for cell, scores in self.extra.items()}),
            "gaps": {cell: gap.tolist() for cell, gap in self.gaps.items()},
            "agreements": {cell: a.to_dict() for cell, a in self.agreements.items()},
            "choices": {cell: choice.to_dict() for cell, choice in self.choices.items()},
            "random_regret": self.random_regret,
            "repeatable": self.repeatable.to_dict(),
            "sizes": self.sizes,
            "warnings": list(self.warnings),
        }


@renamed(how="settings")
@checked(brier=FLAG, draws=Whole(1))
def ranking_consistency(
    train: Frame,
    synthetic: Frame | Sequence[Frame],
    holdout: Frame,
    target: str,
    settings: Measuring | None = None,
    random_state: RandomState = 0,
    *,
    brier: bool = False,
    draws: int = 1_000,
) -> RankingReport:
    """Train many models on real and on synthetic rows, and compare how they rank.

    ``synthetic`` is a frame or a Table, or a list of D of them, ideally from generators trained
    independently (:func:`~tabseed.utility.averaging.independent_sets`). ``holdout`` are real rows
    that trained no generator. ``settings`` has models, seeds and ``n_jobs``; by default there are
    eight or nine models and two seeds. :func:`rank` does the rest.

    Raises LeakageError, SchemaError, TooFewRowsError. Cost: K S (2 D + 2) fits of models.
    """
    stream = seed_sequence(random_state)
    measured = measure(train, synthetic, holdout, target, settings, child(stream, 0))
    return rank(measured, brier=brier, draws=draws, random_state=child(stream, 1))


def rank(
    measured: Measured,
    *,
    brier: bool = False,
    draws: int = 1_000,
    level: float = 0.05,
    random_state: RandomState = 0,
) -> RankingReport:
    """Compare the rankings of models in every cell with TRTR, from their measured outputs.

    TRTR, TSTR, TSTS, TRTS: trained on real or synthetic rows, tested on real (held-out) or
    synthetic (set-aside) rows. There are two controls, because size alone changes what a model
    learns: real rows repeated to the number of the synthetic ones, and as many synthetic rows as
    real ones.

    The risk is the squared error, or the error rate for classes; with ``brier`` it is the Brier
    score (summed over classes), which tells more pairs apart with the same rows.

    Intervals (1 - ``level``) are percentiles of ``draws`` bootstrap replicates, paired over models
    and cells: rows are resampled, and so are tables and seeds if there are several (D - 1 of D,
    which keeps the variance of their mean unbiased; Rao and Wu, JASA 83, 1988,
    doi:10.1080/01621459.1988.10478591). With two tables or seeds they are still too short. They do
    not cover how another sample of real training rows would rank the models. The interval of tau is
    widened to include its value if needed, because a bootstrap adds noise, which lowers tau; that
    of the regret keeps the chosen model fixed.

    A pair keeps its order in TSTR as soon as the better model's own loss by synthetic training,
    R(f~_1) - R(f*_1), is below the gap of the best models of both kinds; the loser's loss can only
    help. TSTS can reverse a pair that TSTR keeps.

    Raises TabseedError for fewer than two models. Cost: B K D S h multiplications.
    """
    names = measured.models
    k = len(names)
    if k < 2:
        raise TabseedError(f"a ranking needs 2 models or more, got {k}")
    if draws < 2 or not 0 < level < 1:
        raise TabseedError(f"rank needs 2 draws or more and 0 < level < 1, got {draws}, {level}")
    stream = seed_sequence(random_state)
    replicates = _Replicates.of(measured, draws, stream)
    losses = _losses(measured, brier)
    risks = {cell: _risk(parts) for cell, parts in losses.items()}
    redrawn = replicates.risks(losses)
    extra = {cell: _extra(measured, cell) for cell in CELLS}
    gaps = {cell: _gaps(risks[cell], redrawn[cell], level) for cell in CELLS}
    permuted = child(stream, PERMUTED)
    agreements = {
        cell: _agreement(cell, risks, redrawn, extra, gaps, (level, permuted))
        for cell in CELLS
        if cell != TRTR
    }
    taus = kendall_tau_b(redrawn[TRTR], risks[TRTR])
    repeatable = np.nan if np.isnan(taus).all() else float(np.nanmean(taus))
    real = risks[TRTR]
    return RankingReport(
        models=names,
        risk_name=squared_name(measured.problem) if brier else _risk_name(measured.problem),
        risks=risks,
        extra_name=SCORES[measured.problem.task],
        extra=extra,
        gaps=gaps,
        agreements=agreements,
        choices={c: _choice(c, names, risks, redrawn[TRTR], level) for c in (TSTR, TSTS)},
        random_regret=float(real.mean() - real.min()),
        repeatable=_tau_estimate(repeatable, taus, level),
        sizes=dict(measured.sizes),
        warnings=tuple(_warnings(measured)),
    )


def _agreement(
    cell: str,
    risks: dict[str, np.ndarray],
    redrawn: dict[str, np.ndarray],
    extra: dict[str, np.ndarray],
    gaps: dict[str, np.ndarray],
    settings: tuple[float, np.random.SeedSequence],
) -> Agreement:
    level, stream = settings
    pairs = (_decided(gaps[TRTR]) * _decided(gaps[cell])).astype(int)
    upper = np.triu_indices(len(pairs), 1)
    both = np.ones((len(redrawn[cell]), *pairs.shape), dtype=bool)
    for each in (TRTR, cell):
        # centred replicates show the gaps that equal models would have
        null = redrawn[each][:, :, None] - redrawn[each][:, None, :] - gaps[each][0]
        both &= _decided(np.stack([null + gap - gaps[each][0] for gap in gaps[each]])) != 0
    tau = float(kendall_tau_b(risks[cell], risks[TRTR]))
    p, exact = permutation_p(risks[cell], risks[TRTR], stream)
    return Agreement(
        cell=cell,
        pairs=pairs,
        consistent=int((pairs[upper] == CONSISTENT).sum()),
        inconsistent=int((pairs[upper] == INCONSISTENT).sum()),
        undecided=int((pairs[upper] == UNDECIDED).sum()),
        by_chance=float(both.mean(axis=0)[upper].sum()),
        tau=_tau_estimate(tau, kendall_tau_b(redrawn[cell], redrawn[TRTR]), level),
        p=p,
        p_exact=exact,
        spearman=spearman_rho(risks[cell], risks[TRTR]),
        tau_extra=float(kendall_tau_b(extra[cell], extra[TRTR])),
    )


def _decided(gap: np.ndarray) -> np.ndarray:
    """Return 1, -1 or 0 for intervals (3, ...) above 0, below 0 or around it."""
    return np.asarray((gap[1] > 0).astype(int) - (gap[2] < 0).astype(int))


def _gaps(risk: np.ndarray, redrawn: np.ndarray, level: float) -> np.ndarray:
    """Return value, low and high of every pair's gap, (3, K, K)."""
    replicates = redrawn[:, :, None] - redrawn[:, None, :]
    low, high = np.quantile(replicates, [level / 2, 1 - level / 2], axis=0)
    low, high = _no_rounding(low, risk), _no_rounding(high, risk)
    return np.stack([_no_rounding(risk[:, None] - risk[None, :], risk), low, high])


def _no_rounding(gap: np.ndarray, risk: np.ndarray) -> np.ndarray:
    return np.where(np.abs(gap) <= ROUNDING * np.abs(risk).max(), 0.0, gap)


def _tau_estimate(value: float, redrawn: np.ndarray, level: float) -> Estimate:
    defined = redrawn[~np.isnan(redrawn)]
    if not len(defined) or math.isnan(value):
        return Estimate(value, -1.0, 1.0, "Kendall's tau-b", "higher")
    low, high = np.quantile(defined, [level / 2, 1 - level / 2])
    return Estimate(
        value, float(min(low, value)), float(max(high, value)), "Kendall's tau-b", "higher"
    )


def _choice(
    cell: str,
    names: tuple[str, ...],
    risks: dict[str, np.ndarray],
    redrawn: np.ndarray,
    level: float,
) -> Choice:
    real = risks[TRTR]
    best = (order(risks[cell]) <= 0).all(axis=1)
    regret = float(real[best].mean() - real.min())
    replicates = redrawn[:, best].mean(axis=1) - redrawn.min(axis=1)
    low, high = np.quantile(replicates, [level / 2, 1 - level / 2])
    value = regret if regret > ROUNDING * np.abs(real).max() else 0.0
    interval = float(min(low, value)), float(max(high, value))
    return Choice(cell, names[int(best.argmax())], Estimate(value, *interval, "risk"))


def _warnings(measured: Measured) -> Iterator[str]:
    k, tables = len(measured.models), len(measured.y_aside)
    if k < FEW_MODELS:
        yield (
            f"{k} models rank the same by chance with probability 1/{math.factorial(k)}: "
            f"compare {FEW_MODELS} or more."
        )
    if tables == 1:
        yield "One synthetic table: the intervals do not cover how another would rank the models."


# --- scores, and their variation ----------------------------------------------------------------


def _losses(measured: Measured, brier: bool) -> dict[str, list[np.ndarray]]:
    """Return each cell's losses: one part (K, D, S, h), or a part (K, 1, S, k_d) for each table."""
    problem, loss_of = measured.problem, squared_loss if brier else loss

    def parts(source: str, synthetic: bool) -> list[np.ndarray]:
        if not synthetic:
            return [loss_of(problem, measured.y, measured.on_holdout[source])]
        pairs = zip(measured.y_aside, measured.on_aside[source], strict=True)
        return [loss_of(problem, y, output)[:, None] for y, output in pairs]

    return {name: parts(*cell) for name, cell in CELLS.items()}


def _risk(parts: list[np.ndarray]) -> np.ndarray:
    return np.asarray(np.mean([part.mean(axis=(1, 2, 3)) for part in parts], axis=0))


@dataclass(frozen=True)
class _Replicates:
    """The resampling of B replicates: weights of tables (B, D) and of seeds (B, K, S)."""

    draws: int
    tables: np.ndarray
    seeds: np.ndarray
    stream: np.random.SeedSequence

    @classmethod
    def of(cls, measured: Measured, draws: int, stream: np.random.SeedSequence) -> _Replicates:
        k, _, s = measured.on_holdout[REAL].shape[:3]
        tables = _unit_weights(child(stream, TABLES), (draws,), len(measured.y_aside))
        return cls(draws, tables, _unit_weights(child(stream, SEEDS), (draws, k), s), stream)

    def risks(self, losses: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the risks (B, K) of each cell."""
        risks = {}
        for cell, parts in losses.items():
            if len(parts) == 1 and not CELLS[cell][1]:
                means = self._means(parts[0], child(self.stream, ROWS))
            else:
                streams = [child(self.stream, ASIDE, d) for d in range(len(parts))]
                each = [self._means(part, s) for part, s in zip(parts, streams, strict=True)]
                means = np.concatenate(each, axis=2)
            tables = self.tables if means.shape[2] > 1 else np.ones((self.draws, 1))
            risks[cell] = np.einsum("bkds,bd,bks->bk", means, tables, self.seeds)
        return risks

    def _means(self, losses: np.ndarray, stream: np.random.SeedSequence) -> np.ndarray:
        """Return means over resampled rows, (B, K, D, S); a stream resamples the same rows."""
        *shape, h = losses.shape
        flat = losses.reshape(-1, h).T
        rng = np.random.default_rng(stream)
        blocks = []
        for size in _sizes(self.draws, max(1, BLOCK // h)):
            rows = rng.integers(h, size=(size, h)) + h * np.arange(size)[:, None]
            weight = np.bincount(rows.ravel(), minlength=size * h).reshape(size, h)
            blocks.append(weight.astype(np.float64) @ flat / h)
        return np.concatenate(blocks).reshape(self.draws, *shape)


def _sizes(total: int, most: int) -> list[int]:
    return [min(most, total - done) for done in range(0, total, most)]


def _unit_weights(stream: np.random.SeedSequence, shape: tuple[int, ...], units: int) -> np.ndarray:
    """Return weights (*shape, u) of u units from resampling u - 1 of them."""
    if units == 1:
        return np.ones((*shape, 1))
    rng = np.random.default_rng(stream)
    return rng.multinomial(units - 1, np.full(units, 1 / units), size=shape) / (units - 1)


def _risk_name(problem: Problem) -> str:
    return "squared error" if problem.task == "regression" else "error rate"


def _extra(measured: Measured, cell: str) -> np.ndarray:
    """Return each model's AUC or R2, (K,), mean over tables and seeds; NaN if undefined."""
    source, synthetic = CELLS[cell]
    pairs = [(measured.y, measured.on_holdout[source])]
    if synthetic:
        aside = zip(measured.y_aside, measured.on_aside[source], strict=True)
        pairs = [(y, output[:, None]) for y, output in aside]
    return np.asarray(
        np.mean([_scores(measured.problem, y, output) for y, output in pairs], axis=0)
    )


def _scores(problem: Problem, y: np.ndarray, output: np.ndarray) -> np.ndarray:
    rows = score_rows(problem.task, y, output)
    return np.full(len(output), np.nan) if rows is None else rows.mean(axis=(1, 2, 3))
