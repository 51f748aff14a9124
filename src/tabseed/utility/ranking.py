"""Would you pick the same model? Rankings by synthetic rows against the ranking by real ones.

The question is that of Xu, Sun and Cheng (arXiv 2305.10015); intervals, tests and the conditions
in :func:`rank` are ours.

Notation: K models, D synthetic tables, S seeds, h rows held out, R_k the risk of model k trained
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
from tabseed.utility.problem import Problem, loss, squared_loss, squared_name

TRTR, TSTR, TSTS, TRTS = "TRTR", "TSTR", "TSTS", "TRTS"
TSTR_SAME, TRTR_REPEATED = "TSTR, as many rows as real", "TRTR, rows repeated"
CELLS = {  # source of the rows that train, and whether synthetic rows judge
    TRTR: (REAL, False),
    TSTR: (SYNTHETIC, False),
    TSTS: (SYNTHETIC, True),
    TRTS: (REAL, True),
    TSTR_SAME: (SAME_SIZE, False),
    TRTR_REPEATED: (REPEATED, False),
}
CONSISTENT, UNDECIDED, INCONSISTENT = 1, 0, -1
FEW_MODELS = 5  # below it rankings agree by chance too often
ROWS, TABLES, SEEDS, ASIDE, PERMUTED = range(5)  # streams below that of a report


@dataclass(frozen=True)
class Agreement:
    """How far the ranking in ``cell`` agrees with TRTR, the ranking by real rows.

    ``pairs`` (K, K) holds CONSISTENT, INCONSISTENT or UNDECIDED, the last where the interval of
    the gap holds 0 in either cell; the counts are of the K (K - 1) / 2 pairs. ``by_chance`` is the
    number of pairs that would be decided if all models were equal. ``tau`` is Kendall's tau-b of
    the risks; ``p`` the probability that rankings without any relation agree as much
    (one-sided; ``p_exact`` says whether all permutations were counted); ``spearman`` the rank
    correlation; ``tau_extra`` is tau-b of the extra scores.
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
        """Give a JSON-ready dict."""
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

    Of several that tie the first is named; the regret is their mean.
    """

    cell: str
    model: str
    regret: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready dict."""
        return {"cell": self.cell, "model": self.model, "regret": self.regret.to_dict()}


