"""``tabseed synth --epsilon``: refusals in one line, and a run that says what it guarantees."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import tabseed as ts
from helpers.command import names_in, refused, table
from tabseed.table import files as io
from tabseed.table.schema import Column, Schema

INSTALLED = find_spec("opendp") is not None and find_spec("mbi") is not None


@pytest.fixture
def public(tmp_path):
    kinds = tuple(sorted(set(table()["kind"].to_pylist())))
    schema = Schema(
        (
            Column("n", "integer", range=(0, 100), missing=False),
            Column("kind", "categorical", categories=kinds, missing=False),
        )
    )
    io.write_schema(schema, tmp_path / "s.json")
    return tmp_path / "s.json"


def test_options_that_do_not_fit_are_refused(tab, data, public, tmp_path) -> None:
    start = ("synth", data, "-o", tmp_path / "o.csv")
    for option in (("--delta", "1e-6"), ("--dp-method", "mst"), ("--anyway",)):
        refused(tab(*start, *option), option[0], "goes with --epsilon")
    private = (*start, "--epsilon", "3", "--public-schema", public)
    refused(tab(*private, "--report", tmp_path / "r.html"), "--report", "no budget pays for")
    refused(tab(*private, "--kind", "n=integer"), "--kind does not go with --epsilon")
    refused(tab(*private, "--generator", "trees"), "--generator does not go with --epsilon")
    refused(tab(*start, "--epsilon", "0", "--public-schema", public), "--epsilon 0 is not")
    refused(tab(*private, "--dp-method", "dp"), "'dp' is not one of 'aim', 'mst'")
    assert names_in(tmp_path) == ["data.csv", "s.json"]


def test_what_is_not_declared_is_refused(tab, data, tmp_path) -> None:
    start = ("synth", data, "-o", tmp_path / "o.csv", "--epsilon", "3")
    refused(tab(*start), "--public-schema")
    assert tab("info", data, "--save-schema", tmp_path / "s.json").code == 0
    line = tab(*start, "--public-schema", tmp_path / "s.json")
    refused(line, "no public range", '"range"')


@pytest.mark.skipif(INSTALLED, reason="OpenDP is installed")
def test_without_opendp_one_line_says_how_to_install_it(tab, data, public, tmp_path) -> None:
    ran = tab("synth", data, "-o", tmp_path / "o.csv", "--epsilon", "3", "--public-schema", public)
    refused(ran, 'pip install "tabseed[private]"')


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="needs pip install 'tabseed[private]'")
def test_a_run_states_its_guarantee_and_keeps_a_model(tab, data, public, tmp_path) -> None:
    start = ("synth", data, "--epsilon", "3", "--delta", "1e-5", "--public-schema", public)
    refused(tab(*start, "-o", tmp_path / "o.csv"), "--anyway")
    out, model = tmp_path / "o.csv", tmp_path / "m.tabseed"
    ran = tab(*start, "-o", out, "--model", model, "--anyway", "--dp-method", "mst", "--json")
    assert ran.code == 0, ran
    said = ran.document["learned"]
    assert "epsilon 3, delta 1e-05, for adding or removing one row; by MST" in said[0]
    assert ran.document["rows"] == ran.document["rows_learned"] == ts.load(model).n_rows_
    drawn = io.read_table(out)
    assert drawn.column_names == ["n", "kind"] and len(drawn) == ran.document["rows"]
    assert tab("sample", model, "-o", tmp_path / "p.csv", "--rows", 5).code == 0
    info = tab("info", model)
    assert "differentially private" in info.out and "declared public" in info.out
