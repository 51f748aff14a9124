"""The record of training: its log-probabilities, and the settings that it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

import tabseed as ts
from helpers.dynamics import by_hand, clusters
from tabseed.errors import (
    NothingLearnedError,
    SchemaError,
    TabseedError,
)
from tabseed.hardness.dynamics.mlp import (
    MLP,
)


def test_bad_settings_are_refused() -> None:
    x, y = clusters(2)
    record = ts.TrainingDynamics.record
    with pytest.raises(TabseedError, match="'forest'"):
        record(x, y, model="forest")
    with pytest.raises(TabseedError, match="epochs=0"):
        record(x, y, epochs=0)
    with pytest.raises(TabseedError, match="epoch=21"):
        ts.EL2N(epoch=21).fit(x, y)
    with pytest.raises(SchemaError, match="3 dimensions"):
        ts.TrainingDynamics(np.zeros((1, 2, 3)))
    with pytest.raises(TabseedError, match=r"TrainingDynamics\.record"):
        ts.Prototypicality().from_dynamics(by_hand([[0.5]]), np.array([1]))
    with pytest.raises(NothingLearnedError, match=r"diverged.*1e\+30"):
        record(x, y, model=MLP(learning_rate=1e30))
    with pytest.raises(TabseedError, match="dropout"):
        MLP(dropout=1.0)
    with pytest.raises(TabseedError, match="hidden"):
        MLP(hidden=())


def test_log_probabilities_are_those_of_the_label() -> None:
    rng = np.random.default_rng(9)
    outputs = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    y = np.array([4, 0, 2, 2])
    result = ts.TrainingDynamics(outputs).log_probabilities(y)
    expected = log_softmax(outputs, axis=-1)[:, :, np.arange(4), y]
    np.testing.assert_array_equal(result, expected)
