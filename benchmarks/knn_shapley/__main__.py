"""KNN-Shapley against plain NumPy sorting and two packages: seconds, memory, exactness.

    python -m benchmarks.knn_shapley [ratio] [peers] [large] [ray]

``ratio``: 20,000 players x 5,000 reference rows x 50 columns, K = 5, two jobs, against a float32
product of all points and an argsort of all rows on the same two cores (the faster of one sorting
thread and two), in turns, each call in its own process. ``peers``: OpenDataVal and pyDVL, each in
an environment that this script makes (a few minutes, 2 GB). ``large``: large sizes, measured on a
share of the reference rows and on a quarter of that share; the seconds for all rows are
extrapolated along the line through both. ``ray``: its workers give the same bytes. Without
arguments: everything.

Run it on an idle machine; the load before each call is written beside it. The seconds do not
include compiling, which has its own line.
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
    """Measure one side once and return its figures; save its values under its name."""
    WORK.mkdir(exist_ok=True)
    python = sys.executable if side in ("tabseed", "plain") else str(environment(HERE, side))
    out = WORK / f"{name or side}-{'-'.join(map(str, size))}.npy"
    arguments = [side, *map(str, size), str(share), str(jobs), str(out)]
    threads = {f"{lib}_NUM_THREADS": "2" for lib in ("OMP", "OPENBLAS", "MKL")}
    process = subprocess.run(
        [python, "-m", "benchmarks.knn_shapley.measure", *arguments],
        check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **threads},
    )  # fmt: skip
    figures: dict[str, Any] = {"out": out}
    for line in process.stdout.splitlines():
        if line.startswith("{"):
            figures = json.loads(line) | figures
    print(side, size, figures, flush=True)
    return figures


def difference(out: Path, size: tuple[int, int, int]) -> float:
    """Return the largest difference of saved values from the definition (computed once)."""
    definition = WORK / f"definition-{'-'.join(map(str, size))}.npy"
    if not definition.exists():
        np.save(definition, cases.by_definition(*size))
    return float(np.abs(np.load(out) - np.load(definition)).max())


def line(
    what: str, size: tuple[int, int, int], calls: list[dict[str, Any]], share: float = 1.0,
    exact: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Return one line of the table: the median and the range of calls."""
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
    lines = [
        line("tabseed", BAR, ours),
        line("float32 product and argsort, one thread sorts", BAR, sides["one"], exact=False),
        line("float32 product and argsort, two threads sort", BAR, sides["two"], exact=False),
    ]
    ratios = [
        a["seconds"] / min(b["seconds"], c["seconds"])
        for a, b, c in zip(*sides.values(), strict=True)
    ]
    by_round = [{"seconds": r, "peak": 0, "load": a["load"]}
                for r, a in zip(ratios, ours, strict=True)]  # fmt: skip
    compiling = [c | {"seconds": c["compile"]} for c in ours]
    return [
        *lines,
        line("ratio, tabseed to the faster of them", BAR, by_round, exact=False),
        line("tabseed, compiling in a new process", BAR, compiling, exact=False),
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
    process = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    result = json.loads(process.stdout.splitlines()[-1])
    print("ray", result, flush=True)
    what = f"ray, two workers: {'the same bytes' if result['same'] else 'OTHER BYTES'} as alone"
    calls = [{"seconds": result["ray"], "peak": 0, "load": os.getloadavg()[0]}]
    return [line(what, (4_000, 3_000, 20), calls, exact=False)]


def main() -> None:
    parts = {f.__name__: f for f in (ratio, peers, large, ray)}
    names = sys.argv[1:] or list(parts)
    if unknown := set(names) - set(parts):
        sys.exit(f"unknown parts: {', '.join(sorted(unknown))}; choose from {', '.join(parts)}")
    old: list[dict[str, Any]] = []  # parts that do not run keep their lines
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            old = [row for row in csv.DictReader(file) if row["part"] not in names]
    new = [{"part": name} | row for name in names for row in parts[name]()]
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("part", *FIELDS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(old + new)


if __name__ == "__main__":
    main()
