"""Successive halving of candidates over the folds of the training rows.

Notation: n rows, K folds, M candidates; l (n, M) the log ratios of held-out rows, of which only
differences between candidates matter (:mod:`~tabseed.blend.ratios`).

In round k every candidate that is left learns the rows without fold k. Then those are left out
that failed or leak beyond the limit; from the second round on also those that are worse than the
best by two and a half standard errors, and of the others at most half stay, but never fewer than
three. Where there is a limit, none leaves for being worse: the better ones may leak, which only
more folds show; and when the race is over, however it ended, those leave that were not asked in two
folds or whose attack is beyond the limit, surely so or not. All candidates of a round see the same
folds, so they are compared row by row. Laps do not depend on each other nor on the order in which
they run, so any number of processes gives the same race, and laps that a file keeps need not be run
again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import t as student

from tabseed._progress import Progress, silent
from tabseed._random import child, one_thread
from tabseed.archive import Checkpoint
from tabseed.auto.laps import NONE, Asked, Lap, run_lap
from tabseed.blend.blend import as_cells
from tabseed.blend.ratios import log_ratios
from tabseed.errors import TabseedError
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.scores import SCORES
from tabseed.generators.base import Generator
from tabseed.metrics.usefulness import Yardstick

LEAST = 3  # candidates that halving leaves
ASKED_IN = 2  # folds, at least, in which attacks are asked about one that keeps a limit
BEHIND = 2.5  # standard errors behind the best, from which a candidate is left out
FAILED = "could not learn these rows"
NATS = "nats a row"
GUESS = 0.5  # the AUC of an attack that guesses
LAPS, RATIOS, USE = range(3)  # streams below that of a race


@dataclass(frozen=True)
class Course:
    """What all laps share: the encoded rows x (n, w), their folds, what is asked, the limit."""

    x: np.ndarray
    fold: np.ndarray
    knower: Generator
    asked: Asked
    max_auc: float | None
    stream: np.random.SeedSequence

    @property
    def n_folds(self) -> int:
        """K."""
        return int(self.fold.max()) + 1

    def yardstick(self, k: int) -> Yardstick | None:
        """Return what models say of fold k that learned the others.

        None if it is not asked, and where the others pose no such problem: one class, say.
        """
        if not self.asked.gained:
            return None
        with one_thread():
            decoded = self.knower.encoder_.inverse_transform
            real, held = decoded(self.x[self.fold != k]), decoded(self.x[self.fold == k])
            try:
                return Yardstick.of(real, held, str(self.asked.target), child(self.stream, USE, k))
            except TabseedError:
                return None

    def lap(
        self, index: int, candidate: Generator, k: int, yardstick: Yardstick | None = None
    ) -> Lap:
        """Run the lap of a candidate, the ``index``-th of all, without fold k."""
        x, held = self.x[self.fold != k], self.x[self.fold == k]
        stream = child(self.stream, LAPS, index, k)
        return run_lap(candidate, self.knower, x, held, self.asked, yardstick, stream)


@dataclass
class Standing:
    """How a candidate stands: its laps so far, and why it was left out, if it was.

    ``unfinished`` are its laps of rounds that did not come to their end: no candidate is compared
    by them, but what attacks say in them counts. ``beyond``: a limit is why it was left out.
    """

    laps: list[Lap] = field(default_factory=list)
    unfinished: list[Lap] = field(default_factory=list)
    out: str = ""
    beyond: bool = False

    @property
    def attacked(self) -> np.ndarray:
        """The AUC of each attack in each fold that asked: (folds, attacks)."""
        run = [*self.laps, *self.unfinished]
        return np.array([lap.aucs for lap in run if len(lap.aucs)])

    @property
    def auc(self) -> Estimate | None:
        """The strongest attack's AUC: the mean over folds, the largest over attacks."""
        told = self.attacked
        if not told.size:
            return None
        mean = told.mean(axis=0)
        at = int(mean.argmax())
        value, n = float(mean[at]), len(told)
        half = np.inf
        if n > 1:
            half = float(student.ppf(0.975, n - 1) * told[:, at].std(ddof=1) / n**0.5)
        return Estimate(value, max(0.0, value - half), min(1.0, value + half), "AUC")