@dataclass(frozen=True)
class RankingReport:
    """Scores of K models in every cell of CELLS, and what their rankings share.

    ``risks[cell]`` (K,) is the risk (``risk_name``); ``extra[cell]`` (K,) the AUC or
    R2 (``extra_name``). ``gaps[cell]`` (3, K, K) is the risk of model i less that of model j:
    value, low, high. ``choices`` are by TSTR and by TSTS, what one would choose who holds
    synthetic rows only. ``random_regret`` is the mean regret of a model chosen by lot.
    ``repeatable`` is tau-b of TRTR with itself on other held-out rows: what these rows let one
    see of perfect agreement. A second real training sample would reach less; how much less, only
    further real rows can tell.
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
        """Say whether the choice would be the same, and how many pairs keep their order."""
        return f"{self.choice_in_words()} {self.pairs_in_words(TSTR)}"

    def choice_in_words(self) -> str:
        """Say which model one would choose by TSTR, and what that costs on real rows."""
        trained = "Trained on synthetic rows"
        chosen, regret = self.choices[TSTR], self.choices[TSTR].regret
        best = self.models[int(self.risks[TRTR].argmin())]
        lowest = np.flatnonzero((order(self.risks[TSTR]) <= 0).all(axis=1))
        first = [self.models[k] for k in lowest]
        if regret.value == 0:
            return f"{trained}, you would choose the same model, {chosen.model}."
        price = (
            f"costs {number(regret.value, DIGITS)} in {self.risk_name} (95 % interval "
            f"{span(regret.low, regret.high, DIGITS)}; a model drawn by lot: "
            f"{number(self.random_regret, DIGITS)})"
        )
        if len(first) > 1:
            return (
                f"{trained}, {len(first)} models tie for the best ({', '.join(first)}): one of "
                f"them in the place of {best}, the best by real rows, {price} on average."
            )
        return f"{trained}, you would choose {chosen.model} in the place of {best}, which {price}."

    def pairs_in_words(self, cell: str) -> str:
        """Say how many pairs of models the rows tell apart, and how many keep their order."""
        found, pairs = self.agreements[cell], math.comb(len(self.models), 2)
        if not found.decided:
            return (
                "These rows tell no pair of models apart in both rankings, so it stays open "
                "whether the rankings agree."
            )
        return (
            f"Of {pairs} {'pair' if pairs == 1 else 'pairs'} of models these rows tell "
            f"{found.decided} apart, and {found.consistent} of them "
            f"{'keeps its' if found.consistent == 1 else 'keep their'} order (by chance alone "
            f"{found.by_chance:.1f} would be told apart)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
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
    """Train many models on real and on synthetic rows, and say whether they rank alike.

    ``synthetic`` is a frame or a Table, or a list of D, best drawn by generators trained
    independently (:func:`~tabseed.utility.averaging.independent_sets`). ``holdout`` are real rows
    that trained no generator. Models, seeds and ``n_jobs`` are those of ``settings``; by default
    eight or nine models, two seeds. The rest is :func:`rank`.

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
    """Compare the rankings of models in every cell with TRTR, from what they say of the rows.

    TRTR, TSTR, TSTS, TRTS: trained on real or synthetic rows, judged by real (held out) or
    synthetic (set aside) ones. Two controls, since size alone changes what a model learns: real
    rows repeated to the number of the synthetic ones, and as many synthetic rows as real ones.

    The risk is the squared error, or of classes the error rate; with ``brier`` the Brier score
    (summed over classes), which tells more pairs apart by as many rows.

    Intervals (1 - ``level``) are percentiles of ``draws`` bootstrap replicates, paired over
    models and cells: rows are drawn again, and so are tables and seeds where there are several
    (D - 1 of D, which keeps the variance of their mean without bias; Rao and Wu, JASA 83, 1988,
    doi:10.1080/01621459.1988.10478591). With two tables or seeds they are too short still. They
    do not know how another sample of real training rows would rank the models. The interval of
    tau is widened to its value where needed: a bootstrap adds noise, which lowers tau; that of
    the regret keeps the chosen model fixed.

    A pair's order is kept in TSTR as soon as the better model's own loss by synthetic training,
    R(f~_1) - R(f*_1), is below the gap of the best models of both kinds; the loser's loss can
    only help. TSTS can turn where TSTR does not.

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
    lots = child(stream, PERMUTED)
    agreements = {
        cell: _agreement(cell, risks, redrawn, extra, gaps, (level, lots))
        for cell in CELLS
        if cell != TRTR
    }
    own = kendall_tau_b(redrawn[TRTR], risks[TRTR])
    repeatable = float(np.nanmean(own)) if (own == own).any() else np.nan
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
        repeatable=_tau_estimate(repeatable, own, level),
        sizes=dict(measured.sizes),
        warnings=tuple(_warnings(measured, agreements[TSTR])),
    )


def _agreement(
    cell: str,
    risks: dict[str, np.ndarray],
    redrawn: dict[str, np.ndarray],
    extra: dict[str, np.ndarray],
    gaps: dict[str, np.ndarray],
    chance: tuple[float, np.random.SeedSequence],
) -> Agreement:
    level, lots = chance
    pairs = (_decided(gaps[TRTR]) * _decided(gaps[cell])).astype(int)
    upper = np.triu_indices(len(pairs), 1)
    both = np.ones((len(redrawn[cell]), *pairs.shape), dtype=bool)
    for each in (TRTR, cell):
        # replicates about their own value are what gaps of equal models would look like
        null = redrawn[each][:, :, None] - redrawn[each][:, None, :] - gaps[each][0]
        both &= _decided(np.stack([null + gap - gaps[each][0] for gap in gaps[each]])) != 0
    tau = float(kendall_tau_b(risks[cell], risks[TRTR]))
    p, exact = permutation_p(risks[cell], risks[TRTR], lots)
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
    """Give 1, -1 or 0 for intervals (3, ...) above 0, below 0 or around it."""
    return np.asarray((gap[1] > 0).astype(int) - (gap[2] < 0).astype(int))


def _gaps(risk: np.ndarray, redrawn: np.ndarray, level: float) -> np.ndarray:
    """Give value, low and high of every pair's gap, (3, K, K)."""
    many = redrawn[:, :, None] - redrawn[:, None, :]
    low, high = np.quantile(many, [level / 2, 1 - level / 2], axis=0)
    low, high = _no_rounding(low, risk), _no_rounding(high, risk)
    return np.stack([_no_rounding(risk[:, None] - risk[None, :], risk), low, high])


def _no_rounding(gap: np.ndarray, risk: np.ndarray) -> np.ndarray:
    return np.where(np.abs(gap) <= ROUNDING * np.abs(risk).max(), 0.0, gap)


def _tau_estimate(value: float, redrawn: np.ndarray, level: float) -> Estimate:
    found = redrawn[~np.isnan(redrawn)]
    if not len(found) or math.isnan(value):
        return Estimate(value, -1.0, 1.0, "Kendall's tau-b", "higher")
    low, high = np.quantile(found, [level / 2, 1 - level / 2])
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
    real, by = risks[TRTR], risks[cell]
    best = (order(by) <= 0).all(axis=1)
    regret = float(real[best].mean() - real.min())
    many = redrawn[:, best].mean(axis=1) - redrawn.min(axis=1)
    low, high = np.quantile(many, [level / 2, 1 - level / 2])
    value = regret if regret > ROUNDING * np.abs(real).max() else 0.0
    span = float(min(low, value)), float(max(high, value))
    return Choice(cell, names[int(best.argmax())], Estimate(value, *span, "risk"))


