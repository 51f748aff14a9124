"""The cells of one column: how training values are cut into them, and the laws inside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tabseed.coding.gaps import LEAST, find_gaps
from tabseed.coding.levels import pick
from tabseed.errors import SchemaError
from tabseed.table import MISSING, UNSEEN

KNOTS = 5  # points of the quantile function inside one interval
# levels at which the laws of the first and last part are known: ever nearer to the end
END_LEVELS = np.append(1 - 0.5 ** np.arange(13), 1.0)
MAX_LEVELS = 200  # categories of a column with a cell each; if there are more, the rarest share one
ULPS = 1024  # of the largest number: errors up to these are those of sums and products
NOISE = 1e-6  # of the last decimal, and at most these
NEAR_GRID = 0.05  # of the last decimal: a number as near to the grid lies in the cell of its point
MOST = 0.5  # share of numbers with fewer decimals than others, from which drawn numbers follow it,
MORE = 0.2  # if it is more than chance by as much
GOLDEN = 1e5 * 0.6180339887498949  # spreads the digits after those kept over [0, 1)
DECIMAL_UNITS = (1.0, 0.1, 0.01, 0.001, 0.0001)
LEAST_GAPS = 8  # gaps of a column that are kept, at least: the widest
DATE_UNITS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000)  # day ... millisecond


@dataclass(frozen=True)
class Block:
    """One column of the table in the encoded row: its coordinates and the laws inside its cells.

    The order of the cells: atoms, intervals, the group of rare categories, missing.
    """

    name: str
    numeric: bool
    start: int  # coordinate of the value in the encoded row; those of the cells follow
    atoms: np.ndarray  # (n_atoms,) value of each atom
    knots: np.ndarray  # (n_intervals, KNOTS) increasing quantiles of each interval
    group: np.ndarray  # (n_rare,) category codes that share the group cell
    group_weights: np.ndarray  # (n_rare,) their training frequencies
    missing: bool  # whether missing cells were seen
    step: float  # distance between the points of the grid that the numbers lie on; 0: no grid
    origin: float  # a point of that grid
    decimals: int  # decimals of the numbers; -1: not finitely many
    location: float  # mean and standard deviation of the present numbers
    scale: float
    parent: int = -1  # index of the block that determines this one; -1: none
    parent_cells: np.ndarray | None = None  # (cells of parent,) cell here for each of its cells
    ranked: bool = False  # whether the category codes are in an order that means something
    gaps: np.ndarray | None = None  # (g, 2) ends of the stretches without rows; between are pieces
    bits: int = 64  # of the floats that the decimals are rounded to: 16, 32 or 64
    coarse: float = 0.0  # step of a coarser grid, from 0, that most numbers lie on; 0: none
    coarse_share: float = 0.0  # of the numbers drawn that are moved onto it
    tails: np.ndarray | None = None  # (2, END_LEVELS) quantiles of the first and of the last part

    @property
    def n_cells(self) -> int:
        """K_j, the number of cells."""
        return len(self.atoms) + len(self.knots) + bool(len(self.group)) + self.missing

    @property
    def ordered(self) -> bool:
        """Whether the values have an order: numbers, or codes of an ordinal column."""
        return self.numeric or self.ranked

    @property
    def cells(self) -> slice:
        """Coordinates of the one-hot cells in the encoded row."""
        return slice(self.start + 1, self.start + 1 + self.n_cells)

    @property
    def is_discrete(self) -> bool:
        """Whether the cell alone fixes the value."""
        return not len(self.knots) and not len(self.group)

    @property
    def atom_pieces(self) -> np.ndarray:
        """The piece that each atom lies in, (n_atoms,)."""
        return self.piece_of(self.atoms)

    @property
    def interval_pieces(self) -> np.ndarray:
        """The piece that each interval lies in, (n_intervals,)."""
        return self.piece_of(self.knots[:, 0])

    @property
    def alone(self) -> np.ndarray:
        """Which atoms are the only number of their piece, (n_atoms,): codes and outliers."""
        pieces = np.concatenate([self.atom_pieces, self.interval_pieces])
        return np.asarray((self.gaps is not None) & (np.bincount(pieces)[self.atom_pieces] == 1))

    def piece_of(self, values: np.ndarray) -> np.ndarray:
        """Return the piece (n,) between gaps that each number lies in or, in a gap, is nearer to.

        NaN has no meaningful piece.
        """
        if self.gaps is None:
            return np.zeros(len(values), int)
        return np.asarray(np.searchsorted(self.gaps.mean(axis=1), values))

    def tidy(self, values: np.ndarray) -> np.ndarray:
        """Return numbers without the noise of computed decimals: 0.1 + 0.2 becomes 0.3."""
        if not self.numeric or self.decimals < 0:
            return values
        return _tidy(values, self.decimals, NEAR_GRID * 10.0**-self.decimals, self.bits)

    def cell_of(self, values: np.ndarray) -> np.ndarray:
        """Return the cell (n,) of each value (NaN: missing); -1 where no cell fits (unseen)."""
        values = self.tidy(values)
        cell = np.full(len(values), -1)
        n_atoms, n_knots = len(self.atoms), len(self.knots)
        if n_atoms:
            order = np.argsort(self.atoms, kind="stable")
            nearest = order[np.searchsorted(self.atoms, values, sorter=order).clip(max=n_atoms - 1)]
            hit = self.atoms[nearest] == values
            cell[hit] = nearest[hit]
        if n_knots:
            between = (cell < 0) & ~np.isnan(values)
            # an interval reaches up to the start of the next
            interval = np.searchsorted(self.knots[1:, 0], values[between], side="right")
            cell[between] = n_atoms + interval
        elif self.numeric and n_atoms:
            between = (cell < 0) & ~np.isnan(values)
            cell[between] = self._nearest(values[between])
        if len(self.group):
            cell[np.isin(values, self.group)] = n_atoms + n_knots
        if self.missing:
            cell[np.isnan(values)] = self.n_cells - 1
        return cell

    def nearest_atom(self, values: np.ndarray) -> np.ndarray:
        """Return the atom (n,) nearest to each number, the smaller of two at one distance."""
        return np.asarray(self.atoms[self._nearest(values)])

    def _nearest(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(values[:, None] - self.atoms).argmin(axis=1))

    def draw(self, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw values (n,) inside the given cells (n,), NaN where missing."""
        return self.at(cell, rng.random(len(cell)))

    def at(self, cell: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return values (n,) inside cells (n,), NaN where missing, by inversion of u (n,)."""
        n_atoms, n_knots = len(self.atoms), len(self.knots)
        values = np.full(len(cell), np.nan)
        at_atom = cell < n_atoms
        values[at_atom] = self.atoms[cell[at_atom]]
        if n_knots:
            inside = (cell >= n_atoms) & (cell < n_atoms + n_knots)
            knots, t = self.knots[cell[inside] - n_atoms], u[inside] * (KNOTS - 1)
            left = t.astype(int).clip(max=KNOTS - 2)
            low, high = (np.take_along_axis(knots, (left + i)[:, None], 1)[:, 0] for i in (0, 1))
            part = (cell[inside] - n_atoms) * (KNOTS - 1) + left
            values[inside] = self.snap(
                self.at_ends(part, t - left, low + (t - left) * (high - low))
            )
        if len(self.group):
            inside = cell == n_atoms + n_knots
            values[inside] = self.group[pick(np.cumsum(self.group_weights), u[inside])]
        return values

    def at_ends(self, part: np.ndarray, u: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return values (n,) of levels ``u`` within parts, corrected in the first and last part.

        There the law is not uniform: an outlier, or the last rows of a heavy tail, would share a
        part with several others and be drawn as often as they all.
        """
        if self.tails is None:
            return values
        first, last = part == 0, part == len(self.knots) * (KNOTS - 1) - 1
        values = values.copy()
        values[first] = np.interp(1 - u[first], END_LEVELS, self.tails[0])
        values[last] = np.interp(u[last], END_LEVELS, self.tails[1])
        return values

    def snap(self, values: np.ndarray) -> np.ndarray:
        """Move numbers into the training range, out of gaps and onto their grid.

        A number in a gap moves to the nearer side; numbers that fit stay.
        """
        if not self.numeric or not (len(self.atoms) or len(self.knots)):
            return values
        ends = np.concatenate([self.atoms, self.knots.ravel()])
        values = self.out_of_gaps(np.clip(values, ends.min(), ends.max()))
        if self.step > 0:
            k = np.round((values - self.origin) / self.step)
            on_grid = self.origin + k * self.step
            if self.decimals >= 0:
                on_grid = _rounded(on_grid, self.decimals, self.bits)
            off = np.abs(values - on_grid) > 1e-6 * self.step
            exact = on_grid if self.decimals >= 0 else np.where(off, on_grid, values)
            values = np.clip(exact, ends.min(), ends.max())
        if self.coarse > 0:
            values = np.clip(self._coarsened(values), ends.min(), ends.max())
        return values

    def _coarsened(self, values: np.ndarray) -> np.ndarray:
        """Move a share of numbers onto the coarser grid; which ones, their last digits decide."""
        lot = np.abs(values) / self.coarse * GOLDEN % 1
        rounded = self.out_of_gaps(_on_grid(values, self.coarse, self.bits))
        return np.where(lot < self.coarse_share, rounded, values)

    def out_of_gaps(self, values: np.ndarray) -> np.ndarray:
        """Move numbers (n,) that lie in a gap to its nearer side."""
        if self.gaps is None:
            return values
        low, high = self.gaps.T
        gap = (np.searchsorted(low, values) - 1).clip(0)
        inside = (low[gap] < values) & (values < high[gap])
        nearer = np.where(values - low[gap] < high[gap] - values, low[gap], high[gap])
        return np.where(inside, nearer, values)

    def score(self, values: np.ndarray) -> np.ndarray:
        """Return normal scores (n,) of numbers by the training quantiles, 0 where missing."""
        if not len(self.knots):
            scaled = (values - self.location) / self.scale
            return np.nan_to_num(np.clip(scaled, -4, 4))
        grid = np.unique(np.concatenate([self.knots.ravel(), self.atoms]))
        level = ndtri((np.arange(len(grid)) + 0.5) / len(grid))
        return np.asarray(np.nan_to_num(np.interp(values, grid, level)))


_NONE = np.empty(0)
_NO_KNOTS = np.empty((0, KNOTS))


def category_block(
    name: str,
    start: int,
    codes: np.ndarray,
    *,
    ranked: bool = False,
    numbers: np.ndarray | None = None,
) -> Block:
    """Make a block with a cell for each category seen; the rarest beyond MAX_LEVELS share one.

    ``ranked`` codes keep their order, unless some of them share a cell. ``numbers`` (K,) are what
    they stand for, if anything: there are gaps between codes where those have gaps.
    """
    if (codes == UNSEEN).any():
        row = int(np.flatnonzero(codes == UNSEEN)[0])
        raise SchemaError(
            f"column {name!r}, row {row + 1}: the value is not among the schema's categories"
        )
    present = codes[codes >= 0]
    seen, counts = np.unique(present, return_counts=True)
    ranked = ranked and 0 < len(seen) <= MAX_LEVELS
    rare = np.zeros(len(seen), bool)
    if len(seen) > MAX_LEVELS:
        rare[np.argsort(-counts, kind="stable")[MAX_LEVELS - 1 :]] = True
    gaps = None
    if ranked and numbers is not None and len(seen) > 1:
        gaps = _gaps_of_codes(seen, counts, numbers[seen])
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
        location=float(present.mean()) if ranked else 0.0,
        scale=(float(present.std()) or 1.0) if ranked else 1.0,
        ranked=ranked,
        gaps=gaps,
    )


