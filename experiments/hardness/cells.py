"""Cells of a study: two processes measure them, and each is written as soon as it is known."""

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
    """Measure, in order, the cells without all their lines in ``name``.csv.

    ``keys`` are the columns of a cell's values and, last, the column that distinguishes ``lines``.
    """
    results = Results(RESULTS / f"{name}.csv", keys)

    def key(*values: Any) -> dict[str, Any]:
        return dict(zip(keys, values, strict=True))

    jobs = [c for c in cells if not all(results.has(**key(*c, line)) for line in lines)]
    with get_context("spawn").Pool(PROCESSES) as pool:
        for rows in pool.imap_unordered(measured, jobs):
            results.add_new(rows)
