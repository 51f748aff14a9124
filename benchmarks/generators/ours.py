"""One of our generators in a process of its own: ``TRAIN OUT N SEED NAME TABLE ROWS``.

It gets the Table with its schema, as a user's ``fit`` makes it; TRAIN, the peers' file, is not
read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from benchmarks.generators.peers.measure import measured
from benchmarks.generators.tables import Case, exchanged, rows_of

import tabseed as ts
from tabseed.generators import GENERATORS, generator_class

MIXTURE = "vaebgm, mixture"


def names() -> list[str]:
    """Every registered generator, and VAEBGM's seeds as a mixture."""
    return [*GENERATORS, MIXTURE]


def model_of(name: str, seed: int) -> Any:
    """A generator with its defaults."""
    if name == MIXTURE:
        return ts.FineTuned(ts.VAEBGM(), ts.SeedMixture(), random_state=seed)
    return generator_class(name)(random_state=seed)


def main() -> None:
    """Fit, draw, write."""
    _, out, n, seed, name, table, rows = sys.argv[1:]
    train = rows_of(Case(table, int(rows), int(seed))).train

    def learn() -> Callable[[int], Any]:
        fitted = model_of(name, int(seed)).fit(train)
        return lambda wanted: fitted.sample(wanted)

    found, figures = measured(learn, int(n))
    pq.write_table(exchanged(ts.Table.from_frame(found, schema=train.schema)), out)
    Path(out).with_suffix(".measured").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
