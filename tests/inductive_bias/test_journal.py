"""A fit that is killed in any stage goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import tabseed as ts
from helpers.biases import assert_equal_weights, tuned
from tabseed.testing import example_table

# averages of seeds that share nothing say so
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")

LONG = {
    "pretrain": ts.Pretraining(n_seeds=2, n_rows=60),
    "auto": ts.AutoBias(candidates=[ts.WeightAveraging(2), ts.Pretraining(2, n_rows=60)], folds=2),
}


@pytest.mark.parametrize("name", LONG)
def test_a_fit_killed_in_any_stage_goes_on(name: str, tmp_path: Path) -> None:
    """Cut off at one of six moments, the last when all is done, it ends as if never cut."""
    table, path = example_table(40), tmp_path / "state"
    calls: list[str] = []
    shares: list[float] = []

    def interrupting(at: int):
        def tell(done: int, total: int, message: str) -> None:
            calls.append(message)
            shares.append(done / total)
            if len(calls) == at:
                raise KeyboardInterrupt

        return tell

    whole = tuned(clone(LONG[name])).fit(table, progress=interrupting(0))
    stages = {message.rpartition(": ")[0] for message in calls}
    assert len(stages) > LONG[name].plan().stages / 2
    assert shares == sorted(shares) and shares[-1] == 1 and shares[-2] > 0.5
    total, cut = len(calls), set()
    for at in np.linspace(2, total, 6).astype(int).tolist():
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            tuned(clone(LONG[name])).fit(table, progress=interrupting(at), checkpoint=path)
        cut.add(calls[-1].rpartition(": ")[0])
        calls.clear()
        resumed = tuned(clone(LONG[name])).fit(table, progress=interrupting(0), checkpoint=path)
        assert not path.exists()
        assert len(calls) <= total - at + 3  # finished stages, and steps, are not done again
        assert_equal_weights(whole.ensemble_.weights, resumed.ensemble_.weights)
        assert resumed.summary() == whole.summary()
        assert resumed.sample(20).equals(whole.sample(20))
    assert len(cut) >= min(4, len(stages))
