"""Compare the bytes from two ray workers with those without ray. Needs ray.

Prints whether they are the same, and the seconds of both.
"""

from __future__ import annotations

import json
import time

import numpy as np
import ray
from joblib import parallel_config
from ray.util.joblib import register_ray

import tabseed as ts


def main() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4000, 20)), rng.integers(0, 2, 4000)
    x_ref, y_ref = rng.normal(size=(3000, 20)), rng.integers(0, 2, 3000)
    began = time.perf_counter()
    alone = ts.KNNShapley(engine="numba").fit(x, y, reference=(x_ref, y_ref))
    middle = time.perf_counter()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    with parallel_config(backend="ray", n_jobs=2):
        spread = ts.KNNShapley(engine="numba").fit(x, y, reference=(x_ref, y_ref))
    ended = time.perf_counter()
    ray.shutdown()
    same = (
        alone.values_.tobytes() == spread.values_.tobytes()
        and alone.standard_errors_.tobytes() == spread.standard_errors_.tobytes()
    )
    print(json.dumps({"same": same, "alone": middle - began, "ray": ended - middle}))


if __name__ == "__main__":
    main()
