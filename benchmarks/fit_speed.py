"""Seconds and memory of generators without a network, on small and large tables, against arfpy.

    TABSEED_DATA=... python -m benchmarks.fit_speed

Adult, 15 columns, 300 rows and 10,000; a simulated table of 100,000 rows and 50 columns (30
numbers, 20 categories, five latent factors). Each case runs in its own process, with two jobs where
the generator takes jobs, and draws 10,000 rows. Run it on an idle machine. Writes
``results/fit_speed.csv``: wall-clock seconds, the best of three fits at 300 rows, otherwise of one.
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
    """Return a table whose columns depend on five normal factors."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 5))
    numbers = {f"x{i}": z[:, i % 5] * rng.normal() + 0.7 * rng.normal(size=n) for i in range(30)}
    columns: dict[str, Any] = dict(numbers)
    for i in range(20):
        cuts = np.linspace(-1.5, 1.5, 2 + i % 6)
        level = np.digitize(z[:, i % 5] + 0.5 * rng.normal(size=n), cuts)
        columns[f"c{i}"] = np.array([f"l{k}" for k in range(len(cuts) + 1)])[level]
    return pa.table(columns)


def one(name: str, what: str) -> dict[str, Any]:
    """Fit and draw in this process; return the cost."""
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
    """Run the peer on the 10,000 rows; return the cost."""
    train = write_training(Case("adult", 10_000, 0))
    out = train.with_name("speed-arfpy.parquet")
    script = HERE / "peers" / "peer_arfpy.py"
    command = [peer_python("arfpy"), str(script), str(train), str(out), str(GENERATED), "0"]
    subprocess.run(command, check=True, capture_output=True)
    cost = json.loads(out.with_suffix(".measured").read_text())
    return {
        "fit": cost["fit_seconds"],
        "draw": cost["sample_seconds"],
        "peak": cost["peak_mib"],
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(one(*sys.argv[1:])))
        return
    machine_name = machine()
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["generator", "table", "fit s", "draw 10,000 s", "peak MiB", "machine"])
        for name, table_name in (*CASES, ("arfpy", "adult 10000")):
            if name == "arfpy":
                cost = arfpy()
            else:
                command = [sys.executable, "-m", "benchmarks.fit_speed", name, table_name]
                process = subprocess.run(command, check=True, capture_output=True, text=True)
                cost = json.loads(process.stdout.strip().splitlines()[-1])
            numbers = [f"{cost['fit']:.2f}", f"{cost['draw']:.2f}", f"{cost['peak']:.0f}"]
            row = [name, table_name, *numbers, machine_name]
            print(*row, flush=True)
            writer.writerow(row)
            file.flush()


if __name__ == "__main__":
    main()