class Race:
    """The race of candidates by name over the folds of a course.

    ``standings`` by name; ``logs`` (k h, M) of the rounds that are over, with a column for each
    candidate (NaN for those that had left before); ``units`` of the gains, by round; ``over`` why
    the race ended before its last round, "" if it did not.
    """

    def __init__(
        self, candidates: Mapping[str, Generator], course: Course, n_jobs: int | None = None
    ) -> None:
        self.candidates, self.course, self.n_jobs = dict(candidates), course, n_jobs
        self.names = list(self.candidates)
        self.standings = {name: Standing() for name in self.names}
        self.logs = np.empty((0, len(self.names)))
        self.units: list[str] = []
        self.over = ""

    @property
    def rounds(self) -> int:
        """How many rounds are over."""
        return len(self.units)

    @property
    def left(self) -> list[str]:
        """The candidates that are left."""
        return [name for name in self.names if not self.standings[name].out]

    def run(
        self,
        *,
        until: float | None = None,
        progress: Progress | None = None,
        kept: Checkpoint | None = None,
    ) -> None:
        """Run all rounds; begin no lap after the monotonic time ``until``.

        An interrupt (KeyboardInterrupt) ends the race if the first lap is over: what is known then
        decides. Laps are kept in the file ``kept``.
        """
        book = Book(kept, self.names, self.course.n_folds)
        total = len(self.names) * self.course.n_folds
        (progress or silent)(len(book.laps), total, "begins")
        try:
            for k in range(self.course.n_folds):
                if not self._round(k, book, progress or silent, total, until):
                    self.over = "the time was up"
                    break
                if len(self.left) <= (self.course.max_auc is None):
                    break  # nothing is left to ask: whether one alone leaks takes more folds
        except KeyboardInterrupt:
            if not book.laps:
                raise
            self.over = "it was interrupted"
        self._end_early(book)
        self._keep_limit()

    def _round(
        self, k: int, book: Book, progress: Progress, total: int, until: float | None
    ) -> bool:
        """Run a round; return whether it came to its end before the time was up."""
        folds = self._folds(k)
        missing = [(name, j) for name in self.left for j in folds if (name, j) not in book.laps]
        begun = []
        yardsticks = {j: self.course.yardstick(j) for j in sorted({j for _, j in missing})}

        def work() -> Iterator[Any]:
            for name, j in missing:
                if until is not None and time.monotonic() > until:
                    return
                begun.append((name, j))
                index = self.names.index(name)
                yield delayed(self.course.lap)(index, self.candidates[name], j, yardsticks[j])

        laps = Parallel(n_jobs=self.n_jobs, return_as="generator", pre_dispatch="n_jobs")(work())
        for at, lap in enumerate(laps):
            name, j = begun[at]
            book.add(name, j, lap)
            progress(len(book.laps), total, f"{name}, without fold {j + 1}")
        if begun != missing:
            return False
        racing = self.left
        for name in racing:
            self.standings[name].laps.append(book.laps[name, k])
        self._compare(racing, k)
        self._leave(k)
        return True

    def _compare(self, racing: Sequence[str], k: int) -> None:
        """End round k, in which those candidates had a lap."""
        if self.course.asked.alike:
            self._judge(racing, k)
        told = [self.standings[name].laps[-1].unit for name in racing]
        self.units.append(next(filter(None, told), ""))

    def _folds(self, k: int) -> tuple[int, ...]:
        """Return the folds whose laps are run in round k.

        Where there is a limit each candidate runs two at once at first: if time is short, a few are
        known to keep it, rather than none.
        """
        if self.course.max_auc is None or k:
            return (k,)
        return tuple(range(min(ASKED_IN, self.course.n_folds)))

    def _judge(self, racing: Sequence[str], k: int) -> None:
        """Append the log ratios of fold k, of the candidates that did not fail in it."""
        able = [name for name in racing if not self.standings[name].laps[-1].error]
        layout = self.course.knower.encoder_.layout_
        held = as_cells(layout, self.course.x[self.course.fold == k])
        logs = np.full((len(held), len(self.names)), np.nan)
        if able:
            drawn = [self.standings[name].laps[-1].drawn for name in able]
            columns = [self.names.index(name) for name in able]
            logs[:, columns] = log_ratios(drawn, held, child(self.course.stream, RATIOS, k))
        self.logs = np.concatenate([self.logs, logs])

    def _leave(self, k: int) -> None:
        """Say which candidates leave after round k, and why."""
        for name in self.left:
            standing = self.standings[name]
            if standing.laps[-1].error:
                standing.out = f"{FAILED}: {standing.laps[-1].error}"
            elif self._surely_beyond(standing.auc):
                self._beyond(name, f"leaks: {_attacked(standing.auc)}")
        left = self.left
        if len(left) < 2 or self.course.max_auc is not None or k == 0:
            return
        for merit, words in zip(self.merits(left), self.words, strict=True):
            if len(merit) < 2:  # no fold could ask
                continue
            order = np.argsort(-merit.mean(axis=0), kind="stable")
            gap = merit[:, order[:1]] - merit
            error = gap.std(axis=0, ddof=1) / len(gap) ** 0.5
            for at in order[1:].tolist():
                if gap[:, at].mean() > BEHIND * error[at]:
                    self._out(left[at], f"{words} than {left[order[0]]} in round {k + 1}")
        if not len(self.merits(left)[0]):
            return
        most = max(LEAST, -(-len(left) // 2))
        for at in np.argsort(-self.merits(left)[0].mean(axis=0), kind="stable")[most:].tolist():
            self._out(left[at], f"not among the best {most} of round {k + 1}")

    def _out(self, name: str, why: str) -> None:
        """Let a candidate leave, unless it has left already."""
        self.standings[name].out = self.standings[name].out or why

    def _beyond(self, name: str, why: str) -> None:
        """Let a candidate leave that does not keep the limit."""
        self._out(name, why)
        self.standings[name].beyond = True

    def _surely_beyond(self, auc: Estimate | None) -> bool:
        """Whether the strongest attack is beyond the limit, and surely better than guessing."""
        limit = self.course.max_auc
        return limit is not None and auc is not None and auc.value > limit and auc.low > GUESS

    def _keep_limit(self) -> None:
        """Where there is a limit, let those leave of whom it is not known that they keep it."""
        limit = self.course.max_auc
        if limit is None:
            return
        for name in self.left:
            auc = self.standings[name].auc
            if auc is None or len(self.standings[name].attacked) < ASKED_IN:
                self._beyond(name, f"no attack was asked in {ASKED_IN} folds")
            elif auc.value > limit:
                how = "leaks" if self._surely_beyond(auc) else "may leak"
                self._beyond(name, f"{how}: {_attacked(auc)}")

    @property
    def words(self) -> list[str]:
        """How one that is worse is called, for each of :meth:`merits`."""
        asked = self.course.asked
        return ["farther from the rows"] * asked.alike + ["of less use"] * asked.gained

    def merits(self, names: Sequence[str]) -> list[np.ndarray]:
        """Return by what candidates are compared on each row that was held out: (n, M) each.

        The first decides, a second one (goal "both") only tells who is surely worse.
        """
        found = []
        if self.course.asked.alike:
            found.append(self.logs[:, [self.names.index(name) for name in names]])
        if self.course.asked.gained:
            found.append(np.column_stack([self._gains(name) for name in names]))
        return found

    @property
    def unit(self) -> str:
        """In what candidates are compared; "" if no fold could ask."""
        return NATS if self.course.asked.alike else self._unit_of_gains

    @property
    def _unit_of_gains(self) -> str:
        """The unit of most folds, rather a score: a fold may hold one class, which has no AUC."""
        counts = Counter(filter(None, self.units))
        scores = SCORES.values()
        return max(counts, key=lambda unit: (unit in scores, counts[unit]), default="")

    def _gains(self, name: str) -> np.ndarray:
        """Return the gains of a candidate on the rows of all folds that have them in that unit."""
        unit = self._unit_of_gains
        laps = zip(self.units, self.standings[name].laps, strict=False)
        return np.concatenate([NONE, *(lap.gains for own, lap in laps if own == unit != "")])

    def _end_early(self, book: Book) -> None:
        """Let the laps of a round that did not come to its end say what they can.

        Of the first round those stand that had a lap, and are compared by it; the first candidate,
        if none had.
        """
        k = self.rounds
        told = [name for name in self.left if (name, k) in book.laps]
        for name in told:
            standing = self.standings[name]
            later = [book.laps[name, j] for j in self._folds(k) if (name, j) in book.laps]
            errors = [lap.error for lap in later if lap.error]
            if errors:
                standing.out = f"{FAILED}: {errors[0]}"
            elif not k:
                standing.laps.append(later.pop(0))
            standing.unfinished = later
        if not k:
            stand = told or self.names[:1]
            for name in self.left:
                if name not in stand:
                    self._out(name, "not begun")
            if self.left and told:
                self._compare(self.left, k)


def _attacked(auc: Estimate | None) -> str:
    return "" if auc is None else f"an attack has an AUC of {auc.value:.2f}"


class Book:
    """The laps that are over, in memory and, if there is one, in a file."""

    def __init__(self, file: Checkpoint | None, names: Sequence[str], n_folds: int) -> None:
        self.file, self.names, self.laps = file, list(names), dict[tuple[str, int], Lap]()
        content = None if file is None else file.read()
        if content is None:
            self.write()  # from now on the file belongs to this race
            return
        state, arrays = content
        for m, k, seconds, unit, error in state["laps"]:
            if not (0 <= m < len(self.names) and 0 <= k < n_folds):
                raise ValueError("a lap of no candidate")
            key = f"{m}.{k}."
            drawn, aucs, gains = (arrays[key + part] for part in ("drawn", "aucs", "gains"))
            self.laps[self.names[m], k] = Lap(
                drawn, aucs, gains, float(seconds), str(unit), str(error)
            )

    def add(self, name: str, k: int, lap: Lap) -> None:
        """Keep a lap."""
        self.laps[name, k] = lap
        self.write()

    def write(self) -> None:
        """Write all laps to the file, if there is one."""
        if self.file is None:
            return
        arrays: dict[str, np.ndarray] = {}
        lines = []
        for (other, fold), each in self.laps.items():
            m = self.names.index(other)
            lines.append([m, fold, each.seconds, each.unit, each.error])
            arrays |= {
                f"{m}.{fold}.drawn": each.drawn,
                f"{m}.{fold}.aucs": each.aucs,
                f"{m}.{fold}.gains": each.gains,
            }
        self.file.write({"laps": lines}, arrays)
