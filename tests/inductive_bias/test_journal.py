"""A fit that was killed in any stage continues."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import tabseed as ts
from helpers.biases import assert_equal_weights, tuned
from tabseed.testing import example_table

# averages of seeds that share nothing warn
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")

LONG = {
    "pretrain": ts.Pretraining(n_seeds=2, n_rows=60),
    "auto": ts.AutoBias(candidates=[ts.WeightAveraging(2), ts.Pretraining(2, n_rows=60)], folds=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_fit_killed_in_any_stage_continues(name: str, tmp_path: Path) -> None:
    """Interrupted at six moments, the last when all is done, it ends as if never interrupted."""
    table, path = example_table(40), tmp_path / "state"
    calls: list[str] = []
    shares: list[float] = []

    def interrupting(at: int):
        def report(done: int, total: int, message: str) -> None:
            calls.append(message)
            shares.append(done / total)
            if len(calls) == at:
                raise KeyboardInterrupt

        return report

    whole = tuned(clone(LONG[name])).fit(table, progress=interrupting(0))
    stages = {message.rpartition(": ")[0] for message in calls}
    assert len(stages) > LONG[name].plan().stages / 2
    assert shares == sorted(shares) and shares[-1] == 1 and shares[-2] > 0.5
    total, interrupted = len(calls), set()
    for at in np.linspace(2, total, 6).astype(int).tolist():
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            tuned(clone(LONG[name])).fit(table, progress=interrupting(at), checkpoint=path)
        interrupted.add(calls[-1].rpartition(": ")[0])
        calls.clear()
        resumed = tuned(clone(LONG[name])).fit(table, progress=interrupting(0), checkpoint=path)
        assert not path.exists()
        assert len(calls) <= total - at + 3  # finished stages and steps are not repeated
        assert_equal_weights(whole.ensemble_.weights, resumed.ensemble_.weights)
        assert resumed.summary() == whole.summary()
        assert resumed.sample(20).equals(whole.sample(20))
    assert len(interrupted) >= min(4, len(stages))
