"""The stages: each in a process of its own, timed, kept, and not run again.

A stage writes one file to the cache, and beside it (``.json``) its seconds, those of processors
(which other work on the machine changes little), the peak of its process's memory, the load before
it began, and what it found.
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
ARMS = ("hardest", "random")  # which training rows the generator learns
ARM_SEEDS = {"hardest": 0, "random": 1}

Found = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """Files, and what is done with them. ``memory`` is what DuckDB may take."""

    data: Path
    labels: Path
    cache: Path
    generator: str = "trees"
    seeds: int = 1
    jobs: int = 2
    memory: str = "4GB"

    @property
    def folder(self) -> Path:
        """Where results of these files are kept: other or changed files, another folder."""
        marks = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in (self.data, self.labels)]
        return self.cache / hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:12]

    @property
    def rows(self) -> Path:
        """One row a customer."""
        return self.folder / "rows.parquet"

    @property
    def values(self) -> Path:
        """Hardness of the training rows."""
        return self.folder / f"hardness-{NEIGHBOURS}.npy"

    def drawn(self, arm: str) -> Path:
        """Rows that a generator drew."""
        return self.folder / f"drawn-{self.generator}-{arm}.parquet"

    def predictions(self, arm: str) -> Path:
        """Of the test rows, (seeds, m)."""
        name = arm if arm == "none" else f"{self.generator}-{arm}"
        return self.folder / f"predictions-{name}-{self.seeds}.npy"


@dataclass(frozen=True)
class Stage:
    """What makes a file. ``work(run, out, arm)`` writes ``out`` and says what it found."""

    name: str
    arm: str
    out: Path
    work: Callable[[Run, Path, str], Found]


def stages(run: Run) -> list[Stage]:
    """All of them, in order."""
    return [
        Stage("last statements", "", run.rows, last_statements),
        Stage("hardness", "", run.values, hardness),
        *(Stage("generator", arm, run.drawn(arm), drawn) for arm in ARMS),
        *(Stage("model", arm, run.predictions(arm), predictions) for arm in ("none", *ARMS)),
    ]


def done(run: Run, stage: Stage) -> Found:
    """Do a stage, unless it was done; give its seconds, peak MiB and what it found."""
    note = stage.out.with_suffix(".json")
    if stage.out.exists() and note.exists():
        found: Found = json.loads(note.read_text())
        return found
    # a fresh process: what it takes at most is the stage's own, and what it took goes back
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found = pool.submit(_measured, run, stage).result()
    except BrokenProcessPool as error:
        raise TabseedError(f"{stage.name}: was killed, perhaps for want of memory") from error
    with source.atomic_write(note, force=True) as part:
        part.write_text(json.dumps(found))
    return found


def _measured(run: Run, stage: Stage) -> Found:
    load, began, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
    found = stage.work(run, stage.out, stage.arm)
    return {
        "seconds": time.perf_counter() - began,
        "processor seconds": time.process_time() - cpu,
        "peak MiB": peak_mib(),
        "load": load,
    } | found


# --- what they do ---------------------------------------------------------------------------------


def last_statements(run: Run, out: Path, arm: str) -> Found:
    """Make one row a customer."""
    source.last_statements(run.data, run.labels, out, run.memory, run.jobs)
    return {}


def hardness(run: Run, out: Path, arm: str) -> Found:
    """Value the training rows by the valuation rows: standardised after gaps were filled."""
    import tabseed as ts

    rows, y = source.read(run.rows)
    parts, x = source.Parts.of(y), source.matrix(rows)
    scorer = ts.KNNShapley(NEIGHBOURS, n_jobs=run.jobs)
    reference = (x[parts.valuation], y[parts.valuation])
    scores = scorer.fit_score(x[parts.train], y[parts.train], reference=reference)
    _save(out, scores)
    return {}


def drawn(run: Run, out: Path, arm: str) -> Found:
    """Learn a tenth of the training rows, target included, and draw as many.

    The hardest, or as many at random: then what is compared is which rows, not how many. Gaps are
    gaps to the generator.
    """
    import pyarrow.parquet as pq

    import tabseed as ts
    from tabseed.generators import generator_class

    rows, y = source.read(run.rows)
    train = source.Parts.of(y).train
    k = round(HARD * len(train))
    if arm == "hardest":
        chosen = np.argsort(-np.load(run.values), kind="stable")[:k]
    else:
        chosen = np.random.default_rng(source.SPLIT_SEED).choice(len(train), k, replace=False)
    own = rows.take(pa.array(train[np.sort(chosen)]))
    kinds = {name: "categorical" for name in (*CATEGORIES, TARGET) if name in own.column_names}
    table = ts.Table.from_frame(own, kinds=kinds)
    generator = generator_class(run.generator)(random_state=ARM_SEEDS[arm])
    if "n_jobs" in generator.get_params():
        generator.set_params(n_jobs=run.jobs)
    began = time.perf_counter()
    generator.fit(table, target=TARGET)
    fitted = time.perf_counter() - began
    with source.atomic_write(out, force=True) as part:
        pq.write_table(generator.sample(k), part)
    return {"seconds to fit": fitted, "rows learned": k}


def predictions(run: Run, out: Path, arm: str) -> Found:
    """Train with the rows drawn, rounds chosen on the valuation rows; predict the test rows."""
    rows, y = source.read(run.rows)
    parts, x = source.Parts.of(y), source.matrix(rows)
    train, y_train = x[parts.train], y[parts.train]
    valuation, test = (x[parts.valuation], y[parts.valuation]), x[parts.test]
    del x, rows
    if arm != "none":
        more, y_more = source.read(run.drawn(arm))
        train = np.concatenate([train, source.matrix(more)])
        y_train = np.concatenate([y_train, y_more])
    made = [
        model.predicted((train, y_train), valuation, test, seed, run.jobs)
        for seed in range(run.seeds)
    ]
    _save(out, np.array([scores for scores, _ in made]))
    return {"rounds": round(np.mean([rounds for _, rounds in made]))}


def _save(out: Path, array: np.ndarray) -> None:
    with source.atomic_write(out, force=True) as part, part.open("wb") as file:
        np.save(file, array)
