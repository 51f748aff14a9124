"""Streams, pipes, interrupts, progress and hostile names: the command in its terminal."""

from __future__ import annotations

import contextlib
import html
import json
import os
import shlex
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from helpers.command import names_in, refused, spawn
from tabseed.table import files as io

HOSTILE = ("<b>=1+1</b>", "=cmd()", "two\nlines", "\x1b[31mred", "{{ 7*7 }}", "\u202eright")

HOSTILE_LEVEL = '"><img src=x onerror=alert(1)>'


# --- processes: streams, pipes, interrupts ------------------------------------------------------


@pytest.mark.slow
def test_json_alone_on_standard_output_the_rest_on_standard_error(data, tmp_path) -> None:
    ran = spawn("synth", data, "-o", tmp_path / "o.csv", "--generator", "resample", "--json")
    assert ran.code == 0
    assert ran.document["output"] == str(tmp_path / "o.csv") and ran.document["rows"] == 40
    assert "learned" in ran.err and "\r" not in ran.err and "\x1b" not in ran.err
    bad = spawn("synth", tmp_path / "none.csv", "-o", tmp_path / "p.csv", "--json")
    refused(bad, "none.csv: no such file")


@pytest.mark.slow
def test_output_survives_a_terminal_with_ascii_only(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("größe\nä\nö\n", encoding="utf-8")
    ran = spawn("info", tmp_path / "t.csv", PYTHONIOENCODING="ascii")
    assert ran.code == 0 and "gr\\xf6\\xdfe" in ran.out and ran.said == ""
    ran = spawn("info", tmp_path / "t.csv", "--json", PYTHONIOENCODING="ascii")
    assert ran.document["columns"][0]["name"] == "größe"


def without_reader(*arguments: object) -> tuple[int, bytes]:
    """Run a command whose reader closes the pipe at once, as ``| head -0`` does."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        line = [sys.executable, "-m", "tabseed", *map(str, arguments)]
        done = subprocess.run(line, stdout=pipe, stderr=subprocess.PIPE)
    return done.returncode, done.stderr


@pytest.mark.slow
def test_a_reader_that_leaves_early_stops_nothing(data, tmp_path) -> None:
    assert without_reader("info", data) == (0, b"")
    out = tmp_path / "o.csv"
    assert without_reader("synth", data, "-o", out, "--generator", "resample") == (0, b"")
    assert len(io.read_table(out)) == 40


# Runs the command, and sends its own process a signal at a given step of the training.
SIGNALLED = """
import os, sys, torch
at, number, seen, adam = int(sys.argv.pop(1)), int(sys.argv.pop(1)), [], torch._fused_adam_
def counted(*args, **kwargs):
    seen.append(1)
    if len(seen) == at:
        os.kill(os.getpid(), number)
    return adam(*args, **kwargs)
torch._fused_adam_ = counted
from tabseed.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_during_training_leaves_nothing(line, tmp_path, number, code) -> None:
    stopped = spawn(60, int(number), *line, program=SIGNALLED)
    assert stopped.code == code
    assert stopped.said == ("interrupted; nothing was left half-written\n" * (code == 130))
    assert "learned  " not in stopped.out
    assert names_in(tmp_path) == ["data.csv"]


@pytest.mark.slow
def test_a_resumed_training_ends_with_the_same_bytes(tab, line, tmp_path) -> None:
    state = tmp_path / "kept"
    stopped = spawn(60, int(signal.SIGINT), *line, "--resume", state, program=SIGNALLED)
    assert stopped.code == 130 and f"{state} holds the state of training" in stopped.err
    assert names_in(tmp_path) == ["data.csv", "kept"]
    other = tab(*line, "--resume", state, "--seed", 1)
    assert other.code == 2 and "on other data or with other settings" in other.err
    assert other.err.count("\n") == 1
    ends_with_the_same_bytes(line, state, tmp_path)


def ends_with_the_same_bytes(line, state: Path, folder: Path) -> None:
    """Resume from ``state``, then start again: both write the same table and model file."""
    outputs = []
    for further in (("--resume", state), ("--force",)):
        assert spawn(*line, *further).code == 0
        assert names_in(folder) == ["data.csv", "m.tabseed", "o.csv"]
        outputs.append([(folder / name).read_bytes() for name in ("o.csv", "m.tabseed")])
    assert outputs[0] == outputs[1]


# The same at the 30th step of one training, by its number: an inductive bias has several.
SIGNALLED_LATER = """
import os, sys, torch
import tabseed.inductive_bias.base as base
at, number, seen = int(sys.argv.pop(1)), int(sys.argv.pop(1)), []
adam, train = torch._fused_adam_, base.train_ensemble
def begun(*args, **kwargs):
    seen.append(0)
    return train(*args, **kwargs)
def counted(*args, **kwargs):
    seen[-1] += 1
    if (len(seen), seen[-1]) == (at, 30):
        os.kill(os.getpid(), number)
    return adam(*args, **kwargs)
base.train_ensemble, torch._fused_adam_ = begun, counted
from tabseed.cli import main
main()
"""


@pytest.mark.slow
def test_a_bias_resumes_in_any_training_and_ends_with_the_same_bytes(line, tmp_path) -> None:
    line, state = (*line, "--bias", "pretrain"), tmp_path / "kept"
    stops = ((1, signal.SIGINT, 130), (2, signal.SIGKILL, -9), (2, signal.SIGINT, 130))
    for finished, (training, number, code) in enumerate(stops):
        stopped = spawn(training, int(number), *line, "--resume", state, program=SIGNALLED_LATER)
        assert stopped.code == code, stopped
        assert names_in(tmp_path) == ["data.csv", "kept"]
        with zipfile.ZipFile(state) as archive:
            assert len(json.loads(archive.read("checkpoint.json"))["finished"]) == finished
    ends_with_the_same_bytes(line, state, tmp_path)


@pytest.mark.slow
def test_a_terminal_sees_one_bar_over_all_trainings(line) -> None:
    own, theirs = os.openpty()
    command = [sys.executable, "-m", "tabseed", *map(str, line), "--bias", "average"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as running:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(own, 4096):
                seen += part
    os.close(own)
    assert running.returncode == 0
    first, second = seen.find(b"10 seeds: "), seen.find(b"WeightAveraging, tuning: ")
    assert 0 <= first < second


# --- hostile names ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    columns: dict[str, list] = {name: rng.integers(0, 4, 60).tolist() for name in HOSTILE}
    columns["level"] = rng.choice([HOSTILE_LEVEL, "=1+1", "\x1b[2J"], 60).tolist()
    columns["<i>id</i>"] = [f"u{i}" for i in range(60)]
    path = tmp_path_factory.mktemp("hostile") / "t.csv"
    io.write_table(pa.table(columns), path)
    return path


def test_hostile_names_do_not_control_the_terminal(tab, hostile) -> None:
    ran = tab("info", hostile)
    assert ran.code == 0
    assert all(c.isprintable() or c == "\n" for c in ran.out)
    bad = tab("info", hostile, "--kind", "\x1b[31mred=continuous:%Y\n")
    assert bad.code == 2 and bad.err.count("\n") == 1 and "\x1b" not in bad.err


@pytest.mark.slow
def test_hostile_names_stay_text_in_report_and_table(tab, hostile, tmp_path) -> None:
    page, out = tmp_path / "r.html", tmp_path / "o.csv"
    line = ("synth", hostile, "-o", out, "--generator", "resample", "--report", page)
    ran = tab(*line, "--for-spreadsheet", "--json")
    assert ran.code == 0 and ran.document["evaluation"]["columns"] == [*HOSTILE, "level"]
    text = page.read_text(encoding="utf-8")
    for name in (*HOSTILE, "<i>id</i>"):
        escaped = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
        assert html.escape(escaped) in text
    for raw in ("<b>=", "<i>id", "<img", "<script", "\x1b", "\u202e"):
        assert raw not in text
    assert "default-src 'none'" in text
    first = out.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("<b>=1+1</b>,'=cmd(),")
    levels = set(io.read_table(out)["level"].to_pylist())
    assert levels == {HOSTILE_LEVEL, "'=1+1", "\x1b[2J"}


def test_a_page_names_the_command_that_makes_it_again(tab, data, tmp_path, monkeypatch) -> None:
    """It runs where the files lie, and does not tell in which folders of whom they lay."""
    asked = ("hardness", data, "--target", "kind", "-o", tmp_path / "a b.csv")
    page = tmp_path / "page.html"
    assert tab(*asked, "--report", page, "--json", f"--schema={kept(tab, data)}").code == 0
    text = page.read_text("utf-8")
    assert str(tmp_path) not in text
    command = html.unescape(text.split("<dt>made by</dt><dd>")[1].split("</dd>")[0])
    assert command == (
        "tabseed hardness data.csv --target kind -o 'a b.csv' --report page.html --schema=s.json"
    )
    monkeypatch.chdir(tmp_path)
    page.unlink()
    (tmp_path / "a b.csv").unlink()
    assert tab(*shlex.split(command)[1:]).code == 0
    assert page.read_text("utf-8") == text


def kept(tab, data: Path) -> Path:
    """Return a file of the schema of a table."""
    assert tab("info", data, "--save-schema", data.parent / "s.json").code == 0
    return data.parent / "s.json"


def test_an_internal_error_is_one_line_with_its_location(tab, data, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("tabseed.table.describe.describe", broken)
    ran = tab("info", data)
    assert ran.code == 1 and ran.err.count("\n") == 1
    assert "ZeroDivisionError: oops" in ran.err and "info.py, line " in ran.err
