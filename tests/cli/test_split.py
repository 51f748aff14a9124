"""The command ``tabseed split``."""

from __future__ import annotations

import pytest

from helpers.command import refused
from tabseed.table import files as io


def test_split_divides_the_rows_and_keeps_shares(tab, data, tmp_path) -> None:
    train, holdout = tmp_path / "a.csv", tmp_path / "b.parquet"
    ran = tab("split", data, "--train", train, "--holdout", holdout, "--share", 0.5, "--json")
    assert ran.document["train"] == {"path": str(train), "rows": 20}
    rows = [*io.read_table(train).to_pylist(), *io.read_table(holdout).to_pylist()]
    assert sorted(rows, key=str) == sorted(io.read_table(data).to_pylist(), key=str)
    tab("split", data, "--train", train, "--holdout", holdout, "--stratify", "kind", "--force")
    whole, part = (io.read_table(p)["kind"].to_pylist() for p in (data, train))
    for level in set(whole):
        assert abs(part.count(level) - 0.7 * whole.count(level)) <= 1


@pytest.mark.parametrize("share", ["1", "0", "-2.5", "nan"])
def test_a_wrong_share_is_refused_by_the_name_of_its_option(tab, data, tmp_path, share) -> None:
    files = ("--train", tmp_path / "a.csv", "--holdout", tmp_path / "b.csv")
    ran = tab("split", data, *files, "--share", share)
    refused(ran, f"error: --share {share} is not a number above 0 and below 1")
