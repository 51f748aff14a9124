"""The tables of the authors of arXiv 2407.03080: processed for training, and generated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA

LATENT_DIM = {"adult": 10, "news": 20, "king": 15, "intrusion": 10}


def coded(name: str) -> tuple[ts.Table, ts.Table]:
    """Return the pool of 10,000 rows and 9,500 rows to judge with; kinds by the authors' rule."""
    frame = pq.read_table(DATA / "paper1_processed" / f"{name}.parquet")
    most = 80 if name == "king" else 50
    plain = frame.drop_columns("split")
    kinds = {}
    for column in plain.column_names:
        values = plain[column].to_numpy().astype(float)
        distinct = np.unique(values)
        codes = np.array_equal(distinct, np.round(distinct)) and distinct[0] == 0
        kinds[column] = "categorical" if codes and len(distinct) < most else "continuous"
    table = ts.Table.from_frame(plain, kinds=kinds)
    is_pool = pc.equal(frame["split"], "n").to_numpy()
    return table.take(np.flatnonzero(is_pool)), table.take(np.flatnonzero(~is_pool))


def generated(name: str, arm: str, like: ts.Table) -> pa.Table:
    """Return the authors' generated rows of one arm (or their 300 real rows), typed as ``like``."""
    theirs = pq.read_table(DATA / "paper1_generated" / f"{name}.parquet")
    table = theirs.filter(pc.equal(theirs["arm"], arm)).drop_columns("arm")
    real = like.to_arrow().schema
    return table.cast(pa.schema([real.field(c) for c in table.column_names]))
