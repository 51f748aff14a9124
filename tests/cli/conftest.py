"""A command line in this process, and a table for it to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.command import Ran, table
from tabseed.cli import app
from tabseed.cli.console import run
from tabseed.table import files as io


@pytest.fixture
def tab(capsys):
    """Run a command line in this process."""

    def call(*arguments: object) -> Ran:
        code = run(app, [str(a) for a in arguments])
        return Ran(code, *capsys.readouterr())

    return call


@pytest.fixture
def data(tmp_path) -> Path:
    io.write_table(table(), tmp_path / "data.csv")
    return tmp_path / "data.csv"


@pytest.fixture
def line(data, tmp_path) -> tuple[object, ...]:
    pytest.importorskip("torch")
    out, model = tmp_path / "o.csv", tmp_path / "m.tabseed"
    return ("synth", data, "-o", out, "--model", model, "--device", "cpu")
