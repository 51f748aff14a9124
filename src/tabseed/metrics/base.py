"""What every metric is: two tables in, estimates with intervals out, and no leak into the judge.

Also here: :class:`JudgeEncoder`, the label-free view of the rows that discriminators see, and
:func:`check_leakage`, which compares rows by content.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import pyarrow as pa
from scipy.special import ndtri
from sklearn.base import BaseEstimator

from tabseed._random import RandomState, seed_sequence
from tabseed.errors import LeakageError, SchemaError, TooFewRowsError
from tabseed.table import MISSING, UNSEEN, Table
from tabseed.table.schema import NUMERIC, Schema

Better = Literal["lower", "higher"]

MAX_LEVELS_TREES = 254  # HistGradientBoosting takes codes below 255; the last is "any other"
MAX_LEVELS_MLP = 30  # levels with a column of their own in the one-hot; the rest share one
CLIP = 5.0  # z-scores beyond it are cut: one outlier must not steer a network
SAME = 1e-8  # of a column's range: a smaller difference is no difference
BINS = 20  # of the coarse view: share of real rows in each is 1/20
LEAK_SIGMAS = 5.0  # false alarms below 1e-6 a table if the normal approximation holds
LEAK_SHARE = 0.02  # a smaller excess of equal rows moves no metric beyond its interval


@dataclass(frozen=True)
class Estimate:
    """One number with its 95 % interval, its unit and the direction in which it is better."""

    value: float
    low: float
    high: float
    unit: str
    better: Better = "lower"

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready dict."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "unit": self.unit,
            "better": self.better,
        }

    def __str__(self) -> str:
        return f"{self.value:.3f} {self.unit} (95 % interval {self.low:.3f} to {self.high:.3f})"


class Result(Protocol):
    """What a metric gives: a headline, and everything as a JSON-ready dict."""

    @property
    def headline(self) -> Estimate:
        """The one number to quote."""

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""


class Metric(BaseEstimator):
    """Compare a synthetic table with real rows.

    A subclass declares ``unit``, ``better`` and ``references`` (arXiv or DOI) and writes
    ``_evaluate(real, synthetic, stream)``, in which ``stream`` is the source of all randomness.
    ``min_rows`` is what either table must hold.
    """

    unit: ClassVar[str]
    better: ClassVar[Better]
    references: ClassVar[tuple[str, ...]] = ()
    min_rows: ClassVar[int] = 2

    def evaluate(
        self, real: Any, synthetic: Any, *, train: Any = None, random_state: RandomState = None
    ) -> Any:
        """Compare ``synthetic`` with ``real`` rows that trained no generator.

        ``real``, ``synthetic`` and ``train`` (the generator's training rows, if known) are
        frames or Tables; the schema is that of the first Table among ``train`` and ``real``,
        else it is detected on them. Ids and free text are left aside. Raises
        :class:`LeakageError` where ``real`` repeats ``train``; see :func:`check_leakage`.
        """
        real, synthetic, _ = self._tables(real, synthetic, train)
        return self._evaluate(real, synthetic, seed_sequence(random_state))

    def _tables(self, real: Any, synthetic: Any, train: Any) -> tuple[Table, Table, Table | None]:
        """Bring all to one schema; refuse too few rows and leaks."""
        schema = _schema_of(real if train is None else train, real).modelled
        if not len(schema):
            raise SchemaError("no column to compare: all are ids or free text; set other kinds")
        real, synthetic = conform(real, schema, "real"), conform(synthetic, schema, "synthetic")
        for name, table in (("real", real), ("synthetic", synthetic)):
            if len(table) < self.min_rows:
                raise TooFewRowsError(
                    f"{type(self).__name__} needs at least {self.min_rows} {name} rows, "
                    f"got {len(table)}"
                )
        if train is not None:
            train = conform(train, schema, "train")
            check_leakage(train, real)
        return real, synthetic, train

    def _evaluate(self, real: Table, synthetic: Table, stream: np.random.SeedSequence) -> Any:
        raise NotImplementedError


def _schema_of(*frames: Any) -> Schema:
    for frame in frames:
        if isinstance(frame, Table):
            return frame.schema
    return Table.from_frame(frames[0]).schema


def conform(frame: Any, schema: Schema, name: str) -> Table:
    """Bring a frame or Table to the columns of ``schema``; errors begin with ``name``."""
    if isinstance(frame, Table) and all(
        c.name in frame.schema and frame.schema[c.name] == c for c in schema
    ):
        return frame.select(schema)
    try:
        return Table.from_frame(frame, schema=schema)
    except SchemaError as error:
        raise SchemaError(f"{name} table: {error}") from error


# --- rows by content ----------------------------------------------------------------------------


def pooled_codes(tables: list[Table], name: str) -> list[np.ndarray]:
    """Give a discrete column of several tables as int64 codes over one vocabulary.

    The schema's categories come first; values that it does not know follow, each with a code
    of its own whichever table holds it. Missing is MISSING (-1).
    """
    codes = [table.codes(name) for table in tables]
    unseen = [_texts(table, name, c == UNSEEN) for table, c in zip(tables, codes, strict=True)]
    extra = np.unique(np.concatenate(unseen))
    known = len(tables[0].schema[name].categories)
    for code, texts in zip(codes, unseen, strict=True):
        code[code == UNSEEN] = known + np.searchsorted(extra, texts)
    return codes


def _texts(table: Table, name: str, rows: np.ndarray) -> np.ndarray:
    """Give the cells at ``rows`` as text; the loop runs over distinct values only."""
    if not rows.any():
        return np.zeros(0, dtype=np.str_)
    cells = table.to_arrow()[name].filter(pa.array(rows)).combine_chunks()
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    levels = np.array([str(v) for v in cells.dictionary.to_pylist()], dtype=np.str_)
    return levels[cells.indices.to_numpy()]


def row_keys(tables: list[Table]) -> list[np.ndarray]:
    """Give each row a number such that two rows share it exactly if all their cells are equal.

    Missing equals missing. Cost: one sort of all rows a column.
    """
    ends = np.cumsum([len(t) for t in tables])
    keys = np.zeros(ends[-1], dtype=np.int64)
    for column in tables[0].schema:
        if column.kind in NUMERIC:
            cells = np.concatenate([t.numbers(column.name) for t in tables])
        else:
            cells = np.concatenate(pooled_codes(tables, column.name))
        codes = np.unique(cells, return_inverse=True)[1]
        # both factors stay below the number of rows, so the product fits 64 bits
        keys = np.unique(keys * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return np.split(keys, ends[:-1])


@dataclass(frozen=True)
class Overlap:
    """How many held-out rows equal some training row, and how many chance alone would give."""

    n_equal: int
    n_expected: float
    n_holdout: int

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready dict."""
        return {
            "n_equal": self.n_equal,
            "n_expected": self.n_expected,
            "n_holdout": self.n_holdout,
        }

    def __str__(self) -> str:
        return (
            f"{self.n_equal} of {self.n_holdout} held-out rows equal a training row, "
            f"about {self.n_expected:.0f} expected by natural repetition"
        )


def check_leakage(train: Table, holdout: Table) -> Overlap:
    """Count held-out rows that equal a training row; refuse where chance cannot explain them.

    By Good and Turing a new row repeats one of n training rows with probability
    q = 1 - f1/n, in which f1 rows occur once (f2 values twice); the variance of that estimate
    is about v = (f1 (1 - f1/n) + 2 f2)/n^2 (Esty, Annals of Statistics 1983). Raises
    LeakageError where the count exceeds its expectation h q (h held-out rows) by more than
    5 standard deviations sqrt(h q' (1 - q') + h^2 v), q' = max(q, 1/n), and by more than
    max(3, 2 % of h) rows; or where the tables are equal row for row although two honest draws
    would be so with probability below 1e-6 (the sum of squared row shares, to the power h).
    A leak of fewer rows than that passes: the counts come back and belong in the report.
    """
    keys, held = row_keys([train, holdout])
    overlap, far = count_equal(keys, held)
    shares = np.unique(keys, return_counts=True)[1] / len(keys)
    log_same = len(held) * math.log(np.square(shares).sum())
    if far or (np.array_equal(keys, held) and log_same < math.log(1e-6)):
        raise LeakageError(
            f"the holdout repeats the training rows: {overlap}; "
            "judge with rows that trained nothing"
        )
    return overlap


def count_equal(keys: np.ndarray, other: np.ndarray) -> tuple[Overlap, bool]:
    """Count ``other`` rows that equal one of n training rows (:func:`row_keys` of both).

    Also says whether that is beyond chance, as :func:`check_leakage` puts it.
    """
    n, h = len(keys), len(other)
    counts = np.unique(keys, return_counts=True)[1]
    f1, f2 = int((counts == 1).sum()), int((counts == 2).sum())
    q = 1 - f1 / n
    overlap = Overlap(int(np.isin(other, keys).sum()), h * q, h)
    floor = max(q, 1 / n)
    sd = math.sqrt(h * floor * (1 - floor) + h**2 * (f1 * (1 - f1 / n) + 2 * f2) / n**2)
    excess = overlap.n_equal - overlap.n_expected
    return overlap, excess > LEAK_SIGMAS * sd and excess > max(3, LEAK_SHARE * h)


# --- what discriminators see --------------------------------------------------------------------


@dataclass(frozen=True)
class Features:
    """The pooled rows, real ones first: one float array (n, width) for each kind of judge.

    ``trees`` holds numbers (NaN where missing) and category codes (NaN where missing);
    ``categorical`` says which of its columns are codes. ``mlp`` is dense and finite.
    """

    trees: np.ndarray
    categorical: np.ndarray
    mlp: np.ndarray


class JudgeEncoder:
    """Turn two tables into features without looking at which table a row came from.

    Vocabulary, scale, ranks and what counts as equal come from the pooled rows, hence exchanging
    real and synthetic rows changes nothing: under "no difference" the labels are exchangeable.
    Only ``coarse`` looks at the real rows alone, for its bin edges (see :func:`coarse_codes`), so
    that a bin means the same beside every synthetic table.
    """

    def __init__(self, *, coarse: bool = False) -> None:
        self.coarse = coarse

    def encode(self, real: Table, synthetic: Table) -> Features:
        """Encode both tables. Cost: a sort of the pooled rows a numeric column."""
        trees: list[np.ndarray] = []
        categorical: list[bool] = []
        mlp: list[np.ndarray] = []
        for column in real.schema:
            if column.kind in NUMERIC:
                numbers = [real.numbers(column.name), synthetic.numbers(column.name)]
                cells = self._numbers(*merge_close(numbers))
                trees.append(cells)
                mlp.extend(_number_inputs(cells))
            else:
                codes = np.concatenate(pooled_codes([real, synthetic], column.name))
                trees.append(_tree_codes(codes))
                mlp.extend(_one_hot(codes))
            categorical.append(column.kind not in NUMERIC)
        n = len(real) + len(synthetic)
        dense = np.column_stack(mlp) if mlp else np.zeros((n, 1))
        return Features(np.column_stack(trees), np.array(categorical), dense)

    def _numbers(self, real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
        if self.coarse:
            synthetic, real = coarse_codes(real, synthetic), coarse_codes(real, real)
        return np.concatenate([real, synthetic])


def merge_close(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Make numbers equal that differ by less than SAME of the pooled range (in a chain).

    The last bits of a number say how it was computed, not what was measured: without this a
    judge would tell 0.1 + 0.2 from 0.3.
    """
    pooled = np.concatenate(parts)
    levels, place = np.unique(pooled, return_inverse=True)  # NaN comes last
    present = levels[~np.isnan(levels)]
    if len(present) > 1:
        new = np.diff(present, prepend=-np.inf) > SAME * (present[-1] - present[0])
        levels[: len(present)] = present[new][np.cumsum(new) - 1]
    return np.split(levels[place], np.cumsum([len(part) for part in parts])[:-1])


def coarse_codes(real: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Replace numbers by the index of their bin among the real rows' 20-quantiles.

    Edges are the distinct real quantiles at 0.05, ..., 0.95; a value equal to an edge lies
    below it; missing (NaN) stays missing.
    """
    present = real[~np.isnan(real)]
    if len(present) == 0:
        return np.where(np.isnan(values), np.nan, 0.0)
    edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS))
    return np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="left"))


