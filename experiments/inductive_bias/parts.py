"""Smaller studies of inductive bias, each about one question; results in ``results/NAME.csv``.

* ``sizes``: 57, 100 and 1,000 rows in place of 300.
* ``quality``: how good the rows of stage one are, and how good the network is that learned them:
  the ablation that arXiv 2407.03080 calls for.
* ``maml``: the order of its gradient, and 10, 20 or 40 tasks, on quality: too few tasks are the
  paper's own explanation of why it failed.
* ``models``: biases of TVAE and of CTGAN.
* ``auto``: the bias that ``AutoBias`` chooses by each of its criteria, and the JS of its rows.

As in ``honest``, all arms of a draw learn the same rows, and 4,000 other rows judge.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

import tabseed as ts
from experiments.common.draws import JUDGED, Draw
from experiments.common.jobs import Job, run_jobs
from experiments.common.results import Results, Row
from experiments.inductive_bias.arms import BESIDE, BIASES, NONE, TEACHER, taught
from experiments.inductive_bias.honest import (
    EMPTY,
    RESULTS,
    TABLES,
    judged,
    learned,
    start,
    within_support,
)
from tabseed.coding.encode import Layout
from tabseed.generators.base import Aids
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.inductive_bias.base import learn
from tabseed.inductive_bias.pretraining import PRETRAIN

DRAWS = 3
SIZES = (57, 100, 1_000)
SIZED = (
    NONE, "small-init", "continued", "average", "pretrain", "drs", "mixture", "taught by trees",
    "mixture taught by trees", TEACHER,
)  # fmt: skip
SEEDS = {"tvae": 10, "ctgan": 3}  # each CTGAN is two networks, which train longer
MODELS: dict[str, Callable[[], NeuralGenerator]] = {
    "tvae": lambda: ts.TVAE(n_seeds=SEEDS["tvae"]),
    "ctgan": lambda: ts.CTGAN(n_seeds=SEEDS["ctgan"]),
}
MODELLED = (NONE, "small-init", "continued", "pretrain", "drs", "mixture", "taught by trees")
CRITERIA = ("divergence", "likelihood")
METHODS = tuple(
    (order, tasks) for order in ("first", "second", "reptile") for tasks in (10, 20, 40)
)


def _judged(model: Any, rows: Draw, draw: int, found: Row) -> Row:
    return {**judged(rows.held, model.draw(JUDGED, random_state=draw), draw), **found}


# --- sizes, models ------------------------------------------------------------------------------


def sizes(coding: str, name: str, n: int, draw: int, arm: str) -> Row:
    """Return the figures of an arm that learned n rows."""
    warnings.simplefilter("ignore", ts.OrthogonalSeedsWarning)
    rows, bench = start(coding, name, draw, n)
    if arm in BIASES:
        model, found = learned(BIASES[arm](), bench, arm)
        return _judged(model, rows, draw, found)
    began = time.perf_counter()
    beside = BESIDE[arm]().set_params(random_state=draw).fit(rows.few)
    seconds = round(time.perf_counter() - began, 2)
    return _judged(beside, rows, draw, {**EMPTY, "seconds": seconds})


def models(model: str, name: str, draw: int, arm: str) -> Row:
    """Return the figures of an arm of another network, in the authors' coding."""
    rows, bench = start("authors", name, draw, make=MODELS[model])
    bias = BIASES[arm]().set_params(n_seeds=SEEDS[model])
    made, found = learned(bias, bench, arm)
    return _judged(made, rows, draw, found)


# --- the quality of the rows of stage one -------------------------------------------------------


class Pool(ts.Generator):
    """Other real rows, those whose values the few real rows allow: as good as rows can be."""

    def __init__(self, rows: ts.Table) -> None:
        self.rows = rows

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        rows = within_support(self.rows, self.encoder_.inverse_transform(x), most=len(self.rows))
        keep = np.ones(len(rows), dtype=bool)
        for block in layout.blocks:
            if block.numeric:
                keep &= block.cell_of(rows.numbers(block.name)) >= 0  # not in a gap
        self.x = self.encoder_.transform(rows.take(np.flatnonzero(keep)))

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self.x[rng.permutation(len(self.x))[:n]]


