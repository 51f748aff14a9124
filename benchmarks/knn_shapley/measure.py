"""Measure one side in its own process.

    python -m benchmarks.knn_shapley.measure SIDE N M D SHARE JOBS OUT

Prints as JSON the seconds of a call, those of compiling, and the peak memory; writes values to OUT.
With a SHARE of the reference rows, the seconds for all rows are extrapolated along the line through
a quarter of the share and the share. It also runs in the environments of peers, so each side
imports what it needs.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.knn_shapley import cases

Side = Callable[[], np.ndarray]


def tabseed(n: int, m: int, d: int, share: float, jobs: int) -> Side:
    import tabseed as ts

    x, y, x_ref, y_ref = cases.rows(n, m, d, share)
    engine = "numpy" if jobs < 0 else "numba"
    scorer = ts.KNNShapley(cases.K, n_jobs=abs(jobs), engine=engine)
    small = ts.KNNShapley(cases.K, engine=engine)
    began = time.perf_counter()
    small.fit(x[:100], y[:100], reference=(x_ref[:10], y_ref[:10]), task="classification")
    print(json.dumps({"compile": time.perf_counter() - began}))
    return lambda: scorer.fit(x, y, reference=(x_ref, y_ref)).values_


def plain(n: int, m: int, d: int, share: float, jobs: int) -> Side:
    x, _, x_ref, _ = (a.astype(np.float32) for a in cases.rows(n, m, d, share))
    half = (x * x).sum(axis=1) / 2

    def call() -> np.ndarray:
        cases.distances_and_argsort(x, half, x_ref, jobs)
        return np.zeros(0)

    return call


def opendataval(n: int, m: int, d: int, share: float, jobs: int) -> Side:
    import torch
    from opendataval.dataval import KNNShapley

    torch.set_num_threads(jobs)
    x, y, x_ref, y_ref = cases.rows(n, m, d, share)
    points = [torch.tensor(a, dtype=torch.float32) for a in (x, x_ref)]
    onehot = [torch.nn.functional.one_hot(torch.tensor(a)).float() for a in (y, y_ref)]

    def call() -> np.ndarray:
        valuer = KNNShapley(k_neighbors=cases.K)
        valuer.input_data(points[0], onehot[0], points[1], onehot[1])
        return np.asarray(valuer.train_data_values().evaluate_data_values(), dtype=float)

    return call


def pydvl(n: int, m: int, d: int, share: float, jobs: int) -> Side:
    from joblib import parallel_config
    from pydvl.valuation.dataset import Dataset
    from pydvl.valuation.methods.knn_shapley import KNNShapleyValuation
    from sklearn.neighbors import KNeighborsClassifier

    x, y, x_ref, y_ref = cases.rows(n, m, d, share)
    train, test = Dataset(x, y), Dataset(x_ref, y_ref)

    def call() -> np.ndarray:
        model = KNeighborsClassifier(n_neighbors=cases.K)
        valuer = KNNShapleyValuation(model, test, progress=False)
        with parallel_config(n_jobs=jobs):
            valuer.fit(train)
        result = valuer.result
        values = np.empty(n)
        values[result.indices] = result.values
        return values

    return call


def timed(call: Side) -> tuple[float, np.ndarray]:
    began = time.perf_counter()
    values = call()
    return time.perf_counter() - began, values


def main() -> None:
    side, *numbers, jobs, out = sys.argv[1:]
    n, m, d, share = (*map(int, numbers[:3]), float(numbers[3]))
    make, load = globals()[side], os.getloadavg()[0]
    few = 0.0
    if share < 1:  # do not multiply the time that does not grow with the reference rows
        few, _ = timed(make(n, m, d, share / 4, int(jobs)))
    seconds, values = timed(make(n, m, d, share, int(jobs)))
    if share < 1:
        seconds += (seconds - few) / (0.75 * share) * (1 - share)
    np.save(out, values)
    peaks = [resource.getrusage(w).ru_maxrss for w in
             (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]  # fmt: skip
    print(json.dumps({"seconds": seconds, "load": load, "peak": sum(peaks) >> 10}))


if __name__ == "__main__":
    main()