def _warnings(measured: Measured, found: Agreement) -> Iterator[str]:
    k, tables = len(measured.models), len(measured.y_aside)
    if k < FEW_MODELS:
        yield (
            f"{k} models rank the same by chance with probability 1/{math.factorial(k)}: "
            f"compare {FEW_MODELS} or more"
        )
    if not found.decided:
        yield (
            f"no pair of models is told apart in both rankings by {len(measured.y)} held-out "
            "rows: this neither shows nor refutes that rankings agree"
        )
    if tables == 1:
        yield "one synthetic table: intervals do not know how another would rank the models"


# --- scores, and how they would vary ------------------------------------------------------------


def _losses(measured: Measured, brier: bool) -> dict[str, list[np.ndarray]]:
    """Give each cell's losses: one part (K, D, S, h), or one (K, 1, S, k_d) a table set aside."""
    problem, of = measured.problem, squared_loss if brier else loss

    def parts(source: str, synthetic: bool) -> list[np.ndarray]:
        if not synthetic:
            return [of(problem, measured.y, measured.on_holdout[source])]
        pairs = zip(measured.y_aside, measured.on_aside[source], strict=True)
        return [of(problem, y, said)[:, None] for y, said in pairs]

    return {cell: parts(*made) for cell, made in CELLS.items()}


def _risk(parts: list[np.ndarray]) -> np.ndarray:
    return np.asarray(np.mean([part.mean(axis=(1, 2, 3)) for part in parts], axis=0))


@dataclass(frozen=True)
class _Replicates:
    """What is drawn again in B replicates: weights of tables (B, D) and of seeds (B, K, S)."""

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
        """Give the risks (B, K) of each cell."""
        found = {}
        for cell, parts in losses.items():
            if len(parts) == 1 and not CELLS[cell][1]:
                means = self._means(parts[0], child(self.stream, ROWS))
            else:
                streams = [child(self.stream, ASIDE, d) for d in range(len(parts))]
                each = [self._means(part, s) for part, s in zip(parts, streams, strict=True)]
                means = np.concatenate(each, axis=2)
            tables = self.tables if means.shape[2] > 1 else np.ones((self.draws, 1))
            found[cell] = np.einsum("bkds,bd,bks->bk", means, tables, self.seeds)
        return found

    def _means(self, losses: np.ndarray, stream: np.random.SeedSequence) -> np.ndarray:
        """Give means over rows drawn again, (B, K, D, S); a stream draws the same rows."""
        *shape, h = losses.shape
        flat = losses.reshape(-1, h).T
        rng = np.random.default_rng(stream)
        blocks = []
        for size in _sizes(self.draws, max(1, BLOCK // h)):
            places = rng.integers(h, size=(size, h)) + h * np.arange(size)[:, None]
            weight = np.bincount(places.ravel(), minlength=size * h).reshape(size, h)
            blocks.append(weight.astype(np.float64) @ flat / h)
        return np.concatenate(blocks).reshape(self.draws, *shape)


def _sizes(total: int, most: int) -> list[int]:
    return [min(most, total - done) for done in range(0, total, most)]


def _unit_weights(stream: np.random.SeedSequence, shape: tuple[int, ...], units: int) -> np.ndarray:
    """Give weights (*shape, units) of u units, u - 1 of which are drawn again."""
    if units == 1:
        return np.ones((*shape, 1))
    rng = np.random.default_rng(stream)
    return rng.multinomial(units - 1, np.full(units, 1 / units), size=shape) / (units - 1)


def _risk_name(problem: Problem) -> str:
    return "squared error" if problem.task == "regression" else "error rate"


def _extra(measured: Measured, cell: str) -> np.ndarray:
    """Give the AUC or R2 of each model, (K,), mean over tables and seeds; NaN where undefined."""
    source, synthetic = CELLS[cell]
    pairs = [(measured.y, measured.on_holdout[source])]
    if synthetic:
        aside = zip(measured.y_aside, measured.on_aside[source], strict=True)
        pairs = [(y, said[:, None]) for y, said in aside]
    return np.asarray(np.mean([_scored(measured.problem, y, said) for y, said in pairs], axis=0))


def _scored(problem: Problem, y: np.ndarray, said: np.ndarray) -> np.ndarray:
    rows = score_rows(problem.task, y, said)
    return np.full(len(said), np.nan) if rows is None else rows.mean(axis=(1, 2, 3))
