"""Generate tables with every generator, judge them, write the summary.

    TABSEED_DATA=... python -m benchmarks.generators peers [TABLE ...]
    TABSEED_DATA=... python -m benchmarks.generators ours [TABLE ...]
    TABSEED_DATA=... python -m benchmarks.generators judge [TABLE ...]
    python -m benchmarks.generators summary

``peers`` first makes an environment for each peer (a few minutes, 4 GB). ``--only NAME`` restricts
the run to one generator, ``--rows N`` to one number of rows. A run that is started again continues:
it skips the tables that exist and those already judged. Without a command: all of them.
"""

from __future__ import annotations

import argparse

from experiments.common.machine import one_thread

one_thread()

from benchmarks.generators import judge, make, summary  # noqa: E402
from benchmarks.generators.tables import cases  # noqa: E402

COMMANDS = ("peers", "ours", "judge", "summary")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="?", choices=COMMANDS)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--only")
    parser.add_argument("--rows", type=int)
    arguments = parser.parse_args()
    commands = COMMANDS if arguments.command is None else (arguments.command,)
    if commands == ("summary",):  # needs no tables
        summary.write()
        return
    selection = [c for c in cases(tuple(arguments.tables)) if arguments.rows in (None, c.n)]

    if "peers" in commands:
        make.make_peers(selection, [n for n in make.PEERS if arguments.only in (None, n)])
    if "ours" in commands:
        make.make_ours(selection, arguments.only)
    if "judge" in commands:
        judge.run(selection)
    if "summary" in commands:
        summary.write()


if __name__ == "__main__":
    main()
