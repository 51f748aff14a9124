"""What every command shares: one-line errors, results for people or machines, a progress bar."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import typer

from tabseed.errors import TabseedError


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors that users can act on into one line and exit code 2, an interrupt into 130."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except TabseedError as error:
            _fail(f"error: {error}", 2)
        except KeyboardInterrupt:
            _fail("interrupted; nothing was left half-written", 130)

    return run


def _fail(message: str, code: int) -> NoReturn:
    print(printable(message), file=sys.stderr)
    raise typer.Exit(code)


def printable(text: object) -> str:
    """Escape what could steer a terminal or break the line; names come from strangers' files."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


@dataclass
class Output:
    """Lines and tables for people, or one JSON document for machines."""

    as_json: bool
    result: dict[str, Any] = field(default_factory=dict)

    def say(self, label: str, text: object) -> None:
        """Print a line for people."""
        print(f"{label:<10} {printable(text)}", file=sys.stderr if self.as_json else sys.stdout)

    def rows(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; JSON has its content already."""
        if self.as_json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for name in header:
            grid.add_column(name, overflow="fold")
        for row in rows:
            grid.add_row(*(Text(printable(cell)) for cell in row))
        width = None if sys.stdout.isatty() else 120
        Console(width=width, highlight=False).print(grid)

    def finish(self, command: str) -> None:
        """Print the JSON document, if it was asked for."""
        if self.as_json:
            document = {"command": command, **self.result}
            print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """Give a progress callback that draws a bar, or None where nobody would see it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def update(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=printable(message))

        yield update
