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
from scipy.stats import kstest

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
    """Loss of columns of all families in mixed order, one with missing cells, column by column."""
    rng = np.random.default_rng(0)
    frame = {
        "x": rng.normal(size=50), "b": rng.integers(0, 2, 50), "c": list("abcde") * 10,
        "y": np.where(np.arange(50) % 7, rng.normal(size=50), np.nan),
        "d": list("uv") * 25, "e": [*"pqr" * 16, "p", "q"], "z": rng.normal(size=50),
    }  # fmt: skip
    encoder = TableEncoder().fit(Table.from_frame(pa.table(frame)))
    network = PaperNetwork(encoder.layout_, 3)
    families = [part.family for part in network.parts]
    assert families == [
        "gaussian", "bernoulli", "categorical", "gaussian", "missing", "bernoulli", "categorical",
        "gaussian",
    ]  # fmt: skip
    inputs = network.rows(encoder.transform(Table.from_frame(pa.table(frame))))
    rows = torch.from_numpy(inputs)[None]
    weights = {k: torch.from_numpy(v)[None] for k, v in network.initial_weights(rng).items()}
    noise = torch.zeros(1, 50, network.noise_width)
    mean, log_variance = network.encode(weights, rows)
    outputs = network.decode(weights, mean)
    d = torch.distributions
    likelihood = torch.zeros(1, 50)
    for at, part in enumerate(network.parts):
        out, x = outputs[..., part.out], rows[..., at]
        if part.family == "gaussian":
            sd = (0.001 + 9.999 * out[..., 1].sigmoid()) / 100
            log_p = d.Normal(5 * out[..., 0].tanh(), sd).log_prob(x)
        elif part.family == "categorical":
            log_p = d.Categorical(logits=10 * out.tanh()).log_prob(x)
        else:
            log_p = d.Bernoulli(0.001 + 0.998 * out[..., 0].sigmoid()).log_prob(x)
        likelihood = likelihood + rows[..., len(families) + at] * log_p
    expected = (kl_to_standard_normal(mean, log_variance) - likelihood).mean()
    loss = network.loss(weights, rows, noise, train=False)[0]
    torch.testing.assert_close(loss, expected)


def test_paper_dropout_drops_a_fifth() -> None:
    """The share kept of 256,000 units, within 5 standard errors; codes get normal deviates."""
    layout = TableEncoder().fit(Table.from_frame(example_table(30))).layout_
    network = PaperNetwork(layout, 3)
    noise = network.noise(np.random.default_rng(0), 1_000)
    keep = noise[:, 3:]
    assert keep.shape == (1_000, 256) and set(np.unique(keep)) == {0.0, 1.0}
    assert abs(keep.mean(dtype=float) - 0.8) < 5 * (0.16 / keep.size) ** 0.5
    assert kstest(noise[:, :3].ravel(), "norm").pvalue > 1e-4  # its false-alarm rate, seed fixed


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
