"""Rows of which some cells are given: the others drawn from a generator's law given these.

Notation: n rows, K cells of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.spatial.distance import cdist

from tabseed._progress import Progress, silent
from tabseed._random import RandomState, child, one_thread, seed_sequence
from tabseed.coding.cells import Block
from tabseed.coding.encode import TableEncoder
from tabseed.coding.levels import pick
from tabseed.coding.points import Features
from tabseed.errors import SchemaError, TabseedError
from tabseed.generators.base import Generator
from tabseed.generators.given_cells import Given, check_learned
from tabseed.parameters import FUNCTION, SEED, InstanceOf, Whole, checked, or_none
from tabseed.rules.columns import columns_of
from tabseed.table import MISSING, UNSEEN, Frame, Table
from tabseed.table.schema import DISCRETE, NUMERIC, Schema

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
    are filled too, and other columns that it has stay beside them. Each row starts from a drawn row
    that is near it in what is given; then Gibbs sampling draws each missing cell given all others,
    by the generator's likelihood, ``sweeps`` times. Given cells stay as they are. A cell that is
    filled is never missing, unless a rule says so. Returns ``copies`` tables of the rows, for
    multiple imputation (Rubin): the law itself is taken as known, so for inference learn it anew
    for each copy (``proper=True``, another seed).

    Raises TabseedError for a generator without likelihood, and SchemaError for cells that it does
    not know, columns that it never saw, and rows that rules leave nothing for, or that give a
    computed cell without what it is computed from. Cost: a likelihood of each row and each of its
    possible cells, in each sweep.
    """
    encoder = model.encoder_
    if not model.knows_likelihood:
        raise TabseedError(
            f"{type(model).__name__} has no likelihood of its rows, which completing them needs; "
            "take trees, arf or vaebgm"
        )
    own = Table.from_frame(table)
    whole = _given(table, own, encoder)
    Given(whole, encoder)  # which names the row in what it refuses, before anything is drawn
    stream = seed_sequence(random_state)
    rng = np.random.default_rng(child(stream, DRAWN))
    with one_thread():
        pool = model.draw(POOL, random_state=child(stream, DRAWN))
        start = np.repeat(np.arange(len(whole)), copies)
        rows = _Rows(model, Given(whole.take(start), encoder), pool, rng)
        report = progress or silent
        for sweep in range(sweeps):
            report(sweep, sweeps, "sweeps over the missing cells")
            rows.sweep(np.random.default_rng(child(stream, SWEPT, sweep)))
        report(sweeps, sweeps, "done")
        stuck = rows.stuck()
        if len(stuck):
            raise SchemaError(
                f"row {start[stuck[0]] + 1}: no cells were found that agree with those given and "
                f"with the rules ({len(np.unique(start[stuck]))} of {len(whole)} rows); change a "
                "given cell of the row, or leave one out"
            )
        filled = rows.table()
    parts = [filled.take(np.arange(k, len(start), copies)) for k in range(copies)]
    return [_beside(part, own) for part in parts]


def _given(frame: Frame, table: Table, encoder: TableEncoder) -> Table:
    """Return the rows with all columns that were learned; those that a frame lacks are missing."""
    schema = encoder.table_schema_
    names = set(table.to_arrow().column_names)
    have = Schema(tuple(column for column in schema if column.name in names))
    if not len(have):
        raise SchemaError("the table has none of the columns that the generator learned")
    own = Table.from_frame(frame, schema=have)
    cells = columns_of(own, have).arrays
    for column in have:
        if column.kind in DISCRETE:
            check_learned(own, column.name, cells[column.name] == UNSEEN)
    for column in schema:
        if column.name not in cells:
            nothing = np.nan if column.kind in NUMERIC else MISSING
            cells[column.name] = np.full(len(table), nothing)
    whole = Table.from_columns(schema, encoder.frame_kind_, cells)
    for column in have:
        if column.kind in NUMERIC:
            given, kept = cells[column.name], whole.numbers(column.name)
            changed = ~np.isnan(given) & (given != kept)
            check_learned(own, column.name, changed)
    return whole


