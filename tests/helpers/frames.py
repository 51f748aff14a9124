"""Short names for frames."""

from __future__ import annotations

import pandas as pd


def P(values, dtype=None) -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(values, dtype=dtype)})
