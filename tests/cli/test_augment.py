"""The command ``tabseed augment`` and its page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two classes that overlap, an id, hostile names."""
    rng = np.random.default_rng(8)
    y = np.arange(160) % 2
    table = pa.table(
        {
            "who": [f"id{i}-{i * i}" for i in range(160)],
            "<b>x</b>": np.round(rng.normal(size=160) + y, 3),
            "=1+1": rng.integers(0, 9, 160),
            "köln": np.where(y == 1, "jå", "näh").tolist(),
        }
    )
    path = tmp_path / "people.csv"
    pa.csv.write_csv(table, path)
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tabseed", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_rows_come_first_as_they_are_and_added_ones_below(people: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "more.csv", tmp_path / "page.html"
    settings = ("--hardest", 0.25, "--generator", "copula", "--provenance", "new", "--splits", 3)
    command = ("augment", people, "--target", "köln", "-o", output, "--report", page, *settings)
    done = run(*command, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["rows"], result["hard"], result["added"]) == (160, 40, 40)
    assert result["evaluation"]["verdict"] in done.stderr
    first, more = pa.csv.read_csv(people), pa.csv.read_csv(output)
    assert more.slice(0, 160).select(first.column_names).equals(first)
    added = more.slice(160)
    assert added["new"].to_pylist() == [True] * 40 and not any(more["new"].to_pylist()[:160])
    assert set(added["who"].to_pylist()) <= {"", None}
    assert set(added["köln"].to_pylist()) == {"jå", "näh"}
    assert added["=1+1"].type == pa.int64()
    text = page.read_text()
    assert "&lt;b&gt;" not in text.partition("Settings")[0] and "<script" not in text
    assert result["evaluation"]["verdict"].split(":")[0] in text
    before = output.read_bytes(), page.read_bytes()
    assert run(*command, "--force").returncode == 0
    assert (output.read_bytes(), page.read_bytes()) == before


def test_numbers_are_augmented_without_a_verdict(people: Path, tmp_path: Path) -> None:
    output = tmp_path / "more.csv"
    done = run(
        "augment", people, "--target", "<b>x</b>", "-o", output, "--splits", 0, "--generator", "arf"
    )
    assert done.returncode == 0 and "verdict" not in done.stdout
    assert len(pa.csv.read_csv(output)) == 176


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "koln"), "köln"),
        (("--target", "who"), "not a label"),
        (("--target", "köln", "--hardest", "2"), "hardest"),
        (("--target", "köln", "--skip", "dull"), "mislabelled"),
        (("--target", "köln", "--provenance", "who"), "already"),
        (("--target", "köln", "--splits", "1"), "2 splits"),
        (("--target", "köln", "--hardest", "0.001"), "include none"),
    ],
)
def test_errors_are_one_line_and_write_nothing(
    people: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    output = tmp_path / "more.csv"
    done = run("augment", people, "-o", output, *arguments)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr and done.stderr.count("\n") == 1 and not output.exists()
