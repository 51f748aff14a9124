"""Several generators as one: each draws a share of the rows, and held-out rows choose the shares.

Notation: n rows, M members, K folds, w (M,) the weights of the members.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

import numpy as np
from joblib import Parallel, delayed
from scipy.special import logsumexp
from sklearn.base import clone

from tabseed._random import RandomState, child, one_thread
from tabseed.archive import (
    Arrays,
    Holds,
    estimator_from_plain,
    estimator_to_plain,
    stream_from_plain,
    stream_to_plain,
    under,
)
from tabseed.blend.ratios import log_ratios, rows_to_draw
from tabseed.blend.weights import Weighing, weigh
from tabseed.coding.encode import Layout
from tabseed.errors import NothingLearnedError, TabseedError, one_line
from tabseed.generators import GENERATORS, generator_class
from tabseed.generators.base import FIT, Aids, Generator
from tabseed.inductive_bias import BIASES
from tabseed.parameters import N_JOBS, SEED, Each, InstanceOf, OneOf, Parameters, Whole, or_none
from tabseed.table import Frame, Table

WEIGHING, RATIOS = 0, 1  # streams below that of a fit, beside those of the members
FIRST = 2  # stream of the first member: fold k at (FIRST + m, k), all rows at (FIRST + m, K)
LEAST = 0.01  # smaller weights are 0: a member that draws fewer rows is not worth its file
Criterion = Literal["ratio", "likelihood"]
QUIET = Aids(None, None)


@dataclass(frozen=True)
class Tried:
    """What a member, learned without one fold, says of it and draws; or why it failed."""

    logs: np.ndarray  # (n,) log-probabilities of the rows of the fold; nothing without likelihood
    drawn: np.ndarray  # (m, columns) cells of rows that it draws
    error: str = ""


class Blend(Generator):
    """Draw each row from one of several generators, as often as held-out rows say.

    The law is the mixture sum_m w_m Q_m. The rows are cut into K folds; each member learns without
    a fold and is asked about it, so the weights never rest on rows that trained a member. Then the
    members of a weight above 0 learn all rows. The weights are shrunk (:func:`~tabseed.blend.
    weights.weigh`) towards equal ones or towards the best member alone, whichever held-out rows
    prefer, and stay with the best alone unless another choice beats it by half a standard error.

    Parameters
    ----------
    members : list of Generator, or None
        None: sequential trees, a Gaussian copula, an adversarial forest and, where PyTorch is
        installed, a mixture of ten VAEBGM.
    criterion : "ratio" or "likelihood"
        Which densities of held-out rows the weights make likeliest. "ratio": those relative to
        each other that a forest sees in many rows drawn by the members
        (:func:`~tabseed.blend.ratios.log_ratios`); works for all members, and sees what a judge of
        likeness sees. "likelihood": the members' own probabilities of the cells, exact to the last
        digit of a number; members that have none get no weight.
    folds : int
        K, at least 2.
    n_jobs : int or None
        Processes in which members learn; the drawn rows do not depend on it.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Attributes
    ----------
    weights_ : (M,) array, in the order of the members
    members_ : list of the fitted members, None where the weight is 0
    failed_ : dict of the position of a member that could not learn, or not be asked, to the reason
    weighing_ : Weighing, how the weights were chosen

    Cost: K + 1 fits of each member, and K forests of 100 trees.

    References: stacking of densities: Smyth and Wolpert 1999 (doi:10.1023/A:1007511322260).

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> from tabseed import GaussianCopula, Resample
    >>> x = np.random.default_rng(0).normal(size=100)
    >>> model = Blend([GaussianCopula(), Resample()], criterion="likelihood", random_state=0)
    >>> model.fit(pa.table({"x": x, "up": x > 0})).weights_.tolist()
    [1.0, 0.0]
    """

    min_rows: ClassVar[int] = 2  # a fold to learn and one to be asked about
    references: ClassVar[tuple[str, ...]] = ("doi:10.1023/A:1007511322260",)
    parameters: ClassVar[Parameters] = {
        "members": or_none(Each(InstanceOf(Generator, "a generator such as SequentialTrees()"))),
        "criterion": OneOf(("ratio", "likelihood")),
        "folds": Whole(2),
        "n_jobs": N_JOBS,
        "random_state": SEED,
    }

    def __init__(
        self,
        members: Sequence[Generator] | None = None,
        criterion: Criterion = "ratio",
        folds: int = 5,
        n_jobs: int | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.members = members
        self.criterion = criterion
        self.folds = folds
        self.n_jobs = n_jobs
        self.random_state = random_state

    weights_: np.ndarray
    members_: list[Generator | None]
    failed_: dict[int, str]
    weighing_: Weighing

    @property
    def holds(self) -> Holds:  # type: ignore[override]
        """What a model file holds: what those of the members that draw rows do."""
        kinds = [member.holds for member in getattr(self, "members_", self._made()) if member]
        kept: Holds = next((kind for kind in kinds if kind.rows), kinds[0])
        return kept

    def _made(self) -> list[Generator]:
        return list(default_members() if self.members is None else self.members)

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        members = self._made()
        n_folds = min(self.folds, len(x))
        rng = np.random.default_rng(child(stream, WEIGHING))
        fold = rng.permutation(len(x)) % n_folds
        jobs = [(m, k) for m in range(len(members)) for k in range(n_folds)]
        work = (
            delayed(_try)(
                members[m],
                knower_of(self),
                x[fold != k],
                x[fold == k],
                rows_to_draw(len(members), len(layout.blocks)),
                child(stream, FIRST + m, k),
            )
            for m, k in jobs
        )
        total = len(jobs) + len(members)
        tried: dict[tuple[int, int], Tried] = {}
        results = Parallel(n_jobs=self.n_jobs, return_as="generator")(work)
        for (m, k), result in zip(jobs, results, strict=True):
            tried[m, k] = result
            if aids.progress is not None:
                aids.progress(len(tried), total, f"{_name(members[m])}, without fold {k + 1}")
        self.failed_ = {m: tried[m, k].error for m, k in reversed(jobs) if tried[m, k].error}
        able = [m for m in range(len(members)) if m not in self.failed_]
        self.weights_ = np.zeros(len(members))
        if able:
            logs, able = self._logs(x, fold, tried, able, stream)
            self.weighing_ = weigh(logs, rng)
            self._set_weights(able)
        self._learn(members, x, stream, n_folds)

    def _set_weights(self, members: Sequence[int]) -> None:
        """Give the weights that were chosen to those ``members``, without the smallest."""
        chosen = self.weighing_.weights
        self.weights_[list(members)] = np.where(chosen < LEAST, 0.0, chosen)
        self.weights_ /= self.weights_.sum()

    def _logs(
        self,
        x: np.ndarray,
        fold: np.ndarray,
        tried: dict[tuple[int, int], Tried],
        able: list[int],
        stream: np.random.SeedSequence,
    ) -> tuple[np.ndarray, list[int]]:
        """Return log-densities (n, M) under the able members, and those that have one."""
        parts = [np.flatnonzero(fold == k) for k in range(int(fold.max()) + 1)]
        if self.criterion == "likelihood":
            known = [m for m in able if len(tried[m, 0].logs)]
            self.failed_ |= {m: "no likelihood of its rows" for m in able if m not in known}
            able = known
            if not able:
                raise TabseedError(
                    "no member of the blend has a likelihood of its rows; take criterion='ratio'"
                )
            told = [np.stack([tried[m, k].logs for m in able], axis=1) for k in range(len(parts))]
        else:
            layout = self.encoder_.layout_
            work = (
                delayed(log_ratios)(
                    [tried[m, k].drawn for m in able],
                    as_cells(layout, x[part]),
                    child(stream, RATIOS, k),
                )
                for k, part in enumerate(parts)
            )
            told = Parallel(n_jobs=self.n_jobs)(work)
        return np.concatenate(told)[np.argsort(np.concatenate(parts))], able

    def _learn(
        self, members: list[Generator], x: np.ndarray, stream: np.random.SeedSequence, k: int
    ) -> None:
        """Let the members of a weight above 0 learn all rows."""
        wanted = np.flatnonzero(self.weights_).tolist()
        if not len(wanted):
            reasons = "; ".join(f"{_name(members[m])}: {why}" for m, why in self.failed_.items())
            raise NothingLearnedError(f"no member of the blend could learn these rows: {reasons}")
        work = (
            delayed(_learned)(members[m], knower_of(self), x, child(stream, FIRST + m, k))
            for m in wanted
        )
        self.members_ = [None] * len(members)
        for m, model in zip(wanted, Parallel(n_jobs=self.n_jobs)(work), strict=True):
            self.members_[m] = model

    @property
    def drawing(self) -> list[tuple[float, Generator]]:
        """The members that draw rows, with their weights."""
        pairs = zip(self.weights_.tolist(), self.members_, strict=True)
        return [(weight, member) for weight, member in pairs if member is not None]

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        upto = np.cumsum([weight for weight, _ in self.drawing])
        points = (np.arange(n) + rng.random()) / max(n, 1)
        which = rng.permutation(np.searchsorted(upto[:-1], points, side="right"))
        x = np.empty((n, self.encoder_.layout_.width))
        for m, (_, member) in enumerate(self.drawing):
            mine = np.flatnonzero(which == m)
            if len(mine):
                x[mine] = member._sample(len(mine), rng)
        return x

    @property
    def knows_likelihood(self) -> bool:
        """Whether all members that draw rows have a likelihood."""
        return all(member.knows_likelihood for _, member in self.drawing)

    def log_likelihood(self, table: Frame) -> np.ndarray:
        """Return the log-probability of each row's cells (n,), in nats: log sum_m w_m Q_m.

        TabseedError if a member has none, SchemaError for values that the encoder does not know.
        """
        if not self.knows_likelihood:
            without = [type(m).__name__ for _, m in self.drawing if not m.knows_likelihood]
            raise TabseedError(f"{', '.join(without)}: no likelihood of rows")
        return self._log_probability(self.encoder_.transform(Table.from_frame(table)))

    def _log_probability(self, x: np.ndarray) -> np.ndarray:
        logs = [np.log(w) + member._log_probability(x) for w, member in self.drawing]
        return np.asarray(logsumexp(logs, axis=0))

    # -- files

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        plain: list[Any] = []
        arrays: Arrays = {}
        for m, member in enumerate(self.members_):
            if member is None:
                plain.append(None)
                continue
            state, own = member._state()
            own_stream = stream_to_plain(member._stream)
            known = {"state": state, "rows": member.n_rows_, "stream": own_stream}
            plain.append(estimator_to_plain(member) | known)
            arrays |= {f"{m}.{name}": value for name, value in own.items()}
        weighing = self.weighing_._replace(weights=self.weighing_.weights.tolist())
        return {
            "members": plain,
            "weights": self.weights_.tolist(),
            "failed": [[m, why] for m, why in self.failed_.items()],
            "weighing": weighing._asdict(),
        }, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.weights_ = np.array(state["weights"], dtype=np.float64)
        self.failed_ = {int(m): str(why) for m, why in state["failed"]}
        weighing = Weighing(**state["weighing"])
        self.weighing_ = weighing._replace(weights=np.array(weighing.weights, dtype=np.float64))
        self.members_ = []
        for m, plain in enumerate(state["members"]):
            if plain is None:
                self.members_.append(None)
                continue
            member = estimator_from_plain(plain, homes())
            if not isinstance(member, Generator):
                raise ValueError("a member that is no generator")
            member._know(self, int(plain["rows"]))
            member._stream = stream_from_plain(plain["stream"])
            member._restore(plain["state"], under(f"{m}.", arrays))
            self.members_.append(member)
        absent = [member is None for member in self.members_]
        sound = (
            self.weights_.shape == (len(absent),)
            and bool((self.weights_ >= 0).all())
            and abs(self.weights_.sum() - 1) < 1e-6
            and (self.weights_ == 0).tolist() == absent
        )
        if not sound:
            raise ValueError("weights that do not fit the members")

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned, and from which member rows come."""
        names = [_name(member) for member in self._made()]
        order = np.argsort(-self.weights_, kind="stable")
        shares = [f"{names[m]} {self.weights_[m]:.0%}" for m in order if self.weights_[m]]
        w = self.weighing_
        lines = [
            f"rows come from {', '.join(shares)} ({w.rule})",
            f"held out: {w.gain:+.3f} ± {w.error:.3f} nats a row beside the best member alone",
        ]
        lines += [f"{names[m]} draws no rows: {why}" for m, why in self.failed_.items()]
        return [*lines, *super().summary()]


