"""Fill the README with the stages measured: ``python -m experiments.targeted.amex.summary``."""

from __future__ import annotations

import csv

from experiments.common.markdown import table
from experiments.targeted.amex.__main__ import RESULTS

README = RESULTS.parent / "README.md"
MARK, END = "<!-- AMEX -->", "<!-- /AMEX -->"
SHOWN = (
    "file", "customers", "generator", "stage", "arm", "seconds", "processor seconds", "peak MiB",
    "load", "rounds", "gini", "gain",
)  # fmt: skip


def measured() -> str:
    """A line a stage; the gain with its interval."""
    path = RESULTS / "amex.csv"
    lines = list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []
    for line in lines:
        if line["gain"]:
            line["gain"] += f" [{line['low']}, {line['high']}]"
    return table(list(SHOWN), [[line[name] for name in SHOWN] for line in lines])


if __name__ == "__main__":
    text = README.read_text()
    before, rest = text.split(MARK)
    _, after = rest.split(END)
    README.write_text(f"{before}{MARK}\n{measured()}\n{END}{after}")
