"""The command ``tabseed hardness`` and its page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

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


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tabseed", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_command_finds_the_flipped_label(people: Path, tmp_path: Path) -> None:
    scores, page = tmp_path / "scores.csv", tmp_path / "page.html"
    command = ("hardness", people, "--target", "köln", "-o", scores, "--report", page, "--json")
    done = run(*command)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
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
    again = run(*command, "--force")
    assert again.returncode == 0 and page.read_text() == text


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
def test_errors_are_one_line(people: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run("hardness", people, *arguments)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1 and not done.stdout.strip()


def test_a_missing_label_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "gap.csv"
    path.write_text("a,y\n" + "".join(f"{i},{'p' if i % 2 else 'q'}\n" for i in range(30)) + "7,\n")
    done = run("hardness", path, "--target", "y")
    assert done.returncode == 2 and "row 31" in done.stderr


def test_existing_files_stay(people: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text("mine")
    done = run("hardness", people, "--target", "köln", "-o", scores)
    assert done.returncode == 2 and scores.read_text() == "mine"


def test_the_command_is_registered() -> None:
    assert "hardness" in {c.name or c.callback.__name__ for c in app.registered_commands}
