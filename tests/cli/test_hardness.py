"""The command ``tabseed hardness`` and its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from helpers.command import refused
from helpers.hard_rows import clusters
from tabseed.cli import app


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A CSV of two clusters with hostile names, with a wrong label in row 2."""
    x, y = clusters(120)
    y[1] = 1 - y[1]
    table = pa.table(
        {
            "<b>x</b>": x[:, 0],
            "=1+1": x[:, 1],
            "köln": np.where(y == 1, "jå", "näh").tolist(),
            "who": [f"id{i}-{i * i}" for i in range(120)],
        }
    )
    path = tmp_path / "people.csv"
    pa.csv.write_csv(table, path)
    return path


@pytest.mark.slow
def test_the_command_finds_the_flipped_label(tab, people, tmp_path) -> None:
    scores, page = tmp_path / "scores.csv", tmp_path / "page.html"
    command = ("hardness", people, "--target", "köln", "-o", scores, "--report", page, "--json")
    ran = tab(*command)
    assert ran.code == 0, ran.err
    result = ran.document
    assert result["hardest"][0]["row"] == 2 and result["hardest"][0]["hint"] == "mislabelled"
    assert result["hints"]["mislabelled"]["hardest"] == 1
    table = pa.csv.read_csv(scores)
    assert table["row"].to_pylist() == list(range(1, 121))
    assert sorted(table["rank"].to_pylist()) == list(range(1, 121))
    assert table["rank"][1].as_py() == 1
    by_rank = np.argsort(table["rank"].to_numpy())
    assert (np.diff(table["hardness"].to_numpy()[by_rank]) <= 0).all()
    assert table["standard_error"].to_numpy().min() >= 0
    text = page.read_text()
    assert "&lt;b&gt;x&lt;/b&gt;" in text and "<b>x</b>" not in text and "<script" not in text
    again = tab(*command, "--force")
    assert again.code == 0 and page.read_text() == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "koln"), "köln"),
        (("--target", "who"), "not a label"),
        (("--target", "köln", "--method", "magic"), "knn-shapley"),
        (("--target", "köln", "--model", "trees"), "no such option"),
        (("--target", "köln", "--for-spreadsheet"), "--output"),
    ],
)
def test_errors_are_one_line(tab, people, arguments: tuple[str, ...], message: str) -> None:
    refused(tab("hardness", people, *arguments), message)


def test_a_reference_of_the_scored_rows_is_refused(tab, people, tmp_path) -> None:
    lines = people.read_text().splitlines()
    half = tmp_path / "half.csv"
    half.write_text("\n".join([lines[0], *lines[1:61]]) + "\n")
    ran = tab("hardness", people, "--target", "köln", "--reference", half)
    refused(ran, "--reference repeats the rows to score: 60 of 60 of its rows equal one of them")
    first = tmp_path / "first.csv"
    first.write_text("\n".join([lines[0], *lines[61:]]) + "\n")
    assert tab("hardness", first, "--target", "köln", "--reference", half).code == 0


def test_a_missing_label_is_named_with_its_row(tab, tmp_path) -> None:
    path = tmp_path / "gap.csv"
    path.write_text("a,y\n" + "".join(f"{i},{'p' if i % 2 else 'q'}\n" for i in range(30)) + "7,\n")
    refused(tab("hardness", path, "--target", "y"), "row 31")


def test_existing_files_stay(tab, people, tmp_path) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text("mine")
    refused(tab("hardness", people, "--target", "köln", "-o", scores), "scores.csv")
    assert scores.read_text() == "mine"


def test_the_command_is_registered() -> None:
    assert "hardness" in {c.name or c.callback.__name__ for c in app.registered_commands}
