"""Do judges see arithmetic? Rows that break a rule that every real row keeps, and their JS.

    TABSEED_DATA=... python -m benchmarks.rules

Four tables: BMI from height and weight (twice), dates plus days, King's sums; 300 rows in, 1,000
rows of the default generator out, judged by 400 held-out rows. Writes results/rules.csv. About 2
CPU minutes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

import tabseed as ts

N, HELD_OUT, DRAWN = 300, 400, 1_000
OUT = Path(__file__).parent / "results" / "rules.csv"


def bmi(n: int, decimals: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    height = rng.normal(1.7, 0.1, n).round(2)
    weight = (22 * height**2 * rng.lognormal(0, 0.15, n)).round(1)
    return pd.DataFrame(
        {
            "height": height,
            "weight": weight,
            "bmi": (weight / height**2).round(decimals),
            "sex": rng.choice(["f", "m"], n),
            "age": rng.integers(18, 90, n),
        }
    )


def follow_up(n: int) -> pd.DataFrame:
    """Dates as in the trial of primary biliary cirrhosis: entry, days, last seen."""
    rng = np.random.default_rng(1)
    entry = pd.Timestamp("1974-01-01") + pd.to_timedelta(rng.integers(0, 3_650, n), "D")
    days = rng.integers(40, 4_800, n)
    return pd.DataFrame(
        {
            "entry": entry,
            "days": days,
            "last": entry + pd.to_timedelta(days, "D"),
            "status": rng.choice(["censored", "dead"], n),
            "bilirubin": rng.lognormal(0.6, 1, n).round(1),
            "age": rng.normal(50, 10, n).round(0),
        }
    )


def king(n: int) -> pd.DataFrame:
    whole = pd.read_parquet(Path(os.environ["TABSEED_DATA"]) / "king.parquet")
    return whole.drop(columns="id").sample(n, random_state=1)


def main() -> None:
    n, lines = N + HELD_OUT, []
    for name, table in (
        ("bmi", bmi(n, 1)),
        ("bmi, 2 decimals", bmi(n, 2)),
        ("follow-up", follow_up(n)),
        ("king", king(n)),
    ):
        train, held_out = table[:N], table[N:]
        drawn = ts.SequentialTrees(random_state=0).fit(train).sample(DRAWN)
        start = time.process_time()
        answer = ts.Likeness().evaluate(train, drawn, held_out)
        js, broken = answer.divergence.js, [kept for kept in answer.rules if kept.broken]
        lines.append(
            {
                "table": name,
                "js": round(js.value, 3),
                "low": round(js.low, 3),
                "high": round(js.high, 3),
                "broken": "; ".join(f"{k.rule} ({k.share:.0%} of the rows)" for k in broken),
                "cpu_seconds": round(time.process_time() - start),
            }
        )
        print(lines[-1], flush=True)
    pd.DataFrame(lines).to_csv(OUT, index=False)


if __name__ == "__main__":
    main()
