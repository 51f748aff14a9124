"""The laws of metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tabseed.errors import LeakageError
from tabseed.metrics import Metric
from tabseed.testing.tables import example_table


def check_metric_declares_itself(metric: Metric[Any]) -> None:
    """Unit, direction and references are declared; the headline of the result has the same two."""
    assert metric.unit and metric.better in ("lower", "higher") and metric.references
    headline = metric.evaluate(example_table(60), example_table(60, 1), random_state=0).headline
    assert (headline.unit, headline.better) == (metric.unit, metric.better)
    assert headline.low <= headline.value <= headline.high


def check_metric_is_best_on_two_halves(metric: Metric[Any]) -> None:
    """Best on two samples of one law, worse as more rows have another row's age, shifted."""
    real, fresh = example_table(), example_table(seed=1)
    rng = np.random.default_rng(2)
    ages = fresh["age"].to_numpy()
    others, order = rng.permutation(ages) + np.int16(40), rng.permutation(len(ages))
    values = []
    for share in (0, 0.5, 1):
        wrong = pa.array(np.where(order < share * len(ages), others, ages))
        torn = fresh.set_column(fresh.column_names.index("age"), "age", wrong)
        values.append(metric.evaluate(real, torn, random_state=0).headline.value)
    if metric.better == "higher":
        values = [-v for v in values]
    assert values[0] < values[1] < values[2], f"values {values} at shares 0, 1/2, 1 of torn ages"


def check_metric_refuses_leaks(metric: Metric[Any]) -> None:
    """Real rows that trained the generator raise LeakageError."""
    rows = example_table(60)
    try:
        metric.evaluate(rows, example_table(60, 1), train=rows, random_state=0)
    except LeakageError:
        return
    raise AssertionError("rows that trained the generator were accepted as fresh ones")


def check_metric_is_reproducible(metric: Metric[Any]) -> None:
    """Same seed, same numbers; global random state is not touched."""
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    tables = example_table(50), example_table(50, 1)
    one, two = (metric.evaluate(*tables, random_state=4).to_dict() for _ in range(2))
    assert one == two
    assert np.array_equal(before, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002
