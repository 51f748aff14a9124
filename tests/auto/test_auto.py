"""Auto: which candidates are left, what a limit does, what an interrupt keeps."""

from __future__ import annotations

import contextlib

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.auto import laps
from tabseed.auto.race import Standing
from tabseed.errors import (
    FileError,
    LimitError,
    NothingLearnedError,
    ParameterError,
    TooFewRowsError,
)
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
        alone = ts.Auto(
            candidates={"copies": ts.Resample(), "no": Failing()}, folds=3, max_auc=0.75
        )
        alone.fit(numbers())
    assert ts.Decision.of(alone, None).answer == "do not use"
    assert "each of the 1 that could learn leaks" in ts.Decision.of(alone, None).verdict


def test_any_number_of_processes_gives_the_same_rows() -> None:
    both = {"trees": ts.SequentialTrees(n_orders=2), "copula": ts.GaussianCopula()}
    one, two = (
        ts.Auto(candidates=both, folds=2, n_jobs=k, random_state=3).fit(numbers(60))
        for k in (None, 2)
    )
    assert one.sample(40).equals(two.sample(40)) and one.race_ == two.race_


@pytest.mark.parametrize("run", [0, 1, 2])
def test_who_was_not_asked_in_two_folds_keeps_no_limit(run, monkeypatch) -> None:
    """After two laps the first candidate has had its two folds, and leaks; the other had none."""
    stop_after(run, monkeypatch)
    both = {"copies": ts.Resample(), "copula": ts.GaussianCopula()}
    model = ts.Auto(candidates=both, max_auc=0.75, random_state=0)
    if not run:
        model.set_params(minutes=1e-9)
    with pytest.raises(LimitError, match=r"no candidate is left \((the time was up|it was inter)"):
        model.fit(numbers())
    decision, leaks = ts.Decision.of(model, None), run == 2
    assert ("leaks: an attack" in model.race_[0]["out"]) == leaks
    assert model.race_[1]["out"] in ("not begun", "no attack was asked in 2 folds")
    assert decision.answer == "cannot be told"  # of the copula
    assert f"asked about {int(leaks)} on 2 folds or more; {int(leaks)} of these" in decision.verdict
    assert decision.kept is False and decision.drawing == ""


def test_with_a_limit_the_first_candidate_is_soon_known_to_keep_it(monkeypatch) -> None:
    stop_after(2, monkeypatch)
    both = {"copula": ts.GaussianCopula(), "copies": ts.Resample()}
    model = ts.Auto(candidates=both, max_auc=0.75, random_state=0).fit(numbers())
    assert model.weights_.tolist() == [1, 0] and model.over_ == "it was interrupted"
    assert model.race_[0]["auc"] <= 0.75 and model.race_[1]["out"] == "not begun"


def test_none_beyond_the_limit_draws_rows_even_if_that_may_be_chance() -> None:
    """Folds of 8 rows: an AUC of 0.6 or 0.7 is seldom surely better than guessing."""
    told = []
    for seed in range(4):
        model = ts.Auto(candidates=TREES, max_auc=0.55, random_state=seed)
        with contextlib.suppress(LimitError):
            model.fit(numbers(40, seed))
        told += model.race_
        drew = [line for line, weight in zip(model.race_, model.weights_, strict=True) if weight]
        assert all(line["auc"] <= 0.55 for line in drew)
    unsure = [line for line in told if line["out"].startswith("may leak")]
    assert unsure and all(line["auc"] > 0.55 and line["auc_low"] <= 0.5 for line in unsure)


def test_folds_are_compared_in_one_unit_where_a_class_is_rare() -> None:
    """Two rows of a class lie in two folds; the others have no AUC: their errors are no gains."""
    table = numbers(50).drop_columns(["up"])
    rare = pa.array(["b"] * 2 + ["a"] * 48)
    model = ts.Auto("augment", TREES, random_state=0).fit(
        table.append_column("z", rare), target="z"
    )
    assert {line["unit"] for line in model.race_} == {"AUC"}
    assert max(line["rounds"] for line in model.race_) > 2


def test_a_limit_of_the_race_is_one_of_the_decision() -> None:
    table = numbers(200)
    train, held = table.slice(0, 120), table.slice(120)
    model = ts.Auto(candidates=TREES, folds=2, max_auc=0.9, random_state=0).fit(train)
    judged = ts.evaluate(train, numbers(120, 5), held)  # rows of the law itself
    copies = ts.evaluate(train, train, held)
    (limit,) = ts.Decision.of(model, judged).limits
    assert limit.limit == 0.9 and limit.passed is True
    assert ts.Decision.of(model, judged).answer == "use"
    assert ts.Decision.of(model, copies).answer == "do not use"
    free = ts.Auto(candidates=TREES, folds=2, random_state=0).fit(train)
    assert ts.Decision.of(free, copies).answer == "leaks, no limit set"
    few = ts.evaluate(train, numbers(120, 5), held.slice(0, 10))
    assert ts.Decision.of(free, few).answer == "cannot be told"  # ten rows show nothing


def test_the_file_is_the_same_for_any_number_of_processes(tmp_path) -> None:
    both = {"trees": ts.SequentialTrees(n_orders=2), "copula": ts.GaussianCopula()}
    for jobs in (None, 2):
        model = ts.Auto(candidates=both, folds=2, n_jobs=jobs, random_state=0).fit(numbers(40))
        model.save(tmp_path / f"{jobs}")
    assert (tmp_path / "None").read_bytes() == (tmp_path / "2").read_bytes()


def test_only_an_auto_has_a_decision() -> None:
    with pytest.raises(ParameterError, match="is not a fitted Auto"):
        ts.Decision.of(ts.SequentialTrees(), None)


def stop_after(count: int, monkeypatch) -> None:
    """Interrupt a race after so many laps; 0: never."""
    run, done = laps.run_lap, 0

    def counted(*args):
        nonlocal done
        done += 1
        if 0 < count < done:
            raise KeyboardInterrupt
        return run(*args)

    monkeypatch.setattr("tabseed.auto.race.run_lap", counted)


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
    stop_after(3, monkeypatch)
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
