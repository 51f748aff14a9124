"""Games for classes and for numeric targets."""

from __future__ import annotations

import numpy as np
import pytest

import tabseed as ts
from helpers.games import clusters
from tabseed.errors import TabseedError


def test_games_for_classes_refuse_targets_and_vice_versa():
    x, y = clusters(np.random.default_rng(13), 30)
    for settings in ({"game": "soft"}, {"game": "squared", "truncate": 0.1}):
        with pytest.raises(TabseedError):
            ts.KNNShapley(**settings).fit(x, y + 0.5, task="regression")
    with pytest.raises(TabseedError):
        ts.KNNShapley(game="squared").fit(x, y)
