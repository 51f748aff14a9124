"""The command ``evaluate`` with several synthetic files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tabseed as ts
from helpers.command import refused, table
from helpers.evaluating import few_refits
from tabseed.cli.evaluate import names_of
from tabseed.table import files as io


def test_files_of_one_name_are_told_apart() -> None:
    def names(*paths: str) -> list[str]:
        named = names_of([Path(p) for p in paths])
        assert [str(path) for path in named.values()] == [str(Path(p)) for p in paths]
        return list(named)

    assert names("x/a.csv") == ["a.csv"]
    assert names("x/a.csv", "y/b.csv") == ["a.csv", "b.csv"]
    assert names("x/a.csv", "y/a.csv") == ["x/a.csv", "y/a.csv"]
    assert names("p/x/a.csv", "q/x/a.csv") == ["p/x/a.csv", "q/x/a.csv"]
    assert names("a.csv", "x/a.csv") == ["a.csv", "x/a.csv"]
    assert names("a.csv", "a.csv", "a.csv (2)") == ["a.csv", "a.csv (3)", "a.csv (2)"]
    assert names("/a/b.csv", "/c/b.csv") == ["a/b.csv", "c/b.csv"]


@pytest.mark.slow
def test_several_files_are_compared(tab, data, tmp_path) -> None:
    for name, seed in (("held.csv", 1), ("x/fake.csv", 2), ("y/fake.csv", 3)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        io.write_table(table(seed=seed), tmp_path / name)
    fakes = tmp_path / "x/fake.csv", tmp_path / "y/fake.csv"
    held = tmp_path / "held.csv"
    line = ("evaluate", data, *fakes, "--holdout", held, "--target", "kind")
    page = tmp_path / "page.html"
    with few_refits():
        ran = tab(*line, "--report", page, "--json")
    assert ran.code == 0 and ran.said.startswith("verdict ")
    document = ran.document
    assert "Comparison of synthetic tables" in page.read_text("utf-8")
    assert list(document["comparison"]["tables"]) == ["x/fake.csv", "y/fake.csv"]
    assert "evaluation" not in document
    # learning from the real rows costs nothing; two draws of one law cost about the same
    assert document["comparison"]["reference"]["cost"]["value"] == 0
    (cost,) = (d for d in document["comparison"]["differences"] if d["measure"] == "cost")
    assert cost["low"] < 0 < cost["high"] and "to learn the target from" in ran.said


def test_a_bad_file_among_several_is_named(tab, data, tmp_path) -> None:
    io.write_table(table(seed=2), tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("weight\n1.5\n2.5\n")
    ran = tab("evaluate", data, tmp_path / "a.csv", tmp_path / "b.csv", "--holdout", data)
    refused(ran, "synthetic 'b.csv' table: column 'size'")
    ran = tab("evaluate", data, tmp_path / "a.csv", tmp_path / "c.csv", "--holdout", data)
    refused(ran, "c.csv: no such file")


def test_a_model_that_did_not_learn_these_rows_is_refused_before_anything_is_judged(
    tab, data, tmp_path
) -> None:
    """Its attacks would mean nothing, and a limit of privacy would go unanswered with exit 0."""
    fewer, other = tmp_path / "fewer.tabseed", tmp_path / "other.tabseed"
    ts.GaussianCopula().fit(table(30)).save(fewer)
    ts.GaussianCopula().fit(table().drop_columns(["n"])).save(other)
    held = tmp_path / "held.csv"
    io.write_table(table(seed=1), held)
    line = ("evaluate", data, data, "--holdout", held, "--max-auc", "0.6", "--model")
    refused(tab(*line, fewer), "learned 30 rows and the training table has 40")
    refused(tab(*line, other), "column 'n' it never saw")
    ts.GaussianCopula().fit(table()).save(tmp_path / "all.tabseed")
    ran = tab(*line, tmp_path / "all.tabseed", "--kind", "n=text")
    refused(ran, "column 'n' is left out of the training table")
    bundle = tmp_path / "b.zip"
    line = ("evidence", data, data, "--holdout", held, "-o", bundle, "--model")
    refused(tab(*line, fewer), "learned 30 rows")
    assert not bundle.exists()


def test_held_out_rows_that_repeat_training_rows_by_nature_are_counted(data, tmp_path) -> None:
    """Every row twice: a new row repeats a training one in most cases, so nothing is refused."""
    twice = ts.Table.from_frame(table(30)).take(np.repeat(np.arange(30), 2))
    order = np.random.default_rng(0).permutation(60)
    train, held = twice.take(order[:40]), twice.take(order[40:])
    asked = ts.Questions(likeness=ts.Likeness(judges=False), usefulness=None, privacy=None)
    answer = ts.evaluate(train, table(40, seed=5), held, questions=asked)
    (note,) = (n for n in answer.about_tables if "equal a training row" in n)
    assert note.startswith(f"{answer.repeated.n_equal} of 20 held-out rows")
    fresh = ts.evaluate(table(40), table(40, seed=5), table(40, seed=6), questions=asked)
    assert not any("equal a training row" in n for n in fresh.about_tables)
