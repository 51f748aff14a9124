"""Polars in, polars out, and a query in DuckDB.

A frame comes back as what it was, with its dtypes; a file of DuckDB is read by a query.
"""

import sys
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import polars as pl

import tabseed as ts

HERE = Path(__file__).parent


def main(out: Path) -> None:
    """Learn from polars and from DuckDB; write ``frames.svg`` to a folder."""
    penguins = pl.read_csv(HERE.parent / "penguins.csv", null_values="NA")
    rows = ts.SequentialTrees(random_state=0).fit(penguins).sample(344)
    assert isinstance(rows, pl.DataFrame) and rows.schema == penguins.schema
    path = out / "penguins.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as base:
        base.execute("create table penguins as select * from penguins")
    heavy = ts.read_table(
        path, sql="select island, sex, body_mass_g from penguins where body_mass_g > 4000"
    )
    print(ts.GaussianCopula(random_state=0).fit(heavy).sample(3).to_pylist())
    figure, axis = plt.subplots(figsize=(5, 3.4))
    for name, frame, marker in (("real", penguins, "o"), ("synthetic", rows, "x")):
        frame = frame.drop_nulls()
        axis.plot(frame["flipper_length_mm"], frame["body_mass_g"], marker, ms=3, label=name)
    axis.set_xlabel("flipper, mm")
    axis.set_ylabel("mass, g")
    axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(out / "frames.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
