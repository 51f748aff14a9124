"""Tables as float arrays and back: :class:`TableEncoder`, and the :class:`Layout` that it learns.

Notation: n rows, c columns, w = encoded width, K_j = cells of column j.

Each column j takes 1 + K_j places of an encoded row: its *value* (the number itself, or the
place of the category among the column's categories) and a one-hot of its *cell*. The cells of a
column cover what it can hold: an atom for each value that occurs often, an interval for each
stretch of numbers between, one group for the rarest of very many categories, one cell for
missing. So the value makes the code exactly invertible, and the cells give every column, of
whatever kind, one likelihood: categorical over cells, times a law inside the cell that is
fixed beforehand (nothing to choose in an atom, a quantile function in an interval, training
frequencies in the group).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import log
from typing import Any, Self

import numpy as np
from scipy import sparse
from scipy.special import ndtri
from sklearn.base import BaseEstimator

from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.schema import NUMERIC, Schema
from tabseed.table import MISSING, UNSEEN, FrameKind, Table

KNOTS = 5  # points of the quantile function inside one interval
MAX_LEVELS = 200  # categories with a cell of their own; the rarest beyond share one
MAX_WIDTH = 4_000  # cells of all columns together that numbers may fill with intervals
MAX_PAIR_COST = 2e9  # rows x columns^2 up to which dependent columns are looked for
CHANCE = 1e-6  # a dependency that chance would show more often than this is not believed


@dataclass(frozen=True)
class Block:
    """One column of the encoded row: its place and the laws inside its cells.

    The cells lie in this order: atoms, intervals, the group of rare categories, missing.
    """

    name: str
    numeric: bool
    start: int  # place of the value; the cells follow
    atoms: np.ndarray  # (n_atoms,) value of each atom
    knots: np.ndarray  # (n_intervals, KNOTS) increasing quantiles of each interval
    group: np.ndarray  # (n_rare,) category codes that share the group cell
    group_weights: np.ndarray  # (n_rare,) their training frequencies
    missing: bool  # whether missing cells were seen
    step: float  # distance of the grid that the numbers lie on; 0: none found
    origin: float  # a point of that grid
    decimals: int  # decimals of the numbers; -1: more than can be told
    location: float  # mean and standard deviation of the present numbers
    scale: float
    parent: int = -1  # place of the block that determines this one; -1: none
    parent_cells: np.ndarray | None = None  # (cells of parent,) cell here for each cell there

    @property
    def n_cells(self) -> int:
        """K_j, the number of cells."""
        return len(self.atoms) + len(self.knots) + bool(len(self.group)) + self.missing

    @property
    def cells(self) -> slice:
        """Places of the one-hot cells."""
        return slice(self.start + 1, self.start + 1 + self.n_cells)

    @property
    def is_discrete(self) -> bool:
        """Whether the cell alone fixes the value."""
        return not len(self.knots) and not len(self.group)

    def cell_of(self, values: np.ndarray) -> np.ndarray:
        """Place values (n,), NaN where missing, into cells; -1 where no cell fits (unseen)."""
        cell = np.full(len(values), -1)
        n_atoms, n_knots = len(self.atoms), len(self.knots)
        if n_atoms:
            order = np.argsort(self.atoms, kind="stable")
            place = np.searchsorted(self.atoms, values, sorter=order).clip(max=n_atoms - 1)
            hit = self.atoms[order[place]] == values
            cell[hit] = order[place][hit]
        if n_knots:
            open_ = (cell < 0) & ~np.isnan(values)
            # an interval reaches up to the start of the next
            inner = np.searchsorted(self.knots[1:, 0], values[open_], side="right")
            cell[open_] = n_atoms + inner
        elif self.numeric and n_atoms:
            open_ = (cell < 0) & ~np.isnan(values)  # a number between atoms: the nearest one
            cell[open_] = np.abs(values[open_, None] - self.atoms).argmin(axis=1)
        if len(self.group):
            cell[np.isin(values, self.group)] = n_atoms + n_knots
        if self.missing:
            cell[np.isnan(values)] = self.n_cells - 1
        return cell

    def draw(self, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw values (n,) inside given cells, NaN where missing."""
        n_atoms, n_knots = len(self.atoms), len(self.knots)
        values = np.full(len(cell), np.nan)
        at_atom = cell < n_atoms
        values[at_atom] = self.atoms[cell[at_atom]]
        u = rng.random(len(cell))
        if n_knots:
            inside = (cell >= n_atoms) & (cell < n_atoms + n_knots)
            knots, t = self.knots[cell[inside] - n_atoms], u[inside] * (KNOTS - 1)
            left = t.astype(int).clip(max=KNOTS - 2)
            low, high = (np.take_along_axis(knots, (left + i)[:, None], 1)[:, 0] for i in (0, 1))
            values[inside] = low + (t - left) * (high - low)
        if len(self.group):
            inside = cell == n_atoms + n_knots
            bounds = np.cumsum(self.group_weights) / self.group_weights.sum()
            place = np.searchsorted(bounds, u[inside], side="right").clip(max=len(self.group) - 1)
            values[inside] = self.group[place]
        return self.snap(values)

    def snap(self, values: np.ndarray) -> np.ndarray:
        """Move numbers into the range seen and onto their grid; what lies on it stays."""
        if not self.numeric or not (len(self.atoms) or len(self.knots)):
            return values
        ends = np.concatenate([self.atoms, self.knots.ravel()])
        values = np.clip(values, ends.min(), ends.max())
        if self.step > 0:
            k = np.round((values - self.origin) / self.step)
            on_grid = self.origin + k * self.step
            if self.decimals >= 0:
                on_grid = np.round(on_grid, self.decimals)
            off = np.abs(values - on_grid) > 1e-6 * self.step
            exact = on_grid if self.decimals >= 0 else np.where(off, on_grid, values)
            values = np.clip(exact, ends.min(), ends.max())
        return values

    def score(self, values: np.ndarray) -> np.ndarray:
        """Normal scores (n,) of numbers by the training quantiles, 0 where missing."""
        if not len(self.knots):
            scaled = (values - self.location) / self.scale
            return np.nan_to_num(np.clip(scaled, -4, 4))
        grid = np.unique(np.concatenate([self.knots.ravel(), self.atoms]))
        level = ndtri((np.arange(len(grid)) + 0.5) / len(grid))
        return np.nan_to_num(np.interp(values, grid, level))


