"""The command ``tabseed utility`` and its page."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from helpers.command import refused
from helpers.utility_tables import people, relabelled
from tabseed.utility.measure import SYNTHETIC

QUICK = ("--model", "linear", "--model", "tree", "--seeds", "1")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    tables = {"train": people(80, 1), "synthetic": people(120, 2), "holdout": people(60, 3)}
    for name, table in tables.items():
        pa.csv.write_csv(table, tmp_path / f"{name}.csv")
    return {name: tmp_path / f"{name}.csv" for name in tables}


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_prints_the_figures_of_json_and_writes_a_page(tab, files, tmp_path) -> None:
    page = tmp_path / "page.html"
    command = (
        *("utility", files["train"], files["synthetic"], "--holdout", files["holdout"]),
        *("--target", "köln", "--report", page, *QUICK),
    )
    ran = tab(*command, "--json")
    assert ran.code == 0
    result = ran.document["utility"]
    assert next(iter(result)) == "verdict"
    assert result["rows"] == {
        "train": 80,
        "synthetic": [120],
        "holdout": 60,
        "of_unknown_class": 0,
    }
    assert "verdict " + result["verdict"] in " ".join(ran.err.split())
    text = page.read_bytes()
    assert result["verdict"].split(" (")[0] in text.decode()
    assert b"<script" not in text and b"<b>x" not in text
    assert tab(*command).code == 2  # the page already exists
    ran = tab(*command, "--force")
    assert (ran.code, ran.said) == (0, "") and page.read_bytes() == text
    out = ran.out
    assert max(map(len, out.removesuffix(f"report     {page}\n").splitlines())) <= 100
    assert " ".join(out.split()).startswith("verdict " + result["verdict"])
    for name, model in result["models"].items():
        (row, terms) = (line.split() for line in out.splitlines() if line.startswith(f" {name} "))
        scores = [model["gap"]["scores"][source]["value"] for source in ("real", SYNTHETIC)]
        assert [float(cell) for cell in row[1:3]] == pytest.approx(scores, abs=1e-4)
        assert float(terms[1].rstrip("*")) == pytest.approx(
            model["gap"]["signed"]["value"], abs=1e-3
        )


REFUSED = [
    (("--target", "koln"), ("köln",)),
    (("--target", "who"), ("train.csv", "not a label")),
    (("--target", "<b>x</b>"), ("train.csv", "row", "the label is missing")),
    (("--model", "liner", "--model", "tree"), ("liner", "linear")),
    (("--model", "linear"), ("2 models",)),
    (("--holdout", "train"), ("repeats the training rows",)),
]


@pytest.mark.parametrize(("arguments", "parts"), REFUSED)
def test_refuses_options_that_make_no_sense(tab, files, tmp_path, arguments, parts) -> None:
    values = {"--target": "köln", "--holdout": files["holdout"]}
    rest = []
    for option, value in zip(arguments[::2], arguments[1::2], strict=True):
        if option in values:
            values[option] = files.get(value, value)
        else:
            rest += [option, value]
    options = [part for pair in values.items() for part in pair]
    refuse(tab, files, tmp_path, [files["synthetic"]], [*options, *rest], parts)


WRONG = {
    "gap": (lambda t: relabelled(t, ["jå"] * 4 + [None]), ("row 5", "the label is missing")),
    "new": (lambda t: relabelled(t, ["jå", "ufo"]), ("row 2", "'ufo' is not a class")),
    "less": (lambda t: t.drop_columns("=1+1"), ("'=1+1' is missing",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_refuses_rows_and_names_their_file(tab, files, tmp_path, name) -> None:
    change, parts = WRONG[name]
    path = tmp_path / f"{name}.csv"
    pa.csv.write_csv(change(people(120, 4)), path)
    options = ["--target", "köln", "--holdout", files["holdout"]]
    refuse(tab, files, tmp_path, [files["synthetic"], path], options, (f"{name}.csv", *parts))


def test_refuses_too_few_rows(tab, files, tmp_path) -> None:
    for rows, which in ((3, "synthetic"), (9, "holdout")):
        few = {**files, which: tmp_path / f"few-{which}.csv"}
        pa.csv.write_csv(people(rows, 5), few[which])
        options = ["--target", "köln", "--holdout", few["holdout"]]
        refuse(tab, files, tmp_path, [few["synthetic"]], options, ("at least 10", f"got {rows}"))


def refuse(tab, files, tmp_path, synthetic, options, parts) -> None:
    """Expect exit code 2, one line on standard error with all ``parts``, and no page."""
    page = tmp_path / "none.html"
    refused(tab("utility", files["train"], *synthetic, *options, "--report", page), *parts)
    assert not page.exists()