def _gaps_of_codes(seen: np.ndarray, counts: np.ndarray, numbers: np.ndarray) -> np.ndarray | None:
    """Return the codes (g, 2) between whose numbers (K,) there are gaps; None if there are none."""
    ends = find_gaps(numbers, counts, float(np.diff(numbers).min()), LEAST_GAPS)
    return seen[np.searchsorted(numbers, ends)].astype(float) if len(ends) else None


def number_block(
    name: str, start: int, values: np.ndarray, n_intervals: int, *, dates: bool = False
) -> Block:
    """Cut a column of numbers (NaN missing) into atoms and about ``n_intervals`` intervals."""
    present = values[~np.isnan(values)]
    step, origin, decimals, bits = _grid(np.unique(present), DATE_UNITS if dates else ())
    if decimals >= 0:
        present = _tidy(present, decimals, np.inf, bits)
    distinct, counts = np.unique(present, return_counts=True)
    gaps = find_gaps(distinct, counts, step, max(LEAST_GAPS, n_intervals - 1))
    upper = np.searchsorted(distinct, gaps[:, 1])
    sizes = np.diff(np.concatenate([[0], upper, [len(distinct)]]))
    piece = np.repeat(np.arange(len(sizes)), sizes)
    if len(distinct) <= 1.5 * n_intervals:
        heavy = np.ones(len(distinct), bool)
    else:  # an atom is a value that by itself is more frequent than an average interval
        heavy = counts > np.maximum(2, len(present) / n_intervals)
        if len(gaps):  # or that lies far from others: they do not tell what lies around it
            heavy |= sizes[piece] < LEAST
    units = DATE_UNITS if dates else DECIMAL_UNITS
    coarse, coarse_share = _coarse(distinct[~heavy], counts[~heavy], step, units)
    own = [(piece == k) & ~heavy for k in np.unique(piece[~heavy])]
    knots, tails = _intervals([(distinct[k], counts[k]) for k in own], n_intervals, len(present))
    scale = float(present.std()) if len(present) else 0.0
    return Block(
        name=name,
        numeric=True,
        start=start,
        atoms=distinct[heavy],
        knots=knots,
        group=_NONE,
        group_weights=_NONE,
        missing=len(present) < len(values),
        step=step,
        origin=origin,
        decimals=decimals,
        location=float(present.mean()) if len(present) else 0.0,
        scale=scale if scale > 0 else 1.0,
        gaps=gaps if len(gaps) else None,
        bits=bits,
        coarse=coarse,
        coarse_share=coarse_share,
        tails=tails,
    )


