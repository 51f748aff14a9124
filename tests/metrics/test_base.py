"""Every metric is registered by its name, and refuses rows that trained the generator."""

from __future__ import annotations

import pytest

from helpers.evaluating import people
from tabseed.errors import LeakageError
from tabseed.metrics import METRICS, Metric


def test_registry_names_metrics_that_declare_themselves() -> None:
    assert set(METRICS) == {
        "chi2",
        "coverage",
        "divergence",
        "marginal",
        "pairs",
        "two-sample",
    }
    for cls in METRICS.values():
        assert issubclass(cls, Metric)
        assert cls.unit and cls.better in ("lower", "higher") and cls.references
        assert "_evaluate" in vars(cls) and "evaluate" not in vars(cls)


def test_metrics_refuse_rows_that_trained_the_generator() -> None:
    rows = people(60, 0)
    for cls in METRICS.values():
        with pytest.raises(LeakageError):
            cls().evaluate(rows, people(60, 1), train=rows, random_state=0)
