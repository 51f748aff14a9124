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
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import tabseed as ts
from experiments.common.benches import bench_of
from experiments.common.draws import JUDGE, JUDGED, Draw, by_judge, distinct, draw_of
from experiments.common.machine import peak_mib
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


def within_support(held_out: ts.Table, train: ts.Table) -> ts.Table:
    """Return held-out rows within the training support; other rows have no likelihood."""
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
    return held_out.take(np.flatnonzero(keep)[:1_000])


def judged(held_out: ts.Table, synthetic: Any, draw: int) -> Row:
    """Return JS in bits by view (the larger of two judges, then each), and KL in nats."""
    result = JUDGE.evaluate(held_out, synthetic, random_state=draw)
    row = {"plain": result.js.value, "coarse": result.js_coarse.value, "kl": result.kl.value}
    return row | by_judge(result)


def learned(bias: InductiveBias, bench: Bench) -> tuple[NeuralGenerator, Row]:
    """Return a generator that learned with a bias; the steps of its last training, the seconds."""
    began = time.perf_counter()
    model, used = learn(bias, bench)
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
def start(coding: str, name: str, draw: int) -> tuple[Draw, Bench]:
    """Return the rows of a draw, and the bench that its arms share in this process."""
    rows = draw_of(coding, name, draw)
    return rows, bench_of(ts.VAEBGM(), rows.few, np.random.SeedSequence([2407, draw]))


def line_of(job: tuple[str, str, int, str]) -> tuple[Row, int]:
    """Return the line of an arm on one draw, and the peak memory of this process in MiB."""
    warnings.simplefilter("ignore", ts.OrthogonalSeedsWarning)
    coding, name, draw, arm = job
    row = dict(zip(KEYS, job, strict=True))
    return row | figures(arm, *start(coding, name, draw), name, draw), peak_mib()


def figures(arm: str, rows: Draw, bench: Bench, name: str, draw: int) -> Row:
    """Learn, generate and judge; return the figures of one arm."""
    theirs = arm.removeprefix("authors' ")
    if theirs != arm:
        table = generated(name, theirs, rows.held)
        table = distinct(table) if name == "intrusion" else table
        index = np.random.default_rng(draw).permutation(len(table))[:JUDGED]
        return {**judged(rows.held, table.take(np.sort(index)), draw), **EMPTY}
    if arm in BIASES:
        model, found = learned(BIASES[arm](), bench)
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
    """Run what is missing of one table in processes; write the results to ``honest.csv``.

    Each process has a contiguous part of the arms of all draws, so most share their first seeds.
    """
    results = Results(RESULTS / "honest.csv", KEYS)
    cost = Results(RESULTS / "honest_cost.csv", ("coding", "data"))
    began, peak = time.perf_counter(), peak_mib()
    jobs = [(coding, name, draw, arm) for draw in range(DRAWS) for arm in arms(coding, name, draw)]
    missing = [job for job in jobs if not results.has(**dict(zip(KEYS, job, strict=True)))]
    pools = [ProcessPoolExecutor(1, get_context("spawn")) for _ in range(processes)]
    shares = np.array_split(np.arange(len(missing)), processes)
    pairs = zip(pools, shares, strict=True)
    futures = [pool.submit(line_of, missing[i]) for pool, share in pairs for i in share]
    try:
        for future in as_completed(futures):
            row, memory = future.result()
            results.add(row)
            peak = max(peak, memory)
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)
    if missing == jobs:  # only a complete run has a cost
        seconds = round(time.perf_counter() - began)
        line = {"coding": coding, "data": name, "seconds": seconds, "processes": processes}
        cost.add({**line, "peak MiB of a process": peak, "cores": os.cpu_count()})
