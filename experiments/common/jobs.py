"""Jobs of a study in processes: each line is written as soon as it is known."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

import numpy as np

from experiments.common.machine import peak_mib
from experiments.common.results import Results, Row

Job = tuple[Any, ...]


def missing_of(results: Results, jobs: list[Job]) -> list[Job]:
    """Return the jobs, tuples of the keys of the results, that have no line yet."""
    return [j for j in jobs if not results.has(**dict(zip(results.keys, j, strict=True)))]


def run_jobs(
    results: Results, jobs: list[Job], figures: Callable[..., Row], *, processes: int = 2
) -> int:
    """Write the lines of the jobs that have none; return the peak memory of a process in MiB.

    A line is the job, by the keys of the results, and its ``figures(*job)``. Each process has a
    contiguous part of the jobs, so what neighbours share is computed once.
    """
    missing = missing_of(results, jobs)
    shares = np.array_split(np.arange(len(missing)), processes)
    pools = [ProcessPoolExecutor(1, get_context("spawn")) for _ in shares]
    pairs = zip(pools, shares, strict=True)
    futures = {
        pool.submit(_measured, figures, missing[i]): missing[i]
        for pool, share in pairs
        for i in share
    }
    peak = 0
    try:
        for future in as_completed(futures):
            row, memory = future.result()
            results.add(dict(zip(results.keys, futures[future], strict=True)) | row)
            peak = max(peak, memory)
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)
    return peak


def _measured(figures: Callable[..., Row], job: Job) -> tuple[Row, int]:
    return figures(*job), peak_mib()