def _beside(filled: Table, own: Table) -> Table:
    """Return filled rows with the columns that were not learned beside them, in their order."""
    arrow, drawn = own.to_arrow(), filled.to_arrow()
    names = arrow.column_names
    if set(names) <= set(drawn.column_names):
        return filled
    names += [name for name in drawn.column_names if name not in names]
    learned = set(drawn.column_names)
    columns = {name: (drawn if name in learned else arrow)[name] for name in names}
    schema = [(filled if name in learned else own).schema[name] for name in names]
    return Table.from_frame(
        pa.table(columns, metadata=drawn.schema.metadata),
        schema=Schema(tuple(schema), filled.schema.rules),
    )


class _Rows:
    """Rows in the making: the values of all blocks, and which of them are given."""

    def __init__(self, model: Any, given: Given, pool: Table, rng: np.random.Generator) -> None:
        self.model, self.encoder, self.given = model, model.encoder_, given
        self.blocks: Sequence[Block] = given.blocks
        self.open = given.drawn
        pooled = self.encoder.layout_.columns(self.encoder.transform(pool))
        near = _near(given, pool, rng)
        self.values = pooled[near[:, 0]]
        bad = np.arange(len(near))
        for start in near.T:  # until one agrees with what is given
            self._begin(bad, pooled, start[bad], rng)
            values = self.values[bad]
            good = self.given.follow(values, bad)
            self.values[bad] = values
            bad = bad[~good]
            if not len(bad):
                break

    def _begin(
        self, rows: np.ndarray, pooled: np.ndarray, start: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Start rows from drawn ones, with what is given."""
        values, given = pooled[start], self.given.values[rows]
        values = np.where(np.isnan(given), values, given)
        # a filled cell is never missing, also where the near row has none
        for j in range(len(self.blocks)):
            gone = self.open[rows, j] & np.isnan(values[:, j])
            some = pooled[~np.isnan(pooled[:, j]), j]
            if gone.any() and len(some):
                values[gone, j] = rng.choice(some, int(gone.sum()))
        for j in self.given.aside:
            values[:, j] = np.nan if self.blocks[j].missing else values[:, j]
        for j, fits in self.given.allowed:
            wrong = ~fits[rows, values[:, j].astype(int)]
            lots = rng.random(fits[rows].shape) * fits[rows]
            values[wrong, j] = lots.argmax(axis=1)[wrong]
        self.values[rows] = values

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
            of = np.repeat(some, k)
            fits = self.given.follow(asked, of) & ~self._clashes(asked, of, j)
            each = np.full(len(asked), -np.inf)
            if fits.any():
                each[fits] = self._log_likelihood(asked[fits])
            logs = each.reshape(len(some), k)
            possible = np.isfinite(logs).any(axis=1)
            law = np.exp(logs - np.where(possible, logs.max(axis=1), 0.0)[:, None])
            law[~possible] = 1.0
            law /= law.sum(axis=1, keepdims=True)
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
                fixed = self.given.values[rows, i]
                clash |= ~np.isnan(fixed) & (asked[:, i] != fixed)
        return clash

    def _log_likelihood(self, values: np.ndarray) -> np.ndarray:
        x = self.encoder.layout_.from_values(list(values.T))
        return np.asarray(self.model._log_probability(x))

    def stuck(self) -> np.ndarray:
        """Return the rows that do not agree with what is given."""
        rows = np.arange(len(self.values))
        return np.flatnonzero(~self.given.agree(self.values, rows))

    def table(self) -> Table:
        """Return the rows as a table."""
        columns = self.given.restored(self.values, np.arange(len(self.values)))
        encoder = self.encoder
        whole: Table = Table.from_columns(
            encoder.table_schema_, encoder.frame_kind_, columns.arrays
        )
        return whole


def _near(given: Given, pool: Table, rng: np.random.Generator) -> np.ndarray:
    """Return for each row (n, some) the drawn rows nearest in what is given, in random order."""
    names = [c.name for c in pool.schema if given.present(c.name).any()]
    schema = Schema(tuple(pool.schema[name] for name in names))
    if not names:
        n = len(given.values)
        return rng.integers(0, len(pool), (n, NEAREST))
    features = Features().fit(pool.select(schema))
    own, theirs = (features.transform(t.select(schema)) for t in (given.table, pool))
    nearest = np.argsort(cdist(own, theirs), axis=1, kind="stable")[:, :NEAREST]
    return np.asarray(rng.permuted(nearest, axis=1))
