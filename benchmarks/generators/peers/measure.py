"""What every script does around the calls of a generator: fit, sample, measure, write.

Runs in each peer's environment: standard library, numpy and pandas only.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

Learn = Callable[[pd.DataFrame, dict[str, str], int], Callable[[int], pd.DataFrame]]

MIB = 1024  # in KiB, the unit of ru_maxrss on Linux
NO_VALUE = "(missing)"  # level for missing cells if a generator takes no missing cells


def timed(work: Callable[[], object]) -> tuple[object, float, float]:
    """Return the result of ``work``, wall-clock seconds and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measured(learn: Callable[[], Callable[[int], object]], n: int) -> tuple[object, dict]:
    """Return the rows drawn, and the cost: seconds, processor seconds, peak memory in MiB."""
    draw, *fit = timed(learn)
    rows, *sample = timed(lambda: draw(n))
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(which).ru_maxrss for which in processes)
    names = ("fit_seconds", "fit_cpu", "sample_seconds", "sample_cpu", "peak_mib")
    return rows, dict(zip(names, (*fit, *sample, peak / MIB), strict=True))


def days(frame: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    """Return dates as days since 1970, for generators that only take numbers and categories."""
    frame = frame.copy()
    for name in (c for c in frame if kinds[c] == "date"):
        frame[name] = (frame[name] - pd.Timestamp(0)) // pd.Timedelta(days=1)
    return frame


def filled(frame: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    """Return a frame without missing cells: they get their own level, or a number's median."""
    frame = frame.copy()
    for name in (c for c in frame if frame[c].isna().any()):
        if kinds[name] == "discrete":
            frame[name] = frame[name].fillna(NO_VALUE)
        else:
            frame[name] = frame[name].fillna(frame[name].median())
    return frame


def discrete(kinds: dict[str, str]) -> list[str]:
    """Return the names of the columns with categories."""
    return [name for name, kind in kinds.items() if kind == "discrete"]


def main(learn: Learn) -> None:
    """Run ``peer_NAME.py TRAIN OUT N SEED``: OUT is a Parquet file, the figures go beside it."""
    train, out, n, seed = sys.argv[1:5]
    frame = pd.read_parquet(train)
    kinds = json.loads(Path(train).with_suffix(".json").read_text())
    np.random.seed(int(seed))  # noqa: NPY002  # peers draw from the global state
    rows, figures = measured(lambda: learn(frame, kinds, int(seed)), int(n))
    rows.to_parquet(out, index=False)
    Path(out).with_suffix(".measured").write_text(json.dumps(figures))
