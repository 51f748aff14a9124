"""How far a command is: a bar on a terminal, now and then a line where there is none."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tabseed._progress import Progress
from tabseed.cli.console import emit
from tabseed.errors import printable

FIRST, NEXT = 2.0, 10.0  # seconds until the first line, and then until the next, at least
LONGER = 0.25  # of the time so far, until the next line
EARLY = 0.02  # share of the work below which the time left is a guess


@contextmanager
def progress_bar(task: str) -> Iterator[Progress]:
    """Yield a progress callback for a task such as "judging"; silent work is shown too.

    On a terminal it draws a bar with share and time left. Elsewhere it writes lines on standard
    error, none for work of less than 2 seconds.
    """
    bar = _bar if sys.stderr.isatty() else _lines
    with bar(task) as progress:
        yield progress


@contextmanager
def _bar(task: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(table_column=Column(min_width=10)),
        TaskProgressColumn(table_column=Column(min_width=4)),  # not cut by a long message
        TimeRemainingColumn(elapsed_when_finished=True, table_column=Column(min_width=7)),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(task, total=None)

        def update(done: int, total: int, message: str) -> None:
            bar.update(shown, completed=done, total=total, description=printable(message))

        yield update


@contextmanager
def _lines(task: str) -> Iterator[Progress]:
    """Write lines from a thread of their own, so that long silent work is seen to go on."""
    start, finished, state = time.monotonic(), threading.Event(), [0, 0]

    def update(done: int, total: int, message: str) -> None:
        state[:] = done, total

    def report() -> None:
        wait = FIRST
        while not finished.wait(wait):
            seconds = time.monotonic() - start
            emit(line(task, seconds, *state), sys.stderr)
            wait = max(NEXT, LONGER * seconds)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield update
    finally:
        finished.set()
        thread.join()


def line(task: str, seconds: float, done: int, total: int) -> str:
    """Return a line on work that has taken so many seconds.

    >>> line("judging", 30, 40, 100)
    'judging: 40 %, about 45 s left'
    >>> line("judging", 600, 1, 100)
    'judging: 1 %, 10 min so far'
    >>> line("reading", 2, 0, 0)
    'reading: 2 s so far'
    """
    share = done / total if total else 0.0
    if share <= EARLY:
        known = f"{100 * share:.0f} %, " if total else ""
        return f"{task}: {known}{_duration(seconds)} so far"
    left = seconds * (1 - share) / share
    return f"{task}: {100 * share:.0f} %, about {_duration(left)} left"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.1f} h"
