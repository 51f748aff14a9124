"""What people look at: hints, the assessment, the page and the command ``tabseed hardness``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from scipy.stats import binom

import tabseed as ts
from tabseed.cli import app
from tabseed.hardness.drawing import hardness_page
from tabseed.hardness.hints import hints


def clusters(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clusters far apart, one a class."""
    rng = np.random.default_rng([9, seed])
    side = np.arange(n) % 2
    return rng.normal(size=(n, 3)) + 8 * side[:, None], side


def test_hints_name_what_was_done_to_a_row() -> None:
    x, y = clusters()
    x[0] = 200.0
    y[1] = 1 - y[1]
    found = hints(x, y)
    assert found[0] == "out of support" and found[1] == "mislabelled"
    rest = found[2:]
    assert (rest == "").mean() > 0.9 and np.isin(rest, ["out of support", "mislabelled"]).sum() <= 1


def test_labels_at_random_are_called_mislabelled_as_often_as_chance_says() -> None:
    """Labels that hang on nothing: the share with the hint is that of the binomial law.

    K = 44 neighbours of 2,000 rows; 5 standard errors of a share of rows that overlap in their
    neighbours (taken as 20 times those of independent ones): false alarm below 1e-5, seed fixed.
    """
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2_000, 4)), rng.integers(0, 2, 2_000)
    k = 44
    allowed = max(c for c in range(k) if binom.cdf(c, k, 0.5) <= 0.01)
    expected = binom.cdf(allowed, k, 0.5)
    share = (hints(x, y) == "mislabelled").mean()
    assert abs(share - expected) < 5 * np.sqrt(20 * expected / 2_000)


def test_a_rare_class_is_not_called_mislabelled_for_being_rare() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 3))
    y = (np.arange(300) < 6).astype(int)
    found = hints(x, y)
    assert (found[:6] == "rare").all()


def test_targets_far_from_those_of_near_rows_get_a_hint() -> None:
    x = np.random.default_rng(1).normal(size=(300, 2))
    y = x @ [3.0, -2.0] + np.random.default_rng(2).normal(size=300)
    y[17] += 40
    found = hints(x, y, task="regression")
    assert found[17] == "mislabelled" and (found == "mislabelled").sum() < 10


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_or_equal_rows_get_hints(n: int) -> None:
    assert hints(np.zeros((n, 2)), np.arange(n) % 2).shape == (n,)
    assert set(hints(np.zeros((30, 2)), np.arange(30) % 2)) <= {"", "ambiguous", "mislabelled"}


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A CSV of two clusters with names that bite, a flipped label in row 2."""
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
    found = json.loads(done.stdout)
    assert found["hardest"][0]["row"] == 2 and found["hardest"][0]["hint"] == "mislabelled"
    assert found["hints"]["mislabelled"]["hardest"] == 1
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
    ("arguments", "said"),
    [
        (("--target", "koln"), "köln"),
        (("--target", "who"), "not a label"),
        (("--target", "köln", "--method", "magic"), "knn-shapley"),
        (("--target", "köln", "--model", "trees"), "no such option"),
        (("--target", "köln", "--for-spreadsheet"), "--output"),
    ],
)
def test_errors_are_one_line(people: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run("hardness", people, *arguments)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1 and not done.stdout.strip()


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


def test_regression_and_reference_rows() -> None:
    rng = np.random.default_rng(4)

    def frame(n: int) -> pa.Table:
        x = rng.normal(size=n)
        kind = rng.choice(["a", "b"], n)
        return pa.table({"x": x, "kind": kind, "price": 3 * x + (kind == "a") + 0.1})

    train, further = frame(150), frame(80)
    price = train["price"].to_numpy().copy()
    price[5] += 30
    train = train.set_column(2, "price", pa.array(price))
    found = ts.assess_hardness(train, "price", ts.KNNShapley(), reference=further)
    assert found.task == "regression" and found.rank[5] == 1 and found.hint[5] == "mislabelled"
    assert found.counts(0.1)["mislabelled"][1] >= 1
    page = hardness_page(ts.Table.from_frame(train), found, {"seed": "0"})
    assert "counts in part" in page


def test_a_column_that_cannot_be_a_label_is_refused() -> None:
    table = pa.table({"x": np.arange(50.0), "t": [f"free text number {i} ..." for i in range(50)]})
    with pytest.raises(ts.SchemaError):
        ts.assess_hardness(table, "t", ts.KNNShapley())
    with pytest.raises(ts.SchemaError, match="no column beside"):
        ts.assess_hardness(table, "x", ts.KNNShapley())


def test_the_command_is_registered() -> None:
    assert "hardness" in {c.name or c.callback.__name__ for c in app.registered_commands}
