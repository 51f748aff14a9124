"""The stages: each runs once, in its own process, is timed, and keeps its file.

A stage writes one file to the cache, and beside it (``.json``) its seconds, its processor seconds
(which other work on the machine changes little), the peak memory of its process, the load before it
began, and its results.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.common.machine import peak_mib
from experiments.targeted.amex import model, source
from experiments.targeted.amex.columns import CATEGORIES, TARGET
from tabseed.errors import TabseedError

HARD = 0.1  # share of the training rows
NEIGHBOURS = 100
ARMS = ("hardest", "random")  # the training rows that the generator learns from
ARM_SEEDS = {"hardest": 0, "random": 1}

Result = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """Input files and settings. ``memory`` is the memory limit of DuckDB."""

    data: Path
    labels: Path
    cache: Path
    generator: str = "trees"
    seeds: int = 1
    jobs: int = 2
    memory: str = "4GB"

    @property
    def folder(self) -> Path:
        """The folder for results of these files; other or changed files get another one."""
        marks = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in (self.data, self.labels)]
        return self.cache / hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:12]

    @property
    def rows(self) -> Path:
        """The file with one row per customer."""
        return self.folder / "rows.parquet"

    @property
    def values(self) -> Path:
        """The file with the hardness of the training rows."""
        return self.folder / f"hardness-{NEIGHBOURS}.npy"

    def synthetic(self, arm: str) -> Path:
        """Return the file with the rows that a generator drew."""
        return self.folder / f"drawn-{self.generator}-{arm}.parquet"

    def predictions(self, arm: str) -> Path:
        """Return the file with the predictions of the test rows, (seeds, m)."""
        name = arm if arm == "none" else f"{self.generator}-{arm}"
        return self.folder / f"predictions-{name}-{self.seeds}.npy"


@dataclass(frozen=True)
class Stage:
    """The work for one file: ``work(run, out, arm)`` writes ``out`` and returns its results."""

    name: str
    arm: str
    out: Path
    work: Callable[[Run, Path, str], Result]


def stages(run: Run) -> list[Stage]:
    """Return all stages, in order."""
    return [
        Stage("last statements", "", run.rows, last_statements),
        Stage("hardness", "", run.values, hardness),
        *(Stage("generator", arm, run.synthetic(arm), generate) for arm in ARMS),
        *(Stage("model", arm, run.predictions(arm), predictions) for arm in ("none", *ARMS)),
    ]


def run_stage(run: Run, stage: Stage) -> Result:
    """Run a stage, unless its file exists; return its seconds, peak MiB and results."""
    note = stage.out.with_suffix(".json")
    if stage.out.exists() and note.exists():
        result: Result = json.loads(note.read_text())
        return result
    # in a new process the peak memory is that of the stage, and all of it is freed afterwards
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            result = pool.submit(_measured, run, stage).result()
    except BrokenProcessPool as error:
        raise TabseedError(
            f"the process of {stage.name!r} was killed; it may need more memory"
        ) from error
    with source.atomic_write(note, force=True) as part:
        part.write_text(json.dumps(result))
    return result


def _measured(run: Run, stage: Stage) -> Result:
    load, began, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
    result = stage.work(run, stage.out, stage.arm)
    return {
        "seconds": time.perf_counter() - began,
        "processor seconds": time.process_time() - cpu,
        "peak MiB": peak_mib(),
        "load": load,
    } | result


# --- the work of each stage -----------------------------------------------------------------------


def last_statements(run: Run, out: Path, arm: str) -> Result:
    """Write one row per customer."""
    source.last_statements(run.data, run.labels, out, run.memory, run.jobs)
    return {}


def hardness(run: Run, out: Path, arm: str) -> Result:
    """Value the training rows by the valuation rows: filled first, then standardised."""
    import tabseed as ts

    rows, y = source.read(run.rows)
    parts, x = source.Parts.of(y), source.matrix(rows)
    scorer = ts.KNNShapley(NEIGHBOURS, n_jobs=run.jobs)
    reference = (x[parts.valuation], y[parts.valuation])
    scores = scorer.fit_score(x[parts.train], y[parts.train], reference=reference)
    _save(out, scores)
    return {}


def generate(run: Run, out: Path, arm: str) -> Result:
    """Learn from a tenth of the training rows, target included, and draw as many rows.

    The tenth is the hardest or a random one, so that the arms differ in the choice of rows and not
    in their number. The generator sees missing cells as missing.
    """
    import pyarrow.parquet as pq

    import tabseed as ts
    from tabseed.generators import generator_class

    rows, y = source.read(run.rows)
    train = source.Parts.of(y).train
    k = round(HARD * len(train))
    if arm == "hardest":
        index = np.argsort(-np.load(run.values), kind="stable")[:k]
    else:
        index = np.random.default_rng(source.SPLIT_SEED).choice(len(train), k, replace=False)
    learned_rows = rows.take(pa.array(train[np.sort(index)]))
    kinds = {
        name: "categorical" for name in (*CATEGORIES, TARGET) if name in learned_rows.column_names
    }
    table = ts.Table.from_frame(learned_rows, kinds=kinds)
    generator = generator_class(run.generator)(random_state=ARM_SEEDS[arm])
    if "n_jobs" in generator.get_params():
        generator.set_params(n_jobs=run.jobs)
    began = time.perf_counter()
    generator.fit(table, target=TARGET)
    fit_seconds = time.perf_counter() - began
    with source.atomic_write(out, force=True) as part:
        pq.write_table(generator.sample(k), part)
    return {"seconds to fit": fit_seconds, "rows learned": k}


def predictions(run: Run, out: Path, arm: str) -> Result:
    """Train with the added rows, choose rounds on the valuation rows, predict the test rows."""
    rows, y = source.read(run.rows)
    parts, x = source.Parts.of(y), source.matrix(rows)
    train, y_train = x[parts.train], y[parts.train]
    valuation, test = (x[parts.valuation], y[parts.valuation]), x[parts.test]
    del x, rows
    if arm != "none":
        x_added, y_added = source.read(run.synthetic(arm))
        train = np.concatenate([train, source.matrix(x_added)])
        y_train = np.concatenate([y_train, y_added])
    results = [
        model.predicted((train, y_train), valuation, test, seed, run.jobs)
        for seed in range(run.seeds)
    ]
    _save(out, np.array([scores for scores, _ in results]))
    return {"rounds": round(np.mean([rounds for _, rounds in results]))}


def _save(out: Path, array: np.ndarray) -> None:
    with source.atomic_write(out, force=True) as part, part.open("wb") as file:
        np.save(file, array)