@dataclass(frozen=True)
class Layout:
    """Where each column lies in the encoded row, and how to fill a row from cell probabilities."""

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
    def cell_places(self) -> np.ndarray:
        """Places of the cells of all free blocks, (W,)."""
        return np.concatenate([np.arange(b.cells.start, b.cells.stop) for b in self.free])

    @property
    def cell_block(self) -> np.ndarray:
        """For each of the W free cells, the number of its free block, (W,)."""
        return np.repeat(np.arange(len(self.free)), [b.n_cells for b in self.free])

    def cells(self, x: np.ndarray) -> list[np.ndarray]:
        """The cell of each row, one array (n,) per block; -1 where none is set."""
        found = []
        for block in self.blocks:
            onehot = x[:, block.cells]
            some = onehot.any(axis=1) if block.n_cells else np.zeros(len(x), bool)
            cell = onehot.argmax(axis=1) if block.n_cells else np.zeros(len(x), int)
            found.append(np.where(some, cell, -1))
        return found

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Normal scores of the free numeric columns, (n, number of them)."""
        columns = [b.score(self._values(b, x)) for b in self.free if b.numeric]
        return np.column_stack(columns) if columns else np.empty((len(x), 0))

    @staticmethod
    def _values(block: Block, x: np.ndarray) -> np.ndarray:
        values = x[:, block.start].copy()
        if block.missing:
            values[x[:, block.cells.stop - 1] > 0] = np.nan
        return values

    def sample(self, probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw rows: (n, W) probabilities of the free cells -> encoded rows (n, w).

        Each block's cell is drawn by inversion of one uniform number a row; a block that
        another determines takes its cell from there.
        """
        n, at = len(probabilities), 0
        cells: dict[int, np.ndarray] = {}
        for j, block in enumerate(self.blocks):
            if block.parent >= 0:
                continue
            upto = np.cumsum(probabilities[:, at : at + block.n_cells], axis=1)
            at += block.n_cells
            u = rng.random(n) * (upto[:, -1] if block.n_cells else 1.0)
            cells[j] = (upto[:, :-1] <= u[:, None]).sum(axis=1)
        for j, block in enumerate(self.blocks):
            if block.parent_cells is not None:
                cells[j] = block.parent_cells[cells[block.parent]]
        return self.from_cells([cells[j] for j in range(len(self.blocks))], rng)

    def from_cells(self, cells: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Fill encoded rows (n, w) from the cells of all blocks, values drawn inside them."""
        n = len(cells[0])
        x = np.zeros((n, self.width))
        for block, cell in zip(self.blocks, cells, strict=True):
            self._write(x, block, block.draw(cell, rng), cell)
        return x

    def from_values(self, values: list[np.ndarray]) -> np.ndarray:
        """Fill encoded rows (n, w) from values of all blocks (NaN missing), as they are."""
        x = np.zeros((len(values[0]), self.width))
        for block, value in zip(self.blocks, values, strict=True):
            self._write(x, block, value, block.cell_of(value))
        return x

    @staticmethod
    def _write(x: np.ndarray, block: Block, values: np.ndarray, cell: np.ndarray) -> None:
        x[:, block.start] = np.nan_to_num(values)
        hot = np.flatnonzero(cell >= 0) if block.n_cells else np.empty(0, int)
        x[hot, block.start + 1 + cell[hot]] = 1.0


class TableEncoder(BaseEstimator):
    """Learn a :class:`Layout` from real training rows, once; then encode and decode tables.

    Parameters
    ----------
    max_intervals : int or None
        Intervals that a column of many distinct numbers is cut into; ``None``: the square
        root of the number of rows, between 5 and 32, less for tables of many columns.
    dependencies : bool
        Whether to look for columns that another column determines (education by
        education-num): they then follow it in every generated row. Each is believed only if
        chance would show it with probability below 1e-6; see ``dependencies_``.

    Attributes
    ----------
    layout_ : Layout
    schema_ : Schema of the columns encoded
    dependencies_ : list of (column, determined by column)

    Values that training never held: a number outside the range is encoded as it is, in the end
    interval; a category, or a missing cell in a column that had none, is a ``SchemaError``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = Table.from_frame(pa.table({"x": [1.5, None, 2.5], "y": ["a", "b", "a"]}))
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.inverse_transform(encoder.transform(table)).to_arrow().to_pydict()
    {'x': [1.5, None, 2.5], 'y': ['a', 'b', 'a']}
    """

    def __init__(self, max_intervals: int | None = None, dependencies: bool = True) -> None:
        self.max_intervals = max_intervals
        self.dependencies = dependencies

    layout_: Layout
    schema_: Schema
    frame_kind_: FrameKind

    def fit(self, table: Table) -> Self:
        """Learn cells, grids and dependencies from the rows of ``table``."""
        if not table.n_rows:
            raise TooFewRowsError("the table has no rows")
        schema = table.schema.modelled
        if not len(schema):
            raise SchemaError(
                "no column is left to model: all are ids or free text "
                f"({', '.join(repr(c.name) for c in table.schema)})"
            )
        n_intervals = self.max_intervals or int(np.clip(round(table.n_rows**0.5), 5, 32))
        n_numeric = sum(c.kind in NUMERIC for c in schema)
        if self.max_intervals is None and n_numeric:
            n_intervals = max(4, min(n_intervals, MAX_WIDTH // n_numeric))
        blocks, start = [], 0
        for column in schema:
            if column.kind in NUMERIC:
                block = _number_block(column.name, start, table.numbers(column.name), n_intervals)
            else:
                block = _category_block(column.name, start, table.codes(column.name))
            blocks.append(block)
            start += 1 + block.n_cells
        self.schema_, self.frame_kind_ = schema, table.frame_kind
        self.layout_ = Layout(tuple(blocks))
        if self.dependencies:
            self.layout_ = Layout(_with_parents(self.layout_, self.transform(table)))
        return self

    @property
    def dependencies_(self) -> list[tuple[str, str]]:
        """Pairs (column, the column that determines it)."""
        blocks = self.layout_.blocks
        return [(b.name, blocks[b.parent].name) for b in blocks if b.parent >= 0]

    def transform(self, table: Table) -> np.ndarray:
        """Encode rows: -> (n, w) float64."""
        values = []
        for block in self.layout_.blocks:
            if block.numeric:
                value = table.numbers(block.name)
                if not block.missing:
                    self._refuse(table, block, np.isnan(value), "missing, which training never had")
            else:
                codes = table.codes(block.name)
                unseen = block.cell_of(np.where(codes == MISSING, np.nan, codes)) < 0
                self._refuse(table, block, unseen & (codes != MISSING), "not seen in training")
                self._refuse(
                    table, block, unseen & (codes == MISSING), "missing, which training never had"
                )
                value = np.where(codes == MISSING, np.nan, codes)
            values.append(value)
        return self.layout_.from_values(values)

    def _refuse(self, table: Table, block: Block, bad: np.ndarray, why: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            value = table.values(block.name)[row]
            what = "the cell" if value is None else repr(value)
            raise SchemaError(f"column {block.name!r}, row {row + 1}: {what} is {why}")

    def inverse_transform(self, x: np.ndarray) -> Table:
        """Decode rows (n, w) -> Table of the schema and frame kind that were encoded."""
        columns = {}
        for block in self.layout_.blocks:
            values = self.layout_._values(block, x)
            if not block.numeric:
                values = np.nan_to_num(values, nan=MISSING).astype(np.int64)
            columns[block.name] = values
        return Table.from_columns(self.schema_, self.frame_kind_, columns)

    def to_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Give what was learned as a JSON-ready dict and named arrays."""
        plain: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for j, block in enumerate(self.layout_.blocks):
            entry = {}
            for f in fields(block):
                value = getattr(block, f.name)
                if isinstance(value, np.ndarray):
                    arrays[f"block{j}.{f.name}"] = value
                elif f.name != "parent_cells":
                    entry[f.name] = value
            plain.append(entry)
        state = {
            "parameters": self.get_params(),
            "blocks": plain,
            "frame": self.frame_kind_.to_dict(),
        }
        return state, arrays

    @classmethod
    def from_state(
        cls, state: dict[str, Any], arrays: dict[str, np.ndarray], schema: Schema
    ) -> TableEncoder:
        """Rebuild from what :meth:`to_state` gave."""
        encoder = cls(**state["parameters"])
        blocks = []
        for j, entry in enumerate(state["blocks"]):
            prefix = f"block{j}."
            own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            blocks.append(Block(**entry, **own))
        encoder.layout_ = Layout(tuple(blocks))
        encoder.schema_ = schema.modelled
        encoder.frame_kind_ = FrameKind.from_dict(state["frame"], schema)
        return encoder


_NONE = np.empty(0)
_NO_KNOTS = np.empty((0, KNOTS))


def _category_block(name: str, start: int, codes: np.ndarray) -> Block:
    if (codes == UNSEEN).any():
        row = int(np.flatnonzero(codes == UNSEEN)[0])
        raise SchemaError(
            f"column {name!r}, row {row + 1}: the value is not among the schema's categories"
        )
    seen, counts = np.unique(codes[codes >= 0], return_counts=True)
    rare = np.zeros(len(seen), bool)
    if len(seen) > MAX_LEVELS:
        rare[np.argsort(-counts, kind="stable")[MAX_LEVELS - 1 :]] = True
    return Block(
        name=name,
        numeric=False,
        start=start,
        atoms=seen[~rare].astype(float),
        knots=_NO_KNOTS,
        group=seen[rare].astype(float),
        group_weights=counts[rare].astype(float),
        missing=bool((codes == MISSING).any()),
        step=0.0,
        origin=0.0,
        decimals=0,
        location=0.0,
        scale=1.0,
    )


def _number_block(name: str, start: int, values: np.ndarray, n_intervals: int) -> Block:
    present = values[~np.isnan(values)]
    distinct, counts = np.unique(present, return_counts=True)
    step, origin, decimals = _grid(distinct)
    if len(distinct) <= 1.5 * n_intervals:
        heavy = np.ones(len(distinct), bool)
    else:  # an atom is a value that alone outweighs an average interval
        heavy = counts > np.maximum(2, len(present) / n_intervals)
    rest = present[~np.isin(present, distinct[heavy])]
    share = len(rest) / max(1, len(present))
    n_rest = min(max(1, round(n_intervals * share)), len(np.unique(rest)))
    scale = float(present.std()) if len(present) else 0.0
    return Block(
        name=name,
        numeric=True,
        start=start,
        atoms=distinct[heavy],
        knots=_quantile_knots(rest, n_rest) if len(rest) else _NO_KNOTS,
        group=_NONE,
        group_weights=_NONE,
        missing=len(present) < len(values),
        step=step,
        origin=origin,
        decimals=decimals,
        location=float(present.mean()) if len(present) else 0.0,
        scale=scale if scale > 0 else 1.0,
    )


def _quantile_knots(values: np.ndarray, n_intervals: int) -> np.ndarray:
    """Quantile function of each of up to ``n_intervals`` equally filled intervals, (m, KNOTS).

    Between order statistics it is linear, so knots need not be values of the table; the
    outermost two are its minimum and maximum.
    """
    levels = np.linspace(0, 1, n_intervals + 1)
    edges = np.unique(np.quantile(values, levels))
    if len(edges) == 1:
        return np.repeat(edges, KNOTS)[None, :]
    # map edges back to levels, so that ties at an edge widen one interval, not split a value
    ordered = np.sort(values)
    upto = np.concatenate([[0.0], np.searchsorted(ordered, edges[1:-1]) / len(values), [1.0]])
    upto = np.unique(upto)
    inner = np.linspace(0, 1, KNOTS)
    knots = np.quantile(values, upto[:-1, None] + np.diff(upto)[:, None] * inner)
    return np.asarray(knots)


def _grid(distinct: np.ndarray) -> tuple[float, float, int]:
    """Find step, origin and decimals of the grid that sorted distinct numbers lie on.

    Decimal numbers: the greatest common divisor of the differences in units of the last
    decimal, or that unit itself where fewer than 10 distinct numbers make the divisor a guess.
    Numbers with no finite decimals (a scaled integer column): the greatest common divisor of
    the differences by Euclid's algorithm with tolerance. Step 0: no grid coarser than a
    millionth of the range.
    """
    if not len(distinct):
        return 0.0, 0.0, -1
    origin, spread = float(distinct[0]), float(distinct[-1] - distinct[0])
    for decimals in range(11):
        if np.array_equal(np.round(distinct, decimals), distinct):
            units = (distinct - origin) * 10.0**decimals
            if units[-1] >= 2**53:
                return 0.0, origin, -1
            divisor = int(np.gcd.reduce(np.round(units).astype(np.int64)))
            unit = divisor if len(distinct) >= 10 and divisor > 0 else 1
            return unit / 10.0**decimals, origin, decimals
    if len(distinct) < 10:
        return 0.0, origin, -1
    step = _real_divisor(np.diff(distinct), tolerance=1e-6 * spread)
    if step * 1e4 < spread or step == 0:
        return 0.0, origin, -1
    k = np.round((distinct - origin) / step)
    step = float((k @ (distinct - origin)) / (k @ k))  # least squares
    fits = np.abs(distinct - origin - k * step).max() < 1e-3 * step
    return (step, origin, -1) if fits else (0.0, origin, -1)


def _real_divisor(gaps: np.ndarray, tolerance: float) -> float:
    """Greatest common divisor of positive reals up to ``tolerance``; 0 if it sinks below."""
    gaps = np.unique(gaps)
    while len(gaps) > 1:
        smallest = gaps[0]
        if smallest < 100 * tolerance:
            return 0.0
        rest = gaps[1:] % smallest
        rest = np.where(smallest - rest < tolerance, 0.0, rest)
        gaps = np.unique(np.append(rest[rest > tolerance], smallest))
    return float(gaps[0])


def _with_parents(layout: Layout, x: np.ndarray) -> tuple[Block, ...]:
    """Mark blocks that another block determines in all rows, where chance cannot explain it.

    B = f(A) is believed if each repeated level of A shows one level of B only, repeats make up
    at least half of the rows, and rows drawn at random would agree as often with probability
    below CHANCE (sum of squared shares of B to the number of repeats). The finer column leads.
    """
    n, blocks = len(x), layout.blocks
    discrete = [j for j, b in enumerate(blocks) if b.is_discrete and b.n_cells > 1]
    if len(discrete) < 2 or n * len(discrete) ** 2 > MAX_PAIR_COST:
        return blocks
    cells = layout.cells(x)
    offset = np.concatenate([[0], np.cumsum([blocks[j].n_cells for j in discrete])])
    places = np.concatenate([cells[j] + offset[i] for i, j in enumerate(discrete)])
    rows = np.tile(np.arange(n), len(discrete))
    onehot = sparse.csr_array((np.ones(len(rows)), (rows, places)), shape=(n, offset[-1]))
    pairs = sparse.csr_array(onehot.T @ onehot)  # counts of each two cells together
    owner = np.repeat(np.arange(len(discrete)), np.diff(offset))
    membership = sparse.csr_array(
        (np.ones(len(owner)), (np.arange(len(owner)), owner)), shape=(offset[-1], len(discrete))
    )
    partners = ((pairs > 0).astype(float) @ membership).toarray()  # (cells, columns)
    shares = pairs.diagonal() / n
    log_agree = np.log((shares**2) @ membership)  # two random rows agree in a column
    limit = log(CHANCE / len(discrete) ** 2)
    result = list(blocks)
    order = sorted(range(len(discrete)), key=lambda i: -blocks[discrete[i]].n_cells)
    for rank, b in enumerate(order):
        for a in order[:rank]:
            span = slice(offset[a], offset[a + 1])
            repeats = n - blocks[discrete[a]].n_cells
            believed = 2 * repeats >= n and repeats * log_agree[b] < limit
            root = result[discrete[a]].parent < 0
            if root and believed and (partners[span, b] == 1).all():
                table = pairs[span, offset[b] : offset[b + 1]].toarray().argmax(axis=1)
                result[discrete[b]] = replace(
                    result[discrete[b]], parent=discrete[a], parent_cells=table
                )
                break
    return tuple(result)

