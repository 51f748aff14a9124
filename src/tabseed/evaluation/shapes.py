"""Small summaries of tables that pictures are made of: counts in bins, and no single cell.

The bins at both ends are open, so that no extreme value of a real row can be read off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tabseed._random import one_thread
from tabseed.estimates.words import cell
from tabseed.metrics.leakage import pooled_codes
from tabseed.metrics.signs import coded, distances
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

BINS, GRID = 20, 10  # of a number, alone and in a pair
LEVELS = 12  # of a category: the rarest share the last
OTHERS = "others"
TAILS = (0.01, 0.99)  # quantiles at which the outermost bins begin
SKEWED = 8.0  # upper over lower half of their distance from the median: bins then grow by a factor
PATTERNS = 12  # of missing cells, the commonest
POINTS = 300  # rows of each table on the map
MICROSECONDS = 1e6
TINY = 1e-300

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """The bins of a column: ``labels`` of its levels, or ``edges`` between bins of numbers.

    With k bins there are k labels or k - 1 edges, in the column's unit (seconds since 1970 for
    dates); the first and the last bin are open. ``growing``: edges grow by a factor. Whole numbers
    of few values have labels.
    """

    column: str
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    growing: bool = False

    @property
    def size(self) -> int:
        """The number of bins."""
        return len(self.labels) or len(self.edges) + 1


@dataclass(frozen=True)
class Histogram:
    """Shares of each table's cells in the bins of a column, and the share of missing cells."""

    axis: Axis
    shares: dict[str, tuple[float, ...]]
    missing: dict[str, float]


@dataclass(frozen=True)
class Joint:
    """Shares of each table's rows in the bins of two columns, (bins of x, bins of y)."""

    x: Axis
    y: Axis
    shares: dict[str, tuple[tuple[float, ...], ...]]


@dataclass(frozen=True)
class Pattern:
    """Shares of each table's rows that miss exactly these columns."""

    columns: tuple[str, ...]
    shares: dict[str, float]


@dataclass(frozen=True)
class Shapes:
    """What pictures show of some tables, by name: "train", "synthetic" and, if any, "holdout".

    ``margins`` in the schema's order; ``joints`` of the pairs asked for; ``patterns`` of missing
    cells, the commonest first; ``points``: up to 300 rows of each table on the first two principal
    coordinates of all, ``explained``: which share of the squared distances each of these shows.
    """

    margins: tuple[Histogram, ...]
    joints: tuple[Joint, ...]
    patterns: tuple[Pattern, ...]
    points: dict[str, tuple[Point, ...]]
    explained: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return asdict(self)


def shapes_of(
    tables: Mapping[str, Table], pairs: Sequence[tuple[str, str]], rng: np.random.Generator
) -> Shapes:
    """Return the shapes of tables with one schema; ``pairs`` of columns are shown together.

    Cost: a sort of each column, and a decomposition of up to 900 rows.
    """
    names = next(iter(tables.values())).schema.names
    columns = {name: _binned(tables, name, BINS) for name in names}
    wide = {name for pair in pairs for name in pair}
    coarse = {name: _binned(tables, name, GRID) for name in wide}
    points, explained = _map(tables, rng)
    return Shapes(
        tuple(_histogram(*columns[name], tables) for name in names),
        tuple(_joint(coarse[one], coarse[two], tables) for one, two in pairs),
        _patterns({name: bins for name, (_, bins) in columns.items()}, tables),
        points,
        explained,
    )


def _parts(cells: np.ndarray, tables: Mapping[str, Table]) -> dict[str, np.ndarray]:
    """Split pooled cells by table."""
    ends = np.cumsum([len(table) for table in tables.values()])[:-1]
    return dict(zip(tables, np.split(cells, ends), strict=True))


