"""A pair of files shaped like amex-default-prediction, from a law of latent factors.

Notation: n customers, r statements, d = 188 features, q latent factors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from experiments.targeted.amex.columns import CATEGORIES, CUSTOMER, DATE, TARGET, TEXT
from tabseed.table.files import atomic_write

FEATURES = (
    *(f"P_{i}" for i in range(2, 5)),
    *(f"D_{i}" for i in range(39, 135)),
    *(f"B_{i}" for i in range(1, 41)),
    *(f"R_{i}" for i in range(1, 29)),
    *(f"S_{i}" for i in range(3, 24)),
)
FACTORS = 12
SHARE = 0.26  # of customers with target 1
STEEP = 4.0  # slope of the target's log-odds in the factors
TWICE = 0.01  # share of customers who also have an earlier statement
GAPPED = 0.4  # share of features with missing cells
BLOCK = 10_000  # customers to draw and write at once
DAYS = np.datetime64("2018-03-01") + np.arange(31)  # possible dates of last statements


@dataclass(frozen=True)
class Law:
    """The dependence of features and target on the factors.

    A feature is a monotone function of a standard normal score: a uniform number, a skewed number,
    a count, or one of 2 to 7 categories.
    """

    seed: int
    loading: np.ndarray  # (q, d) weights of factors in scores, columns of length below 1
    noise: np.ndarray  # (d,) standard deviation of the score's own noise
    shape: np.ndarray  # (d,) 0 uniform, 1 skewed, 2 count
    levels: np.ndarray  # (d,) number of categories; 0 for numbers
    gaps: np.ndarray  # (d,) share of missing cells
    shift: float  # of the log-odds

    @classmethod
    def of(cls, seed: int) -> Self:
        """Return a random law; the same seed gives the same law."""
        rng, d = np.random.default_rng(seed), len(FEATURES)
        direction = rng.standard_normal((FACTORS, d)) * (rng.random((FACTORS, d)) < 0.25)
        length = np.linalg.norm(direction, axis=0)
        signal = rng.uniform(0.2, 0.9, d) * (length > 0)
        risk = STEEP * _risk(rng.standard_normal((200_000, FACTORS)))
        return cls(
            seed=seed,
            loading=direction * (signal / np.where(length > 0, length, 1)),
            noise=np.sqrt(1 - signal**2),
            shape=rng.choice(3, d, p=(0.5, 0.35, 0.15)),
            levels=np.where(np.isin(FEATURES, CATEGORIES), rng.integers(2, 8, d), 0),
            gaps=np.where(rng.random(d) < GAPPED, rng.uniform(0.01, 0.9, d), 0),
            shift=brentq(lambda c: expit(risk - c).mean() - SHARE, -50, 50),
        )

    def customers(self, n: int, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw a block of n: owners (r,) of statements, cells (r, d), NaN missing, targets (n,).

        The statements of a customer are consecutive and in order of time.
        """
        rng = np.random.default_rng([self.seed, block])
        z = rng.standard_normal((n, FACTORS))
        y = rng.random(n) < expit(STEEP * _risk(z) - self.shift)
        owner = np.repeat(np.arange(n), 1 + (rng.random(n) < TWICE))
        own = rng.standard_normal((len(owner), len(FEATURES)))
        score = z[owner] @ self.loading + self.noise * own
        # a higher score makes a missing cell more likely, so missing cells carry information
        rank = ndtr((score + rng.standard_normal(score.shape)) / np.sqrt(2))
        cells = np.where(rank > 1 - self.gaps, np.nan, self._values(score))
        return owner, cells.astype(np.float32), y.astype(np.int8)

    def _values(self, score: np.ndarray) -> np.ndarray:
        uniform, skewed = ndtr(score), np.exp(score)
        category = np.floor(uniform * np.maximum(self.levels, 1))
        number = np.choose(self.shape, [uniform, skewed, np.floor(skewed)]).round(5)
        return np.where(self.levels > 0, category, number)


def _risk(z: np.ndarray) -> np.ndarray:
    """Return scores (n,) with interactions and curvature, which trees have to learn."""
    plain = z[:, 0] + 0.8 * z[:, 1] + 0.4 * np.maximum(z[:, 5], 0)
    crossed = 0.5 * z[:, 2] * z[:, 3] + 0.5 * z[:, 6] * (z[:, 0] > 0)
    return np.asarray(plain + crossed + 0.3 * z[:, 4] ** 2)


def blocks(customers: int, law: Law) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield statements and labels, BLOCK customers at a time."""
    for block, first in enumerate(range(0, customers, BLOCK)):
        n = min(BLOCK, customers - first)
        owner, cells, y = law.customers(n, block)
        names = np.array([f"{first + i:064x}" for i in range(n)])
        day = DAYS[np.random.default_rng([law.seed, block, 1]).integers(0, len(DAYS), n)][owner]
        day[:-1][owner[1:] == owner[:-1]] -= 30  # the earlier of two statements
        columns = {CUSTOMER: pa.array(names[owner]), DATE: pa.array(day)}
        for name, values in zip(FEATURES, cells.T, strict=True):
            numbers = pa.array(np.ascontiguousarray(values), from_pandas=True)
            columns[name] = _words(numbers) if name in TEXT else numbers
        yield pa.table(columns), pa.table({CUSTOMER: names, TARGET: y})


def _words(levels: pa.Array) -> pa.Array:
    words = pa.array(["CO", "CR", "CL", "XZ", "XM", "XL", "O"])
    return words.take(levels.cast(pa.int32()))


def write(customers: int, folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write ``simulated_data.csv`` and ``simulated_labels.csv``; about 1.1 KB per customer."""
    law = Law.of(seed)
    data, labels = folder / "simulated_data.csv", folder / "simulated_labels.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(data, force=True) as one, atomic_write(labels, force=True) as two:
        writers: list[pv.CSVWriter] = []
        for tables in blocks(customers, law):
            writers = writers or [
                pv.CSVWriter(str(path), table.schema)
                for path, table in zip((one, two), tables, strict=True)
            ]
            for writer, table in zip(writers, tables, strict=True):
                writer.write_table(table)
        for writer in writers:
            writer.close()
    return data, labels
