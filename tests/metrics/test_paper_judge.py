"""The authors' discriminator: its arithmetic beside PyTorch's layers, its estimates by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from tabseed.errors import ParameterError, TooFewRowsError
from tabseed.metrics import DiscriminatorDivergence
from tabseed.metrics.paper_judge import PaperDivergence, inputs, kl_and_js
from tabseed.table import Table

torch = pytest.importorskip("torch")

from tabseed.metrics import paper_judge  # noqa: E402


def judge(real: pa.Table, synthetic: pa.Table, seed: int = 0, **options: object):
    metric = DiscriminatorDivergence(paper=True, **{"m": 200, "l": 100, "repeats": 2, **options})
    return metric.evaluate(real, synthetic, random_state=seed)


def gaussian(n: int, shift: float, seed: int) -> pa.Table:
    x = np.random.default_rng(seed).normal(size=(n, 2))
    return pa.table({"a": x[:, 0] + shift, "b": x[:, 1]})


class KeptCells(torch.nn.Module):
    """Dropout that keeps the given cells: what PyTorch's own does with its own random numbers."""

    kept: torch.Tensor

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z * self.kept if self.training else z


def plain_layers(network: paper_judge.Network) -> torch.nn.Sequential:
    """Return the network as the paper draws it, in PyTorch's layers, with the same weights."""
    layers: list[torch.nn.Module] = []
    for weight in network.weights:
        linear = torch.nn.Linear(*weight.shape)
        linear.weight.data, linear.bias.data = weight.detach().T.clone(), torch.zeros(len(weight.T))
        norm = torch.nn.BatchNorm1d(weight.shape[1])
        layers += [linear, norm, KeptCells(), torch.nn.LeakyReLU(0.2)]
    last = torch.nn.Linear(network.last.shape[0], 1)
    last.weight.data, last.bias.data = (
        network.last.detach().T.clone(),
        network.bias.detach().clone(),
    )
    return torch.nn.Sequential(*layers, last)


