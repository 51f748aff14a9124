"""The tuner: workers that run trials until a budget is spent."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import joblib
import numpy as np

from tabseed._progress import Progress
from tabseed._random import RandomState, child, one_thread, seed_sequence
from tabseed.errors import FileError, TabseedError, printable
from tabseed.parameters import (
    FUNCTION,
    MAPPING,
    N_JOBS,
    NONE,
    SEED,
    TEXT,
    AnyOf,
    InstanceOf,
    OneOf,
    Parameters,
    Real,
    Whole,
    check,
    check_parameters,
    checked,
    or_none,
)
from tabseed.space import Space
from tabseed.tune.bandit import SELECTORS, select
from tabseed.tune.proposal import PROPOSERS, propose
from tabseed.tune.storage import RUNNING, Storage, worker_name
from tabseed.tune.study import Study, _history, _trial
from tabseed.tune.trial import Trial

Objective = Callable[[str, dict[str, Any], np.random.SeedSequence], float | Sequence[float]]
TRIAL, SELECT, PROPOSE, DESIGN = range(4)  # streams below that of a study


class Tuner:
    """Search for the family and settings whose objective is largest, within a budget.

    Parameters
    ----------
    spaces : dict
        By family: dimensions by name (:class:`~tabseed.space.Int`, ``Float``, ``Choice``), or an
        estimator that declares ``search_space``, such as a generator.
    defaults : dict or None
        By family: the settings of its first trial. If not given: the estimator's own settings, or
        the middle of the space.
    selector : {"ucb1", "ucb1-raw", "round-robin"}
        How the next family is chosen (:mod:`tabseed.tune.bandit`).
    proposer : {"ei", "greedy", "random"}
        How settings are chosen: by expected improvement of a Gaussian process; by the largest mean
        of a process without noise, as BTB does; by uniform draws.
    n_initial : int or None
        Trials of a family before "ei" decides: the defaults, then a Sobol sequence. None: two more
        than the family has dimensions.
    storage : path, SQLAlchemy URL or None
        The SQLite file or database that keeps the study, so that a later run continues it. None:
        only the returned study remains.
    name : str
        The name of the study in the storage.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None
        None: the seed of the study in the storage, or a new one.

    Two trials of a family never have the same settings; a family with no settings left is skipped.
    A proposal depends on ``random_state`` and on the trials that began and ended before it. One
    worker reproduces the same study, even if it is interrupted. Several workers, by ``n_jobs`` or
    by several programs on one storage, see each other's trials in an order that timing decides:
    each trial can be reproduced, but not their sequence.

    Raises TabseedError for parameters that do not fit, or if the storage has another study.

    Examples
    --------
    >>> from tabseed import Float
    >>> def objective(family, settings, stream):
    ...     noise = np.random.default_rng(stream).normal(size=3)
    ...     return 0.1 * noise - (settings["x"] - 0.7) ** 2
    >>> study = Tuner({"f": {"x": Float(0.0, 1.0)}}, random_state=0).run(objective, trials=12)
    >>> abs(study.best.settings["x"] - 0.7) < 0.2
    True
    """

    parameters: ClassVar[Parameters] = {
        "spaces": MAPPING,
        "defaults": or_none(MAPPING),
        "selector": OneOf(SELECTORS),
        "proposer": OneOf(PROPOSERS),
        "n_initial": or_none(Whole(1, 10_000)),
        "storage": AnyOf((TEXT, InstanceOf(os.PathLike), NONE), "a path, a URL or None"),
        "name": TEXT,
        "random_state": SEED,
    }

    def __init__(
        self,
        spaces: Mapping[str, Any],
        *,
        defaults: Mapping[str, Mapping[str, Any]] | None = None,
        selector: str = "ucb1",
        proposer: str = "ei",
        n_initial: int | None = None,
        storage: str | os.PathLike[str] | None = None,
        name: str = "study",
        random_state: RandomState = None,
    ) -> None:
        self.spaces = spaces
        self.defaults = defaults
        self.selector = selector
        self.proposer = proposer
        self.n_initial = n_initial
        self.storage = storage
        self.name = name
        self.random_state = random_state

    def begin(self, about: Mapping[str, Any] | None = None) -> Study:
        """Begin the study in the storage unless it exists, and return it; no trial is run.

        It raises early what :meth:`run` would raise: TabseedError for parameters that do not fit,
        or if the storage has another study.
        """
        check_parameters(self)
        if self.storage is None:
            raise TabseedError("begin() needs a storage; give one, or call run()")
        self._worker(Storage(self.storage, self.name), None, about)
        return Study.read(self.storage, self.name)

    @checked(
        objective=FUNCTION,
        n_jobs=N_JOBS,
        about=or_none(MAPPING),
        progress=or_none(FUNCTION),
    )
    def run(
        self,
        objective: Objective,
        *,
        trials: int | None = None,
        minutes: float | None = None,
        n_jobs: int | None = None,
        about: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Study:
        """Run trials until the study has ``trials`` of them, or for ``minutes``; give one or both.

        ``objective(family, settings, stream)`` returns a number, larger is better, or several:
        repeated draws, whose spread shows how noisy they are. Its random numbers come from
        ``stream``, the trial's own SeedSequence. If it raises TabseedError or returns a value that
        is not finite, the trial fails: its message is kept, and it counts as the worst value. Any
        other error is kept too, and ends the run. ``trials`` includes those in the storage already;
        an interrupted trial is restarted first. A trial that runs when the minutes are over is
        finished.

        ``n_jobs`` trials run at once (None: one; at most one for each core, and no more than
        ``trials``), by joblib, whose backend can be set around this
        (``joblib.parallel_config``); processes need an objective that can be pickled. ``about``
        describes what the objective depends on (data, target, settings) in JSON values: it is kept
        with the study, which continues only if all of it is the same.
        ``progress(done, total, message)`` counts trials, or seconds if only ``minutes`` is given.
        """
        check_parameters(self)
        if trials is None and minutes is None:
            raise TabseedError("a run needs a budget: trials, minutes, or both")
        check("Tuner.run", "trials", trials, or_none(Whole(1)))
        check("Tuner.run", "minutes", minutes, or_none(Real(above=0)))
        with ExitStack() as stack:
            where = self.storage
            if where is None:
                folder = stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
                where = os.path.join(folder, "study.sqlite")
            worker = self._worker(Storage(where, self.name), trials, about)
            began, over = time.monotonic(), False

            def tasks() -> Iterator[Any]:
                while not over and (minutes is None or time.monotonic() - began < 60 * minutes):
                    yield joblib.delayed(worker.work)(objective)

            pool = joblib.Parallel(
                _at_once(n_jobs, trials),
                return_as="generator_unordered",
                pre_dispatch="n_jobs",
                batch_size=1,
            )
            for line in pool(tasks()):
                over = over or line is None
                if progress is not None and line is not None:
                    done, message = line
                    if trials is not None:
                        progress(min(done, trials), trials, message)
                    elif minutes is not None:
                        used = min(int(time.monotonic() - began), int(60 * minutes))
                        progress(used, int(60 * minutes), message)
            return Study.read(where, self.name)

    def _worker(
        self, storage: Storage, trials: int | None, about: Mapping[str, Any] | None
    ) -> _Worker:
        """Begin or continue the study; TabseedError if the storage has another one."""
        if not self.spaces:
            raise TabseedError("a tuner needs one family or more in spaces")
        spaces, defaults = {}, {}
        for family, declared in self.spaces.items():
            first = (self.defaults or {}).get(family)
            spaces[family], defaults[family] = _declared(family, declared, first)
        own = json.dumps(
            {
                "spaces": {family: space.to_dict() for family, space in spaces.items()},
                "about": dict(about or {}),
                "seed": seed_sequence(self.random_state).generate_state(4).tolist(),
            }
        )
        try:
            stored, wanted = json.loads(storage.begin(own)), json.loads(own)
            other = _differing(stored.get("about", {}), wanted["about"])
            fixed = ("spaces",) if self.random_state is None else ("spaces", "seed")
            other += [name for name in fixed if stored[name] != wanted[name]]
            stream = np.random.SeedSequence(stored["seed"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            reason = printable(error)
            raise FileError(f"{storage}: study {self.name!r} is not sound: {reason}") from error
        if other:
            raise TabseedError(
                f"{storage}: the study {self.name!r} has another {', '.join(other)}; name a new "
                "study, or give what this one began with"
            )
        rules = (self.selector, self.proposer)
        return _Worker(spaces, defaults, rules, self.n_initial, storage, stream, trials)


def _at_once(n_jobs: int | None, trials: int | None) -> int | None:
    """Return how many trials to run at once: more than cores or trials only cost their start."""
    if n_jobs is None or n_jobs < 0:
        return n_jobs
    return min(n_jobs, max(2, os.cpu_count() or 1), n_jobs if trials is None else trials)


@dataclass(frozen=True)
class _Worker:
    """All that a process needs to work on a study."""

    spaces: dict[str, Space]
    defaults: dict[str, dict[str, Any]]
    rules: tuple[str, str]
    n_initial: int | None
    storage: Storage
    stream: np.random.SeedSequence
    budget: int | None

    def work(self, objective: Objective) -> tuple[int, str] | None:
        """Run one trial; return the number of finished trials and a message, or None at the end."""
        worker = worker_name()
        claimed = self._claim(worker)
        if claimed is None:
            return None
        number, family, settings = claimed
        began = time.monotonic()

        def keep(draws: tuple[float, ...], message: str) -> None:
            self.storage.finish(number, worker, draws, message, time.monotonic() - began)

        with self.storage.alive(number, worker):
            try:
                draws = _draws(objective(family, settings, child(self.stream, TRIAL, number)))
                message = ""
            except TabseedError as error:
                draws, message = (), printable(error)
            except Exception as error:
                keep((), printable(f"{type(error).__name__}: {error}"))
                raise
            keep(draws, message)
        result = f"{np.mean(draws):.4g}" if draws else f"failed, {message}"
        done = sum(row.state != RUNNING for row in self.storage.trials())
        return done, f"trial {number + 1}, {printable(family)}: {result}"

    def _claim(self, worker: str) -> tuple[int, str, dict[str, Any]] | None:
        """Take over an interrupted trial, or begin a new one."""
        while True:
            rows = self.storage.trials()
            for row in rows:
                if row.abandoned and self.storage.take_over(row, worker):
                    return row.number, row.family, row.settings
            number = len(rows)
            if self.budget is not None and number >= self.budget:
                return None
            with one_thread():
                chosen = self._choose([_trial(row) for row in rows])
            if chosen is None:
                return None
            if self.storage.claim(number, *chosen, worker):
                return number, *chosen

    def _choose(self, trials: list[Trial]) -> tuple[str, dict[str, Any]] | None:
        """Choose the family and settings of the next trial; None if all have been tried."""
        number, families = len(trials), list(self.spaces)
        own = [[t for t in trials if t.family == family] for family in families]
        sizes = np.array([self.spaces[family].size for family in families])
        available = sizes > [len(trials) for trials in own]
        if not available.any():
            return None
        values = [
            np.array([t.value if t.draws else -np.inf for t in trials if t.state != RUNNING])
            for trials in own
        ]
        running = np.array([sum(t.state == RUNNING for t in trials) for trials in own])
        rng = np.random.default_rng(child(self.stream, SELECT, number))
        k = select(self.rules[0], values, running, rng, available=available)
        family = families[k]
        if not own[k]:
            return family, self.defaults[family]
        space = self.spaces[family]
        n_initial = len(space) + 2 if self.n_initial is None else self.n_initial
        streams = child(self.stream, DESIGN, k), child(self.stream, PROPOSE, number)
        return family, propose(self.rules[1], space, _history(own[k]), n_initial, streams)


def _declared(
    family: str, declared: Any, default: Mapping[str, Any] | None
) -> tuple[Space, dict[str, Any]]:
    """Return the search space of a family, and the settings of its first trial."""
    if isinstance(declared, Mapping):
        space = Space(declared)
        first = space.settings(np.full(len(space), 0.5))
    elif hasattr(declared, "search_space") and not isinstance(declared, type):
        space = Space(declared.search_space)
        first = {name: getattr(declared, name) for name in space.dimensions}
    else:
        raise TabseedError(
            f"{family!r}: give dimensions by name, or an estimator that has a search_space"
        )
    first = first if default is None else dict(default)
    try:
        space.point(first)
    except TabseedError as error:
        raise TabseedError(f"defaults of {family!r}: {error}") from error
    return space, first


def _differing(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the keys whose values differ."""
    return [name for name in {**stored, **wanted} if stored.get(name) != wanted.get(name)]


def _draws(result: Any) -> tuple[float, ...]:
    """Return the result of an objective as a tuple; TabseedError unless all are finite numbers."""
    draws = np.atleast_1d(np.asarray(result, dtype=np.float64))
    if draws.ndim != 1 or len(draws) == 0 or not np.isfinite(draws).all():
        raise TabseedError("the objective returned no finite number")
    return tuple(draws.tolist())
