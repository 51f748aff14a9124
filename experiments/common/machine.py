"""The machine that a study runs on: what it is, its threads, and what work takes there.

Imports no numerical library: :func:`one_thread` has to be called before any is imported.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


def one_thread() -> None:
    """Hold numerical libraries that are imported from now on to one thread, unless the user asks.

    Processes that are started later inherit it.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def machine() -> str:
    """Name the processor, its cores, and the version of NumPy, which decides the speed."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line for line in lines if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"{name} {platform.machine()}, {os.cpu_count()} cores, numpy {version('numpy')}"


def system() -> str:
    """Name the operating system, the cores, and the version of Python."""
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def seconds(work: Callable[[], object]) -> float:
    """Do the work; give its wall-clock seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_mib() -> int:
    """Give the peak memory of this process; Linux counts it in KiB."""
    import resource  # not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
