"""Small networks of two players and the stages of a bias over them."""

from __future__ import annotations

import numpy as np
import torch

import tabseed as ts
from tabseed._random import seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.generators.base import Aids
from tabseed.inductive_bias.base import Bench
from tabseed.inductive_bias.journal import Journal
from tabseed.testing import example_table

HOW = ts.Training(steps=20, warm_up=5, validate_every=10)


def stacked(network, seeds: int, dtype=torch.float64):
    weights = [network.initial_weights(np.random.default_rng(s)) for s in range(seeds)]
    return {
        k: torch.from_numpy(np.stack([w[k] for w in weights])).to(dtype).requires_grad_()
        for k in weights[0]
    }


def bench_of(model) -> Bench:
    table = ts.Table.from_frame(example_table(60))
    encoder = TableEncoder().fit(table)
    x = encoder.transform(table)
    return Bench(model, x, encoder.layout_, seed_sequence(7), Journal(Aids(None, None), 1))


def small(cls, **settings):
    return cls(hidden_dim=8, n_seeds=2, training=HOW, device="cpu", **settings)
