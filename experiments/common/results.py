"""Results of a study: CSV files, written line by line, and intervals over draws."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

Row = dict[str, Any]


class Results:
    """A CSV of results by key, so that a study can skip the results that exist.

    Opening the file drops a last line that a kill cut off; its result is computed again.
    """

    def __init__(self, path: Path, keys: tuple[str, ...]) -> None:
        self.path, self.keys = path, keys
        self.rows: list[dict[str, str]] = []
        if path.exists():
            text = path.read_text()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                part = path.with_suffix(".part")
                part.write_text(whole)
                os.replace(part, path)
            self.rows = list(csv.DictReader(whole.splitlines()))

    def has(self, **key: object) -> bool:
        """Return whether the line with that key exists."""
        return any(all(row[k] == str(v) for k, v in key.items()) for row in self.rows)

    def add(self, row: Row) -> None:
        """Write one line immediately."""
        new = not self.path.exists() or not self.path.stat().st_size
        self.path.parent.mkdir(exist_ok=True)
        plain = {k: f"{v:.4f}" if isinstance(v, float) else str(v) for k, v in row.items()}
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, plain, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(plain)
        self.rows.append(plain)
        print(*plain.values(), flush=True)

    def add_new(self, rows: Iterable[Row]) -> None:
        """Write the lines whose keys are new."""
        for row in rows:
            if not self.has(**{k: row[k] for k in self.keys}):
                self.add(row)


def read(path: Path) -> list[dict[str, str]]:
    """Return all lines of a results file, none if there is no file."""
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def half_interval(values: np.ndarray) -> float:
    """Return half the 95 % t interval of the mean of independent values."""
    n = len(values)
    return float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / n**0.5)


def shown(values: list[float]) -> str:
    """Return the mean as text, and half its 95 % interval if there are several values."""
    if len(values) < 2:
        return f"{np.mean(values):.3f}"
    return f"{np.mean(values):.3f} ± {half_interval(np.array(values)):.3f}"
