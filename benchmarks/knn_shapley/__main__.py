"""KNN-Shapley beside plain NumPy sorting and two packages: seconds, memory, exactness.

    python -m benchmarks.knn_shapley [ratio] [peers] [large] [ray]

``ratio``: 20,000 players x 5,000 reference rows x 50 columns, K = 5, two jobs, against a float32
product of all points and an argsort of all rows on the same two cores (the faster of one sorting
thread and two), in turns, each call in a process of its own. ``peers``: OpenDataVal and pyDVL, each
in an environment that this makes (a few minutes, 2 GB). ``large``: sizes of which a share of the
reference rows is run; seconds are those of all, on the line through a quarter of the share and the
share. ``ray``: the same bytes from its workers. Without a word: all of it.

Wants a machine that does nothing else; the load before each call is written beside it. Compiling is
not in the seconds; it has a line of its own.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.environments import ROOT, environment
from benchmarks.knn_shapley import cases
from experiments.common.machine import machine

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "knn_shapley.csv"
WORK = HERE / ".work"
BAR = (20_000, 5_000, 50)
SMALL = (4_000, 1_000, 50)
LARGE = {(100_000, 20_000, 100): 0.1, (358_913, 50_000, 188): 0.01}
ROUNDS = 5
FIELDS = (
    "what", "players", "reference rows", "columns", "seconds", "least", "most", "calls",
    "share of reference rows run", "peak MiB", "max difference to float64", "load", "machine",
)  # fmt: skip


def call(
    side: str, size: tuple[int, int, int], share: float = 1.0, jobs: int = 2, name: str = ""
) -> dict[str, Any]:
    """Measure one side once; its values are saved under its name."""
    WORK.mkdir(exist_ok=True)
    python = sys.executable if side in ("tabseed", "plain") else str(environment(HERE, side))
    out = WORK / f"{name or side}-{'-'.join(map(str, size))}.npy"
    arguments = [side, *map(str, size), str(share), str(jobs), str(out)]
    threads = {f"{lib}_NUM_THREADS": "2" for lib in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [python, "-m", "benchmarks.knn_shapley.measure", *arguments],
        check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **threads},
    )  # fmt: skip
    found: dict[str, Any] = {"out": out}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found = json.loads(line) | found
    print(side, size, found, flush=True)
    return found


def difference(out: Path, size: tuple[int, int, int]) -> float:
    """How far saved values lie from those by definition, which are computed once."""
    saved = WORK / f"definition-{'-'.join(map(str, size))}.npy"
    if not saved.exists():
        np.save(saved, cases.by_definition(*size))
    return float(np.abs(np.load(out) - np.load(saved)).max())


def line(
    what: str, size: tuple[int, int, int], calls: list[dict[str, Any]], share: float = 1.0,
    exact: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """One line of the table: the median, and the range, of calls."""
    seconds = [c["seconds"] for c in calls]
    return dict(zip(FIELDS, (
        what, *size, f"{median(seconds):.2f}", f"{min(seconds):.2f}", f"{max(seconds):.2f}",
        len(calls), share, max(c["peak"] for c in calls) or "",
        f"{difference(calls[-1]['out'], size):.1e}" if exact else "",
        f"{max(c['load'] for c in calls):.1f}", machine(),
    ), strict=True))  # fmt: skip


def ratio() -> list[dict[str, Any]]:
    sides: dict[str, list[dict[str, Any]]] = {"ours": [], "one": [], "two": []}
    for _ in range(ROUNDS):
        sides["ours"].append(call("tabseed", BAR))
        sides["one"].append(call("plain", BAR, jobs=1))
        sides["two"].append(call("plain", BAR, jobs=2))
    ours = sides["ours"]
    found = [
        line("tabseed", BAR, ours),
        line("float32 product and argsort, one thread sorts", BAR, sides["one"], exact=False),
        line("float32 product and argsort, two threads sort", BAR, sides["two"], exact=False),
    ]
    of_rounds = [
        a["seconds"] / min(b["seconds"], c["seconds"])
        for a, b, c in zip(*sides.values(), strict=True)
    ]
    by_round = [{"seconds": r, "peak": 0, "load": a["load"]}
                for r, a in zip(of_rounds, ours, strict=True)]  # fmt: skip
    compiled = [c | {"seconds": c["compile"]} for c in ours]
    return [
        *found,
        line("ratio, tabseed to the faster of them", BAR, by_round, exact=False),
        line("tabseed, compiling in a new process", BAR, compiled, exact=False),
        line("tabseed without numba", BAR, [call("tabseed", BAR, jobs=-2, name="numpy")]),
    ]


def peers() -> list[dict[str, Any]]:
    return [
        line(what, size, [call(side, size)])
        for size in (SMALL, BAR)
        for side, what in (
            ("tabseed", "tabseed"), ("opendataval", "OpenDataVal 1.3.0"), ("pydvl", "pyDVL 0.10.0")
        )
    ]  # fmt: skip


def large() -> list[dict[str, Any]]:
    return [
        line("tabseed", size, [call("tabseed", size, share)], share, exact=False)
        for size, share in LARGE.items()
    ]


def ray() -> list[dict[str, Any]]:
    command = [str(environment(HERE, "ray")), "-m", "benchmarks.knn_shapley.spread"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    found = json.loads(done.stdout.splitlines()[-1])
    print("ray", found, flush=True)
    what = f"ray, two workers: {'the same bytes' if found['same'] else 'OTHER BYTES'} as alone"
    calls = [{"seconds": found["ray"], "peak": 0, "load": os.getloadavg()[0]}]
    return [line(what, (4_000, 3_000, 20), calls, exact=False)]


def main() -> None:
    parts = {f.__name__: f for f in (ratio, peers, large, ray)}
    chosen = sys.argv[1:] or list(parts)
    if unknown := set(chosen) - set(parts):
        sys.exit(f"no part {unknown}; there are {', '.join(parts)}")
    kept: list[dict[str, Any]] = []  # parts that are not run keep their lines
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            kept = [row for row in csv.DictReader(file) if row["part"] not in chosen]
    found = [{"part": name} | row for name in chosen for row in parts[name]()]
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("part", *FIELDS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept + found)


if __name__ == "__main__":
    main()
