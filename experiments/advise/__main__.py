"""``TABSEED_DATA=... python -m experiments.advise [name ...] [summary]``.

Writes ``results/bank.csv``, a line for each table or law, n and draw, in two processes; an
interrupted run goes on. Then learns the chances, writes them to ``src/tabseed/advice/bank.json``
and fills README.md (``summary``: that alone). Some 20 CPU seconds a line.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

from experiments.advise.bank import DRAWS, LAWS, SIZES, TABLES, whole  # noqa: E402
from experiments.advise.chances import learn  # noqa: E402
from experiments.common.jobs import run_jobs  # noqa: E402
from experiments.common.results import Results  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "bank.csv"


def main(arguments: list[str]) -> None:
    """Run what is missing, then learn the chances."""
    if arguments != ["summary"]:
        names = [a for a in arguments if a in TABLES or a in LAWS] or [*TABLES, *LAWS]
        jobs = [(name, n, draw) for draw, name, n in product(range(DRAWS), names, SIZES)]
        run_jobs(Results(RESULTS, ("name", "n", "draw")), jobs, whole)
    learn(RESULTS)


if __name__ == "__main__":
    main(sys.argv[1:])
