"""The command ``tabseed split``."""

from __future__ import annotations

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