TEACHERS: dict[str, Callable[[Draw], ts.Generator]] = {
    "independent columns": lambda _: ts.SequentialTrees(min_leaf=10**6),  # no tree can split
    "smoothed bootstrap": lambda _: ts.Resample(smoothing=1.0),
    "bootstrap": lambda _: ts.Resample(),
    "copula": lambda _: ts.GaussianCopula(),
    "best seed, as in the paper": lambda _: ts.VAEBGM(),
    "forest": lambda _: ts.AdversarialForest(),
    "trees": lambda _: ts.SequentialTrees(),
    "other real rows": lambda rows: Pool(rows.many),
}


def quality(coding: str, name: str, teacher: str, draw: int) -> Row:
    """Return the figures of a network after each stage, and the JS of the rows that taught it."""
    rows, bench = start(coding, name, draw)
    made = TEACHERS[teacher](rows)
    bias = taught(made)
    x = bench.taught(made, JUDGED, PRETRAIN)
    rows_taught = judged(rows.held, bench.model.encoder_.inverse_transform(x), draw)
    one, _ = learned(ts.StageOne(bias), bench, teacher)
    first = judged(rows.held, one.draw(JUDGED, random_state=draw), draw)
    two, found = learned(bias, bench, teacher)
    line: Row = {}
    for stage, figures in (("teacher", rows_taught), ("stage one", first)):
        line |= {f"{stage} {view}": figures[view] for view in ("plain", "coarse", "kl")}
    return line | _judged(two, rows, draw, found)


# --- MAML ---------------------------------------------------------------------------------------


def maml(coding: str, name: str, order: str, tasks: int, draw: int) -> Row:
    """Return the figures of MAML with an order of its gradient and a number of tasks."""
    rows, bench = start(coding, name, draw)
    bias = ts.MAML(n_seeds=tasks, order=order, must_improve=False)
    model, found = learned(bias, bench, f"{order} {tasks}")
    losses = bias.losses_
    meta = {"start loss": losses[0, 1], "best loss": losses[:, 1].min()}
    return _judged(model, rows, draw, found) | meta | {"meta steps": int(losses[-1, 0])}


# --- the choice ---------------------------------------------------------------------------------


def auto(coding: str, name: str, criterion: Literal["likelihood", "divergence"], draw: int) -> Row:
    """Return what AutoBias chooses, the gains that it saw, and the figures of its rows."""
    warnings.simplefilter("ignore", ts.OrthogonalSeedsWarning)
    rows, bench = start(coding, name, draw)
    bias = ts.AutoBias(criterion=criterion)
    began = time.perf_counter()
    model, used = learn(bias, bench)
    seconds = round(time.perf_counter() - began, 2)
    gains = " ".join(f"{gain:.3f}" for gain in bias.gains_.mean(axis=0))
    chosen = type(used).__name__
    return _judged(model, rows, draw, {"chosen": chosen, "gains": gains, "seconds": seconds})


# --- running ------------------------------------------------------------------------------------

PARTS: dict[str, tuple[Callable[..., Row], tuple[str, ...], list[Job]]] = {
    "quality": (
        quality,
        ("coding", "data", "teacher", "draw"),
        [("raw", t, k, d) for t in ("adult", "king") for d in range(DRAWS) for k in TEACHERS],
    ),
    "sizes": (
        sizes,
        ("coding", "data", "n", "draw", "arm"),
        [
            ("raw", t, n, d, a)
            for t in ("adult", "king")
            for n in SIZES
            for d in range(DRAWS)
            for a in SIZED
        ],
    ),
    "maml": (
        maml,
        ("coding", "data", "order", "tasks", "draw"),
        [("raw", "adult", *m, d) for d in range(DRAWS) for m in METHODS],
    ),
    "auto": (
        auto,
        ("coding", "data", "criterion", "draw"),
        [("raw", t, c, d) for t in TABLES for d in range(DRAWS) for c in CRITERIA],
    ),
    "models": (
        models,
        ("model", "data", "draw", "arm"),
        [(m, t, d, a) for m in MODELS for t in TABLES for d in range(DRAWS) for a in MODELLED],
    ),
}


def run(name: str, processes: int = 2) -> None:
    """Run what is missing of a part, one draw after the other."""
    figures, keys, jobs = PARTS[name]
    results, at = Results(RESULTS / f"{name}.csv", keys), keys.index("draw")
    for draw in range(DRAWS):
        run_jobs(results, [job for job in jobs if job[at] == draw], figures, processes=processes)
