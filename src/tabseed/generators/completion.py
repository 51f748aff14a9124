"""Rows of which some cells are given: the others drawn from a generator's law given these.

Notation: n rows, K cells of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from tabseed._progress import Progress, silent
from tabseed._random import RandomState, child, one_thread, seed_sequence
from tabseed.coding.cells import Block
from tabseed.coding.levels import pick
from tabseed.coding.points import Features
from tabseed.errors import SchemaError, TabseedError
from tabseed.generators.base import Generator
from tabseed.parameters import FUNCTION, SEED, InstanceOf, Whole, checked, or_none
from tabseed.table import Frame, Table
from tabseed.table.schema import Schema

POOL = 2_000  # drawn rows among which each row finds cells to start from
NEAREST = 20  # of them, one of which is taken
AT_ONCE = 20_000  # rows whose likelihood is asked at once
DRAWN, SWEPT = 0, 1  # random streams


@checked(
    model=InstanceOf(Generator, "a fitted generator"),
    copies=Whole(1),
    sweeps=Whole(1),
    random_state=SEED,
    progress=or_none(FUNCTION),
)
def complete(
    model: Generator,
    table: Frame,
    *,
    copies: int = 1,
    sweeps: int = 10,
    random_state: RandomState = 0,
    progress: Progress | None = None,
) -> list[Table]:
    """Fill the missing cells of rows by draws from a generator's law given the other cells.

    ``table`` has some of the columns that the generator learned; cells of columns that it lacks
    are filled too. Each row starts from a drawn row that is near it in what is given; then Gibbs
    sampling draws each missing cell given all others, by the generator's likelihood, ``sweeps``
    times. Given cells stay as they are. A cell that is filled is never missing. Returns ``copies``
    tables of the rows, for multiple imputation (Rubin): the law itself is taken as known, so for
    inference learn it anew for each copy (``proper=True``, another seed).

    Raises TabseedError for a generator without likelihood, and SchemaError for cells that it does
    not know, or columns that it never saw. Cost: a likelihood of each row and each of its possible
    cells, in each sweep.
    """
    encoder = model.encoder_
    if not model.knows_likelihood:
        raise TabseedError(
            f"{type(model).__name__} has no likelihood of its rows, which completing them needs; "
            "take trees, arf or vaebgm"
        )
    if encoder.construction_.steps:
        raise TabseedError(
            "rows cannot be completed where rules make columns yet; learn the table without rules "
            "(TableEncoder(identities=False))"
        )
    given = _given(table, encoder.table_schema_)
    stream = seed_sequence(random_state)
    rng = np.random.default_rng(child(stream, DRAWN))
    with one_thread():
        pool = model.draw(POOL, random_state=child(stream, DRAWN))
        start = np.repeat(np.arange(len(given)), copies)
        rows = _Rows(model, given.take(start), pool, rng)
        report = progress or silent
        for sweep in range(sweeps):
            report(sweep, sweeps, "sweeps over the missing cells")
            rows.sweep(np.random.default_rng(child(stream, SWEPT, sweep)))
        report(sweeps, sweeps, "done")
        whole = rows.table()
    return [whole.take(np.arange(k, len(start), copies)) for k in range(copies)]


def _given(frame: Frame, schema: Schema) -> Table:
    """Return the rows with all columns of the schema; those that a frame lacks are missing."""
    table = Table.from_frame(frame)
    names = set(table.to_arrow().column_names)
    have = Schema(tuple(column for column in schema if column.name in names))
    if not len(have):
        raise SchemaError("the table has none of the columns that the generator learned")
    return Table.from_frame(frame, schema=have)


class _Rows:
    """Rows in the making: the values of all blocks, and which of them are given."""

    def __init__(self, model: Any, given: Table, pool: Table, rng: np.random.Generator) -> None:
        self.model, self.encoder = model, model.encoder_
        self.blocks: Sequence[Block] = self.encoder.layout_.blocks
        n = len(given)
        pooled = self.encoder.layout_.columns(self.encoder.transform(pool))
        self.values = pooled[_near(given, pool, rng)]
        self.open = np.ones((n, len(self.blocks)), dtype=bool)
        for j, block in enumerate(self.blocks):
            if block.name not in given.schema:
                continue
            cells = given.cells(block.name).astype(float)
            cells[(cells == -1) & (not block.numeric)] = np.nan
            has = ~np.isnan(cells)
            strange = has & (block.cell_of(np.where(has, cells, np.nan)) < 0)
            if strange.any():
                row = int(np.flatnonzero(strange)[0])
                value = given.values(block.name)[row]
                raise SchemaError(
                    f"column {block.name!r}, row {row + 1}: the generator has not learned {value!r}"
                )
            self.values[has, j] = cells[has]
            self.open[:, j] = ~has
        # a filled cell is never missing, also where the near row has none
        for j in range(len(self.blocks)):
            gone = self.open[:, j] & np.isnan(self.values[:, j])
            some = pooled[~np.isnan(pooled[:, j]), j]
            if gone.any() and len(some):
                self.values[gone, j] = rng.choice(some, int(gone.sum()))

    def sweep(self, rng: np.random.Generator) -> None:
        """Draw each open cell of free blocks given all other cells."""
        free = [j for j, b in enumerate(self.blocks) if b.parent < 0 and b.n_cells > 1]
        for j in rng.permutation(free).tolist():
            rows = np.flatnonzero(self.open[:, j])
            if len(rows):
                self._draw(j, rows, rng)

    def _draw(self, j: int, rows: np.ndarray, rng: np.random.Generator) -> None:
        block = self.blocks[j]
        cells = np.arange(block.n_cells - bool(block.missing))
        k = len(cells)
        step = max(1, AT_ONCE // k)
        for at in range(0, len(rows), step):
            some = rows[at : at + step]
            asked = np.repeat(self.values[some], k, axis=0)
            asked[:, j] = block.draw(np.tile(cells, len(some)), rng)
            self._follow(asked, j)
            clash = self._clashes(asked, np.repeat(some, k), j)
            logs = self._log_likelihood(asked)
            logs[clash] = -np.inf
            logs = logs.reshape(len(some), k)
            possible = np.isfinite(logs).any(axis=1)
            law = np.exp(logs - logsumexp(logs, axis=1, keepdims=True), where=possible[:, None],
                         out=np.ones_like(logs))  # fmt: skip
            chosen = pick(np.cumsum(law, axis=1), rng.random(len(some)))
            took = asked.reshape(len(some), k, -1)[np.arange(len(some)), chosen]
            self.values[some[possible]] = took[possible]

    def _follow(self, asked: np.ndarray, j: int) -> None:
        """Let the blocks that block j determines follow it."""
        cells = self.blocks[j].cell_of(asked[:, j])
        for i, block in enumerate(self.blocks):
            if block.parent == j and block.parent_cells is not None:
                atoms = np.append(block.atoms, np.nan)
                asked[:, i] = atoms[np.minimum(block.parent_cells[cells], len(block.atoms))]

    def _clashes(self, asked: np.ndarray, rows: np.ndarray, j: int) -> np.ndarray:
        """Return where a block that follows j would leave the cell that is given."""
        clash = np.zeros(len(asked), dtype=bool)
        for i, block in enumerate(self.blocks):
            if block.parent == j:
                clash |= ~self.open[rows, i] & (asked[:, i] != self.values[rows, i])
        return clash

    def _log_likelihood(self, values: np.ndarray) -> np.ndarray:
        x = self.encoder.layout_.from_values(list(values.T))
        return np.asarray(self.model.log_likelihood(self.encoder.inverse_transform(x)))

    def table(self) -> Table:
        """Return the rows as a table."""
        layout = self.encoder.layout_
        whole: Table = self.encoder.inverse_transform(layout.from_values(list(self.values.T)))
        return whole


def _near(given: Table, pool: Table, rng: np.random.Generator) -> np.ndarray:
    """Return for each row (n,) one of the drawn rows that are nearest in what is given."""
    schema = given.schema
    features = Features().fit(pool.select(Schema(tuple(pool.schema[c.name] for c in schema))))
    theirs = features.transform(pool.select(Schema(tuple(pool.schema[c.name] for c in schema))))
    own = features.transform(given)
    nearest = np.argsort(cdist(own, theirs), axis=1, kind="stable")[:, :NEAREST]
    return np.asarray(nearest[np.arange(len(own)), rng.integers(0, nearest.shape[1], len(own))])
