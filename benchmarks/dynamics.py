"""How long do one record of training and the twelve scores that read it take?

``OMP_NUM_THREADS=1 python -m benchmarks.dynamics`` (about four minutes) writes
``results/dynamics.csv``. 50,000 rows of 50 numbers, 20 epochs, 3 seeds; two classes and seven,
a tenth of the labels wrong. The bar: a record of networks takes under 60 s on two cores; this run
uses one. Seconds are wall-clock and processor seconds; the load shows how busy the machine was.
Skill is (AP - p)/(1 - p), where AP is the average precision of the wrong labels and p their share.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

import tabseed as ts
from experiments.common.machine import peak_mib, system
from tabseed.hardness.dynamics.scores import score_all

RESULTS = Path(__file__).parent / "results" / "dynamics.csv"
ROWS, COLUMNS, EPOCHS, SEEDS, WRONG, BAR = 50_000, 50, 20, 3, 0.1, 60.0
CASES = (("mlp", 2), ("mlp", 7), ("trees", 2))
FIELDS = [
    "case", "classes", "part", "seconds", "processor seconds", "peak MiB", "load before", "bar",
    "met", "skill",
]  # fmt: skip


def law(classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return normal rows, labels, and which are wrong; a class is the largest of random curves."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, COLUMNS))
    bent = np.tanh(x @ rng.normal(size=(COLUMNS, 20)) / 4) @ rng.normal(size=(20, classes))
    y = bent.argmax(axis=1)
    wrong = rng.random(ROWS) < WRONG
    return x, np.where(wrong, (y + rng.integers(1, classes, ROWS)) % classes, y), wrong


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    load, began, used = os.getloadavg()[0], time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "seconds": f"{time.perf_counter() - began:.1f}",
        "processor seconds": f"{time.process_time() - used:.1f}",
        "peak MiB": peak_mib(),
        "load before": f"{load:.1f}",
    }


def main() -> None:
    with RESULTS.open("w", newline="") as file:
        file.write(f"# {system()}, NumPy {np.__version__}, one thread\n")
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()

        def write(row: dict[str, Any]) -> None:
            writer.writerow(row)
            file.flush()
            print(*row.values(), flush=True)

        for model, classes in CASES:
            x, y, wrong = law(classes)
            base = {"case": model, "classes": classes}
            dynamics, cost = timed(
                lambda x=x, y=y, model=model: ts.TrainingDynamics.record(
                    x, y, model=model, epochs=EPOCHS, n_seeds=SEEDS, stream=0
                )
            )
            bar = {}
            if model == "mlp":
                bar = {"bar": f"< {BAR:g} s", "met": float(cost["seconds"]) < BAR}
            write({**base, "part": "record", **cost, **bar})
            scores, cost = timed(lambda d=dynamics, y=y: score_all(d, y))
            write({**base, "part": "all scores, of which the Detector trains again", **cost})
            p = wrong.mean()
            for name, hardness in scores.items():
                skill = (average_precision_score(wrong, hardness) - p) / (1 - p)
                write({**base, "part": name, "skill": f"{skill:.3f}"})


if __name__ == "__main__":
    main()
