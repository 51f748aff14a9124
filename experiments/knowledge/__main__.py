"""``TABSEED_DATA=... python -m experiments.knowledge [table ...] [summary]``.

Writes ``results/knowledge.csv``, a line for each table, n, arm and draw, in two processes; an
interrupted run goes on. ``summary`` fills README.md. Some 8 CPU seconds a
line.
"""

from __future__ import annotations

import sys
from itertools import product

from experiments.common.machine import one_thread

one_thread()

from experiments.common.jobs import run_jobs  # noqa: E402
from experiments.common.results import Results  # noqa: E402
from experiments.knowledge.study import (  # noqa: E402
    ARMS,
    CASES,
    DRAWS,
    FEW,
    HERE,
    MORE_DRAWS,
    SIZES,
    SMALL,
    figures,
    usable,
)
from experiments.knowledge.summary import fill_readme  # noqa: E402

KEYS = ("table", "n", "arm", "draw")


def main(arguments: list[str]) -> None:
    """Run what is missing of the tables named, or of all."""
    results = Results(HERE / "results" / "knowledge.csv", KEYS)
    names = [a for a in arguments if a in CASES] or list(CASES)
    if arguments != ["summary"]:
        jobs = [
            *product(names, SIZES, ARMS, range(DRAWS)),
            *product(SMALL, (FEW,), ("nothing", "margins"), range(DRAWS, MORE_DRAWS)),
        ]
        jobs = [job for job in jobs if job[0] in names and usable(str(job[0]), str(job[2]))]
        run_jobs(results, sorted(jobs, key=lambda job: (job[3], job[0], job[1])), figures)
    fill_readme()


if __name__ == "__main__":
    main(sys.argv[1:])
