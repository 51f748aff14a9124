"""A text file in any form: commands read it, and write synthetic rows in its own form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from helpers.command import refused
from tabseed.errors import FileError
from tabseed.table.files import read_table, write_table
from tabseed.table.notation.dialect import Dialect

N = 60


@pytest.fixture
def german(tmp_path):
    """Semicolons, decimal commas, thousands points, UTF-16, CRLF; a code NA, a percent sign."""
    rng = np.random.default_rng(1)
    lines = ["Umsatz;Größe;Land;Anteil"]
    for sales, size, share in zip(
        rng.integers(300, 20000, N), rng.uniform(1, 9, N), rng.uniform(1, 60, N), strict=True
    ):
        land = rng.choice(['"NA"', "ZA", "BW"])
        cells = (f"{sales:,}".replace(",", "."), f"{size:.2f}", land, f"{share:.1f}%")
        lines.append(";".join((cells[0], cells[1].replace(".", ","), cells[2], cells[3])))
    path = tmp_path / "german.csv"
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("utf-16"))
    return path


def test_synthetic_rows_have_the_form_of_their_file(tab, german, tmp_path) -> None:
    out, model, again = (tmp_path / name for name in ("o.csv", "m.tabseed", "s.csv"))
    assert tab("synth", german, "-o", out, "--model", model, "--generator", "copula").code == 0
    assert tab("sample", model, "-o", again, "--rows", 60).code == 0
    real = read_table(german)
    for path in (out, again):
        text = path.read_bytes().decode("utf-16")
        assert path.read_bytes()[:2] == b"\xff\xfe"
        assert text.startswith("Umsatz;Größe;Land;Anteil\r\n")
        assert '"NA"' in text and "%" in text
        back = read_table(path)
        assert back.schema == real.schema
        form, own = Dialect.of(back.schema.metadata), Dialect.of(real.schema.metadata)
        assert own.grouped == {"Umsatz": "."} and form == replace(own, grouped={})
        assert back["Land"].null_count == 0
        assert 1 <= min(back["Größe"].to_pylist()) and max(back["Größe"].to_pylist()) <= 9


def test_plain_csv_and_other_formats_have_no_form(tab, german, tmp_path) -> None:
    tab("synth", german, "-o", tmp_path / "o.csv", "--generator", "copula", "--plain-csv")
    text = (tmp_path / "o.csv").read_text("utf-8")
    assert text.startswith("Umsatz,Größe,Land,Anteil\n") and "\r" not in text
    write_table(read_table(german), tmp_path / "o.parquet")
    parquet = read_table(tmp_path / "o.parquet")
    assert b"tabseed" not in (parquet.schema.metadata or {})
    write_table(parquet, tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes().startswith("Umsatz,Größe".encode())


def test_tab_files_keep_their_ending(tmp_path) -> None:
    (tmp_path / "t.tsv").write_text("a\tb\n1,5\tx\n2,25\ty\n")
    table = read_table(tmp_path / "t.tsv")
    write_table(table, tmp_path / "o.tsv")
    write_table(table, tmp_path / "o.csv")
    assert (tmp_path / "o.tsv").read_text() == "a\tb\n1,5\tx\n2,25\ty\n"
    assert (tmp_path / "o.csv").read_text() == "a;b\n1,5;x\n2,25;y\n"


def test_characters_that_the_encoding_lacks_get_one_line(tmp_path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\nü,1\n".encode("latin-1"))
    table = read_table(tmp_path / "t.csv", encoding="latin-1")
    other = pa.table({"a": ["日本"], "b": [1]}).replace_schema_metadata(table.schema.metadata)
    with pytest.raises(FileError, match="characters that iso8859-1"):
        write_table(other, tmp_path / "o.csv")


def test_marks_are_given_on_the_command_line(tab, tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("u;p\n" + "".join(f"{1 + i % 9}.{i:03d};x\n" for i in range(100, 140)))

    def column(*options):
        return tab("info", path, "--json", *options).document["columns"][0]

    assert "which is 2.100 or 2100: say which by --decimal" in column()["reason"]
    assert column("--decimal", ".")["kind"] == "continuous"
    assert column("--decimal", ",")["kind"] == "integer"
    assert column("--thousands", ".")["kind"] == "integer"
    refused(tab("info", path, "--decimal", "x"), "decimal='x': the decimal mark is '.' or ','")


def test_a_schema_with_integers_refuses_reals(tab, tmp_path) -> None:
    (tmp_path / "s.csv").write_text("a,b\n" + "".join(f"{20 + i % 25},x\n" for i in range(40)))
    (tmp_path / "t.csv").write_text("a,b\n3,x\n2.1,x\n")
    assert tab("info", tmp_path / "s.csv", "--save-schema", tmp_path / "s.json").code == 0
    ran = tab("info", tmp_path / "t.csv", "--schema", tmp_path / "s.json")
    refused(ran, "column 'a', row 2: 2.1 is not a whole number")


def test_the_decimal_mark_also_reads_the_other_files(tab, tmp_path) -> None:
    numbers = np.random.default_rng(0).integers(1001, 9999, 60) / 1000
    write_table(pa.table({"u": numbers, "v": np.arange(60.0) % 7 + 0.5}), tmp_path / "t.parquet")
    doubtful = "u;v\n" + "".join(f"{u:.3f};{i % 7}\n" for i, u in enumerate(numbers[::-1]))
    (tmp_path / "o.csv").write_text(doubtful)
    options = ("hardness", tmp_path / "t.parquet", "--target", "v", "--reference")
    refused(tab(*options, tmp_path / "o.csv"), "can be read in two ways; give the decimal mark")
    assert tab(*options, tmp_path / "o.csv", "--decimal", ".").code == 0
