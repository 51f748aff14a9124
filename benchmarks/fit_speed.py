"""Seconds and memory of generators without a network, at both ends of size, beside arfpy.

    TABSEED_DATA=... python -m benchmarks.fit_speed

Adult, 300 rows of 15 columns, and 10,000; a simulated table of 100,000 rows of 50 columns (30
numbers, 20 categories, five latent factors). Each case in a process of its own, two jobs where the
generator takes them; 10,000 rows drawn. Wants a machine that does nothing else.
``results/fit_speed.csv``: wall-clock seconds, best of three fits at 300 rows, else one.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import tabseed as ts
from benchmarks.generators.make import HERE, peer_python
from benchmarks.generators.tables import GENERATED, Case, rows_of, write_training
from experiments.common.machine import machine, peak_mib, seconds
from tabseed.generators import generator_class

RESULTS = Path(__file__).parent / "results" / "fit_speed.csv"
CASES = (
    ("trees", "adult 300"), ("copula", "adult 300"), ("smote", "adult 300"), ("arf", "adult 300"),
    ("trees", "adult 10000"), ("arf", "adult 10000"), ("copula", "adult 10000"),
    ("trees", "simulated"), ("copula", "simulated"),
)  # fmt: skip


def simulated(n: int = 100_000) -> pa.Table:
    """Columns that hang on five normal factors."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 5))
    numbers = {f"x{i}": z[:, i % 5] * rng.normal() + 0.7 * rng.normal(size=n) for i in range(30)}
    found: dict[str, Any] = dict(numbers)
    for i in range(20):
        cuts = np.linspace(-1.5, 1.5, 2 + i % 6)
        level = np.digitize(z[:, i % 5] + 0.5 * rng.normal(size=n), cuts)
        found[f"c{i}"] = np.array([f"l{k}" for k in range(len(cuts) + 1)])[level]
    return pa.table(found)


def one(name: str, what: str) -> dict[str, Any]:
    """Fit and draw in this process."""
    kind, _, n = what.partition(" ")
    table = rows_of(Case(kind, int(n), 0)).train if n else ts.Table.from_frame(simulated())
    model = generator_class(name)(random_state=0)
    if "n_jobs" in model.get_params():
        model.set_params(n_jobs=2)
    fits, draws = [], []
    for _ in range(3 if n == "300" else 1):
        fits.append(seconds(lambda: model.fit(table)))
        draws.append(seconds(lambda: model.sample(GENERATED)))
    return {"fit": min(fits), "draw": min(draws), "peak": peak_mib()}


def arfpy() -> dict[str, Any]:
    """The peer on the 10,000 rows."""
    train = write_training(Case("adult", 10_000, 0))
    out = train.with_name("speed-arfpy.parquet")
    script = HERE / "peers" / "peer_arfpy.py"
    command = [peer_python("arfpy"), str(script), str(train), str(out), str(GENERATED), "0"]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads(out.with_suffix(".measured").read_text())
    return {"fit": found["fit_seconds"], "draw": found["sample_seconds"], "peak": found["peak_mib"]}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(one(*sys.argv[1:])))
        return
    where = machine()
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["generator", "table", "fit s", "draw 10,000 s", "peak MiB", "machine"])
        for name, what in (*CASES, ("arfpy", "adult 10000")):
            if name == "arfpy":
                found = arfpy()
            else:
                command = [sys.executable, "-m", "benchmarks.fit_speed", name, what]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found = json.loads(done.stdout.strip().splitlines()[-1])
            figures = [f"{found['fit']:.2f}", f"{found['draw']:.2f}", f"{found['peak']:.0f}"]
            row = [name, what, *figures, where]
            print(*row, flush=True)
            writer.writerow(row)
            file.flush()


if __name__ == "__main__":
    main()
