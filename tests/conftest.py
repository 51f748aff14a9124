"""What holds for every test."""

from __future__ import annotations

import os

import pytest

# Starting processes takes longer than what they would do here; n_jobs=2 still starts two.
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")
pytest.register_assert_rewrite("helpers")
