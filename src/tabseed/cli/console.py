"""Code for every command: one-line errors, results for people or machines."""

from __future__ import annotations

import functools
import json
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from tabseed.errors import FileError, ParameterError, TabseedError, one_line, printable

if TYPE_CHECKING:
    from tabseed.pages import Finding, Row
    from tabseed.table import Table

UsageError: Any = typer.BadParameter.__base__  # click's; newer versions of typer contain a copy

# cells up to this number of characters are not broken into lines: first column, others
WHOLE_FIRST, WHOLE = 36, 12


_COMMAND: ContextVar[str | None] = ContextVar("command", default=None)


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; a usage error prints one line."""
    _COMMAND.set(_again(arguments))
    try:
        code = app(arguments, prog_name="tabseed", standalone_mode=False)
    except UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "tabseed"
        message = one_line(error.format_message()).removesuffix(".")
        emit(printable(f"error: {message}; see {command} --help"), sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _again(arguments: Sequence[str]) -> str:
    """Return the command that makes the same answer, for a page that may be sent to others.

    Folders that begin at the root tell of the machine and its user: only the file names stay.
    """
    kept = []
    for argument in arguments:
        if argument in ("--force", "--json"):
            continue
        option, equal, value = (
            argument.rpartition("=") if argument[:2] == "--" else ("", "", argument)
        )
        kept.append(f"{option}{equal}{Path(value).name if os.path.isabs(value) else value}")
    return shlex.join(["tabseed", *kept])


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors that users can act on into one line and exit code 2, interrupts into 130."""

    @functools.wraps(command)
    def guard(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except ParameterError as error:
            _fail(f"error: {_of_option(error, kwargs)}", 2)
        except TabseedError as error:
            _fail(f"error: {error}", 2)
        except MemoryError:
            _fail("error: not enough memory; take fewer rows or columns", 2)
        except KeyboardInterrupt:
            _fail("interrupted; nothing was left half-written", 130)
        except (typer.Exit, UsageError):
            raise
        except Exception as error:  # an error in tabseed, not of the user: hence another code
            _fail(f"internal error: {type(error).__name__}: {error} ({_location(error)})", 1)

    return guard


def _of_option(error: ParameterError, options: Mapping[str, Any]) -> str:
    """Return the message of a refused parameter, by the name of its option if it came from one."""
    value = error.value
    if value is None or options.get(error.name) is not value:
        return str(error)
    given = f"{value:g}" if isinstance(value, float) else one_line(value)
    allowed = error.allowed.removesuffix(", or None")  # which is how Python leaves it out
    return f"--{error.name.replace('_', '-')} {given} is not {allowed}"


def _location(error: Exception) -> str:
    """Return the file and line of this package where an error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(Path(__file__).parents[1])]
    last = ours[-1]
    return f"{Path(last.filename).name}, line {last.lineno}; please report this message"


def _fail(message: str, code: int) -> NoReturn:
    emit(printable(message), sys.stderr)
    raise typer.Exit(code)


def emit(text: str, stream: Any) -> None:
    """Print and flush. If the reader has closed the pipe, as ``head`` does, the work goes on."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except OSError as error:  # a full disk; what is still in the buffer is dropped
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise FileError(f"cannot print: {error.strerror or error}") from error


@dataclass
class Output:
    """Lines and tables for people, or one JSON document for machines."""

    as_json: bool
    result: dict[str, Any] = field(default_factory=dict)

    def say(self, label: str, text: object) -> None:
        """Print a line for people."""
        emit(f"{label:<10} {printable(text)}", sys.stderr if self.as_json else sys.stdout)

    def say_read(self, name: object, table: Table) -> None:
        """Print the size of a table."""
        from tabseed.table.display import counted

        size = f"{counted(len(table), 'row')}, {counted(len(table.schema), 'column')}"
        self.say("read", f"{name}: {size}")

    def rows(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table, unless the output is JSON, which already has its content."""
        if self.as_json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        texts = [[printable(cell) for cell in row] for row in rows]
        for index, name in enumerate(header):
            longest = max((len(row[index]) for row in texts), default=0)
            whole = longest <= (WHOLE if index else WHOLE_FIRST)
            grid.add_column(printable(name), overflow="fold", no_wrap=whole)
        for row in texts:
            grid.add_row(*map(Text, row))
        width = None if sys.stdout.isatty() else 120
        console = Console(width=width, highlight=False)
        with console.capture() as captured:
            console.print(grid)
        emit("\n".join(line.rstrip() for line in captured.get().splitlines()), sys.stdout)

    def answer(self, answer: Finding, rows: Sequence[Row] | None = None) -> None:
        """Print the ``rows`` (None: all) of an answer under its headings."""
        self.rows([heading.title for heading in answer.headings], answer.cells(rows))

    def verdict(self, answer: Finding) -> None:
        """Print the verdict of an answer and its notes."""
        self.say("verdict", answer.verdict)
        for note in answer.notes:
            self.say("note", note)

    def report(self, answer: Finding, path: Path, force: bool) -> None:
        """Write the page of an answer and print its path."""
        answer.to_html(path, force=force, command=_COMMAND.get())
        self.result["report"] = str(path)
        self.say("report", path)

    def say_left_out(self, left_out: dict[str, str]) -> None:
        """Print the columns that are left out, each with the reason."""
        self.result["left_out"] = left_out
        for name, reason in left_out.items():
            self.say("left out", f"column {name!r}: {reason.removesuffix(': left out')}")

    def finish(self, command: str) -> None:
        """Print the JSON document, if the output is JSON."""
        if self.as_json:
            document = {"command": command, **self.result}
            unicode = (sys.stdout.encoding or "").lower().startswith("utf")
            text = json.dumps(document, indent=2, ensure_ascii=not unicode, allow_nan=False)
            emit(_escaped(text), sys.stdout)


def _escaped(text: str) -> str:
    """Write a JSON document without characters that control a terminal: as escapes of JSON."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text)


def _escape(character: str) -> str:
    # json leaves DEL as it is, and writes those beyond 16 bits as two
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]
