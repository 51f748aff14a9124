"""The network of the paper: its size, its likelihoods, its dropout."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

import tabseed as ts
from tabseed.coding.encode import TableEncoder
from tabseed.generators.neural.learner import kl_to_standard_normal
from tabseed.generators.neural.paper import PaperNetwork
from tabseed.generators.neural.stopping import Training
from tabseed.table import Table
from tabseed.testing import example_table

DATA = Path(os.environ.get("TABSEED_DATA", "data"))


@pytest.mark.skipif(not DATA.is_dir(), reason="the real tables are missing")
def test_paper_network_has_the_size_of_the_authors() -> None:
    """For their coding of Adult the authors' network has 39,552 parameters (from their code)."""
    frame = pq.read_table(DATA / "paper1_processed" / "adult.parquet")
    frame = frame.filter(pc.equal(frame["split"], "n")).drop_columns("split")
    whole = [
        c for c in frame.column_names
        if np.array_equal(v := np.unique(frame[c].to_numpy()), np.round(v))
    ]  # fmt: skip
    table = Table.from_frame(frame, kinds={c: "categorical" for c in whole})
    network = PaperNetwork(TableEncoder(dependencies=False).fit(table).layout_, 10)
    weights = network.initial_weights(np.random.default_rng(0))
    assert sum(w.size for w in weights.values()) == 39_552
    assert network.n_outputs == 108


def test_paper_likelihoods_against_torch_distributions() -> None:
    """Loss of a table with one column of each family, computed again with torch.distributions."""
    rng = np.random.default_rng(0)
    table = Table.from_frame(
        pa.table({"x": rng.normal(size=50), "b": rng.integers(0, 2, 50), "c": list("abcde") * 10})
    )
    encoder = TableEncoder().fit(table)
    network = PaperNetwork(encoder.layout_, 3)
    assert [part.family for part in network.parts] == ["gaussian", "bernoulli", "categorical"]
    rows = torch.from_numpy(network.rows(encoder.transform(table)))[None]
    weights = {k: torch.from_numpy(v)[None] for k, v in network.initial_weights(rng).items()}
    noise = torch.zeros(1, 50, network.noise_width)
    mean, log_variance = network.encode(weights, rows)
    outputs = network.decode(weights, mean)
    d = torch.distributions
    sd = (0.001 + 9.999 * outputs[..., 1].sigmoid()) / 100
    likelihood = (
        d.Normal(5 * outputs[..., 0].tanh(), sd).log_prob(rows[..., 0])
        + d.Bernoulli(0.001 + 0.998 * outputs[..., 2].sigmoid()).log_prob(rows[..., 1])
        + d.Categorical(logits=10 * outputs[..., 3:].tanh()).log_prob(rows[..., 2])
    )
    expected = (kl_to_standard_normal(mean, log_variance) - likelihood).mean()
    loss = network.loss(weights, rows, noise, train=False)[0]
    torch.testing.assert_close(loss, expected)


def test_paper_dropout_drops_a_fifth() -> None:
    """The share kept of 200,000 units, within 5 standard errors."""
    noise = np.random.default_rng(0).standard_normal(200_000)
    from scipy.special import ndtri

    share = (noise > float(ndtri(0.2))).mean()
    assert abs(share - 0.8) < 5 * (0.16 / 200_000) ** 0.5


def test_vaebgm_uses_the_authors_settings() -> None:
    """With ``paper`` their epochs, in batches of 256 of the 0.8 n rows that train; else ours."""
    model = ts.VAEBGM()
    ours = model._training(1_000)
    model.set_params(paper=True)
    assert model._training(1_000) == Training(40_000, 256, 1e-3, 0.2, 150, 15, 2.0, None, "paper")
    assert model._training(10).steps == 10_000
    own = Training(steps=7)
    assert model.set_params(training=own)._training(1_000) is own
    layout = TableEncoder().fit(Table.from_frame(example_table(30))).layout_
    assert isinstance(model._network(layout), PaperNetwork)
    model.set_params(paper=False, training=None)
    assert model._training(1_000) == ours == Training()
    assert not isinstance(model._network(layout), PaperNetwork)
