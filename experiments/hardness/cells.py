"""Cells of a study, measured by two processes, each written when it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from multiprocessing import get_context
from typing import Any

from experiments.common.results import Results, Row
from experiments.hardness.tables import RESULTS

PROCESSES = 2


def run(
    name: str,
    keys: tuple[str, ...],
    measured: Callable[[Any], list[Row]],
    cells: Iterable[tuple[Any, ...]],
    lines: tuple[str, ...],
) -> None:
    """Measure in order the cells that do not stand in ``name``.csv with all their lines.

    ``keys`` name a cell's values and, last, what tells its ``lines`` apart.
    """
    results = Results(RESULTS / f"{name}.csv", keys)

    def key(*values: Any) -> dict[str, Any]:
        return dict(zip(keys, values, strict=True))

    jobs = [c for c in cells if not all(results.has(**key(*c, line)) for line in lines)]
    with get_context("spawn").Pool(PROCESSES) as pool:
        for rows in pool.imap_unordered(measured, jobs):
            results.add_new(rows)
