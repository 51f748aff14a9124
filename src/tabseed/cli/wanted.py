"""Which rows a user wants: how many, under which conditions, with which margins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.cli.options import FILE
from tabseed.errors import FileError, SchemaError, TabseedError

if TYPE_CHECKING:
    import numpy as np

    from tabseed.table import Table

MOST_BYTES = 2**20
ORDER = 0  # random stream of the order of rows; those of the levels follow

KnownFile = Annotated[
    Path | None,
    typer.Option(
        "--known",
        metavar=FILE,
        help='Margins known from elsewhere (JSON), which the rows then have: {"sex": {"female": '
        '0.51}, "age": {"mean": 43.2, "sd": 17}, "age >= 65 and smoker = yes": [0.03, 0.004]}; of '
        "a pair the second number is the standard error.",
    ),
]


def read_margins(path: Path) -> Mapping[str, Any]:
    """Return what a file of margins holds; FileError for one that is no JSON object."""
    from tabseed.table.files import read_small

    data = read_small(path, MOST_BYTES, "a file of margins")
    try:
        known = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: not a readable file of margins (JSON): {error}") from error
    if not isinstance(known, dict) or not known:
        raise FileError(f"{path}: margins are a JSON object with an entry for each column")
    return known


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; ValueError for a key that it has twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise ValueError(f"{twice!r} stands there twice")
    return found


@dataclass(frozen=True)
class Wanted:
    """Rows that a user wants; ``known`` are margins."""

    rows: int | None
    where: str | None = None
    balance: str | None = None
    counts: str | None = None
    known: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.counts is not None and (self.rows is not None or self.balance is not None):
            raise TabseedError("--counts says how many rows: leave --rows and --balance out")
        if self.counts is None and self.rows is None:
            raise TabseedError("--rows is needed, or --counts: how many rows?")

    def draw(self, maker: Any, stream: np.random.SeedSequence) -> Table:
        """Draw the rows from a fitted generator."""
        import numpy as np
        import pyarrow as pa

        from tabseed._random import child
        from tabseed.table import Table as Rows

        groups = self._groups(maker)
        if groups is None:
            table: Rows = maker.draw(
                self.rows, conditions=self.where, known=self.known, random_state=stream
            )
            return table
        parts = []
        for index, (condition, n) in enumerate(groups):
            both = condition if self.where is None else f"({self.where}) and {condition}"
            own = child(stream, ORDER + 1 + index)
            parts.append(
                maker.draw(n, conditions=both, known=self.known, random_state=own).to_arrow()
            )
        encoder = maker.encoder_
        rows = Rows(pa.concat_tables(parts), encoder.table_schema_, encoder.frame_kind_)
        order = np.random.default_rng(child(stream, ORDER)).permutation(len(rows))
        return rows.take(order)

    def _groups(self, maker: Any) -> list[tuple[str, int]] | None:
        """Return conditions, each with its number of rows; None if all rows are alike."""
        from tabseed.rules.tree import Comparison, Word
        from tabseed.table.schema import DISCRETE

        if self.counts is None and self.balance is None:
            return None
        if self.counts is not None:
            name, numbers = self._counted()
        else:
            name, numbers = str(self.balance), {}
        column = maker.schema_[name]
        if column.kind not in DISCRETE:
            raise SchemaError(f"column {name!r} is {column.kind}; only levels can be counted")
        if not numbers:
            levels = [str(level) for level in column.categories]
            share, rest = divmod(int(self.rows or 0), len(levels))
            numbers = {level: share + (i < rest) for i, level in enumerate(levels)}
        return [
            (str(Comparison((Word(name), Word(level, "level")), ("=",))), n)
            for level, n in numbers.items()
            if n
        ]

    def _counted(self) -> tuple[str, dict[str, int]]:
        """Return the column and the number of rows of each level."""
        name, equals, rest = str(self.counts).partition("=")
        numbers: dict[str, int] = {}
        for part in rest.split(","):
            level, colon, n = part.rpartition(":")
            if not (equals and colon and n.strip().isdigit()) or level in numbers:
                raise TabseedError(
                    f"--counts {self.counts!r}: write it as COLUMN=LEVEL:N,LEVEL:N, as in "
                    "outcome=yes:500,no:500"
                )
            numbers[level.strip()] = int(n)
        return name.strip(), numbers
