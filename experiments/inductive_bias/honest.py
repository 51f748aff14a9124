"""What each inductive bias adds at N = 300: our stable network, every control, paired draws.

Each draw: 300 rows at random for all arms; 4,000 other real rows judge (for Intrusion, whose rows
repeat, the table is made of its distinct rows first). All arms: the same generator, ten seeds,
the smallest validation loss, the same random state; each generates 4,000 rows.
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
# CTGAN, where a bias makes sense for it; fewer seeds, for each is two networks that train longer
CTGAN_BIASES = ("none", "small-init", "continued", "pretrain", "mixture")
CTGAN, CTGAN_SEEDS = "ctgan: ", 3
# on raw tables, where nothing of the authors stands beside, without the finer controls
RAW_ARMS = ("none", "small-init", "continued", "average", "pretrain", "drs", "maml", "mixture")
FEW_ARMS = ("none", "average", "pretrain", "maml", "drs", "mixture")


def seen(held: ts.Table, train: ts.Table) -> ts.Table:
    """Held rows whose categories and ranges occur in training: others have no likelihood."""
    keep = np.ones(len(held), dtype=bool)
    for column in train.schema.modelled:
        if column.kind in ("categorical", "ordinal", "boolean"):
            keep &= np.isin(held.codes(column.name), train.codes(column.name))
            continue
        known, value = train.numbers(column.name), held.numbers(column.name)
        gone = np.isnan(value)
        with np.errstate(invalid="ignore"):
            within = (value >= np.nanmin(known)) & (value <= np.nanmax(known))
        keep &= np.where(gone, np.isnan(known).any(), within)
    return held.take(np.flatnonzero(keep)[:1_000])


def judged(held: ts.Table, synthetic: Any, draw: int) -> Row:
    """JS in bits by view (the larger of two judges, then each), KL in nats."""
    found = JUDGE.evaluate(held, synthetic, random_state=draw)
    row = {"plain": found.js.value, "coarse": found.js_coarse.value, "kl": found.kl.value}
    return row | by_judge(found)


def arms(coding: str, name: str, draw: int) -> list[str]:
    """All arms of one draw."""
    if coding == "raw":
        return list(RAW_ARMS)
    found = [*BIASES, SMOOTHED]
    if name != "intrusion":
        found.append(MANY)
    found += [CTGAN + arm for arm in CTGAN_BIASES]
    if draw == 0 or name == "intrusion":  # one table each, no draws
        found += [f"authors' {arm}" for arm in THEIRS]
    return found


SMOOTHED, MANY = "resample, smoothed", "none, N = 10,000"


def row_of(job: tuple[str, str, int, str]) -> tuple[Row, int]:
    """One arm on one draw; and the peak memory of this process, MiB."""
    warnings.simplefilter("ignore", ts.OrthogonalSeedsWarning)
    coding, name, draw, arm = job
    rows = draw_of(coding, name, draw)
    theirs = arm.removeprefix("authors' ")
    if theirs != arm:
        table = generated(name, theirs, rows.held)
        table = distinct(table) if name == "intrusion" else table
        places = np.random.default_rng(draw).permutation(len(table))[:JUDGED]
        found = {**judged(rows.held, table.take(np.sort(places)), draw), **EMPTY}
    elif arm == MANY:
        found = learned(ts.VAEBGM(random_state=draw), rows.many, rows.held, arm, draw)
    elif arm == SMOOTHED:
        model = ts.Resample(smoothing=1.0, random_state=draw)
        found = learned(model, rows.few, rows.held, arm, draw)
    elif arm.startswith(CTGAN):
        bias = BIASES[arm.removeprefix(CTGAN)]()
        bias.set_params(n_seeds=CTGAN_SEEDS)
        tuned = ts.FineTuned(ts.CTGAN(), bias, random_state=draw)
        found = learned(tuned, rows.few, rows.held, arm, draw)
    else:
        tuned = ts.FineTuned(ts.VAEBGM(), BIASES[arm](), random_state=draw)
        found = learned(tuned, rows.few, rows.held, arm, draw)
    return {"coding": coding, "data": name, "draw": draw, "arm": arm, **found}, peak_mib()


EMPTY: Row = {"likelihood": "", "few plain": "", "few low": "", "few high": "", "seconds": ""}


def learned(model: Any, train: ts.Table, held: ts.Table, arm: str, draw: int) -> Row:
    """Learn, generate, judge: with 4,000 rows, with 100 of each kind, by likelihood."""
    began = time.perf_counter()
    model.fit(train)
    spent = time.perf_counter() - began
    row = {**judged(held, model.sample(JUDGED), draw), **EMPTY, "seconds": round(spent, 2)}
    if isinstance(model, ts.FineTuned) and not isinstance(model.generator, ts.CTGAN):
        row["likelihood"] = float(model.log_likelihood(seen(held, train), random_state=0).mean())
    if arm in FEW_ARMS:
        few = held.take(np.arange(min(FEW, len(held))))
        js = FEW_JUDGE.evaluate(few, model.sample(FEW), random_state=draw).js
        row |= {"few plain": js.value, "few low": js.low, "few high": js.high}
    return row


def run(coding: str, name: str) -> None:
    """One table's whole study on two processes; results stand in ``honest.csv``."""
    results = Results(RESULTS / "honest.csv", KEYS)
    cost = Results(RESULTS / "honest_cost.csv", ("coding", "data"))
    began, peak = time.perf_counter(), peak_mib()
    everything = [(coding, name, d, arm) for d in range(DRAWS) for arm in arms(coding, name, d)]
    slow = ("maml", MANY, *(CTGAN + arm for arm in CTGAN_BIASES))
    everything.sort(key=lambda job: job[-1] in slow)  # what takes longest comes last
    jobs = [job for job in everything if not results.has(**dict(zip(KEYS, job, strict=True)))]
    with get_context("spawn").Pool(2) as pool:
        for row, memory in pool.imap_unordered(row_of, jobs):
            results.add(row)
            peak = max(peak, memory)
    if jobs == everything:  # the cost of a whole run only
        seconds = round(time.perf_counter() - began)
        where = {"coding": coding, "data": name, "seconds": seconds, "processes": 2}
        cost.add({**where, "peak MiB of a process": peak, "cores": os.cpu_count()})