def _binned(tables: Mapping[str, Table], name: str, most: int) -> tuple[Axis, np.ndarray]:
    """Return the bins of a column and the bin of each pooled cell, MISSING where it is missing."""
    parts = list(tables.values())
    column = parts[0].schema[name]
    if column.kind in NUMERIC:
        cells = np.concatenate([table.numbers(name) for table in parts])
        values = np.unique(cells[~np.isnan(cells)])
        if column.kind == "integer" and 0 < len(values) <= most:
            bins = np.where(np.isnan(cells), MISSING, np.searchsorted(values, cells))
            return Axis(name, labels=tuple(map(cell, values.tolist()))), bins
        scale = MICROSECONDS if column.kind == "datetime" else 1.0
        edges, growing = _edges(cells / scale, most)
        bins = np.where(np.isnan(cells), MISSING, np.searchsorted(edges, cells / scale, "right"))
        return Axis(name, edges=tuple(edges.tolist()), growing=growing), bins
    codes = np.concatenate(pooled_codes(parts, name))
    known = [str(category) for category in column.categories]
    levels, counts = np.unique(codes[codes != MISSING], return_counts=True)
    if len(levels) <= LEVELS and all(level < len(known) for level in levels):
        kept = np.arange(len(known)) if len(known) <= LEVELS else levels
    else:
        kept = np.sort(levels[np.argsort(-counts, kind="stable")][: LEVELS - 1])
        kept = kept[kept < len(known)]
    bins = np.searchsorted(kept, codes)
    bins = np.where(np.isin(codes, kept), bins, len(kept))
    labels = [known[level] for level in kept]
    if (bins[codes != MISSING] == len(kept)).any():
        labels.append(OTHERS)
    return Axis(name, labels=tuple(labels)), np.where(codes == MISSING, MISSING, bins)


def _edges(cells: np.ndarray, most: int) -> tuple[np.ndarray, bool]:
    """Return the edges between at most ``most`` bins of numbers, and whether they grow."""
    present = cells[~np.isnan(cells)]
    if not len(present):
        return np.zeros(0), False
    low, high = np.quantile(present, TAILS)
    middle = float(np.median(present))
    if low > 0 and high - middle > SKEWED * (middle - low):
        return np.unique(np.geomspace(low, high, most - 1)), True
    return np.unique(np.linspace(low, high, most - 1)), False


def _histogram(axis: Axis, bins: np.ndarray, tables: Mapping[str, Table]) -> Histogram:
    shares, missing = {}, {}
    for name, part in _parts(bins, tables).items():
        present = part[part != MISSING]
        counts = np.bincount(present, minlength=axis.size) / len(part)
        shares[name] = tuple(counts.tolist())
        missing[name] = 1 - len(present) / len(part)
    return Histogram(axis, shares, missing)


def _joint(
    one: tuple[Axis, np.ndarray], two: tuple[Axis, np.ndarray], tables: Mapping[str, Table]
) -> Joint:
    (x, in_x), (y, in_y) = one, two
    both = np.where((in_x == MISSING) | (in_y == MISSING), MISSING, in_x * y.size + in_y)
    shares = {}
    for name, part in _parts(both, tables).items():
        present = part[part != MISSING]
        counts = np.bincount(present, minlength=x.size * y.size).reshape(x.size, y.size)
        shares[name] = tuple(map(tuple, (counts / len(part)).tolist()))
    return Joint(x, y, shares)


def _patterns(bins: Mapping[str, np.ndarray], tables: Mapping[str, Table]) -> tuple[Pattern, ...]:
    gaps = {name: cells == MISSING for name, cells in bins.items()}
    names = [name for name, missing in gaps.items() if missing.any()]
    if not names:
        return ()
    patterns, index, counts = np.unique(
        np.column_stack([gaps[name] for name in names]),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    parts = _parts(index.ravel(), tables)
    return tuple(
        Pattern(
            tuple(name for name, missing in zip(names, patterns[at], strict=True) if missing),
            {name: float(np.mean(part == at)) for name, part in parts.items()},
        )
        for at in np.argsort(-counts, kind="stable")[:PATTERNS]
    )


def _map(
    tables: Mapping[str, Table], rng: np.random.Generator
) -> tuple[dict[str, tuple[Point, ...]], tuple[float, float]]:
    """Return rows on their first two principal coordinates (Gower, Biometrika 53 (1966)).

    Squared distances are sums over columns of the distances of cells, as in
    :class:`~tabseed.metrics.Coverage`. Also the shares of the positive eigenvalues.
    """
    few = {
        name: table.take(np.sort(rng.permutation(len(table))[:POINTS]))
        for name, table in tables.items()
    }
    columns = [coded(list(few.values()), column.name) for column in next(iter(few.values())).schema]
    cells, _, discrete = (np.array(part) for part in zip(*columns, strict=True))
    with one_thread():
        square = distances(cells.T, cells.T, discrete)
        square -= square.mean(axis=0)
        square -= square.mean(axis=1, keepdims=True)
        values, vectors = np.linalg.eigh(-square / 2)
    values, vectors = np.maximum(values[:-3:-1], 0.0), vectors[:, :-3:-1]
    most = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    places = vectors * np.sqrt(values) * np.where(most < 0, -1.0, 1.0)
    total = max(-float(np.trace(square)) / 2, values.sum(), TINY)
    one, two = (values / total).tolist()
    return {n: tuple(map(tuple, part.tolist())) for n, part in _parts(places, few).items()}, (
        one,
        two,
    )
