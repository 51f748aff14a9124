"""The command ``tabseed augment`` and its page."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from helpers.command import refused


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


@pytest.mark.slow
def test_rows_come_first_as_they_are_and_added_ones_below(tab, people, tmp_path) -> None:
    output, page = tmp_path / "more.csv", tmp_path / "page.html"
    settings = ("--hardest", 0.25, "--generator", "copula", "--provenance", "new", "--splits", 3)
    command = ("augment", people, "--target", "köln", "-o", output, "--report", page, *settings)
    ran = tab(*command, "--json")
    assert ran.code == 0, ran.err
    result = ran.document
    assert (result["rows"], result["hard"], result["added"]) == (160, 40, 40)
    assert result["evaluation"]["verdict"] in ran.err
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
    assert tab(*command, "--force").code == 0
    assert (output.read_bytes(), page.read_bytes()) == before


@pytest.mark.slow
def test_numbers_are_augmented_without_a_verdict(tab, people, tmp_path) -> None:
    output = tmp_path / "more.csv"
    ran = tab(
        "augment", people, "--target", "<b>x</b>", "-o", output, "--splits", 0, "--generator", "arf"
    )
    assert ran.code == 0 and "verdict" not in ran.out
    assert len(pa.csv.read_csv(output)) == 176


def test_balance_makes_classes_equally_large_and_says_so(tab, people, tmp_path) -> None:
    output = tmp_path / "more.csv"
    options = ("--target", "köln", "--balance", "equal", "--splits", 0)
    ran = tab("augment", people, "-o", output, *options, "--json")
    counts = json.loads(ran.out)["classes"]
    written = Counter(pa.csv.read_csv(output)["köln"].to_pylist())
    assert {name: c["after"] for name, c in counts.items()} == written
    assert len(set(written.values())) == 1 and len(written) > 1


def test_classes_with_commas_and_few_rows_are_balanced_and_the_few_rows_are_said(
    tab, tmp_path
) -> None:
    table, output = tmp_path / "t.csv", tmp_path / "o.csv"
    rows = [f'{i % 11},"a,b=1"' for i in range(40)] + [f"{20 + i},c" for i in range(4)]
    table.write_text("x,y\n" + "\n".join(rows) + "\n")
    ran = tab(
        "augment",
        table,
        *("--target", "y", "-o", output, "--balance", "a,b=1=0.5, c = .5", "--splits", 0),
    )
    assert ran.code == 0 and "Few rows were learned from (4 of class c)" in " ".join(
        ran.out.split()
    ).replace("6 of class a,b=1, ", "")
    assert Counter(pa.csv.read_csv(output)["y"].to_pylist()) == {"a,b=1": 40, "c": 40}


@pytest.mark.parametrize("option", [("--per-class",), ("--balance", "equal")])
def test_numbers_have_no_classes(tab, tmp_path, option) -> None:
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "\n".join(f"{i % 7},{i * i % 91}" for i in range(90)) + "\n")
    ran = tab("augment", table, "--target", "y", "-o", tmp_path / "o.csv", *option)
    refused(ran, f"{option[0]} needs classes", "--kind y=categorical", at_once=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "koln"), "köln"),
        (("--target", "who"), "not a label"),
        (("--target", "köln", "--hardest", "2"), "hardest"),
        (("--target", "köln", "--hardest", "nan"), "--hardest nan is not a number above 0"),
        (
            ("--target", "köln", "--hardest", "1", "--report", "r.html"),
            "give a share with --hardest",
        ),
        (("--target", "köln", "--amount", "-1"), "--amount -1 is not a number"),
        (("--target", "köln", "--amount", "1e9"), "drawn rows"),
        (("--target", "köln", "--amount", "1e9"), "error: --amount: "),
        (("--target", "köln", "--balance", "dull=1"), "error: --balance: give one share"),
        (("--target", "köln", "--skip", "dull"), "--skip 'dull' is not one of out of support, mis"),
        (("--target", "köln", "--provenance", "who"), "already"),
        (("--target", "köln", "--splits", "1"), "2 splits"),
        (("--target", "köln", "--balance", "a=b"), "a share for each class"),
        (("--target", "köln", "--balance", "equal", "--amount", "2"), "leave one of them out"),
    ],
)
def test_errors_are_one_line_and_write_nothing(
    tab, people, tmp_path, arguments: tuple[str, ...], message: str
) -> None:
    output = tmp_path / "more.csv"
    refused(tab("augment", people, "-o", output, *arguments), message, at_once=False)
    assert not output.exists()
