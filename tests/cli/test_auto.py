"""``tabseed auto``: what it writes, what it decides, what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from helpers.command import refused
from tabseed.table import files as io

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
    assert decision["gain"]["low"] <= 0 and decision["verdict"].startswith("Do not augment")


def test_where_every_candidate_leaks_no_rows_are_written(tab, tmp_path) -> None:
    """A limit of 0.5 and rows of their own that all trees, forests and copulas follow."""
    rng = np.random.default_rng(0)
    wide = {f"c{j}": rng.choice(list("abcdefgh"), 60) for j in range(12)}
    io.write_table(pa.table(wide), tmp_path / "d.csv")
    out = tmp_path / "o.csv"
    ran = tab("auto", tmp_path / "d.csv", "-o", out, "--max-auc", 0.5, "--json")
    assert ran.code == 3 and not out.exists()
    decision = json.loads(ran.out)["decision"]
    assert decision["answer"] == "do not use" and "leaks" in decision["verdict"]


def test_what_is_asked_for_wrongly_is_said_in_one_line(tab, rows, tmp_path) -> None:
    out = ("auto", rows, "-o", tmp_path / "o.csv")
    refused(tab(*out, "--goal", "augment"), "--goal augment needs --target")
    refused(tab(*out, "--goal", "sell"), "--goal 'sell': there are share, augment, both")
    refused(tab(*out, "--target", "z"), "no column 'z'", at_once=False)
    refused(tab(*out, "--minutes", 0), "--minutes 0 is not", at_once=False)
    assert not (tmp_path / "o.csv").exists()  # refused before a first table
    io.write_table(io.read_table(rows).slice(0, 5), tmp_path / "five.csv")
    few = ("auto", tmp_path / "five.csv", "-o", tmp_path / "o.csv")
    refused(tab(*few), "4 rows to learn from are too few for the judgement", at_once=False)
    (tmp_path / "o.csv").write_text("mine")
    refused(tab(*out), "exists")
    assert (tmp_path / "o.csv").read_text() == "mine"