def _number_inputs(cells: np.ndarray) -> list[np.ndarray]:
    """Give robust z-score, normal score of the mid-rank, and a missing flag where it varies.

    Both scales, because each hides what the other shows: ranks flatten a far tail, z-scores
    crowd a skewed body.
    """
    missing = np.isnan(cells)
    inputs = [missing.astype(float)] if missing.any() and not missing.all() else []
    present = cells[~missing]
    levels, place, counts = np.unique(present, return_inverse=True, return_counts=True)
    if len(levels) < 2:
        return inputs
    low, middle, high = np.quantile(present, [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349 or present.std()
    mid_rank = (np.cumsum(counts) - counts / 2) / len(present)
    for scores in (np.clip((present - middle) / scale, -CLIP, CLIP), ndtri(mid_rank)[place]):
        full = np.zeros(len(cells))
        full[~missing] = scores - scores.mean()
        inputs.append(full / (scores.std() or 1.0))
    return inputs


def _by_frequency(codes: np.ndarray) -> np.ndarray:
    """Recode 0, 1, ... from the most to the least common level; missing stays MISSING."""
    levels, counts = np.unique(codes[codes != MISSING], return_counts=True)
    if len(levels) == 0:
        return codes
    rank = np.empty(len(levels), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(levels))
    at = np.minimum(np.searchsorted(levels, codes), len(levels) - 1)
    return np.where(codes == MISSING, MISSING, rank[at])


def _tree_codes(codes: np.ndarray) -> np.ndarray:
    ranks = np.minimum(_by_frequency(codes), MAX_LEVELS_TREES)
    return np.where(ranks == MISSING, np.nan, ranks.astype(float))


def _one_hot(codes: np.ndarray) -> list[np.ndarray]:
    """Give a scaled indicator for each level that some rows have and others lack."""
    ranks = np.minimum(_by_frequency(codes), MAX_LEVELS_MLP)
    columns = []
    for level in np.unique(ranks):
        flag = (ranks == level).astype(float)
        share = flag.mean()
        if 0 < share < 1:
            # a rare level is not blown up to unit variance: it would be pure noise
            columns.append((flag - share) / max(math.sqrt(share * (1 - share)), 0.2))
    return columns
