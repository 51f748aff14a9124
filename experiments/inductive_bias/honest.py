"""The gain from each inductive bias at N = 300: our stable network, every control, paired draws.

Each draw takes 300 random rows for all arms; 4,000 other real rows judge. Rows of Intrusion repeat,
so only its distinct rows count. All arms have the same generator, ten seeds (the same ones, if no
bias trained others), the seed with the smallest validation loss, and the same random state; each
generates 4,000 rows.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import tabseed as ts
from experiments.common.benches import bench_of
from experiments.common.draws import JUDGE, JUDGED, Draw, N, by_judge, distinct, n_rows_of
from experiments.common.jobs import missing_of, run_jobs
from experiments.common.paper1 import generated
from experiments.common.results import Results, Row
from experiments.inductive_bias.arms import BESIDE, BIASES, MANY
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.inductive_bias.base import Bench, InductiveBias, learn

RESULTS = Path(__file__).parent / "results"
DRAWS = 5
TABLES = ("adult", "king", "news", "intrusion")
THEIRS = (
    "low_data", "pretrain", "avg", "maml", "drs", "big_data",
    "ctgan_low_data", "ctgan_pretrain", "ctgan_big_data",
)  # fmt: skip
KEYS = ("coding", "data", "draw", "arm")
EMPTY: Row = {"likelihood": "", "first steps": "", "second steps": "", "seconds": ""}


def within_support(held_out: ts.Table, train: ts.Table, most: int = 500) -> ts.Table:
    """Return the first held-out rows within the training support; others have no likelihood."""
    keep = np.ones(len(held_out), dtype=bool)
    for column in train.schema.modelled:
        if column.kind in ("categorical", "ordinal", "boolean"):
            keep &= np.isin(held_out.codes(column.name), train.codes(column.name))
            continue
        training_values, value = train.numbers(column.name), held_out.numbers(column.name)
        missing = np.isnan(value)
        with np.errstate(invalid="ignore"):
            within = (value >= np.nanmin(training_values)) & (value <= np.nanmax(training_values))
        keep &= np.where(missing, np.isnan(training_values).any(), within)
    return held_out.take(np.flatnonzero(keep)[:most])


def judged(held_out: ts.Table, synthetic: Any, draw: int) -> Row:
    """Return JS in bits by view (the larger of two judges, then each), and KL in nats."""
    result = JUDGE.evaluate(held_out, synthetic, random_state=draw)
    row = {"plain": result.js.value, "coarse": result.js_coarse.value, "kl": result.kl.value}
    return row | by_judge(result)


def learned(bias: InductiveBias, bench: Bench, arm: str) -> tuple[NeuralGenerator, Row]:
    """Return a generator that learned with a bias; the steps of its last training, the seconds."""
    began = time.perf_counter()
    model, used = learn(bias, replace(bench, label=f" ({arm})"))  # a training of its own
    seconds = round(time.perf_counter() - began, 2)
    steps = model.ensemble_.best_step[list(model.drawn_)]
    count = " to ".join(dict.fromkeys(map(str, (steps.min(), steps.max()))))
    column = "first steps" if used.plan().last == "none" else "second steps"
    return model, {**EMPTY, column: count, "seconds": seconds}


def arms(coding: str, name: str, draw: int) -> list[str]:
    """Return the names of all arms of one draw."""
    names = [*BIASES, *BESIDE]
    if name != "intrusion":
        names.append(MANY)
    if coding == "authors" and (draw == 0 or name == "intrusion"):  # one table per arm, no draws
        names += [f"authors' {arm}" for arm in THEIRS]
    return names


@lru_cache(maxsize=1)
def start(
    coding: str, name: str, draw: int, n: int = N, make: Callable[[], NeuralGenerator] = ts.VAEBGM
) -> tuple[Draw, Bench]:
    """Return the rows of a draw, n to learn from, and the bench that its arms share."""
    rows = n_rows_of(coding, name, draw, n)
    return rows, bench_of(make(), rows.few, np.random.SeedSequence([2407, draw]))


def figures(coding: str, name: str, draw: int, arm: str) -> Row:
    """Learn, generate and judge; return the figures of an arm on one draw."""
    warnings.simplefilter("ignore", ts.OrthogonalSeedsWarning)
    rows, bench = start(coding, name, draw)
    theirs = arm.removeprefix("authors' ")
    if theirs != arm:
        table = generated(name, theirs, rows.held)
        table = distinct(table) if name == "intrusion" else table
        index = np.random.default_rng(draw).permutation(len(table))[:JUDGED]
        return {**judged(rows.held, table.take(np.sort(index)), draw), **EMPTY}
    if arm in BIASES:
        model, found = learned(BIASES[arm](), bench, arm)
        held = within_support(rows.held, rows.few)
        found["likelihood"] = float(model.log_likelihood(held, random_state=0).mean())
        return {**judged(rows.held, model.draw(JUDGED, random_state=draw), draw), **found}
    model = ts.VAEBGM() if arm == MANY else BESIDE[arm]()
    began = time.perf_counter()
    model.set_params(random_state=draw).fit(rows.many if arm == MANY else rows.few)
    seconds = round(time.perf_counter() - began, 2)
    steps = str(model.ensemble_.best_step[model.drawn_[0]]) if arm == MANY else ""
    found = {**EMPTY, "first steps": steps, "seconds": seconds}
    return {**judged(rows.held, model.draw(JUDGED), draw), **found}


def run(coding: str, name: str, processes: int = 2) -> None:
    """Run what is missing of one table; write the results to ``honest.csv``."""
    results = Results(RESULTS / "honest.csv", KEYS)
    jobs = [(coding, name, draw, arm) for draw in range(DRAWS) for arm in arms(coding, name, draw)]
    complete = missing_of(results, jobs) == jobs
    began = time.perf_counter()
    peak = run_jobs(results, jobs, figures, processes=processes)
    if complete:  # only a complete run has a cost
        cost = Results(RESULTS / "honest_cost.csv", ("coding", "data"))
        seconds = round(time.perf_counter() - began)
        line = {"coding": coding, "data": name, "seconds": seconds, "processes": processes}
        cost.add({**line, "peak MiB of a process": peak, "cores": os.cpu_count()})
