"""Games of classes and of numbers."""

from __future__ import annotations

import numpy as np
import pytest

import tabseed as ts
from helpers.games import clusters
from tabseed.errors import TabseedError


def test_games_of_classes_and_of_targets_are_not_mixed():
    x, y = clusters(np.random.default_rng(13), 30)
    for wrong in ({"game": "soft"}, {"game": "squared", "truncate": 0.1}):
        with pytest.raises(TabseedError):
            ts.KNNShapley(**wrong).fit(x, y + 0.5, task="regression")
    with pytest.raises(TabseedError):
        ts.KNNShapley(game="squared").fit(x, y)
