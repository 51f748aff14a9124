"""TVAE: its likelihood, and MAML on it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

import tabseed as ts
from helpers.players import bench_of, small, stacked

# --- TVAE ---------------------------------------------------------------------------------------


def test_tvae_likelihood_is_that_of_its_parts(encoded) -> None:
    """log p(x|z) row by row: softmax of each column, normal density of each mode score."""
    x, encoder = encoded
    network = ts.TVAE(latent_dim=3, hidden_dim=8, max_modes=10)._network(encoder.layout_)
    rows = network.rows(x)[:20]
    weights = stacked(network, 2, torch.float32)
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 20, 3)).astype(np.float32))
    pair = torch.from_numpy(np.stack([rows, rows]))
    with torch.no_grad():
        result = network.log_likelihood(weights, pair, z).numpy()
        logits, mean = (t.numpy() for t in network.decode(weights, z))
    sigma = np.exp(weights["log_sigma"].detach().numpy())[:, 0]
    coding = network.coding
    hot, scores, inside = np.split(rows, [coding.n_levels, coding.n_levels + coding.n_numbers], 1)
    for seed in range(2):
        for i in range(20):
            total = 0.0
            for column in coding.columns:
                own = logits[seed, i, column.levels].astype(float)
                p = np.exp(own) / np.exp(own).sum()
                total += np.log(p[hot[i, column.levels].argmax()])
            for k in range(coding.n_numbers):
                if inside[i, k]:
                    total += norm.logpdf(scores[i, k], mean[seed, i, k], sigma[seed, k])
            assert result[seed, i] == pytest.approx(total, abs=1e-3)


# --- inductive bias -----------------------------------------------------------------------------


def test_maml_adapts_a_tvae() -> None:
    meta = ts.MetaTraining(20, 20, inner_steps=2, steps=2, check_every=1)
    bias = ts.MAML(n_seeds=2, n_rows=60, meta=meta, must_improve=False)
    bench = bench_of(small(ts.TVAE))
    weights = bias.resolve(bench).initial_weights(bench.first_seeds(2), bench)
    assert {len(value) for value in weights.values()} == {1}
    assert np.isfinite(bias.losses_).all() and len(bias.losses_) == 3
