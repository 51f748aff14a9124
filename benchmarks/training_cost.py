"""Cost of training networks on one thread: this checkout against an older one, in turn.

    git worktree add /somewhere/old COMMIT
    TABSEED_DATA=... python -m benchmarks.training_cost /somewhere/old

All cases run twice in a process of one checkout, then in one of the other, and so on; the best of
all counts. CPU seconds, because the machine may be shared. Cases have a fixed number of steps, so
both checkouts do the same work; with k = 8 one that does not know k validates after every batch.
Writes ``results/training_cost.csv``.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.machine import machine, one_thread, peak_mib

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "training_cost.csv"
ROUNDS = 2
PEAK = "peak MiB of all cases"


def training(
    name: str, rows: str, make: str, n_seeds: int, **settings: Any
) -> Callable[[], object]:
    """Return a training of ``n_seeds`` on 300 ("few") or 10,000 ("many") rows of a table."""
    import tabseed as ts
    from experiments.common.draws import draw_of
    from tabseed.coding.encode import TableEncoder
    from tabseed.generators.neural.batch import Split
    from tabseed.generators.neural.ensemble import train_ensemble
    from tabseed.generators.neural.stopping import Training

    coding, _, table = name.partition(" ")
    model = {
        "VAEBGM": lambda: ts.VAEBGM(),
        "paper's VAEBGM": lambda: ts.VAEBGM(paper=True, latent_dim=10),
        "TVAE": lambda: ts.TVAE(),
        "CTGAN": lambda: ts.CTGAN(),
        "paper's CTGAN": lambda: ts.CTGAN(hidden_dim=256, matching=0.0, max_modes=10),
    }[make]()
    drawn = getattr(draw_of(coding, table, 0), rows)
    encoder = TableEncoder().fit(drawn)
    network = model.network(encoder.layout_)
    x = network.rows(encoder.transform(drawn))
    split = Split.draw(len(x), 0.2, np.random.SeedSequence(0))
    how = Training(**{"patience": 10**9, "warm_up": 0, **settings})
    streams = [np.random.SeedSequence(0, spawn_key=(1, seed)) for seed in range(n_seeds)]
    return lambda: train_ensemble(network, x, split, how, streams)


def meta_step(name: str, order: str) -> Callable[[], object]:
    """Return a meta-gradient: ten tasks, 240 support and query rows, ten inner steps."""
    import torch

    import tabseed as ts
    from experiments.common.draws import draw_of
    from tabseed.coding.encode import TableEncoder
    from tabseed.inductive_bias.maml import Batch, meta_gradient

    coding, _, table = name.partition(" ")
    few = draw_of(coding, table, 0).few
    encoder = TableEncoder().fit(few)
    network = ts.VAEBGM().network(encoder.layout_)
    rng = np.random.default_rng(0)
    inputs = network.rows(encoder.transform(few))
    theta = {k: torch.from_numpy(v)[None] for k, v in network.initial_weights(rng).items()}

    def batch() -> Batch:
        noise = network.noise(rng, 2_400).reshape(10, 240, -1)
        sample = inputs[rng.integers(0, len(inputs), (10, 240))]
        return Batch(torch.from_numpy(sample), torch.from_numpy(noise))

    support, query = batch(), batch()
    how: dict[str, Any] = {"rate": 1e-3, "steps": 10, "order": order}
    return lambda: meta_gradient(network, theta, support, query, **how)


CASES: dict[str, Callable[[], Callable[[], object]]] = {
    "VAEBGM, 10 seeds, raw king, 300 rows, 50 steps": lambda: training(
        "raw king", "few", "VAEBGM", 10, steps=50
    ),
    "VAEBGM, 1 seed, raw adult, 10,000 rows, 160 steps": lambda: training(
        "raw adult", "many", "VAEBGM", 1, steps=160
    ),
    "VAEBGM, 10 seeds, raw adult, 10,000 rows, 32 steps": lambda: training(
        "raw adult", "many", "VAEBGM", 10, steps=32
    ),
    "paper's VAEBGM, 3 seeds, authors' adult, 10,000 rows, 1 epoch": lambda: training(
        "authors adult", "many", "paper's VAEBGM", 3, steps=32, batch_size=256, stopper="paper"
    ),
    "the same, k = 8": lambda: training(
        "authors adult", "many", "paper's VAEBGM", 3, steps=32, batch_size=256, stopper="paper",
        validate_every=8,
    ),
    "TVAE, 3 seeds, authors' adult, 300 rows, 50 steps": lambda: training(
        "authors adult", "few", "TVAE", 3, steps=50
    ),
    "CTGAN, 3 seeds, authors' adult, 300 rows, 50 steps": lambda: training(
        "authors adult", "few", "CTGAN", 3, steps=50, validate_every=25
    ),
    "CTGAN, 3 seeds, raw king, 300 rows, 50 steps": lambda: training(
        "raw king", "few", "CTGAN", 3, steps=50, validate_every=25
    ),
    "paper's CTGAN, 1 seed, authors' adult, 10,000 rows, 20 steps": lambda: training(
        "authors adult", "many", "paper's CTGAN", 1, steps=20, batch_size=500, validate_every=20
    ),
    "MAML, first order, raw king, 1 meta-step": lambda: meta_step("raw king", "first"),
    "MAML, second order, raw king, 1 meta-step": lambda: meta_step("raw king", "second"),
}  # fmt: skip


def costs() -> dict[str, float]:
    """Return the CPU seconds of each case in this process, the better of two runs."""
    result = {}
    for name, case in CASES.items():
        work, times = case(), []
        for _ in range(2):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
        result[name] = min(times)
    return {**result, PEAK: peak_mib()}


def costs_in(checkout: Path) -> dict[str, float]:
    """Return the costs with the library of a checkout, in a process of its own."""
    path = os.pathsep.join([str(checkout / "src"), str(ROOT)])
    command = [sys.executable, "-m", "benchmarks.training_cost"]
    env = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=True)
    numbers: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return numbers


def commit(checkout: Path) -> str:
    """Return the short name of a checkout's commit."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def main(old: Path) -> None:
    runs: list[tuple[dict[str, float], dict[str, float]]] = []
    for _ in range(ROUNDS):
        runs.append((costs_in(old), costs_in(ROOT)))
    rows = []
    for case in (*CASES, PEAK):
        before, after = (min(run[at][case] for run in runs) for at in (0, 1))
        row = {"case": case, "before": f"{before:.2f}", "after": f"{after:.2f}"}
        row["before/after"] = f"{before / after:.2f}"
        rows.append(row)
        print(*row.values(), flush=True)
    how = f"{machine()}, 1 thread, best of {2 * ROUNDS}, load {os.getloadavg()[0]:.1f}"
    with RESULTS.open("w", newline="") as file:
        file.write(f"# CPU seconds at commits {commit(old)} and {commit(ROOT)}; {how}\n")
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    one_thread()
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        print(json.dumps(costs()))
