"""Model-agnostic meta-learning: weights from which a few steps on few rows achieve much.

Notation: T tasks (one for each seed: the rows it generates), theta the weights sought, phi_t theta
after K plain gradient steps of rate alpha on a task's b support rows. All tasks are one batch:
their adapted weights are stacked (T, ...), as seeds are in an ensemble.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from tabseed._random import child, one_thread
from tabseed.archive import Arrays, under
from tabseed.errors import NothingLearnedError, TabseedError
from tabseed.generators.base import Aids, Generator
from tabseed.generators.neural.learner import (
    Network,
    Tensor,
    Weights,
    adam_step,
    slopes_of,
    to_tensor,
    torch,
)
from tabseed.inductive_bias.base import BIAS, TEACHER, Bench, InductiveBias, Plan, Stacked
from tabseed.inductive_bias.weights import average
from tabseed.parameters import (
    FLAG,
    Each,
    InstanceOf,
    OneOf,
    Parameters,
    Real,
    Whole,
    check_parameters,
    or_none,
)
from tabseed.table.display import counted

TASK_ROWS, META = 30, 31  # streams of a bias
Order = Literal["first", "second", "reptile"]
Start = Literal["best", "average", "fresh"]


@dataclass(frozen=True)
class Batch:
    """Rows (T, b, p) and noise (T, b, k): one batch of each task."""

    rows: Tensor
    noise: Tensor


def adapt(
    network: Network,
    start: Weights,
    support: Batch,
    rate: float,
    steps: int,
    *,
    graph: bool,
    sums: bool = False,
) -> tuple[Weights, Weights]:
    """Take K plain gradient steps on each task: phi <- phi - alpha grad L_t(phi).

    ``start`` is (T, ...). Returns phi (T, ...) and, with ``sums``, the sum of the K gradients (T,
    ...), otherwise nothing in its place. With ``graph`` phi can be differentiated with respect to
    ``start``. Every step sees all support rows.
    """
    phi = start
    total = {name: torch.zeros_like(value) for name, value in start.items()} if sums else {}
    for _ in range(steps):
        if graph:
            losses = network.loss(phi, support.rows, support.noise, train=True)
            gradient = torch.autograd.grad(losses.sum(), list(phi.values()), create_graph=True)
            slopes = dict(zip(phi, gradient, strict=True))
        else:
            slopes = network.slopes(phi, support.rows, support.noise)[1]
        total = {name: value + slopes[name].detach() for name, value in total.items()}
        if graph or phi is start:
            phi = {name: torch.sub(phi[name], slopes[name], alpha=rate) for name in phi}
        else:  # nothing else needs these weights: no copy
            for name, value in phi.items():
                value.sub_(slopes[name], alpha=rate)
    return phi, total


def meta_gradient(
    network: Network,
    theta: Weights,
    support: Batch,
    query: Batch,
    *,
    rate: float,
    steps: int,
    order: Order,
) -> tuple[Weights, Tensor]:
    """Return the gradient that MAML follows, summed over tasks, (1, ...), and query losses (T,).

    "second": d/dtheta sum_t L_t(phi_t(theta)), through all K steps (arXiv:1703.03400,
    Algorithm 1). "first": the same with dphi_t/dtheta replaced by the identity (section 5.2
    there). "reptile": the mean over steps of the inner gradients, sum_t (theta - phi_t)/(K alpha)
    (arXiv:1803.02999), which needs no query rows; their losses are returned all the same.
    Memory: "second" keeps the activations of all K steps.
    """
    second = order == "second"
    base = {name: value.detach().requires_grad_() for name, value in theta.items()}
    tasks = len(support.rows)
    start = {name: value.expand(tasks, *value.shape[1:]) for name, value in base.items()}
    if second:
        phi, _ = adapt(network, start, support, rate, steps, graph=True)
        losses = network.loss(phi, query.rows, query.noise, train=True)
        return slopes_of(losses, base), losses.detach()
    start = {name: value.detach() for name, value in start.items()}
    phi, total = adapt(network, start, support, rate, steps, graph=False, sums=order == "reptile")
    if order == "reptile":
        slopes = {name: value / max(steps, 1) for name, value in total.items()}
        with torch.no_grad():
            losses = network.loss(phi, query.rows, query.noise, train=True)
    else:
        losses, slopes = network.slopes(phi, query.rows, query.noise)
    return {name: value.sum(0, keepdim=True) for name, value in slopes.items()}, losses


@dataclass(frozen=True)
class MetaTraining:
    """Settings of the search for theta.

    Parameters
    ----------
    batch_rows, query_rows : int
        Support rows and query rows of each task in each meta-step.
    resample : bool
        Draw new ones for each meta-step; the authors always use the same ones.
    inner_steps, inner_rate : int, float
        K and alpha.
    steps, rate : int, float
        Largest number of steps of Adam on theta, and its learning rate.
    check_every, patience : int
        Meta-steps between validations; number of validations without a new best after which the
        search stops.
    """

    batch_rows: int = 240
    query_rows: int = 240
    resample: bool = True
    inner_steps: int = 10
    inner_rate: float = 1e-3
    steps: int = 150
    rate: float = 1e-3
    check_every: int = 5
    patience: int = 6

    parameters: ClassVar[Parameters] = {
        "batch_rows": Whole(1),
        "query_rows": Whole(1),
        "resample": FLAG,
        "inner_steps": Whole(0),
        "inner_rate": Real(0),
        "steps": Whole(1),
        "rate": Real(above=0),
        "check_every": Whole(1),
        "patience": Whole(1),
    }

    def __post_init__(self) -> None:
        check_parameters(self)


class MAML(InductiveBias):
    """Start from weights that adapt well to each seed's rows (arXiv:2407.03080, 3.2.3).

    Parameters
    ----------
    n_seeds : int
        Seeds of the first training, each a task unless there are teachers.
    order : "first", "second" or "reptile"
        See :func:`meta_gradient`. The authors follow the second order, which costs about three
        times as much.
    start : "best", "average" or "fresh"
        Weights to begin with: the best seed's, the average of all seeds, or fresh ones (the
        authors' choice; with their network meta-learning then ends where it began).
    n_rows : int
        Rows drawn from each seed; a fifth of them decides when to stop.
    meta : MetaTraining
    teachers : sequence of Generator, or None
        None: each seed of the first training makes a task, as in the paper. Otherwise each teacher
        makes one; see :class:`~tabseed.inductive_bias.pretraining.Pretraining`. The first training
        then only provides the ``start``; there is none for "fresh".
    must_improve : bool
        The loss after adaptation to rows set aside decides which theta is kept. If none is better
        than the start: True raises NothingLearnedError, False returns the start, as the authors'
        code does.

    Cost of a meta-step: about (K + 1) steps of an ensemble of T.
    """

    references = ("arXiv:2407.03080", "arXiv:1703.03400", "arXiv:1803.02999")
    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "order": OneOf(get_args(Order)),
        "start": OneOf(get_args(Start)),
        "n_rows": Whole(10),
        "meta": or_none(InstanceOf(MetaTraining)),
        "must_improve": FLAG,
        "teachers": or_none(Each(TEACHER)),
    }
    losses_: np.ndarray  # (validations, 2): meta-step, mean loss after adaptation, nats a row

    def __init__(
        self,
        n_seeds: int = 10,
        order: Order = "first",
        start: Start = "best",
        n_rows: int = 2_000,
        meta: MetaTraining | None = None,
        must_improve: bool = True,
        teachers: Sequence[Generator] | None = None,
    ) -> None:
        self.n_seeds = n_seeds
        self.order = order
        self.start = start
        self.n_rows = n_rows
        self.meta = meta
        self.must_improve = must_improve
        self.teachers = teachers

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        meta = plain.get("meta")
        return {**plain, "meta": None if meta is None else MetaTraining(**meta)}

    def plan(self) -> Plan:
        """Return the plan: meta-learning is a stage between the two trainings."""
        if self.teachers is not None and self.start == "fresh":
            return Plan(self.n_seeds, first="none")
        return Plan(self.n_seeds, stages=3)

    def resolve(self, bench: Bench) -> MAML:
        """Return the bias itself; raise TabseedError for a network with several losses."""
        self._network(bench)
        return self

    @staticmethod
    def _network(bench: Bench) -> Network:
        network = bench.model.network_
        if not isinstance(network, Network):
            raise TabseedError(
                f"MAML follows the gradient of one loss; {type(bench.model).__name__} has several"
            )
        return network

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        network = self._network(bench)
        theta = self._start(ensemble, bench)

        def compute(aids: Aids) -> Arrays:
            tasks = self._tasks(ensemble, bench)
            coding = bench.model._network(bench.layout)  # not ``network``: rows() changes its state
            rows = np.stack([coding.rows(x) for x in tasks])
            with one_thread():
                return _Search(self, network, rows, bench, aids).run(theta)

        result = bench.journal.once(f"{bench.prefix}MAML{bench.label}", compute)
        self.losses_ = result["losses"]
        improved = self.losses_[1:, 1].min(initial=math.inf) < self.losses_[0, 1]
        if self.must_improve and not improved:
            raise NothingLearnedError(
                f"MAML found no weights better than its start in {self.losses_[-1, 0]:.0f} "
                "meta-steps; choose another bias, or in Python lower the rates in meta"
            )
        return under("theta.", result)

    def _tasks(self, ensemble: Any, bench: Bench) -> list[np.ndarray]:
        """Return the encoded rows (n_rows, w) of each task."""
        if self.teachers is not None:
            sizes = [self.n_rows] * len(self.teachers)
            return bench.taught_by_all(self.teachers, sizes, TASK_ROWS)
        sizes = [self.n_rows * bool(np.isfinite(loss)) for loss in ensemble.best_loss]
        return [x for x in bench.draw(ensemble, sizes, TASK_ROWS) if len(x)]

    def _start(self, ensemble: Any, bench: Bench) -> Stacked:
        if self.start == "average":
            return average(ensemble.of_seeds(ensemble.sound()))
        if self.start == "best":
            best: Stacked = ensemble.of_seeds([0])
            return best
        rng = np.random.default_rng(child(bench.stream, BIAS, META))
        fresh = bench.model.network_.initial_weights(rng)
        return {name: value[None] for name, value in fresh.items()}

    def summary(self) -> list[str]:
        """Return a line of text that says what meta-learning gained."""
        best = int(self.losses_[:, 1].argmin())
        n_tasks = self.n_seeds if self.teachers is None else len(self.teachers)
        return [
            f"MAML ({self.order}): loss after adaptation to {counted(n_tasks, 'task')} from "
            f"{self.losses_[0, 1]:.3f} to {self.losses_[best, 1]:.3f} nats a row in "
            f"{self.losses_[best, 0]:.0f} meta-steps"
        ]


class _Search:
    """The meta-steps: Adam on theta, a validation every few steps, the best theta kept."""

    def __init__(
        self, bias: MAML, network: Network, rows: np.ndarray, bench: Bench, aids: Aids
    ) -> None:
        self.bias, self.network, self.aids = bias, network, aids
        self.settings = bias.meta or MetaTraining()
        self.stream = child(bench.stream, BIAS, META)
        device = bench.device
        n_held = max(2, rows.shape[1] // 5)  # any of them: rows are independent draws
        self.rows = to_tensor(rows[:, n_held:], device)
        self.held_out = to_tensor(rows[:, :n_held], device)

    def run(self, theta: Stacked) -> Arrays:
        self.theta = {k: to_tensor(v, self.rows.device) for k, v in theta.items()}
        zeros = {k: torch.zeros_like(v) for k, v in self.theta.items()}
        self.moments = [{k: v.clone() for k, v in zeros.items()} for _ in range(2)]
        self.step, self.since = 0, 0
        self.losses: list[tuple[float, float]] = []
        self._resume()
        if not self.losses:
            self._validate()
        settings = self.settings
        while self.step < settings.steps and self.since < settings.patience:
            slopes, _ = meta_gradient(
                self.network,
                self.theta,
                *self._batches(self.rows, self.step if settings.resample else 0),
                rate=settings.inner_rate,
                steps=settings.inner_steps,
                order=self.bias.order,
            )
            self.step += 1
            adam_step(self.theta, slopes, self.moments, self.step, settings.rate)
            if self.step % settings.check_every == 0 or self.step == settings.steps:
                self._validate()
                if self.aids.checkpoint is not None and self.aids.checkpoint.due():
                    self.aids.checkpoint.write(
                        {"step": self.step, "since": self.since}, self._arrays()
                    )
        return {f"theta.{k}": v for k, v in self.best.items()} | {"losses": np.array(self.losses)}

    def _batches(self, rows: Tensor, step: int) -> tuple[Batch, Batch]:
        """Return support and query rows of all tasks, no row in both, by the stream of a step."""
        rng = np.random.default_rng(child(self.stream, step))
        tasks, most = rows.shape[:2]
        b, q = self.settings.batch_rows, self.settings.query_rows
        if b + q > most:  # too few rows for both: divide them in proportion
            b = int(np.clip(round(most * b / (b + q)), 1, most - 1))
            q = most - b
        indices = np.argsort(rng.random((tasks, most)), axis=1)[:, : b + q]
        sample = rows[torch.arange(tasks)[:, None], to_tensor(indices, rows.device)]
        deviates = self.network.noise(rng, tasks * (b + q)).reshape(tasks, b + q, -1)
        noise = to_tensor(deviates, rows.device)
        return Batch(sample[:, :b], noise[:, :b]), Batch(sample[:, b:], noise[:, b:])

    def _validate(self) -> None:
        """Record the mean loss after adaptation on rows set aside, always with the same noise."""
        support, query = self._batches(self.held_out, 10**9)
        tasks = len(self.held_out)
        start = {k: v.detach().expand(tasks, *v.shape[1:]) for k, v in self.theta.items()}
        rate, steps = self.settings.inner_rate, self.settings.inner_steps
        phi, _ = adapt(self.network, start, support, rate, steps, graph=False)
        with torch.no_grad():
            loss = float(self.network.loss(phi, query.rows, query.noise, train=False).mean())
        loss = loss if math.isfinite(loss) else math.inf
        if not self.losses or loss < min(earlier for _, earlier in self.losses):
            self.best = {k: v.detach().cpu().numpy().copy() for k, v in self.theta.items()}
            self.since = 0
        else:
            self.since += 1
        self.losses.append((float(self.step), loss))
        if self.aids.progress is not None:
            message = f"loss after adaptation {loss:.3f}"
            self.aids.progress(self.step, self.settings.steps, message)

    def _arrays(self) -> Arrays:
        parts = {"theta": self.theta, "first": self.moments[0], "second": self.moments[1]}
        arrays = {
            f"{part}.{k}": v.cpu().numpy()
            for part, tensors in parts.items()
            for k, v in tensors.items()
        }
        arrays |= {f"best.{k}": v for k, v in self.best.items()}
        return arrays | {"losses": np.array(self.losses)}

    def _resume(self) -> None:
        content = self.aids.checkpoint.read() if self.aids.checkpoint is not None else None
        if content is None:
            return
        state, arrays = content
        self.step, self.since = int(state["step"]), int(state["since"])
        self.losses = [(a, b) for a, b in arrays["losses"].tolist()]
        self.best = under("best.", arrays)
        device = self.rows.device
        self.theta, *self.moments = (
            {k: to_tensor(v, device) for k, v in under(f"{part}.", arrays).items()}
            for part in ("theta", "first", "second")
        )
