"""``tabseed auto``: what it writes, what it decides, what it refuses."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from helpers.command import refused
from tabseed.table import files as io

COPIES = {"copies": ts.Resample()}
AT_ONCE = ("--minutes", 1e-9)  # only the first candidate: no lap is begun


@pytest.fixture
def rows(tmp_path):
    """120 rows in which ``y`` depends on ``x``."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    y = np.where(x + rng.normal(size=120) > 0, "yes", "no")
    io.write_table(pa.table({"x": x, "c": rng.choice(["a", "b"], 120), "y": y}), tmp_path / "d.csv")
    return tmp_path / "d.csv"


def test_it_writes_tables_a_model_and_both_pages(tab, rows, tmp_path) -> None:
    line = ("auto", rows, "-o", tmp_path / "o.csv", "--m", 2, "--rows", 50, *AT_ONCE)
    pages = ("--report", tmp_path / "p.html", "--decision", tmp_path / "d.html")
    ran = tab(*line, *pages, "--model", tmp_path / "m.tabseed", "--json", "--target", "y")
    assert ran.code == 0, ran.err
    first, second = (io.read_table(tmp_path / f"o-{m}.csv") for m in (1, 2))
    assert len(first) == len(second) == 50 and not first.equals(second)
    assert type(ts.load(tmp_path / "m.tabseed")) is ts.Auto
    decision = json.loads(ran.out)["decision"]
    assert decision["weights"]["trees"] == 1.0 and decision["over"] == "the time was up"
    page = (tmp_path / "d.html").read_text()
    assert "Which synthetic rows, and whether to use them" in page and "not begun" in page
    assert "<html" in (tmp_path / "p.html").read_text()


def test_both_goals_have_an_answer_each(tab, rows, tmp_path) -> None:
    line = ("auto", rows, "-o", tmp_path / "o.csv", "--goal", "both", "--target", "y", "--json")
    ran = tab(*line, *AT_ONCE)
    answers = json.loads(ran.out)["decision"]["answers"]
    assert set(answers) == {"share", "augment"}
    assert ran.code == (3 if answers["share"] == "do not use" else 0)


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_is_recommended_where_no_row_predicts_the_target(tab, seed, tmp_path) -> None:
    rng = np.random.default_rng(seed)
    noise = {f"x{j}": rng.normal(size=200) for j in range(3)}
    io.write_table(pa.table(noise | {"y": rng.choice(["u", "v"], 200)}), tmp_path / "d.csv")
    line = ("auto", tmp_path / "d.csv", "-o", tmp_path / "o.csv", "--goal", "augment")
    ran = tab(*line, "--target", "y", "--json", *AT_ONCE)
    decision = json.loads(ran.out)["decision"]
    assert ran.code == 0 and decision["answer"] == "do not use"
    assert decision["gain"]["low"] <= 0 and "augment: do not use" in decision["verdict"]


def test_where_every_candidate_leaks_no_rows_are_written(tab, tmp_path) -> None:
    """A limit of 0.5 and rows of their own that all trees, forests and copulas follow."""
    rng = np.random.default_rng(0)
    wide = {f"c{j}": rng.choice(list("abcdefgh"), 60) for j in range(12)}
    io.write_table(pa.table(wide), tmp_path / "d.csv")
    out = tmp_path / "o.csv"
    page = ("--decision", tmp_path / "why.html")
    ran = tab("auto", tmp_path / "d.csv", "-o", out, "--max-auc", 0.5, "--json", *page)
    assert ran.code == 3 and not out.exists()
    decision = json.loads(ran.out)["decision"]
    assert decision["answer"] == "do not use" and "each leaks, beyond chance" in decision["verdict"]
    assert {line["out"][:5] for line in decision["race"]} == {"leaks"}
    page = (tmp_path / "why.html").read_text()  # the record of a refusal exists too
    assert "Do not use synthetic rows" in page and "leaks: an attack" in page
    digest = hashlib.sha256((tmp_path / "d.csv").read_bytes()).hexdigest()
    assert digest in page and "largest AUC of an attack" in page


def test_a_limit_without_the_time_to_ask_writes_nothing(tab, rows, tmp_path) -> None:
    out = tmp_path / "o.csv"
    ran = tab("auto", rows, "-o", out, "--max-auc", 0.55, "--json", *AT_ONCE)
    assert ran.code == 3 and not out.exists()
    assert json.loads(ran.out)["decision"]["answer"] == "cannot be told"


def only_copies(monkeypatch) -> None:
    monkeypatch.setattr("tabseed.auto.auto.default_candidates", lambda *_, **__: COPIES)


def test_rows_that_break_a_limit_on_the_rows_set_aside_are_not_written(
    tab, tmp_path, monkeypatch
) -> None:
    """No race asks what is disclosed: copies do, and only the judge says so."""
    only_copies(monkeypatch)
    rng = np.random.default_rng(0)
    wide = {f"c{j}": rng.choice(list("abcd"), 200) for j in range(8)}
    io.write_table(pa.table(wide), tmp_path / "d.csv")
    (tmp_path / "o.csv").write_text("mine")
    line = (
        "auto",
        tmp_path / "d.csv",
        "-o",
        tmp_path / "o.csv",
        "--model",
        tmp_path / "m",
        "--force",
    )
    ran = tab(
        *line, "--sensitive", "c0", "--max-disclosure", 0.09, "--decision", tmp_path / "w.html"
    )
    assert ran.code == 3 and "no table was written" in ran.out
    assert (tmp_path / "o.csv").read_text() == "mine" and not (tmp_path / "m").exists()
    assert (
        "do not use these rows: a limit of privacy is broken" in (tmp_path / "w.html").read_text()
    )


