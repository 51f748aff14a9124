"""Auto: which candidates are left, what a limit does, what an interrupt keeps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.auto import laps
from tabseed.auto.race import Standing
from tabseed.errors import FileError, NothingLearnedError, TooFewRowsError
from tabseed.generators.base import Generator


class Failing(Generator):
    def __init__(self, random_state=0):
        self.random_state = random_state

    def _fit(self, x, layout, stream, aids):
        raise TooFewRowsError("Failing needs more rows")


class Independent(ts.SequentialTrees):
    """Columns drawn apart: no tree can split."""

    def __init__(self, random_state=0):
        super().__init__(n_orders=2, min_leaf=10**6, random_state=random_state)


def numbers(n: int = 120, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pa.table({"x": x, "y": x + 0.3 * rng.normal(size=n), "up": x > 0})


TREES = {"apart": Independent(), "copula": ts.GaussianCopula()}


def test_the_candidate_that_knows_the_law_is_left() -> None:
    """Two columns with a correlation of 0.96: one candidate knows it, one draws them apart."""
    model = ts.Auto(candidates=TREES, random_state=0).fit(numbers())
    assert model.weights_.tolist() == [0, 1]
    line = model.race_[0]
    assert line["behind"] > 2.5 * line["error"] and "than copula in round" in line["out"]


def test_one_that_fails_leaves_and_is_said() -> None:
    model = ts.Auto(candidates={"no": Failing(), **TREES}, folds=2, random_state=0).fit(numbers(60))
    assert model.race_[0]["out"] == "could not learn these rows: Failing needs more rows"
    assert any("no: could not learn" in line for line in model.summary())
    with pytest.raises(NothingLearnedError, match="no: could not learn"):
        ts.Auto(candidates={"no": Failing()}, folds=2).fit(numbers(60))


def test_a_limit_leaves_copies_out_and_is_no_merit() -> None:
    """Copies of the training rows are the nearest to them; whoever repeats them is told by all."""
    both = {"copies": ts.Resample(), "copula": ts.GaussianCopula()}
    limited = ts.Auto(candidates=both, folds=3, max_auc=0.75, random_state=0).fit(numbers())
    assert limited.weights_.tolist() == [0, 1] and limited.race_[0]["auc"] > 0.95
    with pytest.raises(NothingLearnedError, match="leaks"):
        ts.Auto(candidates={"copies": ts.Resample()}, folds=3, max_auc=0.75).fit(numbers())


def test_any_number_of_processes_gives_the_same_rows() -> None:
    both = {"trees": ts.SequentialTrees(n_orders=2), "copula": ts.GaussianCopula()}
    one, two = (
        ts.Auto(candidates=both, folds=2, n_jobs=k, random_state=3).fit(numbers(60))
        for k in (None, 2)
    )
    assert one.sample(40).equals(two.sample(40)) and one.race_ == two.race_


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_killed_race_goes_on_and_ends_with_the_same_model(after, tmp_path, monkeypatch) -> None:
    table, settings = numbers(60), {"candidates": TREES, "folds": 3, "random_state": 1}
    whole = ts.Auto(**settings).fit(table)
    run, count = laps.run_lap, 0

    def dying(*args):
        nonlocal count
        count += 1
        if count > after:
            raise MemoryError("killed")
        return run(*args)

    monkeypatch.setattr("tabseed.auto.race.run_lap", dying)
    with pytest.raises(MemoryError):
        ts.Auto(**settings).fit(table, checkpoint=tmp_path / "race")
    monkeypatch.setattr("tabseed.auto.race.run_lap", run)
    with pytest.raises(FileError, match="other data or with other settings"):
        ts.Auto(**settings).fit(numbers(60, seed=9), checkpoint=tmp_path / "race")
    again = ts.Auto(**settings).fit(table, checkpoint=tmp_path / "race")
    whole.save(tmp_path / "a")
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not (tmp_path / "race").exists()


def test_an_interrupt_ends_the_race_with_what_is_known(monkeypatch) -> None:
    run, count = laps.run_lap, 0

    def interrupted(*args):
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return run(*args)

    monkeypatch.setattr("tabseed.auto.race.run_lap", interrupted)
    model = ts.Auto(candidates=TREES, folds=5, random_state=0).fit(numbers())
    assert model.over_ == "it was interrupted" and model.weights_[1] > 0.9
    assert [line["rounds"] for line in model.race_] == [1, 1]
    assert any("interrupted" in line for line in model.summary())


def test_no_time_leaves_the_first_candidate() -> None:
    model = ts.Auto(candidates=TREES, minutes=1e-9, random_state=0).fit(numbers(40))
    assert model.weights_.tolist() == [1, 0] and model.over_ == "the time was up"
    assert [line["out"] for line in model.race_] == ["", "not begun"]


def test_the_strongest_attack_is_the_mean_over_folds_before_the_largest() -> None:
    """Taking the largest in each fold first would call noise a leak."""
    none = np.empty(0)
    told = [np.array([0.6, 0.4, 0.5]), np.array([0.4, 0.6, 0.5])]
    standing = Standing([laps.Lap(none, aucs, none, 0.0) for aucs in told])
    assert standing.auc.value == pytest.approx(0.5)


def test_to_augment_the_candidate_whose_rows_help_is_chosen() -> None:
    """y depends on x; rows in which it does not teach a model nothing, or harm it."""
    table = numbers(80).drop_columns(["up"])
    model = ts.Auto("augment", TREES, folds=3, random_state=0).fit(table, target="y")
    assert model.weights_.tolist() == [0, 1] and model.race_[0]["behind"] > 0
