"""Pictures of three tables, real, held-out and synthetic: paths and shares for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed._random import at_most, child
from tabseed.coding.points import Features, principal_coordinates
from tabseed.evaluation.bins import Bins, Pair, cut, missing_patterns
from tabseed.evaluation.likeness_report import LikenessReport
from tabseed.pages.intervals import Tick
from tabseed.table import Table
from tabseed.table.describe import number_text
from tabseed.table.schema import Schema

WIDTH, HEIGHT = 280.0, 80.0  # of a margin, in its own units
SIDE = 160.0  # of one table's half of a pair
MAP_WIDTH, MAP_HEIGHT, EDGE = 640.0, 400.0, 12.0
DOTS = 400  # rows of a table on the map
TAIL = 0.005  # share of the rows that lie on each edge of the map
OPEN, GRIDS, MOST = 12, 6, 200  # columns that are open on the page, pairs shown, columns at all
MAPPED, MAP_SIDE, VISIBLE = (
    24,
    200.0,
    0.02,
)  # columns of a map of pairs, its side, least association


@dataclass(frozen=True)
class Margin:
    """One column of each table: outlines of a histogram, or a line for each level.

    ``paths`` (real, held-out, synthetic) are empty for levels, ``levels`` for numbers: (label,
    share in each table). ``missing`` are the shares of missing cells.
    """

    name: str
    paths: tuple[str, ...]
    ticks: tuple[Tick, ...]
    levels: tuple[tuple[str, tuple[float, ...]], ...]
    missing: tuple[float, ...]
    highest: float

    @classmethod
    def of(cls, bins: Bins, schema: Schema) -> Margin:
        """Draw a column in bins."""
        shares = np.nan_to_num(bins.shares())
        parts, missing = shares[:, :-1], tuple(float(s) for s in shares[:, -1])
        highest = float(parts.max(initial=0.0)) or 1.0
        if bins.ends is None:
            levels = tuple(
                (label, tuple(float(s) for s in parts[:, k])) for k, label in enumerate(bins.labels)
            )
            return cls(bins.name, (), (), levels, missing, highest)
        paths = tuple(_outline(part / highest) for part in parts)
        column = schema[bins.name]
        marks = np.unique([0, (len(bins.ends) - 1) // 2, len(bins.ends) - 1])
        ticks = tuple(
            Tick(100.0 * k / (len(bins.ends) - 1), number_text(float(bins.ends[k]), column))
            for k in marks
        )
        return cls(bins.name, paths, ticks, (), missing, highest)


def _outline(heights: np.ndarray) -> str:
    """Return the outline of a histogram with heights between 0 and 1, closed along the axis."""
    x = np.linspace(0.0, WIDTH, len(heights) + 1)
    y = HEIGHT * (1 - 0.94 * heights)
    steps = "".join(f"V{b:.1f}H{a:.1f}" for a, b in zip(x[1:], y, strict=True))
    return f"M0 {HEIGHT:.0f}{steps}V{HEIGHT:.0f}z"


@dataclass(frozen=True)
class Grid:
    """Two columns of a table cut together: a square for each cell that holds rows.

    ``squares`` (real, synthetic) are (x, y, width, height, opacity): a cell of the largest share
    has opacity 1; ``texts`` name the bins of both columns.
    """

    across: str
    up: str
    squares: tuple[list[tuple[float, float, float, float, float]], ...]
    across_texts: tuple[str, str]
    up_texts: tuple[str, str]

    @classmethod
    def of(cls, pair: Pair) -> Grid:
        """Draw a pair; the first table is real, the last synthetic."""
        tables = pair.shares[[0, -1]]
        highest = tables.max(initial=0.0) or 1.0
        rows, columns = tables.shape[1:]
        width, height = SIDE / columns, SIDE / rows
        squares = []
        for shares in tables:
            at = np.argwhere(shares > 0)
            squares.append(
                [
                    (
                        round(column * width, 1),
                        round(SIDE - (row + 1) * height, 1),
                        round(width - 0.6, 1),
                        round(height - 0.6, 1),
                        round(float(np.sqrt(shares[row, column] / highest)), 2),
                    )
                    for row, column in at.tolist()
                ]
            )
        return cls(
            pair.across.name,
            pair.up.name,
            tuple(squares),
            (pair.across.labels[0], pair.across.labels[-1]),
            (pair.up.labels[0], pair.up.labels[-1]),
        )


@dataclass(frozen=True)
class Plane:
    """Rows of each table as dots on the plane of their first two principal coordinates."""

    paths: tuple[str, ...]
    shown: tuple[int, ...]

    @classmethod
    def of(cls, tables: list[Table], stream: np.random.SeedSequence) -> Plane:
        """Draw up to 400 rows of each table, chosen at random; rows farther out lie on the edge."""
        few = [t.take(at_most(len(t), DOTS, child(stream, k))) for k, t in enumerate(tables)]
        features = Features().fit(tables[0])
        points = [features.transform(t) for t in few]
        places = principal_coordinates(np.concatenate(points))
        low, high = np.quantile(places, [TAIL, 1 - TAIL], axis=0)
        scaled = np.clip((places - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
        x = EDGE + scaled[:, 0] * (MAP_WIDTH - 2 * EDGE)
        y = EDGE + (1 - scaled[:, 1]) * (MAP_HEIGHT - 2 * EDGE)
        dots = np.array([f"M{a:.0f} {b:.0f}h0" for a, b in zip(x, y, strict=True)])
        ends = np.cumsum([len(t) for t in few])[:-1]
        paths = tuple("".join(part) for part in np.split(dots, ends))
        return cls(paths, tuple(len(t) for t in few))


@dataclass(frozen=True)
class PairMap:
    """Associations of all pairs of up to 24 columns: real, synthetic, and what changed.

    ``maps`` are (title, squares), squares (x, y, CSS class, opacity): two classes for above and
    below 0. ``names`` are the columns in the order of rows and of columns; ``step`` is the side of
    a square; ``left_out`` is the number of columns not shown, those that change least.
    """

    names: tuple[str, ...]
    maps: tuple[tuple[str, list[tuple[float, float, str, float]]], ...]
    step: float
    left_out: int

    @classmethod
    def of(
        cls, pairs: tuple[tuple[str, str], ...], real: np.ndarray, synthetic: np.ndarray
    ) -> PairMap:
        """Draw associations (k,) of pairs in both tables."""
        names = list(dict.fromkeys(name for pair in pairs for name in pair))
        index = {name: i for i, name in enumerate(names)}
        at = np.array([[index[a], index[b]] for a, b in pairs])
        change = np.abs(synthetic - real)
        most = np.zeros(len(names))
        for side in at.T:
            np.maximum.at(most, side, change)
        kept = np.sort(np.argsort(-most, kind="stable")[:MAPPED])
        place = np.full(len(names), -1)
        place[kept] = np.arange(len(kept))
        step = MAP_SIDE / max(len(kept), 1)
        inside = (place[at] >= 0).all(axis=1)
        maps = []
        for title, values in (
            ("real", real),
            ("synthetic", synthetic),
            ("change", synthetic - real),
        ):
            squares = []
            for (a, b), value in zip(place[at[inside]].tolist(), values[inside], strict=True):
                if abs(value) < VISIBLE:
                    continue
                kind, opacity = "above" if value > 0 else "below", round(min(1.0, abs(value)), 2)
                for x, y in ((a, b), (b, a)):
                    squares.append((round(x * step, 1), round(y * step, 1), kind, opacity))
            maps.append((title, squares))
        shown = tuple(names[i] for i in kept)
        return cls(shown, tuple(maps), round(step - 0.5, 2), len(names) - len(kept))


@dataclass(frozen=True)
class Pictures:
    """The pictures of an evaluation: counts, shares and outlines, no row of a table.

    ``margins`` and ``grids`` have the columns and pairs that differ most first, each with its
    number; ``tables`` are the names of the tables in all pictures.
    """

    tables: tuple[str, ...]
    margins: tuple[tuple[Margin, str], ...]
    grids: tuple[tuple[Grid, str], ...]
    pair_map: PairMap | None
    plane: Plane
    missing: list[dict[str, Any]]
    columns_left_out: int

    @classmethod
    def of(
        cls,
        tables: tuple[Table, Table, Table | None],
        likeness: LikenessReport | None,
        stream: np.random.SeedSequence,
    ) -> Pictures:
        """Draw training, synthetic and, if there are any, held-out rows."""
        real, fake, held_out = tables
        drawn = [real, fake] if held_out is None else [real, held_out, fake]
        named = {name: "" for name in real.schema.names}
        pairs: dict[tuple[str, str], str] = {}
        pair_map = None
        if likeness is not None:
            distances = [r for r in likeness.worst_columns if r["family"] == "distances"]
            named = {r["column"]: _beside(r) for r in distances} | {
                name: "" for name in named if name not in {r["column"] for r in distances}
            }
            pairs = {(r["column"], r["other"]): _beside(r) for r in likeness.worst_pairs[:GRIDS]}
            if len(likeness.pairs.pairs):
                found = likeness.pairs
                pair_map = PairMap.of(found.pairs, found.real, found.synthetic)
        shown = list(named)[:MOST]
        return cls(
            ("real, training", *(("real, held out",) if held_out is not None else ()), "synthetic"),
            tuple((Margin.of(cut(drawn, name), real.schema), named[name]) for name in shown),
            tuple((Grid.of(Pair.of(drawn, *pair)), text) for pair, text in pairs.items()),
            pair_map,
            Plane.of(drawn, stream),
            missing_patterns(drawn),
            len(named) - len(shown),
        )

    def of_page(self) -> dict[str, Any]:
        """Return what the template needs."""
        return {
            "pictures": self,
            "open": OPEN,
            "width": WIDTH,
            "height": HEIGHT,
            "side": SIDE,
            "map_width": MAP_WIDTH,
            "map_height": MAP_HEIGHT,
            "map_side": MAP_SIDE,
        }


def _beside(row: dict[str, Any]) -> str:
    """Return the number beside a picture: the difference, and whether it is beyond chance."""
    if row["in_real"] is not None and row["other"] is not None:
        number = f"{row['measure']} {row['in_real']:.2f}, synthetic {row['in_synthetic']:.2f}"
    else:
        number = f"distance {row['difference']:.2f}"
    return f"{number}; {row['finding']}" if row["finding"] else number
