"""Fill README.md with the results: ``python -m experiments.targeted.summary``."""

from __future__ import annotations

import csv
from pathlib import Path

from experiments.inductive_bias.summary import table
from experiments.targeted.honest import RESULTS

README = Path(__file__).parent / "README.md"
MARK, END = "<!-- HONEST -->", "<!-- /HONEST -->"


def honest() -> str:
    """A line a cell: none's score, gains of all arms; bold where Holm's p is below 0.05."""
    path = RESULTS / "honest.csv"
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    cells: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for row in rows:
        key = (row["table"], row["rows"], row["hardest"], row["generator"])
        cells.setdefault(key, {})[row["arm"]] = row
    arms = list(dict.fromkeys(row["arm"] for row in rows if row["arm"] != "none"))
    lines = []
    for (name, n, hardest, generator), found in cells.items():
        none = found["none"]
        gains = [_gain(found[arm]) if arm in found else "" for arm in arms]
        score = f"{none['score']} {float(none['mean']):.3f}"
        lines.append([name, n, hardest, generator, score, *gains])
    head = ["table", "rows", "hardest", "generator", "none", *arms]
    return table(head, lines)


def _gain(row: dict[str, str]) -> str:
    low, high = float(row["low"]), float(row["high"])
    text = f"{float(row['gain']):+.3f} ± {(high - low) / 2:.3f}"
    return f"**{text}**" if float(row["p_holm"]) < 0.05 else text


if __name__ == "__main__":
    text = README.read_text()
    before, rest = text.split(MARK)
    _, after = rest.split(END)
    README.write_text(f"{before}{MARK}\n{honest()}\n{END}{after}")
