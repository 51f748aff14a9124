"""Rows per second that TVAE and CTGAN train on and draw, against ctgan 0.12.1 in the same run.

    TABSEED_DATA=... python -m benchmarks.neural_speed

Adult, 10,000 rows, batches of 500, default networks. Rows trained: the rows of every batch, times
the seeds. Ours: one seed, which runs on one thread, so that bytes do not depend on the number of
cores; and ten seeds, the default, in four batches on all cores. ctgan: two threads, in its own
environment (``benchmarks/generators``). Run it on an idle machine. Writes
``results/neural_speed.csv``: medians over rounds.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tabseed as ts
from benchmarks.generators.make import peer_python
from benchmarks.generators.tables import HERE, Case, rows_of, write_training
from experiments.common.machine import machine, seconds
from tabseed.coding.encode import TableEncoder
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import GROUPS, train_ensemble
from tabseed.generators.neural.stopping import Training

RESULTS = Path(__file__).parent / "results" / "neural_speed.csv"
Row = dict[str, Any]
N, BATCH, STEPS, ROUNDS, MANY = 10_000, 500, 40, 3, 10
ROWS_TO_DRAW = 20_000


def case(name: str, make: Callable[[], NeuralGenerator], table: ts.Table) -> list[Row]:
    """Train one seed and ten, in turn; draw; return the lines of the results."""
    encoder = TableEncoder().fit(table)
    network = make().network(encoder.layout_)
    rows = network.rows(encoder.transform(table))
    split = Split.draw(N, 0.2, np.random.SeedSequence(0))
    # no validation in between
    base = Training(steps=STEPS, batch_size=BATCH, patience=10**9, validate_every=STEPS)
    durations: dict[int, list[float]] = {1: [], MANY: []}
    for round_ in range(ROUNDS + 1):
        for size, times in durations.items():
            streams = [np.random.SeedSequence(0, spawn_key=(1, seed)) for seed in range(size)]

            def train(steps: int, streams: list[np.random.SeedSequence] = streams) -> float:
                settings = Training(**{**vars(base), "steps": steps})
                return seconds(lambda: train_ensemble(network, rows, split, settings, streams))

            training_seconds = train(STEPS) - train(0)  # each includes two validations
            if round_:  # the first round is a warm-up
                times.append(training_seconds)
    one, many = (float(np.median(times)) for times in durations.values())
    model = make().set_params(n_seeds=1, training=Training(steps=20, batch_size=BATCH))
    model.fit(table)
    sampling_seconds = min(seconds(lambda: model.sample(ROWS_TO_DRAW)) for _ in range(3))
    rates = {1: STEPS * BATCH / one, MANY: MANY * STEPS * BATCH / many}
    return [
        _row(
            f"tabseed {name}, {size} seeds",
            min(size, GROUPS, os.cpu_count() or 1),
            rate,
            ROWS_TO_DRAW / sampling_seconds if size == 1 else None,
        )
        for size, rate in rates.items()
    ]


def peer(name: str, threads: int, train: Path) -> Row:
    """Return the line of ctgan, measured in its own process."""
    script = HERE / "peers" / "speed_ctgan.py"
    command = [peer_python("ctgan"), str(script), str(train), name, str(threads)]
    env = {**os.environ, **{f"{lib}_NUM_THREADS": str(threads) for lib in ("OMP", "MKL")}}
    process = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    result = json.loads(process.stdout.strip().splitlines()[-1])
    return _row(f"ctgan {name}", threads, result["trained"], result["drawn"])


def _row(case: str, threads: int, training_rate: float, sampling_rate: float | None) -> Row:
    row = {
        "case": case,
        "threads": threads,
        "rows trained a second": round(training_rate),
        "rows drawn a second": "" if sampling_rate is None else round(sampling_rate),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "machine": f"{machine()}, torch {torch.__version__}",
    }
    print(*row.values(), flush=True)
    return row


def main() -> None:
    train = write_training(Case("adult", N, 0))
    table = rows_of(Case("adult", N, 0)).train
    rows: list[Row] = []
    for name, make in (
        ("TVAE", lambda: ts.TVAE(device="cpu", random_state=0)),
        ("CTGAN", lambda: ts.CTGAN(device="cpu", random_state=0)),
    ):
        rows += case(name, make, table)
        rows.append(peer(name, 2, train))
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
