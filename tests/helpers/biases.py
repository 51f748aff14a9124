"""Brief trainings of a generator with a bias."""

from __future__ import annotations

import tabseed as ts
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias.base import InductiveBias
from tabseed.inductive_bias.maml import MetaTraining

BRIEF = Training(steps=40, warm_up=10, patience=3)

NONE = Training(steps=0, warm_up=0)

META = MetaTraining(30, 30, inner_steps=2, steps=6, check_every=1)


def vaebgm(**settings: object) -> ts.VAEBGM:
    settings = {"hidden_dim": 16, "n_seeds": 2, "training": BRIEF, "device": "cpu", **settings}
    return ts.VAEBGM(**settings)


def tuned(bias: InductiveBias, **settings: object) -> ts.FineTuned:
    return ts.FineTuned(vaebgm(), bias, random_state=0, **settings)


def assert_equal_weights(one, two) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert value.tobytes() == two[name].tobytes(), name


def maml(**settings: object) -> ts.MAML:
    return ts.MAML(**{"n_seeds": 3, "n_rows": 100, "meta": META, **settings})
