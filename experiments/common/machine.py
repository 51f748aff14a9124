"""The machine that a study ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np


def machine() -> str:
    """The processor, its cores, and the versions that decide the speed."""
    info = Path("/proc/cpuinfo")
    names = [s for s in info.read_text().splitlines() if s.startswith("model name")] if (
        info.exists()) else []  # fmt: skip
    name = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"{name} {platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}"