def _intervals(
    pieces: list[tuple[np.ndarray, np.ndarray]], n_intervals: int, n: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Cut pieces (distinct numbers, counts) of ``n`` rows into intervals: their knots, and tails.

    A piece has its share of ``n_intervals``, and at least one.
    """
    knots, tails = [_NO_KNOTS], []
    for distinct, counts in pieces:
        rest = np.repeat(distinct, counts)
        most = max(1, round(n_intervals * (len(rest) / n)))
        knots.append(_quantile_knots(rest, min(most, len(distinct))))
        tails.append(_tails(rest, knots[-1]))
    ends = np.stack([tails[0][0], tails[-1][1]]) if tails else None
    return np.concatenate(knots), ends


def _quantile_knots(values: np.ndarray, n_intervals: int) -> np.ndarray:
    """Return the quantile functions (m, KNOTS) of up to ``n_intervals`` equally filled intervals.

    They are linear between order statistics, so knots need not be values of the table; the
    outermost two are its minimum and maximum.
    """
    levels = np.linspace(0, 1, n_intervals + 1)
    edges = np.unique(np.quantile(values, levels))
    if len(edges) == 1:
        return np.repeat(edges, KNOTS)[None, :]
    # map edges back to levels, so that ties at an edge widen one interval and split no value
    ordered = np.sort(values)
    upto = np.concatenate([[0.0], np.searchsorted(ordered, edges[1:-1]) / len(values), [1.0]])
    upto = np.unique(upto)
    inner = np.linspace(0, 1, KNOTS)
    knots = np.quantile(values, upto[:-1, None] + np.diff(upto)[:, None] * inner)
    return np.asarray(knots)


def _tails(values: np.ndarray, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles of sorted numbers in the first and last part, from within to the ends.

    From the second knot down to the smallest number, and from the last but one up to the largest.
    """
    n = len(values) - 1
    places = np.interp(knots.flat[[1, -2]], values, np.arange(n + 1)) / max(n, 1)
    low, high = np.clip(np.nan_to_num(places), 0, 1)  # slopes between subnormal numbers overflow
    down = np.quantile(values, low * (1 - END_LEVELS))
    up = np.quantile(values, high + (1 - high) * END_LEVELS)
    return np.minimum.accumulate(down), np.maximum.accumulate(up)


def _rounded(values: np.ndarray, decimals: int, bits: int) -> np.ndarray:
    rounded = np.round(values, decimals)
    return rounded if bits == 64 else rounded.astype(f"f{bits // 8}").astype(np.float64)


def _tidy(values: np.ndarray, decimals: int, tolerance: float, bits: int) -> np.ndarray:
    """Return numbers rounded to decimals; those further than ``tolerance`` from that stay."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = _rounded(values, decimals, bits)
        return np.where(np.abs(rounded - values) <= tolerance, rounded, values)


def _on_grid(values: np.ndarray, unit: float, bits: int = 64) -> np.ndarray:
    """Return numbers moved to multiples of ``unit``: 1, 0.1, ..., or whole."""
    if unit >= 1:
        return np.asarray(np.round(values / unit) * unit)
    return _rounded(values, round(-np.log10(unit)), bits)


def _coarse(
    distinct: np.ndarray, counts: np.ndarray, step: float, units: tuple[float, ...]
) -> tuple[float, float]:
    """Return the coarsest of ``units`` that most numbers are multiples of; 0 if all or none are.

    Also the share of drawn numbers to move there. Where 95 of 100 prices have two decimals and 5
    have four, the grid is that of the 5, and numbers drawn between others would all have four.
    """
    for unit in units if len(distinct) else ():
        hit = np.abs(_on_grid(distinct, unit) - distinct) <= NOISE * unit
        share = float(counts[hit].sum() / counts.sum())
        chance = min(1.0, step / unit)  # of the numbers on the fine grid
        more = (share - chance) / (1 - chance) if chance < 1 else 0.0
        if share > MOST and more > MORE:
            return (unit, more) if share < 1 else (0.0, 0.0)
    return 0.0, 0.0


def _decimals(distinct: np.ndarray) -> tuple[int, int]:
    """Return how many decimals the numbers have, -1: not finitely many, and as floats of what bits.

    Numbers may differ from such decimals by what sums and products of few terms are off, or all be
    such decimals stored in 32 or 16 bits.
    """
    largest = float(np.abs(distinct).max())
    if 0 < largest < 1e-10:
        return -1, 64
    with np.errstate(over="ignore", invalid="ignore"):
        noise = ULPS * np.spacing(largest)
        fine = {32: np.spacing(np.float32(largest)), 16: np.spacing(np.float16(largest))}
        for decimals in range(11):
            unit = 10.0**-decimals
            off = np.abs(np.round(distinct, decimals) - distinct)
            if off.max() <= min(noise, NOISE * unit):
                return decimals, 64
            for bits, spacing in fine.items():
                exact = _rounded(distinct, decimals, bits)
                if 2 * spacing < unit and np.array_equal(exact, distinct):
                    return decimals, bits
    return -1, 64


def _grid(distinct: np.ndarray, natural: tuple[int, ...] = ()) -> tuple[float, float, int, int]:
    """Find the grid that sorted distinct numbers lie on: step, origin, decimals, bits.

    For decimal numbers see :func:`_decimals` and :func:`_decimal_step`. For numbers without
    finitely many decimals (a scaled integer column), the step is the greatest common divisor of the
    differences, by Euclid's algorithm with tolerance. Step 0: no grid is coarser than a
    ten-thousandth of the range, or none reproduces the numbers.
    """
    none = 0.0, float(distinct[0]) if len(distinct) else 0.0, -1, 64
    if not len(distinct):
        return none
    decimals, bits = _decimals(distinct)
    if decimals >= 0:
        distinct = np.unique(_tidy(distinct, decimals, np.inf, bits))
        step, origin = _decimal_step(distinct, decimals, natural), float(distinct[0])
        if step > 0:
            k = np.round((distinct - origin) / step)
            if np.array_equal(_rounded(origin + k * step, decimals, bits), distinct):
                return step, origin, decimals, bits
        return none
    origin, spread = float(distinct[0]), float(distinct[-1] - distinct[0])
    if len(distinct) < 10:
        return none
    step = _real_divisor(np.diff(distinct), tolerance=1e-6 * spread)
    if step * 1e4 < spread or step == 0:
        return none
    k = np.round((distinct - origin) / step)
    step = float((k @ (distinct - origin)) / (k @ k))  # least squares
    fits = np.abs(distinct - origin - k * step).max() < 1e-3 * step
    return (step, origin, -1, 64) if fits else none


def _decimal_step(distinct: np.ndarray, decimals: int, natural: tuple[int, ...]) -> float:
    """Return the greatest common divisor of differences of decimal numbers; 0 beyond integers.

    With fewer than 10 numbers the divisor would be a guess: then the step is the last decimal, or
    the first of the ``natural`` units (day, hour, ...) that divides all differences.
    """
    if decimals == 0 and np.abs(distinct).max() < 2**62:  # exact even for distant dates
        units = distinct.astype(np.int64) - np.int64(distinct[0])
    else:
        scaled = (distinct - distinct[0]) * 10.0**decimals
        if scaled[-1] >= 2**53:
            return 0.0
        units = np.round(scaled).astype(np.int64)
    divisor = int(np.gcd.reduce(units))
    if len(distinct) < 10 or divisor == 0:
        divisor = next((unit for unit in natural if divisor % unit == 0), 1)
    return divisor / 10.0**decimals


def _real_divisor(gaps: np.ndarray, tolerance: float) -> float:
    """Return the greatest common divisor of positive reals up to ``tolerance``.

    0 if it falls below 100 times that.
    """
    gaps = np.unique(gaps)
    while len(gaps) > 1:
        smallest = gaps[0]
        if smallest < 100 * tolerance:
            return 0.0
        rest = gaps[1:] % smallest
        rest = np.where(smallest - rest < tolerance, 0.0, rest)
        gaps = np.unique(np.append(rest[rest > tolerance], smallest))
    return float(gaps[0])
