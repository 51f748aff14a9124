"""The machine that a study runs on: its name, its threads, and the cost of work.

Imports no numerical library, because :func:`one_thread` must run before any such import.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


def one_thread() -> None:
    """Limit numerical libraries imported later to one thread, unless the user sets another number.

    Processes that start later inherit the limit.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def machine() -> str:
    """Return the processor, its cores, and the version of NumPy, which affects the speed."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line for line in lines if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"{name} {platform.machine()}, {os.cpu_count()} cores, numpy {version('numpy')}"


def system() -> str:
    """Return the operating system, the cores, and the version of Python."""
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def seconds(work: Callable[[], object]) -> float:
    """Do the work; return its wall-clock seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_mib() -> int:
    """Return the peak memory of this process in MiB; Linux counts it in KiB."""
    import resource  # not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
