"""Studies: the same seed gives the same study; failures, budgets, parallel workers."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config

import tabseed as ts
from helpers.studies import SPACES, noisy, plain
from tabseed.errors import TabseedError
from tabseed.space import Choice, Int


def test_one_seed_gives_one_study_even_if_interrupted(tmp_path: Path) -> None:
    whole = ts.Tuner(SPACES, random_state=3).run(noisy, trials=9)
    tuner = ts.Tuner(SPACES, random_state=3, storage=tmp_path / "s.sqlite")
    tuner.run(noisy, trials=6)
    resumed = ts.Tuner(SPACES, storage=tmp_path / "s.sqlite").run(noisy, trials=9)  # its own seed
    assert plain(resumed) == plain(whole) == plain(ts.Study.read(tmp_path / "s.sqlite"))
    other = ts.Tuner(SPACES, random_state=4).run(noisy, trials=9)
    assert plain(other) != plain(whole)
    first = {t.family: t.settings for t in reversed(whole.trials)}
    assert first == {"a": {"x": 0.5, "c": "q"}, "b": {"n": 7}}  # sqrt(0.5 * 100.5)
    assert whole.best.family == "a"


def test_defaults_come_first() -> None:
    defaults = {"b": {"n": 77}}
    study = ts.Tuner(SPACES, defaults=defaults, selector="round-robin").run(noisy, trials=2)
    assert {t.family: t.settings for t in study.trials}["b"] == {"n": 77}
    model = ts.SMOTE(n_neighbors=7)
    study = ts.Tuner({"smote": model}).run(lambda *_: 0.0, trials=1)
    assert study.trials[0].settings == {"n_neighbors": 7, "categories": "frequency"}


def test_a_study_ends_when_all_settings_are_tried() -> None:
    spaces = {"one": {}, "six": {"n": Int(1, 3), "c": Choice((True, False))}}
    study = ts.Tuner(spaces, random_state=0).run(lambda *_: 0.0, trials=100)
    assert Counter(t.family for t in study.trials) == {"one": 1, "six": 6}


def test_failed_trials_are_kept_and_cost_the_family_little_more() -> None:
    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> list[float]:
        if family == "b":
            raise TabseedError("no\nsuch thing")
        return noisy(family, settings, stream)

    study = ts.Tuner(SPACES, random_state=0, proposer="random").run(objective, trials=20)
    failed = [t for t in study.trials if t.state == "failed"]
    assert {t.message for t in failed} == {"no\\nsuch thing"} and {t.family for t in failed} == {
        "b"
    }
    assert 1 <= len(failed) <= 6
    with pytest.raises(TabseedError, match=r"none of 3 trials .* no finite number"):
        _ = ts.Tuner(SPACES).run(lambda *_: [0.0, math.nan], trials=3).best


def test_other_errors_are_kept_and_raised(tmp_path: Path) -> None:
    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> float:
        raise ZeroDivisionError("oh")

    tuner = ts.Tuner(SPACES, storage=tmp_path / "s")
    with pytest.raises(ZeroDivisionError):
        tuner.run(objective, trials=3)
    (trial,) = ts.Study.read(tmp_path / "s").trials
    assert (trial.state, trial.message) == ("failed", "ZeroDivisionError: oh")


def test_an_interrupted_trial_is_restarted(tmp_path: Path) -> None:
    def interrupted(family: str, settings: dict, stream: np.random.SeedSequence) -> float:
        raise KeyboardInterrupt

    tuner = ts.Tuner(SPACES, storage=tmp_path / "s", random_state=3)
    with pytest.raises(KeyboardInterrupt):
        tuner.run(interrupted, trials=3)
    assert [t.state for t in ts.Study.read(tmp_path / "s").trials] == ["running"]
    assert plain(tuner.run(noisy, trials=3)) == plain(
        ts.Tuner(SPACES, random_state=3).run(noisy, trials=3)
    )


def test_parallel_workers_never_repeat_settings(tmp_path: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    tuner = ts.Tuner(SPACES, random_state=0, proposer="random", storage=tmp_path / "s")
    with parallel_config(backend="threading"):
        study = tuner.run(noisy, trials=15, n_jobs=3, progress=lambda *a: calls.append(a))
    assert [t.number for t in study.trials] == list(range(15))
    assert len({(t.family, json.dumps(t.settings)) for t in study.trials}) == 15
    for trial in study.trials:
        assert trial.state == "done"
    # the number of a trial decides its noise, whichever worker runs it
    alone = ts.Tuner(SPACES, random_state=0, proposer="random").run(noisy, trials=1)
    assert plain(alone)[0] in plain(study)
    assert len(calls) == 15 and max(done for done, _, _ in calls) == 15


def test_more_jobs_than_trials_or_cores_start_no_more_processes() -> None:
    before = set(threading.enumerate())
    seen: set[str] = set()

    def objective(*_: Any) -> float:
        seen.update(t.name for t in set(threading.enumerate()) - before)
        return 0.5

    with parallel_config(backend="threading"):
        study = ts.Tuner(SPACES, random_state=0, proposer="random").run(
            objective, trials=2, n_jobs=10_000
        )
    assert len(study.trials) == 2 and len(seen) < 60


def test_a_budget_of_minutes_ends() -> None:
    study = ts.Tuner(SPACES, proposer="random", random_state=0).run(noisy, minutes=0.005)
    assert len(study.trials) >= 1
    for budget in ({}, {"trials": 0}, {"minutes": 0}):
        with pytest.raises(TabseedError):
            ts.Tuner(SPACES).run(noisy, **budget)


@pytest.mark.parametrize(
    "wrong",
    [
        {"selector": "best"},
        {"proposer": "best"},
        {"n_initial": 0},
        {"spaces": {}},
        {"spaces": {"a": ts.SMOTE}},
        {"spaces": {"a": {"x": 1}}},
        {"defaults": {"b": {"n": 1000}}},
        {"spaces": {"a": ts.SMOTE(n_neighbors=99)}},
    ],
)
def test_wrong_parameters_are_reported_in_one_line(wrong: dict) -> None:
    with pytest.raises(TabseedError) as caught:
        ts.Tuner(**{"spaces": SPACES, **wrong}).run(noisy, trials=1)
    assert "\n" not in str(caught.value)
