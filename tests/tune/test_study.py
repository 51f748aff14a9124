"""A study: its estimates, and its table."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tabseed as ts
from helpers.studies import SPACES, noisy
from tabseed.space import Int, Space
from tabseed.tune import Trial


def test_a_lucky_draw_is_not_the_best() -> None:
    """Neighbours show that one value is luck: its estimate is far below its mean."""
    lucky = np.r_[np.full(10, 0.0), 1.0, np.full(9, 0.0)]
    noise = np.random.default_rng(0).normal(size=20)
    trials = tuple(
        Trial(k, "b", {"n": k + 1}, "done", (lucky[k] + 0.5 * noise[k],), "", 0.1)
        for k in range(20)
    )
    study = ts.Study({"b": Space({"n": Int(1, 20)})}, trials)
    values = np.array([t.value for t in trials])
    assert study.estimates.max() < 0.5 * values.max()
    assert study.estimates.std() < 0.5 * values.std()


def test_a_study_as_a_table() -> None:
    study = ts.Tuner(SPACES, random_state=0, selector="round-robin").run(noisy, trials=4)
    table = study.to_arrow()
    assert table.num_rows == 4
    for row, trial in zip(table.to_pylist(), study.trials, strict=True):
        assert row["value"] == pytest.approx(np.mean(row["draws"]))
        assert row["standard_error"] == pytest.approx(np.std(row["draws"], ddof=1) / math.sqrt(3))
        own = {f"{trial.family}.{k}": v for k, v in trial.settings.items()}
        assert {k: v for k, v in row.items() if "." in k and v is not None} == own
