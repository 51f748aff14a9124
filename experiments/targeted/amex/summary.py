"""Fill in the README with the measured stages: ``python -m experiments.targeted.amex.summary``."""

from __future__ import annotations

from experiments.common.markdown import fill, table
from experiments.common.results import read
from experiments.targeted.honest import RESULTS

README = RESULTS.parent / "README.md"
COLUMNS = (
    "file", "customers", "generator", "stage", "arm", "seconds", "processor seconds", "peak MiB",
    "load", "rounds", "gini", "gain",
)  # fmt: skip


def measured() -> str:
    """Return a table with a line for each stage; a gain has its interval."""
    lines = read(RESULTS / "amex.csv")
    for line in lines:
        if line["gain"]:
            line["gain"] += f" [{line['low']}, {line['high']}]"
    return table(list(COLUMNS), [[line[name] for name in COLUMNS] for line in lines])


if __name__ == "__main__":
    fill(README, {"AMEX": measured()})
