"""Rows a second that TVAE and CTGAN train on, one seed and ten as one batch; sampling beside.

    TABSEED_DATA=... python -m benchmarks.neural_speed

Adult, 10,000 rows, batches of 500, one thread (the engine takes no more, so that bytes do not
depend on their number), default networks. Rows are those of batches, each counted once a step,
times the seeds. Prints medians over rounds; the peer is measured in ``benchmarks/generators``.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

import tabseed as ts
from tabseed._random import child, seed_sequence
from tabseed.encode import TableEncoder
from tabseed.generators.ensemble import Split, Training, train_ensemble
from tabseed.generators.neural import NeuralGenerator

DATA = Path(os.environ.get("TABSEED_DATA", "data"))
N, BATCH, STEPS, ROUNDS, MANY = 10_000, 500, 40, 3, 10
DRAWN = 20_000


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds: of one thread, so that other work on the machine counts less."""
    began = time.process_time()
    work()
    return time.process_time() - began


def case(name: str, make: Callable[[], NeuralGenerator], table: ts.Table) -> None:
    encoder = TableEncoder().fit(table)
    network = make()._network(encoder.layout_)
    rows = network.rows(encoder.transform(table))
    split = Split.draw(N, 0.2, seed_sequence(0))
    # no validation in between
    how = Training(steps=STEPS, batch_size=BATCH, patience=10**9, validate_every=STEPS)
    spent: dict[int, list[float]] = {1: [], MANY: []}
    for round_ in range(ROUNDS + 1):
        for size, found in spent.items():
            streams = [child(seed_sequence(0), 1, seed) for seed in range(size)]

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
    print(
        f"{name}: {STEPS * BATCH / one:,.0f} rows/s one seed, {MANY} seeds {many / one:.2f} x "
        f"the time of one; sampling {DRAWN / drawing:,.0f} rows/s"
    )


def main() -> None:
    table = ts.Table.from_frame(pq.read_table(DATA / "adult.parquet"))
    table = table.take(np.random.default_rng(0).permutation(len(table))[:N])
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, one thread, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )
    for name, make in (
        ("TVAE", lambda: ts.TVAE(device="cpu", random_state=0)),
        ("CTGAN", lambda: ts.CTGAN(device="cpu", random_state=0)),
    ):
        case(name, make, table)


if __name__ == "__main__":
    main()