def test_what_is_interrupted_goes_on_wherever_it_was(tab, rows, tmp_path, monkeypatch) -> None:
    """While judging the race is over: its state stays until all is written."""
    only_copies(monkeypatch)
    state, out = tmp_path / "state", tmp_path / "o.csv"
    line = ("auto", rows, "-o", out, "--resume", state, "--decision", tmp_path / "w.html")

    def dying(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tabseed.cli.auto.judge", dying)
    ran = tab(*line)
    assert ran.code == 130 and state.exists() and out.exists()
    assert f"{out} has the rows that were chosen; nothing judged them" in ran.said
    assert f"{state} holds what was tried" in ran.said
    monkeypatch.undo()
    only_copies(monkeypatch)
    written = out.read_bytes()
    ran = tab(*line)
    assert ran.code == 0 and not state.exists() and out.read_bytes() == written
    refused(tab(*line), "already exists")


def test_a_state_of_other_work_overwrites_nothing(tab, rows, tmp_path, monkeypatch) -> None:
    """Neither a file that this work did not write, nor any if the state is of other data."""
    only_copies(monkeypatch)
    state, out, mine = tmp_path / "state", tmp_path / "o.csv", tmp_path / "mine.csv"
    monkeypatch.setattr("tabseed.cli.auto.judge", lambda *_: 1 / 0)
    tab("auto", rows, "-o", out, "--resume", state)
    written = out.read_bytes()
    mine.write_text("mine")
    refused(tab("auto", rows, "-o", mine, "--resume", state), "mine.csv: already exists")
    refused(tab("auto", rows, "-o", out, "--resume", state, "--model", mine), "already exists")
    other = tmp_path / "other.csv"
    io.write_table(io.read_table(rows).slice(10), other)
    ran = tab("auto", other, "-o", out, "--resume", state)
    assert ran.code == 2 and "other data or with other settings" in ran.said
    assert out.read_bytes() == written and mine.read_text() == "mine"
    out.write_text("mine too")  # no longer what this work wrote
    refused(tab("auto", rows, "-o", out, "--resume", state), "o.csv: already exists")
    assert out.read_text() == "mine too"
    state.write_text("not a state")
    refused(tab("auto", rows, "-o", out, "--resume", state), "state: ")


def test_a_file_that_came_after_a_kill_is_not_overwritten(tab, rows, tmp_path, monkeypatch) -> None:
    """Outputs are the work's own from just before they are written, not since they were named."""
    only_copies(monkeypatch)
    page, model = tmp_path / "w.html", tmp_path / "m.tabseed"
    line = ("auto", rows, "-o", tmp_path / "o.csv", "--resume", tmp_path / "state")
    monkeypatch.setattr("tabseed.cli.auto.judge", lambda *_: 1 / 0)
    ran = tab(*line, "--decision", page, "--model", model)
    assert ran.code == 1 and model.exists() and not page.exists()
    page.write_text("mine")
    refused(tab(*line, "--decision", page, "--model", model), "w.html: already exists")
    assert page.read_text() == "mine"
    page.unlink()
    monkeypatch.undo()
    only_copies(monkeypatch)
    assert tab(*line, "--decision", page, "--model", model).code == 0 and page.exists()


def test_missing_labels_are_said_before_the_race(tab, rows, tmp_path, monkeypatch) -> None:
    only_copies(monkeypatch)
    gap = io.read_table(rows).to_pydict()
    gap["y"][6] = None
    io.write_table(pa.table(gap), tmp_path / "gap.csv")
    line = ("auto", tmp_path / "gap.csv", "-o", tmp_path / "o.csv", "--target", "y")
    ran = tab(*line)
    assert (
        ran.code == 0 and "will not be judged: column 'y', row 7: the label is missing" in ran.out
    )
    refused(tab(*line, "--goal", "augment", "--force"), "row 7", at_once=False)


def test_what_is_asked_for_wrongly_is_said_in_one_line(tab, rows, tmp_path) -> None:
    out = ("auto", rows, "-o", tmp_path / "o.csv")
    refused(tab(*out, "--goal", "augment"), "--goal augment needs --target")
    refused(tab(*out, "--goal", "sell"), "--goal 'sell': there are share, augment, both")
    refused(tab(*out, "--target", "z"), "no column 'z'", at_once=False)
    refused(tab(*out, "--minutes", 0), "--minutes 0 is not")
    refused(tab(*out, "--sensitive", "z"), "no column 'z'", at_once=False)
    refused(tab(*out, "--holdout", rows), "rows", at_once=False)  # the rows that trained
    assert not (tmp_path / "o.csv").exists()  # refused before a first table
    io.write_table(io.read_table(rows).slice(0, 5), tmp_path / "five.csv")
    few = ("auto", tmp_path / "five.csv", "-o", tmp_path / "o.csv")
    refused(tab(*few), "give at least 48 rows, or others to judge with", at_once=False)
    (tmp_path / "o.csv").write_text("mine")
    refused(tab(*out), "exists")
    assert (tmp_path / "o.csv").read_text() == "mine"
