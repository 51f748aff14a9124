"""Could an attacker who sees synthetic rows tell whether a row trained the generator?

Notation: N target rows (n training rows, h held-out ones), M synthetic rows, A attacks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy.stats import norm
from sklearn.base import BaseEstimator

from tabseed._progress import Progress, part
from tabseed._random import RandomState, child, one_thread, seed_sequence, seed_text
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.metrics.leakage import check_leakage, check_unseen, conform, unknown_values
from tabseed.parameters import (
    FUNCTION,
    N_JOBS,
    SEED,
    Parameters,
    Whole,
    check_parameters,
    checked,
    or_none,
)
from tabseed.privacy.attacks import NEEDS, Near, scores
from tabseed.privacy.bounds import Auc, epsilon_bound, roc, true_positive_rates
from tabseed.privacy.left_out import Learn, LeftOut, leave_one_out
from tabseed.privacy.likelihood import Likelihood, known_rows, log_likelihoods
from tabseed.privacy.membership_result import (
    AttackResult,
    MembershipResult,
    RowRisk,
    Standing,
)
from tabseed.privacy.null import (
    ALL,
    EXPOSED,
    Null,
    coefficients,
    detectable_auc,
    first_rows,
    most_exposed,
    permutation_null,
)
from tabseed.privacy.shadow import Refit, Shadows, draw_shadows
from tabseed.privacy.targets import Targets, most_synthetic
from tabseed.table import Frame, Table
from tabseed.table.display import counted

ROWS, ATTACKS, SHADOWS, PERMUTED, MEASURED, LEFT_OUT = range(6)  # random streams
STEPS = ("distances", "ranks", "classifier", "combinations", "labels")
TOTAL, ATTACKED, DRAWN = 100, 20, 70  # per cent of the time, if the generator is fitted anew
LISTED = 20  # training rows that the result lists, or that are left out one by one


class MembershipInference(BaseEstimator):
    """Attack a synthetic table in many ways: can training rows be told from others?

    Target rows are the training rows and as many held-out ones as there are. Each attack gives
    each target row a score; the attacker knows the synthetic rows and, as a picture of the
    population, all target rows but the one under attack, a worst case. No attack sees which rows
    trained, so if nothing leaks every dealing of these labels is equally probable, given synthetic
    and target rows: permuting labels gives an exact null, for each attack and for the strongest of
    all, read over all rows and over the most exposed tenth (those farthest from their five nearest
    other targets, after arXiv 2306.10308). The null is exact given the kinds of columns;
    these come from the training rows unless a Table is passed.

    Attacks: see :func:`~tabseed.privacy.attacks.scores`; with ``likelihood`` the likelihood of a
    row under the fitted generator, alone and beside the density of real rows; with ``refit`` the
    shadow attack (:mod:`~tabseed.privacy.shadow`), which also tests whether any single exposed row
    changes what the generator draws. That test does not depend on how many rows were held out.

    Parameters
    ----------
    permutations : int
        Permuted labels.
    shadows : int
        Tables drawn for the shadow attack, an even number is used.
    max_rows : int
        Training and held-out rows that are read, each; others are left out at random. Of the
        synthetic rows five times as many are read, at least 10,000.
    n_jobs : int or None
        Processes for the shadow tables; any number gives the same answer.

    Cost: some 2 s of one core for 300 + 200 + 10,000 rows of 15 columns, 25 s and 0.4 GB for 7,000
    + 3,000 + 10,000 of 100: N (N + M) distances, in blocks; ``shadows`` fits of the generator.
    """

    references: ClassVar[tuple[str, ...]] = (
        "arXiv:2302.12580",
        "arXiv:2509.18014",
        "arXiv:2508.21146",
        "arXiv:2603.10937",
        "arXiv:2306.10308",
        "arXiv:2112.03570",
        "arXiv:2305.08846",
    )
    min_rows: ClassVar[int] = 10
    parameters: ClassVar[Parameters] = {
        "permutations": Whole(99),
        "shadows": Whole(8),
        "max_rows": Whole(10),
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        *,
        permutations: int = 9_999,
        shadows: int = 32,
        max_rows: int = 2_000,
        n_jobs: int | None = None,
    ) -> None:
        self.permutations = permutations
        self.shadows = shadows
        self.max_rows = max_rows
        self.n_jobs = n_jobs

    @checked(
        random_state=SEED,
        refit=or_none(FUNCTION),
        likelihood=or_none(FUNCTION),
        learn=or_none(FUNCTION),
        progress=or_none(FUNCTION),
    )
    def evaluate(
        self,
        train: Frame,
        synthetic: Frame,
        holdout: Frame,
        *,
        random_state: RandomState = 0,
        refit: Refit | None = None,
        likelihood: Likelihood | None = None,
        learn: Learn | None = None,
        progress: Progress | None = None,
    ) -> MembershipResult:
        """Attack ``synthetic``, whose generator learned ``train`` and never saw ``holdout``.

        All are frames or Tables; the schema is that of ``train``. ``refit(table, seed_sequence)``
        fits the user's own generator anew to a Table and returns as many drawn rows as it would
        publish; it must be random by the seed alone. ``likelihood(table)`` returns the log density
        of each row under the generator that drew ``synthetic``, -inf allowed; it is not asked
        for rows with categories or gaps that no training row has, which then take the middle place.
        ``learn(table, seed_sequence)`` fits the generator anew and returns such a function: the
        twenty most exposed training rows are then left out of it one by one.

        Raises LeakageError where the holdout repeats training rows or the generator has seen it,
        SchemaError, TooFewRowsError below 10 rows of a table, and TabseedError for a parameter out
        of range or a likelihood that is none.
        """
        check_parameters(self)
        tables = _conform(train, synthetic, holdout, self.min_rows)
        real, fake, held_out = tables
        check_leakage(real, held_out)
        check_unseen(real, fake, held_out)
        stream = seed_sequence(random_state)

        def read(table: Table) -> Targets:
            return Targets.of((real, held_out, table), self.max_rows, child(stream, ROWS))

        drawn = TOTAL if learn is None else DRAWN
        end = ATTACKED if refit is not None else drawn
        report = part(progress, 0, end)
        with one_thread():
            targets = read(fake)
            report(0, len(STEPS), STEPS[0])
            near = Near.of(targets.values, len(targets))
            found = scores(
                targets,
                near,
                child(stream, ATTACKS),
                progress=lambda step: report(STEPS.index(step), len(STEPS), step),
            )
            if likelihood is not None:
                log_density = _likelihoods(likelihood, (real, held_out), targets)
                found["likelihood"] = _abstaining(log_density)
                found["likelihood ratio"] = _abstaining(log_density - near.log_density_real)
        shadows = None
        if refit is not None:
            shadows = draw_shadows(
                (real, held_out, fake),
                read,
                near.width,
                refit,
                (2 * (self.shadows // 2), self.n_jobs),
                child(stream, SHADOWS),
                part(progress, end, drawn),
            )
            found["shadow"] = shadows.scores()
        left_out: tuple[LeftOut, ...] = ()
        if learn is not None:
            members = np.flatnonzero(targets.member)
            far = np.argsort(-near.exposure[members], kind="stable")[:LISTED]
            left_out = leave_one_out(
                real,
                np.sort(targets.row[members[far]]),
                learn,
                child(stream, LEFT_OUT),
                n_jobs=self.n_jobs,
                progress=part(progress, drawn, TOTAL),
            )
        report(len(STEPS) - 1, len(STEPS), STEPS[-1])
        found = {name: targets.alike(score) for name, score in found.items()}
        with one_thread():
            result = self._result(targets, near, found, shadows, stream, tables)
        return replace(result, left_out=left_out)

    def _result(
        self,
        targets: Targets,
        near: Near,
        found: dict[str, np.ndarray],
        shadows: Shadows | None,
        stream: np.random.SeedSequence,
        tables: tuple[Table, Table, Table],
    ) -> MembershipResult:
        real, fake, held_out = tables
        exposed = most_exposed(near.exposure)
        first = first_rows(targets.n, targets.h)
        matrix = np.array(list(found.values()))
        rng = np.random.default_rng(child(stream, PERMUTED))
        c, statistics = coefficients(matrix, exposed, first)
        null = permutation_null(c, statistics, targets.member, self.permutations, rng)
        shadow, row_auc = None, {}
        if shadows is not None:
            shadow, auc = shadows.judged(exposed, self.permutations, rng)
            row_auc = dict(zip(np.flatnonzero(exposed).tolist(), auc.tolist(), strict=True))
        attacks = _attacks(found, targets.member, exposed, null, first)
        best = null.statistics[null.strongest]
        names = list(found)
        strongest = attacks[best.attack]
        z = float(norm.isf(null.critical))
        # exposed rows of one kind have no AUC
        scope = best.scope if strongest.exposed is not None else ALL
        rows = exposed if scope == EXPOSED else np.ones_like(exposed)
        measured = np.random.default_rng(child(stream, MEASURED))
        score = found[names[best.attack]]
        return MembershipResult(
            attacks=attacks,
            strongest=strongest.name,
            scope=scope,
            kind=best.kind,
            p_labels=null.p_value,
            at_least=Auc.of(score[rows], targets.member[rows]).limits(z)[0],
            detectable=detectable_auc(targets.n, targets.h, null.critical),
            detectable_exposed=detectable_auc(
                targets.n * exposed.mean(), targets.h * exposed.mean(), null.critical
            ),
            first=first,
            true_positive_rates=true_positive_rates(score, targets.member, measured),
            roc=roc(score, targets.member, measured),
            epsilon=epsilon_bound(found, targets.member, measured),
            shadow=shadow,
            risks=_risks(score, targets, exposed, row_auc),
            n_train=len(real),
            n_holdout=len(held_out),
            n_synthetic=len(fake),
            n_read=(targets.n, targets.h, min(len(fake), most_synthetic(self.max_rows))),
            n_exposed=int(exposed.sum()),
            settings={"seed": seed_text(stream), "permutations": str(self.permutations)},
            unknown=tuple(unknown_values({"synthetic": fake, "holdout": held_out})),
            rows_alone=self._rows_alone(c, null, attacks, targets.member, stream),
        )

    def _rows_alone(
        self,
        c: np.ndarray,
        null: Null,
        attacks: tuple[AttackResult, ...],
        member: np.ndarray,
        stream: np.random.SeedSequence,
    ) -> Standing | None:
        """Return the strongest attack that needs synthetic rows alone, None if all do."""
        kept = [i for i, s in enumerate(null.statistics) if attacks[s.attack].needs == "rows"]
        if len(kept) == len(null.statistics):
            return None
        rng = np.random.default_rng(child(stream, PERMUTED, 1))
        statistics = tuple(null.statistics[i] for i in kept)
        alone = permutation_null(c[kept], statistics, member, self.permutations, rng)
        best = alone.statistics[alone.strongest]
        return Standing(attacks[best.attack], best.scope, best.kind, alone.p_value)


def _conform(
    train: Frame, synthetic: Frame, holdout: Frame, least: int
) -> tuple[Table, Table, Table]:
    """Return training, synthetic and held-out rows with one schema; refuse too few."""
    schema = Table.from_frame(train).schema.modelled
    if not len(schema):
        raise SchemaError(
            "no column to attack by: all are ids or free text; set another kind for one"
        )
    real = conform(train, schema, "train")
    fake, held_out = (
        conform(frame, real.schema, name)
        for frame, name in ((synthetic, "synthetic"), (holdout, "holdout"))
    )
    for name, table in (("train", real), ("synthetic", fake), ("holdout", held_out)):
        if len(table) < least:
            raise TooFewRowsError(
                f"the {name} table has {counted(len(table), 'row')}; membership inference needs at "
                f"least {least}"
            )
    return real, fake, held_out


def _likelihoods(
    likelihood: Likelihood, tables: tuple[Table, Table], targets: Targets
) -> np.ndarray:
    """Return the log density (N,) of the targets, NaN for rows with values unknown in training.

    Those are held-out rows: a bad score would tell them from training rows though nothing leaked.
    """
    found = []
    for table in tables:
        values, known = np.full(len(table), np.nan), known_rows(table, tables[0])
        if known.any():
            rows = np.flatnonzero(known)
            values[rows] = log_likelihoods(likelihood, table.take(rows))
        found.append(values)
    of_train, of_holdout = (values[targets.row % len(values)] for values in found)
    return np.asarray(np.where(targets.member, of_train, of_holdout))


def _abstaining(score: np.ndarray) -> np.ndarray:
    """Return scores in which rows without one (NaN) take the middle place."""
    missing = np.isnan(score)
    if missing.all():
        return np.zeros(len(score))
    middle = np.quantile(score[~missing], 0.5, method="lower")
    return np.asarray(np.where(missing, middle, score))


def _attacks(
    found: dict[str, np.ndarray],
    member: np.ndarray,
    exposed: np.ndarray,
    null: Null,
    first: int,
) -> tuple[AttackResult, ...]:
    results = []
    both = 0 < member[exposed].sum() < exposed.sum()
    for index, (name, score) in enumerate(found.items()):
        mine = {
            (s.scope, s.kind): float(p)
            for s, p in zip(null.statistics, null.p, strict=True)
            if s.attack == index
        }
        results.append(
            AttackResult(
                name=name,
                needs=NEEDS.get(name, "rows"),
                auc=Auc.of(score, member).estimate(),
                p_value=mine[ALL, "auc"],
                exposed=Auc.of(score[exposed], member[exposed]).estimate() if both else None,
                p_exposed=mine[EXPOSED, "auc"],
                p_first=min((p for (_, kind), p in mine.items() if kind == "first"), default=None),
            )
        )
    return tuple(results)


def _risks(
    score: np.ndarray, targets: Targets, exposed: np.ndarray, row_auc: dict[int, float]
) -> tuple[RowRisk, ...]:
    """Return the training rows that look most like training rows, the most suspicious first."""
    others = np.sort(score[~targets.member])
    beyond = len(others) - np.searchsorted(others, score, side="left")
    share = (1 + beyond) / (1 + len(others))
    members = np.flatnonzero(targets.member)
    shadow = np.array([row_auc.get(i, 0.0) for i in members.tolist()])
    order = np.lexsort([targets.row[members], ~exposed[members], -shadow, share[members]])
    return tuple(
        RowRisk(int(targets.row[i]), float(share[i]), bool(exposed[i]), row_auc.get(int(i)))
        for i in members[order[:LISTED]]
    )
