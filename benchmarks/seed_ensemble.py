"""Ten seeds as one batch: cost of a training step against the bare products of its layers.

    TABSEED_DATA=... python -m benchmarks.seed_ensemble

"Bare" means the products that every step needs: forward, gradient with respect to weights, and
gradient with respect to inputs (except in the first layer); same shapes, same thread, timed in turn
with the steps. "Apart" means ten trainings of one seed each. Writes ``results/seed_ensemble.csv``:
medians over rounds.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from threadpoolctl import threadpool_limits

import tabseed as ts
from experiments.common.data import DATA
from experiments.common.machine import seconds, system
from tabseed.coding.encode import TableEncoder
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import train_ensemble
from tabseed.generators.neural.stopping import Training
from tabseed.generators.neural.vaebgm import CellNetwork

RESULTS = Path(__file__).parent / "results" / "seed_ensemble.csv"
SEEDS, STEPS, ROUNDS = 10, 100, 7
CASES = (("adult", 300), ("king", 300), ("german_credit", 1_000), ("adult", 10_000))


def bare(shapes: list[tuple[int, int]], batch: int) -> Callable[[], None]:
    """Return a function that does the products of a step, from each layer's (inputs, outputs)."""
    operands = [
        (torch.randn(SEEDS, batch, a), torch.randn(SEEDS, a, b), torch.randn(SEEDS, batch, b))
        for a, b in shapes
    ]

    def step() -> None:
        for layer, (x, weight, slope) in enumerate(operands):
            torch.bmm(x, weight)
            torch.bmm(x.transpose(1, 2), slope)
            if layer:
                torch.bmm(slope, weight.transpose(1, 2))

    return step


def case(name: str, n: int) -> dict[str, object]:
    frame = pq.read_table(DATA / f"{name}.parquet")
    table = ts.Table.from_frame(frame)
    table = table.take(np.random.default_rng(0).permutation(len(table))[:n])
    encoder = TableEncoder().fit(table)
    network = ts.VAEBGM().network(encoder.layout_)
    assert isinstance(network, CellNetwork)
    rows = network.rows(encoder.transform(table))
    split = Split.draw(n, 0.2, np.random.SeedSequence(0))
    streams = [np.random.SeedSequence(0, spawn_key=(1, seed)) for seed in range(SEEDS)]
    # no validation in between
    settings = Training(steps=STEPS, patience=10**9, validate_every=STEPS)
    batch = settings.batch_rows(len(split.train))
    p, cells = rows.shape[1], network.n_cells
    d, h = network.latent_dim, network.hidden_dim
    products = bare([(p, h), (h, 2 * d), (d, h), (h, cells)], batch)
    times: dict[str, list[float]] = {"step": [], "bare": [], "apart": []}
    with threadpool_limits(1):
        for round_ in range(ROUNDS + 1):
            durations = {
                "step": seconds(lambda: train_ensemble(network, rows, split, settings, streams)),
                "bare": seconds(lambda: [products() for _ in range(STEPS)]),
                "apart": seconds(
                    lambda: [train_ensemble(network, rows, split, settings, [s]) for s in streams]
                ),
            }
            for key, value in durations.items() if round_ else ():  # the first round is a warm-up
                times[key].append(value / STEPS * 1e3)
    median = {key: float(np.median(values)) for key, values in times.items()}
    ratios = np.array(times["step"]) / np.array(times["bare"])
    return {
        "table": name, "rows": n, "batch": batch, "inputs": p, "hidden": h, "latent": d,
        **{f"{key} ms": f"{value:.2f}" for key, value in median.items()},
        "step/bare": f"{np.median(ratios):.2f}",
        "low": f"{ratios.min():.2f}", "high": f"{ratios.max():.2f}",
        "apart/step": f"{median['apart'] / median['step']:.2f}",
    }  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    rows = [case(*each) for each in CASES]
    with RESULTS.open("w", newline="") as file:
        file.write(f"# {system()}, torch {torch.__version__}, one thread\n")
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
