"""Rows a second that TVAE and CTGAN train on and draw, beside ctgan 0.12.1 in the same run.

    TABSEED_DATA=... python -m benchmarks.neural_speed

Adult, 10,000 rows, batches of 500, default networks. Rows are those of batches, each counted once
a step, times the seeds. Ours: one seed, which is one thread's work, so that bytes do not depend on
the number of cores; and ten, the default, in four batches on all cores. ctgan: two threads, in its
own environment (``benchmarks/generators``). Wants a machine that does nothing else. Medians over
rounds; ``results/neural_speed.csv``.
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
DRAWN = 20_000


def case(name: str, make: Callable[[], NeuralGenerator], table: ts.Table) -> list[Row]:
    """Train one seed and ten, in turn; draw."""
    encoder = TableEncoder().fit(table)
    network = make()._network(encoder.layout_)
    rows = network.rows(encoder.transform(table))
    split = Split.draw(N, 0.2, np.random.SeedSequence(0))
    # no validation in between
    how = Training(steps=STEPS, batch_size=BATCH, patience=10**9, validate_every=STEPS)
    spent: dict[int, list[float]] = {1: [], MANY: []}
    for round_ in range(ROUNDS + 1):
        for size, found in spent.items():
            streams = [np.random.SeedSequence(0, spawn_key=(1, seed)) for seed in range(size)]

            def train(steps: int, streams: list[np.random.SeedSequence] = streams) -> float:
                settings = Training(**{**vars(how), "steps": steps})
                return seconds(lambda: train_ensemble(network, rows, split, settings, streams))

            took = train(STEPS) - train(0)  # two validations are in each
            if round_:  # the first warms up
                found.append(took)
    one, many = (float(np.median(found)) for found in spent.values())
    model = make().set_params(n_seeds=1, training=Training(steps=20, batch_size=BATCH))
    model.fit(table)
    drawing = min(seconds(lambda: model.sample(DRAWN)) for _ in range(3))
    trained = {1: STEPS * BATCH / one, MANY: MANY * STEPS * BATCH / many}
    return [
        _row(
            f"tabseed {name}, {size} seeds",
            min(size, GROUPS, os.cpu_count() or 1),
            rate,
            DRAWN / drawing if size == 1 else None,
        )
        for size, rate in trained.items()
    ]


def peer(name: str, threads: int, train: Path) -> Row:
    """What ctgan does, in a process of its own."""
    script = HERE / "peers" / "speed_ctgan.py"
    command = [peer_python("ctgan"), str(script), str(train), name, str(threads)]
    env = {**os.environ, **{f"{lib}_NUM_THREADS": str(threads) for lib in ("OMP", "MKL")}}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return _row(f"ctgan {name}", threads, found["trained"], found["drawn"])


def _row(case: str, threads: int, trained: float, drawn: float | None) -> Row:
    row = {
        "case": case,
        "threads": threads,
        "rows trained a second": round(trained),
        "rows drawn a second": "" if drawn is None else round(drawn),
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