def test_the_network_equals_pytorchs_layers() -> None:
    """Loss, gradients of all weights, and the logits by running moments, after one epoch."""
    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32) * [1, 5, 0.1] + [
        3,
        0,
        9,
    ]
    network = paper_judge.Network(
        torch.from_numpy(rows.astype(np.float32)), np.random.default_rng(1)
    )
    plain, cells = plain_layers(network), np.random.default_rng(2)
    network.rng = np.random.default_rng(2)
    for layer, units in zip(
        [m for m in plain if isinstance(m, KeptCells)], (256, 64, 32), strict=True
    ):
        bits = np.unpackbits(cells.integers(0, 256, 60 * units // 8, dtype=np.uint8))
        layer.kept = torch.from_numpy(2.0 * bits.reshape(60, units)).float()
    truth = (torch.arange(60) < 30).float()[:, None]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(plain(network.rows), truth)
    loss.backward()
    ours = network.loss()
    ours.backward()
    assert ours.item() == pytest.approx(loss.item(), abs=1e-6)
    linears = [m for m in plain if isinstance(m, torch.nn.Linear)]
    norms = [m for m in plain if isinstance(m, torch.nn.BatchNorm1d)]
    pairs = [
        *zip(network.weights, (m.weight.grad.T for m in linears), strict=False),
        *zip(network.scales, (m.weight.grad for m in norms), strict=True),
        *zip(network.shifts, (m.bias.grad for m in norms), strict=True),
        (network.last, linears[-1].weight.grad.T),
        (network.bias, linears[-1].bias.grad),
    ]
    assert len(pairs) == len(network.parameters)
    for value, gradient in pairs:
        torch.testing.assert_close(value.grad, gradient, rtol=1e-3, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(
            network.logits(network.rows[:20]), plain.eval()(network.rows[:20]), rtol=1e-3, atol=1e-4
        )


def test_estimates_by_hand() -> None:
    """KL has no bound; JS clamps D at 1e-7, so that logits of 60 give log2(1 - 1e-7) and it."""
    z = np.array([math.log(3), 0.0, math.log(4), 0.0])  # D = 3/4, 1/2 and 4/5, 1/2
    found = kl_and_js(z)
    assert found["kl"] == pytest.approx(math.log(3) / 2)
    terms = (math.log2(0.75) - 1) / 2 + (math.log2(0.2) - 1) / 2
    assert found["js"] == pytest.approx(1 + terms / 2)
    apart = kl_and_js(np.array([60.0, -60.0]))
    assert apart["kl"] == 60 and apart["js"] == pytest.approx(1, abs=1e-6)
    wrong = kl_and_js(np.array([-60.0, 60.0]))
    assert wrong["kl"] == -60 and wrong["js"] == pytest.approx(1 + math.log2(1e-7), abs=1e-6)


def test_inputs_by_hand() -> None:
    real = pa.table({"x": [1.5, 3.5, None], "k": ["b", "a", "b"]})
    fake = pa.table({"x": [5.5, None], "k": [None, "c"]})
    kinds = {"x": "continuous", "k": "categorical"}
    table = Table.from_frame(real, kinds=kinds)
    codes = {name: float(i) for i, name in enumerate(table.schema["k"].categories)}
    first, second = inputs(table, Table.from_frame(fake, schema=table.schema))
    a, b = codes["a"], codes["b"]
    np.testing.assert_allclose(first, [[-1, b], [1, a], [0, b]])  # missing: the mean
    np.testing.assert_allclose(second, [[3, b], [0, 2]])  # missing: the most frequent; unseen: next
    assert first.dtype == np.float32


def test_training_stops_and_takes_the_best_weights_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience 20 ended it: as if it had been cut 20 epochs earlier. Cut short, it keeps the last.

    Both are exact: one stream gives one sequence of weights, however long it is followed.
    """
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 2)).astype(np.float32) for n in (80, 40, 40)]  # of one law
    stream = np.random.SeedSequence(1)

    def trained(patience: int, most: int) -> tuple[np.ndarray, int]:
        monkeypatch.setattr(paper_judge, "PATIENCE", patience)
        monkeypatch.setattr(paper_judge, "MAX_EPOCHS", most)
        return paper_judge._trained(parts, stream)

    stopped, length = trained(20, 5_000)
    assert 20 < length < 5_000
    best, _ = trained(5_000, length - 20)
    last, epochs = trained(5_000, length)
    np.testing.assert_array_equal(stopped, best)
    assert epochs == length and not np.array_equal(stopped, last)


def test_a_shift_is_found_and_noise_is_that_of_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shift 2: JS is 0.49 bits, KL 2 nats (quadrature); 100 test rows give sd 0.04 and 0.2."""
    monkeypatch.setattr(paper_judge, "MAX_EPOCHS", 80)
    real, fake = gaussian(400, 2, 1), gaussian(400, 0, 2)
    before, of_torch = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    result = judge(real, fake)
    assert isinstance(result, PaperDivergence)
    assert 0.25 < result.js.value < 0.65 and 0.8 < result.kl.value < 3.5
    assert (
        result.sd("js") == pytest.approx(np.std(result.runs["js"], ddof=1)) and result.sd("js") > 0
    )
    half = 12.706 * result.sd("js") / math.sqrt(2)  # t quantile of 1 degree of freedom
    assert result.js.high - result.js.value == pytest.approx(half, rel=1e-4)
    assert set(result.runs["js"]).isdisjoint(result.runs["kl"])
    again = judge(real, fake, n_jobs=1).to_dict()
    assert again == result.to_dict() != judge(real, fake, seed=1).to_dict()
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(of_torch, torch.get_rng_state())


def test_too_few_rows_and_bad_sizes_are_refused() -> None:
    table = gaussian(399, 0, 1)
    with pytest.raises(TooFewRowsError, match=r"m \+ 2 l = 400 rows are needed .* got 399 real"):
        judge(table, gaussian(500, 0, 2))
    with pytest.raises(ParameterError, match="l=0 is not a whole number of at least 1"):
        judge(table, table, l=0)