def default_members() -> list[Generator]:
    """Return the members of a blend of which nothing is said."""
    members = [generator_class(name)() for name in ("trees", "copula", "arf")]
    if find_spec("torch") is not None:
        from tabseed.inductive_bias.fine_tuned import FineTuned
        from tabseed.inductive_bias.weights import SeedMixture

        members.append(FineTuned(generator_class("vaebgm")(), SeedMixture()))
    return members


def homes() -> tuple[tuple[str, str], ...]:
    """Return the classes, (module, name), that the model file of a blend may hold."""
    wrappers = (("tabseed.inductive_bias.fine_tuned", "FineTuned"), (__name__, "Blend"))
    return (*GENERATORS.values(), *wrappers, *BIASES.values())


def as_cells(layout: Layout, x: np.ndarray) -> np.ndarray:
    """Return the cell of each value of encoded rows: (n, columns), whole numbers.

    Few rows show which cell generators fill too often, not where in a cell their numbers lie.
    """
    return np.column_stack(layout.cells(x)).astype(np.int32)


def knower_of(blend: Blend) -> Generator:
    """Return what knows the table of a blend, and nothing else, to be sent to other processes."""
    knower = Generator()
    knower._know(blend, blend.n_rows_)
    return knower


def _learned(
    member: Generator, knower: Generator, x: np.ndarray, stream: np.random.SeedSequence
) -> Generator:
    """Return a copy of a member that learned encoded rows (n, w)."""
    model: Generator = clone(member)
    with one_thread():
        return model._learn_as(knower, x, stream, QUIET)


def _try(
    member: Generator,
    knower: Generator,
    x: np.ndarray,
    held: np.ndarray,
    n_drawn: int,
    stream: np.random.SeedSequence,
) -> Tried:
    """Let a member learn rows; return what it says of held-out ones, and rows that it draws."""
    none = np.empty(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of one fold: the fit of all rows warns
            model = _learned(member, knower, x, child(stream, FIT))
            with one_thread():
                rng = np.random.default_rng(child(stream, FIT + 1))
                drawn = as_cells(model.encoder_.layout_, model._sample(n_drawn, rng))
                logs = none
                if model.knows_likelihood:
                    logs = model._log_probability(held)
    except TabseedError as error:
        return Tried(none, none, one_line(error))
    return Tried(logs, drawn)


def _name(model: Generator) -> str:
    bias = getattr(model, "bias", None)
    name = type(model).__name__
    return f"{type(model.generator).__name__} ({type(bias).__name__})" if bias is not None else name
