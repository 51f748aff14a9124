"""Tables as float arrays and back: :class:`TableEncoder`, and the :class:`Layout` that it learns.

Notation: n rows, c columns, w = encoded width, K_j = cells of column j, W = cells of all free
columns.

Each column j takes 1 + K_j coordinates of an encoded row: its *value* (the number itself, or the
index of the category among the column's categories) and a one-hot of its *cell*. The cells of a
column cover all its possible values: an atom for each frequent value, an interval for each stretch
of numbers between atoms, one group for the rarest of very many categories, one cell for missing.
Thus the value makes the code exactly invertible, and the cells give columns of all kinds the same
form of likelihood: categorical over cells, times a law inside the cell that is fixed beforehand
(nothing to choose in an atom, a quantile function in an interval, training frequencies in the
group).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import log
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from scipy.special import gammaln, logsumexp
from sklearn.base import BaseEstimator

from tabseed.coding.cells import Block, category_block, number_block
from tabseed.coding.fitted import Fitted
from tabseed.coding.levels import pick
from tabseed.coding.stored import block_from, check_parents
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.parameters import FLAG, Parameters, Whole, check_parameters, or_none
from tabseed.rules.columns import Columns, columns_of
from tabseed.rules.construction import Construction
from tabseed.rules.meaning import check_kept, read_rules
from tabseed.rules.search import find_identities
from tabseed.table import MISSING, Table
from tabseed.table.frames import FrameKind
from tabseed.table.schema import DISCRETE, NUMERIC, Column, Schema

MAX_WIDTH = 4_000  # intervals of all numeric columns together
MAX_PAIR_COST = 2e9  # rows x columns^2; larger tables are not searched for dependent columns
CHANCE = 1e-6  # a dependency that chance would show more often than this is not accepted


@dataclass(frozen=True)
class Layout:
    """The coordinates of each column in the encoded row; fills rows from cell probabilities."""

    blocks: tuple[Block, ...]

    @property
    def width(self) -> int:
        """The encoded width w."""
        return sum(1 + b.n_cells for b in self.blocks)

    @property
    def free(self) -> list[Block]:
        """Blocks that no other block determines; a generator models these."""
        return [b for b in self.blocks if b.parent < 0]

    @property
    def cell_indices(self) -> np.ndarray:
        """Coordinates of the cells of all free blocks, (W,)."""
        return np.concatenate([np.arange(b.cells.start, b.cells.stop) for b in self.free])

    @property
    def cell_block(self) -> np.ndarray:
        """For each of the W free cells, the index of its block among the free ones, (W,)."""
        return np.repeat(np.arange(len(self.free)), [b.n_cells for b in self.free])

    def cells(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the cell of each row, one array (n,) per block; -1 where none is set."""
        cells = []
        for block in self.blocks:
            onehot = x[:, block.cells]
            some = onehot.any(axis=1) if block.n_cells else np.zeros(len(x), bool)
            cell = onehot.argmax(axis=1) if block.n_cells else np.zeros(len(x), int)
            cells.append(np.where(some, cell, -1))
        return cells

    def free_cells(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the cell of each row in the free blocks, one array (n,) per block."""
        return [c for b, c in zip(self.blocks, self.cells(x), strict=True) if b.parent < 0]

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return normal scores of the free ordered columns, (n, number of them)."""
        columns = [b.score(self.values(b, x)) for b in self.free if b.ordered]
        return np.column_stack(columns) if columns else np.empty((len(x), 0))

    @staticmethod
    def values(block: Block, x: np.ndarray) -> np.ndarray:
        """Return the values of one block, (n,), NaN where missing."""
        values = x[:, block.start].copy()
        if block.missing:
            values[x[:, block.cells.stop - 1] > 0] = np.nan
        return values

    def columns(self, x: np.ndarray) -> np.ndarray:
        """Return the values of all blocks side by side, (n, columns), NaN where missing."""
        return np.column_stack([self.values(block, x) for block in self.blocks])

    def check(self, rows: np.ndarray) -> None:
        """Raise ValueError for values (n, columns), say of a file, that the blocks cannot hold."""
        if not len(rows) or rows.shape[1:] != (len(self.blocks),):
            raise ValueError(
                f"rows have the shape {rows.shape}, but the encoder has {len(self.blocks)} columns"
            )
        for block, value in zip(self.blocks, rows.T, strict=True):
            if np.isinf(value).any() or (block.cell_of(value) < 0).any():
                raise ValueError(f"rows have values that column {block.name!r} cannot hold")

    def sample(self, probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw rows: (n, W) probabilities of the free cells -> encoded rows (n, w).

        Draw each block's cell by inversion of one uniform number per row; a block that another
        determines takes its cell from that one.
        """
        n, start = len(probabilities), 0
        cells: dict[int, np.ndarray] = {}
        for j, block in enumerate(self.blocks):
            if block.parent >= 0:
                continue
            upto = np.cumsum(probabilities[:, start : start + block.n_cells], axis=1)
            start += block.n_cells
            u = rng.random(n)
            cells[j] = pick(upto, u) if block.n_cells else np.zeros(n, dtype=np.int64)
        return self.from_cells(self.all_cells(cells), rng)

    def all_cells(self, free: dict[int, np.ndarray]) -> list[np.ndarray]:
        """Return the cells (n,) of all blocks; ``free`` has those of the free ones, by index."""
        cells = dict(free)
        for j, block in enumerate(self.blocks):
            if block.parent_cells is not None:
                cells[j] = block.parent_cells[cells[block.parent]]
        return [cells[j] for j in range(len(self.blocks))]

    def from_free(self, free: dict[int, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Fill encoded rows (n, w); ``free`` has the values of the free blocks, by index."""
        values = dict(free)
        for j, block in enumerate(self.blocks):
            if block.parent_cells is not None:
                leader = self.blocks[block.parent].cell_of(values[block.parent])
                values[j] = block.draw(block.parent_cells[leader], rng)
        return self.from_values([values[j] for j in range(len(self.blocks))])

    def from_cells(self, cells: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Fill encoded rows (n, w) from the cells of all blocks; draw values inside them."""
        blocks = zip(self.blocks, cells, strict=True)
        return self._filled([block.draw(cell, rng) for block, cell in blocks], cells)

    def from_values(self, values: list[np.ndarray]) -> np.ndarray:
        """Fill encoded rows (n, w) from the values of all blocks (NaN missing), unchanged."""
        blocks = zip(self.blocks, values, strict=True)
        return self._filled(values, [block.cell_of(value) for block, value in blocks])

    def _filled(self, values: list[np.ndarray], cells: list[np.ndarray]) -> np.ndarray:
        x = np.zeros((len(values[0]), self.width))
        for block, value, cell in zip(self.blocks, values, cells, strict=True):
            x[:, block.start] = np.nan_to_num(value)
            hot = np.flatnonzero(cell >= 0)
            x[hot, block.start + 1 + cell[hot]] = 1.0
        return x


class TableEncoder(Fitted, BaseEstimator):
    """Learn a :class:`Layout` from real training rows, once; then encode and decode tables.

    Parameters
    ----------
    max_intervals : int or None
        Number of intervals that a column of many distinct numbers is cut into; ``None``: the
        square root of the number of rows, between 5 and 32, fewer for tables of many columns.
    dependencies : bool
        Whether to look for columns that another column determines (education by
        education-num): they then follow it in every generated row. A dependency is accepted only
        if chance would show it with probability below 1e-6; see ``dependencies_``.
    identities : bool
        Whether to look for equations that all rows keep (gross = net + tax): the column that one
        gives is then computed in every generated row; see ``construction_``.

    Attributes
    ----------
    layout_ : Layout
    table_schema_ : Schema of the tables that are encoded and decoded
    schema_ : Schema of the columns encoded: the same, unless the table's rules (``schema.rules``)
        let some be learned in place of others
    construction_ : Construction, how rules are kept
    dependencies_ : list of (column, determined by column)

    Of values not in the training rows, a number outside their range is encoded as it is, in the
    first or last interval, a coded number (ordinal) as the nearest level; a category, or a missing
    cell in a column that had none, is a ``SchemaError``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = Table.from_frame(pa.table({"x": [1.5, None, 2.5], "y": ["a", "b", "a"]}))
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.inverse_transform(encoder.transform(table)).to_arrow().to_pydict()
    {'x': [1.5, None, 2.5], 'y': ['a', 'b', 'a']}
    """

    parameters: ClassVar[Parameters] = {
        "max_intervals": or_none(Whole(1)),
        "dependencies": FLAG,
        "identities": FLAG,
    }

    def __init__(
        self, max_intervals: int | None = None, dependencies: bool = True, identities: bool = True
    ) -> None:
        self.max_intervals = max_intervals
        self.dependencies = dependencies
        self.identities = identities

    layout_: Layout
    schema_: Schema
    table_schema_: Schema
    construction_: Construction
    made_: dict[str, Block]  # of columns that rules make: what their cells may be
    frame_kind_: FrameKind

    def fit(self, table: Table, *, apart: str | None = None) -> Self:
        """Learn cells, grids and dependencies from the rows of ``table``.

        Equations that are found, and nobody declared, are not kept if they name the column
        ``apart``, which also follows where another column and it determine each other. SchemaError
        for a rule of its schema that a row breaks.
        """
        check_parameters(self)
        table = Table.from_frame(table)
        if not table.n_rows:
            raise TooFewRowsError("the table has no rows")
        schema = table.schema.modelled
        if not len(schema):
            raise SchemaError(
                "no column is left to model: all are ids or free text "
                f"({', '.join(repr(c.name) for c in table.schema)})"
            )
        rules = read_rules(table.schema.rules, table)
        check_kept(rules, table, "training table")
        rows = columns_of(table, schema)  # which the table then remembers
        found = find_identities(table.select(schema)) if self.identities else ()
        found = tuple(rule for rule in found if apart not in rule.columns)
        self.construction_ = Construction.of(rules, table, schema, found)
        inner = self.construction_.reduce(table)
        n_intervals = self.max_intervals or int(np.clip(round(table.n_rows**0.5), 5, 32))
        n_numeric = sum(c.kind in NUMERIC for c in inner.schema)
        if self.max_intervals is None and n_numeric:
            n_intervals = max(4, min(n_intervals, MAX_WIDTH // n_numeric))
        blocks, start = [], 0
        for column in inner.schema:
            blocks.append(_block(column, start, inner, n_intervals))
            start += 1 + blocks[-1].n_cells
        self.made_ = {n: _block(schema[n], 0, rows, n_intervals) for n in self._made()}
        self.table_schema_, self.schema_ = schema, inner.schema
        self.frame_kind_, self.layout_ = table.frame_kind, Layout(tuple(blocks))
        if self.dependencies:
            self.layout_ = Layout(_with_parents(self.layout_, self.transform(table), apart))
        return self

    def _made(self) -> list[str]:
        """Return the columns of the table that rules make or change."""
        made = {name for step in self.construction_.steps for name in step.makes}
        return [column.name for column in self.construction_.schema if column.name in made]

    @property
    def dependencies_(self) -> list[tuple[str, str]]:
        """The pairs (column, the column that determines it)."""
        blocks = self.layout_.blocks
        return [(b.name, blocks[b.parent].name) for b in blocks if b.parent >= 0]

    def transform(self, table: Table) -> np.ndarray:
        """Encode rows as (n, w) float64."""
        # so that codes mean the same as in training
        table = Table.from_frame(table, self.table_schema_)
        inner = self.construction_.reduce(table)
        values, cells = [], []
        for block in self.layout_.blocks:
            own = block.name in inner.own
            if block.numeric:
                value = inner.numbers(block.name)
            elif own:
                value = _category_codes(table, block)
            else:
                codes = inner.codes(block.name)
                value = np.where(codes == MISSING, np.nan, codes)
            cell, missing = block.cell_of(value), np.isnan(value)
            why = "missing, but no cell of this column was missing in training"
            self._refuse(table, block, (cell < 0) & missing, why)
            self._refuse(table, block, (cell < 0) & ~missing, "not seen in training")
            values.append(value)
            cells.append(cell)
        return self.layout_._filled(values, cells)

    def _refuse(self, table: Table, block: Block, bad: np.ndarray, why: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            value = table.values(block.name)[row] if block.name in table.schema else None
            subject = "the cell" if value is None else repr(value)
            raise SchemaError(f"column {block.name!r}, row {row + 1}: {subject} is {why}")

    def inverse_transform(self, x: np.ndarray) -> Table:
        """Decode rows (n, w) into a Table of the schema and frame kind that were encoded."""
        if not isinstance(x, np.ndarray) or x.shape[1:] != (self.layout_.width,):
            given = f"{type(x).__name__} of shape {np.shape(x)}"
            raise SchemaError(f"encoded rows are an array (n, {self.layout_.width}), not {given}")
        return self._table([self.layout_.values(block, x) for block in self.layout_.blocks])

    def _table(self, values: Sequence[np.ndarray]) -> Table:
        """Return the Table of the values (n,) of all blocks, NaN where missing."""
        rows = self.restored(values)
        return Table.from_columns(self.table_schema_, self.frame_kind_, rows.arrays)

    def restored(self, values: Sequence[np.ndarray]) -> Columns:
        """Return the table's columns of the values (n,) of all blocks, NaN where missing."""
        return self.construction_.restore(self._inner(values))

    def _inner(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        columns = {}
        for block, value in zip(self.layout_.blocks, values, strict=True):
            if not block.numeric:
                value = np.nan_to_num(value, nan=MISSING).astype(np.int64)
            columns[block.name] = value
        return columns

    def learned(self, table: Table) -> Table:
        """Return the columns that are learned of a table as one; itself, if no rule makes any."""
        if not self.construction_.steps:
            return table.select(self.schema_) if table.schema != self.schema_ else table
        inner = self.construction_.reduce(Table.from_frame(table, self.table_schema_))
        return Table.from_columns(self.schema_, self.learned_kind, inner.arrays)

    def learned_rows(self, x: np.ndarray) -> Table:
        """Return encoded rows as a Table of the columns that are learned."""
        values = [self.layout_.values(block, x) for block in self.layout_.blocks]
        return Table.from_columns(self.schema_, self.learned_kind, self._inner(values))

    @property
    def learned_kind(self) -> FrameKind:
        """The kind of frame of the learned columns: those of the table have their own types."""
        arrow = self.frame_kind_.arrow
        own = set(self.table_schema_.names).difference(self.made_)
        fields = [arrow.field(c.name) if c.name in own else _field(c) for c in self.schema_]
        return replace(self.frame_kind_, arrow=pa.schema(fields, metadata=arrow.metadata))

    def block(self, name: str) -> Block:
        """Return what the cells of a column of the table may be."""
        if name in self.made_:
            return self.made_[name]
        return next(block for block in self.layout_.blocks if block.name == name)

    @property
    def sure(self) -> bool:
        """Whether all that is drawn keeps the rules, so that :meth:`keep` keeps all rows."""
        built = self.construction_
        return not (built.checked or built.present or built.ends)

    def keep(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Return which encoded rows x (n, w) keep the rules, beside rows (m, w) ``seen`` before."""
        rows, others = (
            self.restored([self.layout_.values(block, one) for block in self.layout_.blocks])
            for one in (x, seen)
        )
        return self.construction_.keep(rows, others)

    def blamed(self, x: np.ndarray, seen: np.ndarray) -> list[tuple[str, float]]:
        """Return the rules that encoded rows x (n, w) break, with the share of them, most first."""
        rows, others = (
            self.restored([self.layout_.values(block, one) for block in self.layout_.blocks])
            for one in (x, seen)
        )
        return self.construction_.blamed(rows, others)

    def to_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the fitted encoder as a JSON-ready dict and named arrays."""
        plain: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for j, block in enumerate((*self.layout_.blocks, *self.made_.values())):
            entry = {}
            for f in fields(block):
                value = getattr(block, f.name)
                if isinstance(value, np.ndarray):
                    arrays[f"block{j}.{f.name}"] = value
                elif value is not None:
                    entry[f.name] = value
            plain.append(entry)
        state = {
            "parameters": self.get_params(),
            "blocks": plain,
            "frame": self.frame_kind_.to_dict(),
        }
        if self.construction_.steps or self.construction_.checked:
            state["rules"] = self.construction_.to_state()
        return state, arrays

    @classmethod
    def from_state(
        cls, state: dict[str, Any], arrays: dict[str, np.ndarray], schema: Schema
    ) -> TableEncoder:
        """Rebuild the encoder from what :meth:`to_state` returned.

        Raises ValueError, SchemaError or what Python raises for wrong types unless the whole is
        sound: every value that a block can give is written once as the frame writes it.
        """
        encoder = cls(**state["parameters"])
        check_parameters(encoder)
        encoder.table_schema_ = schema.modelled
        rules = state.get("rules", {"steps": [], "checked": [], "present": [], "ends": []})
        encoder.construction_ = Construction.from_state(rules, encoder.table_schema_)
        encoder.schema_ = encoder.construction_.inner
        made = [encoder.table_schema_[name] for name in encoder._made()]
        columns = (*encoder.schema_, *made)
        if len(state["blocks"]) != len(columns):
            raise SchemaError("the encoder's columns are not those of the schema")
        blocks: list[Block] = []
        start = 0
        for j, (entry, column) in enumerate(zip(state["blocks"], columns, strict=True)):
            prefix = f"block{j}."
            own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            start = 0 if j >= len(encoder.schema_) else start
            blocks.append(block_from(entry, own, column, start))
            start += 1 + blocks[-1].n_cells
        learned, others = blocks[: len(encoder.schema_)], blocks[len(encoder.schema_) :]
        check_parents(learned)
        encoder.layout_ = Layout(tuple(learned))
        encoder.made_ = {block.name: block for block in others}
        encoder.frame_kind_ = FrameKind.from_dict(state["frame"])
        table = encoder._table(_extremes(learned))
        table.to_frame()
        grains = {str(name): float(grain) for name, grain in rules.get("grains", {}).items()}
        checked = read_rules(map(str, rules["checked"]), table, grains)
        encoder.construction_ = replace(encoder.construction_, checked=checked)
        return encoder


def _field(column: Column) -> pa.Field:
    """Return the type of a column that stands in no table."""
    if column.kind in DISCRETE:
        return pa.field(column.name, pa.array(list(column.categories)).type)
    return pa.field(column.name, pa.timestamp("us") if column.kind == "datetime" else pa.float64())


def _block(column: Column, start: int, rows: Columns, n_intervals: int) -> Block:
    """Return the block of a column, learned from its cells."""
    if column.kind in NUMERIC:
        values, dates = rows.numbers(column.name), column.kind == "datetime"
        return number_block(column.name, start, values, n_intervals, dates=dates)
    codes, ranked = rows.codes(column.name), column.kind == "ordinal"
    numbers = np.array(column.categories, float) if column.coded else None
    return category_block(column.name, start, codes, ranked=ranked, numbers=numbers)


def _extremes(blocks: Sequence[Block]) -> list[np.ndarray]:
    """Return columns of one length with all atoms, codes and ends of intervals of each block."""
    points = [
        np.concatenate([b.atoms, b.knots.ravel(), b.group, np.full(int(b.missing), np.nan)])
        for b in blocks
    ]
    points = [p if len(p) else np.full(1, np.nan) for p in points]
    return [np.resize(p, max(map(len, points))) for p in points]


def _category_codes(table: Table, block: Block) -> np.ndarray:
    """Return the codes (n,) of a discrete column, NaN where missing.

    A coded number that training did not see takes the nearest level that it saw: number 6 of a
    scale that ran from 1 to 5 in the training rows is encoded as 5, as numbers out of range are.
    """
    codes = table.codes(block.name)
    value = np.where(codes == MISSING, np.nan, codes)
    column = table.schema[block.name]
    if block.ranked and column.coded:
        new = np.flatnonzero((codes != MISSING) & ~np.isin(codes, block.atoms))
        if len(new):
            levels = np.array(column.categories, dtype=float)[block.atoms.astype(int)]
            far = np.abs(table.numbers(block.name)[new, None] - levels)
            value[new] = block.atoms[far.argmin(axis=1)]
    return value


def _with_parents(layout: Layout, x: np.ndarray, apart: str | None) -> tuple[Block, ...]:
    """Return the blocks; mark those that another block determines in all rows, not by chance.

    B = f(A) is accepted if each level of A occurs with only one level of B, repeats of levels of A
    make up at least half of the rows, and shuffled rows would show the same with probability
    below CHANCE, for all pairs of columns together. The column with more levels leads, of two that
    determine each other the ordered one, but not ``apart``.
    """
    n, blocks = len(x), list(layout.blocks)
    discrete = [j for j, b in enumerate(blocks) if b.is_discrete and b.n_cells > 1]
    if len(discrete) < 2 or n * len(discrete) ** 2 > MAX_PAIR_COST:
        return layout.blocks
    all_cells = layout.cells(x)
    cells = np.column_stack([all_cells[j] for j in discrete]).astype(np.int32)
    # of two that determine each other the ordered one, which says more, leads
    sizes_of = [
        (-blocks[j].n_cells, blocks[j].name == apart, not blocks[j].ordered) for j in discrete
    ]
    order = sorted(range(len(discrete)), key=lambda index: sizes_of[index])
    limit = log(CHANCE / len(discrete) ** 2)
    for rank, a in enumerate(order):
        leader = blocks[discrete[a]]
        if leader.parent >= 0 or 2 * (n - leader.n_cells) < n:
            continue
        example = np.empty(leader.n_cells, int)  # a row of each level of A
        example[cells[:, a]] = np.arange(n)
        same = (cells[example[cells[:, a]]] == cells).all(axis=0)
        sizes = np.bincount(cells[:, a])
        for b in order[rank + 1 :]:
            follower = blocks[discrete[b]]
            if not same[b] or follower.parent >= 0:
                continue
            if log_chance(sizes, np.bincount(cells[:, b])) < limit:
                blocks[discrete[b]] = replace(
                    follower, parent=discrete[a], parent_cells=cells[example, b].astype(int)
                )
    return tuple(blocks)


def log_chance(groups: np.ndarray, levels: np.ndarray) -> float:
    """Bound the log probability that shuffled rows leave each group of rows within one level.

    There are n! / prod_b n_b! arrangements of levels with counts n_b. The number of those that
    keep all groups (sizes m_g) whole is the coefficient of prod_b z_b^n_b in
    prod_g sum_b z_b^m_g. It is at most that product over prod_b z_b^n_b, for any z > 0; for z this
    function takes the best of a few powers of the levels' shares.
    """
    n = levels.sum()
    log_share = np.log(levels / n)
    sizes, counts = np.unique(groups, return_counts=True)
    whole = min(
        counts @ logsumexp(s * sizes[:, None] * log_share, axis=1) - s * (levels @ log_share)
        for s in np.linspace(0, 1, 9)
    )
    return float(whole - gammaln(n + 1) + gammaln(levels + 1).sum())
