"""The command ``evaluate`` with several synthetic files."""

from __future__ import annotations

from pathlib import Path

import pytest

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
