"""The generator that chooses among candidates by a race."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

import numpy as np

from tabseed._random import RandomState, child
from tabseed.archive import Arrays, estimator_from_plain
from tabseed.auto.candidates import NETWORK_ROWS, NETWORKS, Goal, default_candidates
from tabseed.auto.laps import Asked
from tabseed.auto.race import ASKED_IN, GUESS, Course, Race
from tabseed.blend.blend import Blend, homes, knower_of
from tabseed.blend.ratios import rows_to_draw
from tabseed.blend.weights import Weighing, weigh
from tabseed.coding.encode import Layout
from tabseed.errors import LimitError, NothingLearnedError, TabseedError
from tabseed.estimates.folds import deal
from tabseed.generators.base import Aids, Generator
from tabseed.metrics.problem import Problem
from tabseed.parameters import (
    N_JOBS,
    SEED,
    InstanceOf,
    Named,
    OneOf,
    Parameters,
    Real,
    Whole,
    or_none,
)

RACE, DEAL, WEIGH = range(1_000, 1_003)  # streams below that of a fit; members have the first
SHARE_OF_TIME = 0.8  # for the race; the rest is for the last fits
SOLE = "alone"  # the rule of weights where one candidate draws all rows


class Auto(Blend):
    """Choose among candidates on held-out rows, and draw as the best do.

    Candidates race over K folds (:mod:`~tabseed.auto.race`): in each round those that are left
    learn all folds but one, which judges them; those that fail, leak or are worse leave. For
    ``goal="share"`` they are compared by the densities that a forest sees in rows that they draw
    (:mod:`~tabseed.blend.ratios`), and those that are left share the rows as a :class:`Blend`
    does, unless one alone is as good. For ``goal="augment"`` they are compared by what models gain
    that learn as many synthetic rows beside the real ones, and the best draws all rows. For
    ``goal="both"`` they are compared as to share, and one of surely less use leaves. Whether
    synthetic rows should be used at all, no race can say: judge the rows with held-out ones that
    took no part (:func:`~tabseed.evaluation.evaluation.evaluate`; ``tabseed auto`` does).

    Parameters
    ----------
    goal : "share", "augment" or "both"
    candidates : dict of str to Generator, or None
        None: trees, a copula, a forest and, where PyTorch is installed and rows are few, a mixture
        of ten VAEBGM; with a limit also trees whose leaves are honest or large, which lie less near
        the training rows; to augment also SMOTE and, with a target, two-stage generators whose
        response is chosen.
    folds : int
        K, at least 2.
    max_auc : float or None
        A candidate leaves if an attack tells its training rows from others with a larger AUC, on
        average over at least two folds: during the race if it is surely better than guessing, in
        the end in any case, and also if the race ended before two folds asked. LimitError if none
        is left (``race_`` says how each stood). A constraint, never a term: it does not make one
        candidate better than another. None: not asked. (Disclosure of single columns no race asks:
        the judgement does, by ``Privacy``.)
    minutes : float or None
        Begin no lap after four fifths of so many minutes. None: run all rounds, always the same.
    n_jobs : int or None
        Processes; the drawn rows do not depend on it.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Attributes
    ----------
    weights_, members_ : as those of a Blend, in the order of the candidates
    race_ : list of dict, a line for each candidate: how far it came and why it left
    over_ : str, why the race ended early, "" if it did not

    A fit with ``checkpoint`` keeps each lap in that file and goes on from it; an interrupt ends
    the race, and what is known then decides.

    Cost: up to K fits of each candidate, a third to a half of them where most leave early, and one
    more of those that draw rows.

    References: successive halving, arXiv 1502.07943; racing, Maron and Moore 1994.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from tabseed import GaussianCopula, Resample
    >>> x = np.random.default_rng(0).normal(size=100)
    >>> candidates = {"copula": GaussianCopula(), "copies": Resample()}
    >>> model = Auto(candidates=candidates, max_auc=0.7, random_state=0)
    >>> model.fit(pa.table({"x": x, "up": x > 0})).race_[1]["out"]
    'leaks: an attack has an AUC of 1.00'
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:1502.07943",)
    parameters: ClassVar[Parameters] = {
        "goal": OneOf(get_args(Goal)),
        "candidates": or_none(
            Named(InstanceOf(Generator, "a generator such as SequentialTrees()"))
        ),
        "folds": Whole(2),
        "max_auc": or_none(Real(0.5, 1)),
        "minutes": or_none(Real(above=0)),
        "n_jobs": N_JOBS,
        "random_state": SEED,
    }

    def __init__(
        self,
        goal: Goal = "share",
        candidates: Mapping[str, Generator] | None = None,
        folds: int = 5,
        max_auc: float | None = None,
        minutes: float | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.goal = goal
        self.candidates = candidates
        self.folds = folds
        self.max_auc = max_auc
        self.minutes = minutes
        self.n_jobs = n_jobs
        self.random_state = random_state

    race_: list[dict[str, Any]]
    over_: str

    def _named(self) -> dict[str, Generator]:
        if self.candidates is not None:
            return dict(self.candidates)
        rows = getattr(self, "n_rows_", 0)
        target = getattr(self, "target_", None)
        return default_candidates(self.goal, rows, target, limited=self.max_auc is not None)

    def _made(self) -> list[Generator]:
        return list(self._named().values())

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        began = time.monotonic()
        if self.goal != "share" and self.target_ is None:
            raise TabseedError(f"goal={self.goal!r} needs a target: the column that models predict")
        candidates = self._named()
        n_folds = min(self.folds, len(x))
        fold = deal(self._classes(x), len(x), n_folds, np.random.default_rng(child(stream, DEAL)))
        asked = Asked(
            self.goal,
            rows_to_draw(len(candidates), len(layout.blocks)),
            self.max_auc is not None,
            self.target_,
        )
        course = Course(x, fold, knower_of(self), asked, self.max_auc, child(stream, RACE))
        race = Race(candidates, course, self.n_jobs)
        race.run(
            until=None if self.minutes is None else began + SHARE_OF_TIME * 60 * self.minutes,
            progress=aids.progress,
            kept=aids.checkpoint,
        )
        self._decide(race, np.random.default_rng(child(stream, WEIGH)))
        self._learn(list(candidates.values()), x, stream, n_folds)
        if aids.checkpoint is not None:
            aids.checkpoint.remove()

    def _classes(self, x: np.ndarray) -> np.ndarray | None:
        """Return by which classes rows are dealt into folds: those that models predict.

        None where none do. Raises SchemaError for rows that pose no problem of prediction.
        """
        if self.goal == "share":
            return None
        table = self.encoder_.inverse_transform(x)
        problem = Problem.of(table, str(self.target_))
        rows = problem.rows(table, "train")
        return rows.y if problem.task == "classification" else None

    def _decide(self, race: Race, rng: np.random.Generator) -> None:
        """Give weights to the candidates that are left, and write down how the race went."""
        left, names = race.left, race.names
        self.failed_, self.over_, self.race_ = {}, race.over, _lines(race)
        self.weights_ = np.zeros(len(names))
        if not left:
            reasons = "; ".join(f"{name}: {race.standings[name].out}" for name in names)
            early = f" ({race.over})" if race.over else ""
            limited = any(standing.beyond for standing in race.standings.values())
            raise (LimitError if limited else NothingLearnedError)(
                f"no candidate is left{early}: {reasons}"
            )
        at = [names.index(name) for name in left]
        if len(left) == 1 or not race.rounds or not len(race.merits(left)[0]):
            self.weighing_ = Weighing(np.ones(1), SOLE, 0.0, 0.0, 0.0)
            at = at[:1]
        elif race.course.asked.alike:
            self.weighing_ = weigh(race.merits(left)[0], rng)
        else:
            best = int(race.merits(left)[0].mean(axis=0).argmax())
            at, self.weighing_ = [at[best]], Weighing(np.ones(1), SOLE, 0.0, 0.0, 0.0)
        self._set_weights(at)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state, arrays = super()._state()
        return state | {"race": self.race_, "over": self.over_}, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        super()._restore(state, arrays)
        self.race_, self.over_ = list(state["race"]), str(state["over"])

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        made = plain["candidates"]
        if isinstance(made, dict):
            made = {name: estimator_from_plain(one, homes()) for name, one in made.items()}
        return {**plain, "candidates": made}

    def summary(self) -> list[str]:
        """Return a few lines that say which candidates draw rows, and how the race went."""
        names = [line["candidate"] for line in self.race_]
        order = np.argsort(-self.weights_, kind="stable")
        shares = [f"{names[m]} {self.weights_[m]:.0%}" for m in order if self.weights_[m]]
        lines = [f"rows come from {', '.join(shares)} ({self.weighing_.rule})"]
        if self.over_:
            lines.append(f"the race ended early: {self.over_}")
        lines += [f"{line['candidate']}: {line['out']}" for line in self.race_ if line["out"]]
        if self.candidates is None and NETWORKS not in names:
            lines.append(
                f"no networks raced: they need PyTorch, and at most {NETWORK_ROWS:,} rows to learn"
            )
        return [*lines, *Generator.summary(self)]


def _lines(race: Race) -> list[dict[str, Any]]:
    """Return a JSON-ready line for each candidate, without what a clock decides."""
    left, lines = race.left, []
    best = None
    if race.rounds and left:
        merit = race.merits(left)[0]
        best = merit[:, int(merit.mean(axis=0).argmax())]
    for name in race.names:
        standing = race.standings[name]
        own = race.merits([name])[0][:, 0] if race.rounds else np.empty(0)
        own = own[np.isfinite(own)]
        behind = error = None
        if best is not None and 1 < len(own) <= len(best):
            gap = best[: len(own)] - own  # those that left saw the first rounds
            behind, error = float(gap.mean()), float(gap.std(ddof=1) / len(gap) ** 0.5)
        auc, told = standing.auc, len(standing.attacked) >= ASKED_IN
        lines.append(
            {
                "candidate": name,
                "rounds": len(standing.laps),
                "behind": behind,
                "error": error,
                "unit": race.unit if behind is not None else "",
                "auc": None if auc is None else auc.value,
                "auc_low": auc.low if auc is not None and told else None,
                "auc_high": auc.high if auc is not None and told else None,
                "attacked": len(standing.attacked),
                "leaks": bool(told and standing.beyond and auc is not None and auc.low > GUESS),
                "out": standing.out,
            }
        )
    return lines
