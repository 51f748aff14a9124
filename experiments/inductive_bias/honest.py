"""The gain from each inductive bias at N = 300: our stable network, every control, paired draws.

Each draw takes 300 random rows for all arms; 4,000 other real rows judge. Rows of Intrusion repeat,
so only its distinct rows count. All arms have the same generator, ten seeds, the seed with the
smallest validation loss, and the same random state; each generates 4,000 rows.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import tabseed as ts
from experiments.common.draws import JUDGE, JUDGED, by_judge, distinct, draw_of
from experiments.common.machine import peak_mib
from experiments.common.paper1 import generated
from experiments.common.results import Results, Row

RESULTS = Path(__file__).parent / "results"
DRAWS, FEW = 5, 200
TABLES = ("adult", "news", "king", "intrusion")
THEIRS = (
    "low_data", "pretrain", "avg", "maml", "drs", "big_data",
    "ctgan_low_data", "ctgan_pretrain", "ctgan_big_data",
)  # fmt: skip
FEW_JUDGE = ts.DiscriminatorDivergence(views=("plain",), permutations=0, n_jobs=1)
KEYS = ("coding", "data", "draw", "arm")

BIASES: dict[str, Callable[[], ts.InductiveBias]] = {
    "none": lambda: ts.StageOne(),
    "small-init": lambda: ts.SmallInit(),
    "continued": lambda: ts.Continued(),
    "average": lambda: ts.WeightAveraging(),
    "average, not tuned": lambda: ts.StageOne(ts.WeightAveraging()),
    "average of branches": lambda: ts.WeightAveraging(branches=60),
    "pretrain": lambda: ts.Pretraining(),
    "drs": lambda: ts.DomainRandomizedSearch(),
    "drs, not tuned": lambda: ts.StageOne(ts.DomainRandomizedSearch()),
    "maml": lambda: ts.MAML(),
    "mixture": lambda: ts.SeedMixture(),
    "mixture, rows set aside shared": lambda: ts.SeedMixture(rotate=False),
    "mixture of average": lambda: ts.SeedMixture(ts.WeightAveraging()),
}
# biases that apply to CTGAN; fewer seeds, because each is two networks that train longer
CTGAN_BIASES = ("none", "small-init", "continued", "pretrain", "mixture")
CTGAN, CTGAN_SEEDS = "ctgan: ", 3
# on raw tables, without tables of the authors, only the main controls
RAW_ARMS = ("none", "small-init", "continued", "average", "pretrain", "drs", "maml", "mixture")
FEW_ARMS = ("none", "average", "pretrain", "maml", "drs", "mixture")


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


def arms(coding: str, name: str, draw: int) -> list[str]:
    """Return the names of all arms of one draw."""
    if coding == "raw":
        return list(RAW_ARMS)
    names = [*BIASES, SMOOTHED]
    if name != "intrusion":
        names.append(MANY)
    names += [CTGAN + arm for arm in CTGAN_BIASES]
    if draw == 0 or name == "intrusion":  # one table per arm, no draws
        names += [f"authors' {arm}" for arm in THEIRS]
    return names


SMOOTHED, MANY = "resample, smoothed", "none, N = 10,000"


def row_of(job: tuple[str, str, int, str]) -> tuple[Row, int]:
    """Return the line of an arm on one draw, and the peak memory of this process in MiB."""
    warnings.simplefilter("ignore", ts.OrthogonalSeedsWarning)
    coding, name, draw, arm = job
    rows = draw_of(coding, name, draw)
    theirs = arm.removeprefix("authors' ")
    if theirs != arm:
        table = generated(name, theirs, rows.held)
        table = distinct(table) if name == "intrusion" else table
        index = np.random.default_rng(draw).permutation(len(table))[:JUDGED]
        numbers = {**judged(rows.held, table.take(np.sort(index)), draw), **EMPTY}
    elif arm == MANY:
        numbers = fit_and_judge(ts.VAEBGM(random_state=draw), rows.many, rows.held, arm, draw)
    elif arm == SMOOTHED:
        model = ts.Resample(smoothing=1.0, random_state=draw)
        numbers = fit_and_judge(model, rows.few, rows.held, arm, draw)
    elif arm.startswith(CTGAN):
        bias = BIASES[arm.removeprefix(CTGAN)]()
        bias.set_params(n_seeds=CTGAN_SEEDS)
        tuned = ts.FineTuned(ts.CTGAN(), bias, random_state=draw)
        numbers = fit_and_judge(tuned, rows.few, rows.held, arm, draw)
    else:
        tuned = ts.FineTuned(ts.VAEBGM(), BIASES[arm](), random_state=draw)
        numbers = fit_and_judge(tuned, rows.few, rows.held, arm, draw)
    return {"coding": coding, "data": name, "draw": draw, "arm": arm, **numbers}, peak_mib()


EMPTY: Row = {"likelihood": "", "few plain": "", "few low": "", "few high": "", "seconds": ""}


def fit_and_judge(model: Any, train: ts.Table, held_out: ts.Table, arm: str, draw: int) -> Row:
    """Learn, generate and judge: with 4,000 rows, with few rows, by likelihood."""
    began = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - began
    row = {**judged(held_out, model.sample(JUDGED), draw), **EMPTY, "seconds": round(seconds, 2)}
    if isinstance(model, ts.FineTuned) and not isinstance(model.generator, ts.CTGAN):
        row["likelihood"] = float(
            model.log_likelihood(within_support(held_out, train), random_state=0).mean()
        )
    if arm in FEW_ARMS:
        few = held_out.take(np.arange(min(FEW, len(held_out))))
        js = FEW_JUDGE.evaluate(few, model.sample(FEW), random_state=draw).js
        row |= {"few plain": js.value, "few low": js.low, "few high": js.high}
    return row


def run(coding: str, name: str) -> None:
    """Run the study of one table in two processes; write the results to ``honest.csv``."""
    results = Results(RESULTS / "honest.csv", KEYS)
    cost = Results(RESULTS / "honest_cost.csv", ("coding", "data"))
    began, peak = time.perf_counter(), peak_mib()
    all_jobs = [(coding, name, d, arm) for d in range(DRAWS) for arm in arms(coding, name, d)]
    slow = ("maml", MANY, *(CTGAN + arm for arm in CTGAN_BIASES))
    all_jobs.sort(key=lambda job: job[-1] in slow)  # the slowest jobs come last
    jobs = [job for job in all_jobs if not results.has(**dict(zip(KEYS, job, strict=True)))]
    with get_context("spawn").Pool(2) as pool:
        for row, memory in pool.imap_unordered(row_of, jobs):
            results.add(row)
            peak = max(peak, memory)
    if jobs == all_jobs:  # only a complete run has a cost
        seconds = round(time.perf_counter() - began)
        line = {"coding": coding, "data": name, "seconds": seconds, "processes": 2}
        cost.add({**line, "peak MiB of a process": peak, "cores": os.cpu_count()})
