"""Studies survive killed programs and parallel programs, in any storage."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import tabseed as ts
from helpers.studies import SPACES, noisy, plain
from tabseed.errors import FileError, MissingDependencyError, TabseedError
from tabseed.tune.storage import SILENCE, Storage, worker_name


def test_only_trials_of_silent_workers_are_taken_over(tmp_path: Path) -> None:
    tuner = ts.Tuner(SPACES, storage=tmp_path / "s", random_state=0)
    tuner.run(noisy, trials=1)
    storage = Storage(tmp_path / "s", "study")
    assert storage.claim(1, "b", {"n": 5}, "elsewhere:1:x")
    assert not storage.claim(1, "b", {"n": 6}, "elsewhere:1:y")
    study = tuner.run(noisy, trials=3)
    assert [t.state for t in study.trials] == ["done", "running", "done"]
    row = storage.trials()[1]
    storage._beat(1, "elsewhere:1:x", row.heartbeat - SILENCE - 1)
    study = tuner.run(noisy, trials=3)
    assert [t.state for t in study.trials] == ["done"] * 3 and study.trials[1].settings == {"n": 5}
    storage.finish(1, "elsewhere:1:x", (9.0,), "", 0.0)  # too late
    assert 9.0 not in ts.Study.read(tmp_path / "s").trials[1].draws
    assert not storage.take_over(row, "elsewhere:2:x")


PROGRAM = """
import sys, time, numpy as np, tabseed as ts
from helpers.studies import SPACES, noisy
where, slow, proposer, trials = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
def objective(family, settings, stream):
    print(family, flush=True)
    objective.calls += 1
    time.sleep(600 if objective.calls == slow else 0.01)
    return noisy(family, settings, stream)
objective.calls = 0
tuner = ts.Tuner(SPACES, storage=where, proposer=proposer, n_initial=2, random_state=3)
print("ready", flush=True)
sys.stdin.readline()
tuner.run(objective, trials=trials)
"""


def program(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        cwd=Path(__file__).parents[1],  # helpers are importable there
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_study_loses_no_more_than_the_running_trial(tmp_path: Path) -> None:
    where = tmp_path / "s.sqlite"
    with program(where, 6, "ei", 9) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write("go\n")
        child.stdin.flush()
        for _ in range(
            1 + 6
        ):  # "ready", then six trials begin, the last of which takes ten minutes
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    interrupted = ts.Study.read(where)
    assert [t.state for t in interrupted.trials] == ["done"] * 5 + ["running"]
    resumed = ts.Tuner(SPACES, storage=where, n_initial=2).run(noisy, trials=9)
    whole = ts.Tuner(SPACES, n_initial=2, random_state=3).run(noisy, trials=9)
    assert plain(resumed) == plain(whole)


@pytest.mark.slow
def test_two_programs_never_repeat_a_trial(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    where = tmp_path / "s.sqlite"
    programs = [program(storage, 0, "random", 30) for storage in (where, f"sqlite:///{where}")]
    for one in programs:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in programs:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    lines = [one.communicate(timeout=60)[0].splitlines() for one in programs]
    assert [one.returncode for one in programs] == [0, 0]
    study = ts.Study.read(where)
    assert len(study.trials) == 30 == sum(map(len, lines))  # no trial was run twice
    assert len({(t.family, json.dumps(t.settings)) for t in study.trials}) == 30
    assert min(map(len, lines)) >= 3  # both programs ran some
    workers = {row.worker.split(":")[-2] for row in Storage(where, "study").trials()}
    assert workers == {str(one.pid) for one in programs}


def test_storages_agree_and_report_errors(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    url = f"sqlite:///{tmp_path}/u.sqlite"
    through = ts.Tuner(SPACES, storage=url, name="it's", random_state=3).run(noisy, trials=3)
    assert plain(through) == plain(ts.Tuner(SPACES, random_state=3).run(noisy, trials=3))
    assert plain(ts.Study.read(tmp_path / "u.sqlite", "it's")) == plain(through)
    for changed in ({"spaces": {"a": SPACES["a"]}}, {"spaces": SPACES, "random_state": 4}):
        with pytest.raises(TabseedError, match="another"):
            ts.Tuner(**changed, storage=url, name="it's").run(noisy, trials=4)
    with pytest.raises(FileError, match="no study named 'other'"):
        ts.Study.read(url, "other")
    with pytest.raises(FileError, match="no such file"):
        ts.Study.read(tmp_path / "none")
    Storage(url, "it's")._execute("UPDATE tabseed_trials SET settings = '{\"n\": 1000}'")
    with pytest.raises(FileError, match="not sound"):
        ts.Study.read(url, "it's")
    (tmp_path / "text").write_text("no database " * 100)
    for storage in (tmp_path / "text", f"sqlite:///{tmp_path}/text"):
        with pytest.raises(FileError, match="not a database"):
            ts.Tuner(SPACES, storage=storage).run(noisy, trials=1)
    secret = "postgresql+nosuchdriver://user:secret@host/base"
    for url in (secret, "nosuch://user:secret@host/base", "sqlite://user:secret@host:x:/b"):
        with pytest.raises((FileError, MissingDependencyError)) as caught:
            ts.Tuner(SPACES, storage=url).run(noisy, trials=1)
        assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value"),
    [("settings", "{"), ("settings", "[]"), ("settings", "[" * 100_000), ("draws", "null"),
     ("draws", '["x"]'), ("state", "?"), ("seconds", "soon"), ("heartbeat", b"now"),
     ("settings", b"1")],
)  # fmt: skip
def test_a_trial_that_no_worker_wrote_is_refused_in_one_line(tmp_path, column, value) -> None:
    path = tmp_path / "study.db"
    storage = Storage(path, "study")
    storage.begin("{}")
    storage.claim(0, "a", {"x": 1}, worker_name())
    assert storage.trials()[0].settings == {"x": 1}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE tabseed_trials SET {column} = ?", (value,))
        connection.commit()
    with pytest.raises(FileError, match="trial 0 is not sound") as caught:
        storage.trials()
    assert str(caught.value).isprintable()


def test_a_study_in_a_pipe_is_refused(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="not a regular file"):
        Storage(tmp_path / "pipe", "study").begin("{}")
