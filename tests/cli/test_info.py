"""The command ``tabseed info``."""

from __future__ import annotations

import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

import tabseed as ts
from helpers.command import refused, table
from tabseed.table import files as io


def test_info_prints_kinds_and_its_schema_is_read_back(tab, data, tmp_path) -> None:
    ran = tab("info", data, "--kind", "n=categorical", "--save-schema", tmp_path / "s.json")
    assert ran.code == 0 and ran.said == ""
    assert "40 rows, 3 columns" in ran.out and "set by you" in ran.out
    again = tab("info", data, "--schema", tmp_path / "s.json", "--json")
    kinds = {c["name"]: c["kind"] for c in again.document["columns"]}
    assert kinds == {"size": "continuous", "n": "categorical", "kind": "categorical"}


def test_info_shows_ranges_but_no_value_of_an_id(tab, tmp_path) -> None:
    io.write_table(
        pa.table(
            {
                "patient_id": [f"secret-{i}" for i in range(30)],
                "grams": [10_000_000 + i % 23 for i in range(30)],
                "same": [5] * 30,
                "seen": [f"16{i + 10}-01-05" for i in range(30)],
            }
        ),
        tmp_path / "t.csv",
    )
    ran = tab("info", tmp_path / "t.csv")
    assert "secret" not in ran.out and "not shown" in ran.out
    assert "10000000 to 10000022" in ran.out and "1610-01-05 to 1639-01-05" in ran.out
    assert {c["values"] for c in tab("info", tmp_path / "t.csv", "--json").document["columns"]} >= {
        "5"
    }


def test_the_index_of_a_pandas_file_is_said_and_is_no_column(tab, tmp_path) -> None:
    frame = pd.DataFrame({"age": range(20, 80), "ill": ["yes", "no"] * 30})
    frame.sample(frac=1, random_state=0).to_parquet(tmp_path / "t.parquet")
    ran = tab("info", tmp_path / "t.parquet", "--json")
    assert [column["name"] for column in ran.document["columns"]] == ["age", "ill"]
    assert "'__index_level_0__': the index of a pandas frame" in ran.err


def test_a_sheet_is_named_after_the_file(tab, tmp_path) -> None:
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    for title, name in (("One", "a"), ("Two", "b")):
        sheet = book.create_sheet(title)
        for row in ([name], [1.5], [2.5]):
            sheet.append(row)
    book.save(tmp_path / "t.xlsx")
    refused(tab("info", tmp_path / "t.xlsx"), "2 sheets with cells ('One', 'Two')")
    ran = tab("info", f"{tmp_path / 't.xlsx'}#Two", "--json")
    assert [column["name"] for column in ran.document["columns"]] == ["b"]


@pytest.mark.parametrize("generator", [ts.SMOTE(), ts.GaussianCopula()], ids=["rows", "no rows"])
def test_info_says_what_a_model_file_holds(tab, tmp_path, generator) -> None:
    path = tmp_path / "model.of.any.name"
    generator.fit(table(), target="kind").save(path)
    ran = tab("info", path)
    assert ran.code == 0 and str(generator.holds) in " ".join(ran.out.split())
    assert "learned from 40 rows and 3 columns, target 'kind'" in ran.out
    document = tab("info", path, "--json").document
    assert document["holds"] == generator.holds.to_dict()
    assert document["generator"] == type(generator).__name__ and document["rows"] == 40
    assert document["parameters"]["random_state"] == 0
    assert {c["name"]: c["kind"] for c in document["columns"]} == {
        "size": "continuous", "n": "integer", "kind": "categorical",
    }  # fmt: skip
    refused(tab("info", path, "--kind", "n=id"), "is a model file: --kind is for tables")
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "schema.json", "weights.safetensors"):
            archive.writestr(name, b"{")
    refused(tab("info", path), "not a sound")
