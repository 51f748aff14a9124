"""What all generators share: use of an encoder that is passed in, errors, conditions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError

import tabseed as ts
from tabseed.coding.encode import TableEncoder
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.table import Table
from tabseed.testing import example_table


def test_an_encoder_passed_in_is_used_and_rows_outside_it_are_refused() -> None:
    real = Table.from_frame(pa.table({"c": ["a", "b"] * 20, "x": np.arange(40.0)}))
    encoder = TableEncoder().fit(real)
    model = ts.Resample(random_state=0).fit(real, encoder=encoder)
    assert model.encoder_ is encoder
    with pytest.raises(SchemaError, match="column 'c', row 1"):
        ts.Resample().fit(pa.table({"c": ["z"] * 40, "x": np.arange(40.0)}), encoder=encoder)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(NotFittedError, match="fit first"):
        ts.Resample().sample(3)
    with pytest.raises(NotFittedError, match="fit first"):
        ts.Resample().save("nowhere.tabseed")
    with pytest.raises(TooFewRowsError, match="VAEBGM needs at least 5 rows, got 4"):
        ts.VAEBGM().fit(pa.table({"x": [1.5, 2, 3, 4]}))
    model = ts.Resample(random_state=0).fit(pa.table({"c": ["a", "b"] * 20, "x": [1.5, 2.5] * 20}))
    with pytest.raises(SchemaError, match="no category 'z'"):
        model.sample(3, conditions={"c": "z"})
    with pytest.raises(SchemaError, match="no column 'd'"):
        model.sample(3, conditions={"d": "a"})
    with pytest.raises(SchemaError, match=r"no row can have 'c' = 'a', 'x' = 2.5"):
        model.sample(3, conditions={"c": "a", "x": 2.5})
    for n in (-1, 10.0, "3", True, None):
        with pytest.raises(TabseedError, match=f"Resample: n={n!r} is not a whole number"):
            model.sample(n)
    with pytest.raises(TabseedError, match=r"GiB of memory.*draw fewer rows at once"):
        model.sample(2**70)
    with pytest.raises(TabseedError, match="device 'abacus'"):
        ts.VAEBGM(device="abacus").fit(example_table(30))


def test_conditional_rows_follow_the_models_own_law() -> None:
    """The share of y given c by rejection is that of Bayes: 4,000 rows, 5 standard errors."""
    rng = np.random.default_rng(0)
    c = rng.choice(["a", "b"], 2_000, p=[0.2, 0.8])
    y = np.where(rng.random(2_000) < np.where(c == "a", 0.9, 0.3), "yes", "no")
    model = ts.Resample(random_state=0).fit(pa.table({"c": c, "y": y}))
    estimate = np.mean(np.array(model.sample(4_000, conditions={"c": "a"})["y"]) == "yes")
    share = (y[c == "a"] == "yes").mean()
    assert abs(estimate - share) < 5 * (share * (1 - share) / 4_000) ** 0.5
