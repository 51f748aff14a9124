"""Run one of our generators in its own process: ``TRAIN OUT N SEED NAME TABLE ROWS``.

It gets the Table with its schema, as a user's ``fit`` makes it; TRAIN, the file for peers, is not
read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import tabseed as ts
from benchmarks.generators.peers.measure import measured
from benchmarks.generators.tables import Case, exchanged, rows_of
from experiments.common.draws import BIG
from tabseed.generators import GENERATORS, generator_class

MIXTURE, HONEST, BLEND = "vaebgm, mixture", "trees, honest", "blend"
# as with ctgan's defaults at 10,000 rows: 300 epochs of 20 batches, one network, no stopping
EQUAL = {f"{name}, 6000 steps of 500 rows": name for name in ("tvae", "ctgan")}
STEPS = ts.Training(steps=6_000, batch_size=500, patience=10**9)


def names(n: int) -> list[str]:
    """Return the registered generators and variants; for many rows, equal steps too."""
    return [*GENERATORS, MIXTURE, HONEST, BLEND, *(EQUAL if n == BIG else ())]


def model_of(name: str, seed: int) -> Any:
    """Return a generator with its defaults, or with the steps that its name states."""
    if name == MIXTURE:
        return ts.FineTuned(ts.VAEBGM(), ts.SeedMixture(), random_state=seed)
    if name == HONEST:
        return ts.SequentialTrees(honest=True, random_state=seed)
    if name == BLEND:
        return ts.Blend(random_state=seed)
    if name in EQUAL:
        return generator_class(EQUAL[name])(n_seeds=1, training=STEPS, random_state=seed)
    return generator_class(name)(random_state=seed)


def main() -> None:
    """Fit, draw, write."""
    _, out, n, seed, name, table, rows = sys.argv[1:]
    train = rows_of(Case(table, int(rows), int(seed))).train

    def learn() -> Callable[[int], Any]:
        fitted = model_of(name, int(seed)).fit(train)
        return lambda wanted: fitted.sample(wanted)

    synthetic, figures = measured(learn, int(n))
    pq.write_table(exchanged(ts.Table.from_frame(synthetic, schema=train.schema)), out)
    Path(out).with_suffix(".measured").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
