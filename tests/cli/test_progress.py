"""Progress of commands: lines where there is no terminal, none for quick work."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from tabseed.cli import progress
from tabseed.table import files


def seen(monkeypatch: pytest.MonkeyPatch, seconds: float, *steps: tuple[int, int]) -> list[str]:
    """Return the lines of work that reports these steps, and then takes so many seconds."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.progress_bar("judging") as update:
        for done, total in steps:
            update(done, total, "rows")
        time.sleep(seconds)
    return stream.getvalue().splitlines()


def test_quick_work_says_nothing(monkeypatch) -> None:
    assert seen(monkeypatch, 0, (1, 4)) == []


def test_long_work_says_how_far_it_is_at_growing_intervals(monkeypatch) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.05)
    monkeypatch.setattr(progress, "NEXT", 0.2)
    lines = seen(monkeypatch, 0.4, (1, 4))
    assert 1 <= len(lines) <= 3
    assert all(re.fullmatch(r"judging: 25 %, about [012] s left", line) for line in lines)


def test_silent_work_is_shown_to_go_on(monkeypatch) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.05)
    assert re.fullmatch(r"judging: \d s so far", seen(monkeypatch, 0.2)[0])


def test_an_error_ends_the_lines(monkeypatch) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.01)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with contextlib.suppress(ZeroDivisionError), progress.progress_bar("judging"):
        raise ZeroDivisionError
    said = stream.getvalue()
    time.sleep(0.05)
    assert stream.getvalue() == said


@pytest.mark.slow
def test_a_terminal_sees_share_and_time_left(tmp_path) -> None:
    rng = np.random.default_rng(0)
    paths = []
    for name, n in (("train", 60), ("fake", 60), ("held", 30)):
        paths.append(tmp_path / f"{name}.parquet")
        files.write_table(pa.table({"x": rng.normal(size=n), "y": rng.normal(size=n)}), paths[-1])
    train, fake, held = map(str, paths)
    own, theirs = os.openpty()
    command = [sys.executable, "-m", "tabseed", "evaluate", train, fake, "--holdout", held]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(own, 4096):
                shown += part
    os.close(own)
    assert running.returncode == 0
    assert re.search(rb"synthetic against real.* \d+%", shown)
    assert re.search(rb"\d:\d\d:\d\d|\d\d:\d\d", shown)
