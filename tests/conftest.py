"""Settings for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Two processes of pytest fill two cores: threads and processes below them only wait for one
# another, some operations of BLAS ten times longer. Tests of threads and jobs set their own.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")
pytest.register_assert_rewrite("helpers")

# On a busy machine a single example may take long; that is no failure. The examples are the same in
# each run: whoever wants others, and there are always more, sets derandomize=False for a while.
settings.register_profile("tabseed", deadline=None, derandomize=True)
settings.load_profile("tabseed")
