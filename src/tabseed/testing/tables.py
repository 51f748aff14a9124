"""A table whose law is known, and tables at the edges of what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

N_ROWS = 300  # size of the example table, unless a check needs another


def example_table(n: int = N_ROWS, seed: int = 0) -> pa.Table:
    """Return a table of all kinds whose columns depend on one latent number; some cells missing."""
    rng = np.random.default_rng([2_407, seed])
    z = rng.normal(size=n)
    income = np.round(np.exp(z + 0.3 * rng.normal(size=n)) * 1_000, 2)
    age = np.round(40 + 12 * z + 3 * rng.normal(size=n)).clip(18, 90)
    level = np.array(["low", "mid", "hïgh"])[np.digitize(z + 0.3 * rng.normal(size=n), [-0.5, 0.7])]
    day = np.datetime64("1650-03-01", "us") + (365 * (z.clip(-3, 3) + 4)).astype("timedelta64[D]")
    owns = z + 0.5 * rng.normal(size=n) > 0
    missing = rng.random(n) < np.where(z > 0, 0.3, 0.05)
    return pa.table(
        {
            "person_id": [f"p{seed}-{i}" for i in range(n)],
            "income": pa.array(income, mask=missing),
            "age": pa.array(age.astype(np.int16)),
            "level": pa.array(level, mask=rng.random(n) < 0.1),
            "owns": pa.array(owns),
            "born <b>": pa.array(day),
        }
    )


# rules of ruled_table that steps keep, and rules that are checked
BUILT = (
    "discharged = admitted + nights * 1 days",
    "status = alive <-> died missing",
    "sex = male -> pregnant = no",
    "bmi = weight / height ^ 2",
    "low < high",
    "(city, zone)",
    "dose % 0.5 = 0",
    "dose missing <-> unit missing",
    "one of (red, green, blue)",
)
CHECKED = (
    "0 <= nights <= 30",
    "died >= admitted or status = alive",
    "pregnant = yes -> height > 0",
)
RULED_KINDS = {
    "sex": "categorical",
    "zone": "categorical",
    "nights": "integer",
    "low": "continuous",
    "high": "continuous",
    "dose": "continuous",
    "red": "integer",
    "green": "boolean",
    "blue": "categorical",
}


def ruled_table(n: int = 80, seed: int = 7) -> pa.Table:
    """Return stays in a hospital, with missing cells, in which BUILT and CHECKED hold."""
    rng = np.random.default_rng([2_026, seed])
    admitted = np.datetime64("2020-01-01", "us") + rng.integers(0, 700, n).astype("timedelta64[D]")
    nights = rng.integers(0, 30, n)
    discharged = admitted + nights.astype("timedelta64[D]")
    dead = rng.random(n) < 0.3
    female = rng.random(n) < 0.5
    weight = np.round(rng.normal(75, 15, n), 1)
    height = np.round(rng.normal(1.7, 0.1, n), 2)
    weight[: n // 9] = np.nan
    bmi = np.round(weight / height**2, 1)
    bmi[:2] = [24.5, 31.0]  # known where the weight is not
    bmi[n // 4 : n // 4 + 3] = np.nan
    low = rng.integers(60, 90, n).astype(float)
    high = low + rng.integers(10, 70, n)
    low[n // 3 : n // 3 + 4], high[n // 3 + 2 : n // 3 + 6] = np.nan, np.nan
    city, hot, drug = rng.integers(0, 3, n), rng.integers(0, 3, n), rng.random(n) < 0.5
    columns: dict[str, Any] = {
        "admitted": admitted,
        "discharged": discharged,
        "nights": nights,
        "status": np.where(dead, "dead", "alive"),
        "died": pa.array(discharged, mask=~dead),
        "sex": np.where(female, "female", "male"),
        "pregnant": np.where(female & (rng.random(n) < 0.4), "yes", "no"),
        "weight": pa.array(weight, from_pandas=True),
        "height": height,
        "bmi": pa.array(bmi, from_pandas=True),
        "low": pa.array(low, from_pandas=True),
        "high": pa.array(high, from_pandas=True),
        "city": np.array(["Bonn", "Köln", "Essen"])[city],
        "zone": np.array(["a", "b", "a"])[city],
        "dose": pa.array(0.5 * rng.integers(1, 9, n), mask=~drug),
        "unit": pa.array(["mg" if given else None for given in drug]),
        "red": (hot == 0).astype(int),
        "green": (hot == 1).astype(int),
        "blue": (hot == 2).astype(int),
    }
    return pa.table(columns)


def gappy_table(n: int = 150, seed: int = 0) -> pa.Table:
    """Return numbers and dates with codes far from all others, one outlier, and two clusters.

    Codes are in 1 of 25 rows: 999999 among incomes, -9 among ages, 9999-12-31 among ends. One
    weight is 213; temperatures are in degrees of two scales, a fifth of them in the second one.
    """
    rng = np.random.default_rng([2_607, seed])
    z = rng.normal(size=n)
    noise = 0.3 * rng.normal(size=(5, n))
    income = np.exp(10 + 0.5 * (z + noise[0])).round()
    age = (50 + 12 * (z + noise[1])).round().clip(18, 90)
    weight = (72 + 11 * (z + noise[2])).round(1).clip(45, 105)
    warm = (37 + 0.6 * (z + noise[3])).round(1)
    end = np.datetime64("2023-01-01", "D") + (200 * (z + noise[4])).astype("timedelta64[D]")
    codes = max(2, n // 25)
    for column, value in ((income, 999_999), (age, -9), (end, np.datetime64("9999-12-31", "D"))):
        column[rng.permutation(n)[:codes]] = value
    weight[rng.integers(n)] = 213
    fahrenheit = rng.permutation(n)[: n // 5]
    warm[fahrenheit] = (1.8 * warm[fahrenheit] + 32).round(1)
    return pa.table(
        {
            "income": income,
            "age": age.astype(np.int16),
            "weight": weight,
            "warm": warm,
            "end": pa.array(end.astype("datetime64[us]")),
            "group": np.where(z > 0, "a", "b"),
        }
    )


def frames(table: pa.Table) -> Iterator[Any]:
    """Yield the table as each kind of frame that is installed here."""
    yield table
    if find_spec("pandas"):
        yield table.to_pandas()
    if find_spec("polars"):
        import polars as pl

        yield pl.from_arrow(table)


def odd_tables() -> Iterator[tuple[str, pa.Table]]:
    """Yield tables at the edges of what is allowed, each with its name."""
    rng = np.random.default_rng(3)
    x, c = rng.normal(size=40), rng.choice(["a", "b", "ç"], 40)
    yield "one class", pa.table({"x": x, "y": ["same"] * 40})
    yield "constant column", pa.table({"x": x, "k": np.full(40, 7.5), "c": c})
    yield (
        "all-missing columns",
        pa.table({"x": x, "n": pa.nulls(40, pa.float64()), "t": pa.nulls(40, pa.string())}),
    )
    yield "all categories", pa.table({"c": c, "d": rng.permutation(c), "e": c})
    yield "one column", pa.table({"x": x})
    yield "rare missing", pa.table({"x": pa.array(x, mask=np.arange(40) == 3), "c": c})
    yield "infrequent level", pa.table({"c": ["once", *["often"] * 39], "x": x})
