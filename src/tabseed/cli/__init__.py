"""The command ``tabseed``. Each command imports by itself whatever takes long to import.

Results go to standard output (with ``--json``: one JSON document and nothing else), progress and
errors to standard error. The exit code is 0, or 2 with one line that says what is wrong, where,
and what to do, or 3 where a limit is not kept.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Annotated

import typer

from tabseed.cli import (
    advise,
    augment,
    auto,
    evaluate,
    evidence,
    hardness,
    info,
    sample,
    split,
    synth,
    tune,
    utility,
)
from tabseed.cli.console import emit, run
from tabseed.errors import one_line

# Plain help and plain errors, which look the same on a terminal, in a pipe and in a log.
app = typer.Typer(
    name="tabseed",
    help="Make synthetic tables from small real ones, and say honestly whether they are good.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if show_version:
        from tabseed import __version__

        emit(f"tabseed {__version__}", sys.stdout)
    elif context.invoked_subcommand is None:
        emit(context.get_help(), sys.stderr)
        raise typer.Exit(2)


for command in (  # in the order of the help
    info.info,
    split.split,
    synth.synth,
    sample.sample,
    advise.advise,
    auto.auto,
    evaluate.evaluate,
    evidence.evidence,
    evidence.verify,
    hardness.hardness,
    augment.augment,
    tune.tune,
    utility.utility,
):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    # a termination by the system cleans up like an interrupt by the user
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the process that started this one
            setattr(sys, name, open(os.devnull, "w"))
        getattr(sys, name).reconfigure(errors="backslashreplace")
    warnings.showwarning = _say_warning  # type: ignore[assignment]
    sys.exit(run(app, sys.argv[1:]))


def _say_warning(message: Warning | str, *_: object) -> None:
    """Print a warning in one line, without the place in our code that it comes from."""
    emit(f"warning: {one_line(message)}", sys.stderr)
