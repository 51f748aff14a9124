"""Rows on demand: under conditions, by counts, with margins, completed; and what is refused."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from helpers.command import refused
from tabseed.table import files as io


@pytest.fixture
def model(tab, data, tmp_path):
    """A model of trees of ``data``: size, n, kind."""
    path = tmp_path / "m.tabseed"
    assert tab("synth", data, "-o", tmp_path / "first.csv", "--model", path).code == 0
    return path


def drawn(tmp_path) -> pa.Table:
    return io.read_table(tmp_path / "o.csv")


def test_rows_meet_a_condition(tab, model, tmp_path) -> None:
    kind = io.read_table(tmp_path / "first.csv")["kind"][0].as_py()
    line = ("sample", model, "-o", tmp_path / "o.csv", "--rows", 30)
    assert tab(*line, "--where", f"kind = {kind} and n >= 2").code == 0
    rows = drawn(tmp_path)
    assert len(rows) == 30 and set(rows["kind"].to_pylist()) == {kind}
    assert pc.min(rows["n"]).as_py() >= 2


def test_levels_have_the_counts_asked_for(tab, model, tmp_path) -> None:
    levels = sorted(set(io.read_table(tmp_path / "first.csv")["kind"].to_pylist()) - {None})
    asked = ",".join(f"{level}:{k + 3}" for k, level in enumerate(levels))
    assert tab("sample", model, "-o", tmp_path / "o.csv", "--counts", f"kind={asked}").code == 0
    counts = Counter(drawn(tmp_path)["kind"].to_pylist())
    assert counts == {level: k + 3 for k, level in enumerate(levels)}
    line = ("sample", model, "-o", tmp_path / "o.csv", "--force", "--rows", 20)
    assert tab(*line, "--balance", "kind").code == 0
    counts = Counter(drawn(tmp_path)["kind"].to_pylist())
    assert sum(counts.values()) == 20 and max(counts.values()) - min(counts.values()) <= 1


def test_known_margins_hold(tab, model, tmp_path) -> None:
    level = io.read_table(tmp_path / "first.csv")["kind"][0].as_py()
    (tmp_path / "known.json").write_text(json.dumps({"kind": {level: 0.75}}))
    line = ("sample", model, "-o", tmp_path / "o.csv", "--rows", 400)
    assert tab(*line, "--known", tmp_path / "known.json").code == 0
    kinds = [kind for kind in drawn(tmp_path)["kind"].to_pylist() if kind is not None]
    assert abs(kinds.count(level) / len(kinds) - 0.75) < 0.01


def test_rows_are_completed_in_copies(tab, model, tmp_path) -> None:
    level = io.read_table(tmp_path / "first.csv")["kind"][0].as_py()
    (tmp_path / "part.csv").write_text(f"kind,n\n{level},\n,3\n")
    line = ("sample", model, "-o", tmp_path / "o.csv", "--complete", tmp_path / "part.csv")
    ran = tab(*line, "--copies", 2, "--json")
    assert ran.code == 0 and ran.document["filled"] == 4 and ran.document["copies"] == 2
    for copy in (1, 2):
        rows = io.read_table(tmp_path / f"o-{copy}.csv")
        assert rows["kind"][0].as_py() == level and rows["n"][1].as_py() == 3
        assert rows.column_names == ["size", "n", "kind"]
        assert not any(column.null_count for column in rows.columns)


REFUSED = {
    "no level": (("--rows", 5, "--where", "kind = nowhere"), "has no level nowhere"),
    "no column": (("--rows", 5, "--where", "age > 3"), "age"),
    "no condition": (("--rows", 5, "--where", "kind ="), "kind ="),
    "an empty condition": (("--rows", 5, "--where", ""), "it is empty"),
    "margins that never end": (("--rows", 5, "--known", "/dev/zero"), "/dev/zero: "),
    "no rows": ((), "--rows is needed"),
    "two numbers of rows": (("--rows", 5, "--counts", "kind=a:1"), "leave --rows"),
    "counts that are none": (("--counts", "kind"), "COLUMN=LEVEL:N"),
    "counts of numbers": (("--rows", 5, "--balance", "size"), "only levels can be counted"),
    "copies of nothing": (("--rows", 5, "--copies", 2), "--copies needs --complete"),
    "completed and counted": (("--rows", 5, "--complete", "first.csv"), "leave --rows"),
    "no margins": (("--rows", 5, "--known", "first.csv"), "not a readable file of margins"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    tab, model, tmp_path, monkeypatch, name
) -> None:
    monkeypatch.chdir(tmp_path)
    options, says = REFUSED[name]
    refused(tab("sample", model, "-o", tmp_path / "o.csv", *options), says)
    assert not (tmp_path / "o.csv").exists()


def test_a_file_of_rules_has_comments_and_its_errors_name_the_line(tab, data, tmp_path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_bytes(
        '\ufeff# sizes\r\n\r\nsize > -1000 # all of them\r\n"n" >= -1000\r\n'.encode()
    )
    line = ("synth", data, "-o", tmp_path / "o.csv", "--rules", rules, "--json")
    ran = tab(*line)
    assert ran.code == 0, ran
    assert all(rule in str(ran.document["learned"]) for rule in ("size > -1000", '"n" >= -1000'))
    rules.write_text("size > -1000\nn >=\n")
    refused(tab(*line, "--force"), "rules.txt, line 2: ")
    rules.write_text("# nothing\n")
    refused(tab(*line, "--force"), "holds no rule")


def test_what_few_rows_keep_is_blamed(tab, data, tmp_path) -> None:
    model = tmp_path / "m.tabseed"
    line = ("synth", data, "-o", tmp_path / "a.csv", "--model", model)
    rules = ("--rule", "size > -1000", "--rule", "unique (kind, n)", "--drop-breaking")
    assert tab(*line, *rules).code == 0
    ran = tab("sample", model, "-o", tmp_path / "o.csv", "--rows", 5_000)
    refused(ran, "unique (kind, n)")
    assert "size > -1000" not in ran.err


def test_known_margins_may_not_say_a_thing_twice(tab, model, tmp_path) -> None:
    (tmp_path / "k.json").write_text('{"n": {"mean": 2, "mean": 3}}')
    line = ("sample", model, "-o", tmp_path / "o.csv", "--rows", 5, "--known", tmp_path / "k.json")
    refused(tab(*line), "'mean' stands there twice")
    (tmp_path / "k.json").write_text('{"kinds": {"a": 0.5}}')
    refused(tab(*line), "no column 'kinds' in the table; did you mean 'kind'")
