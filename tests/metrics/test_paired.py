"""Paired differences against their formulas, brute force, and what must be 0."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ks_2samp

from helpers.divergence import judge, mixed
from tabseed.metrics import DivergenceResult, MarginalDistance
from tabseed.metrics.divergence import estimates_from_log_ratio
from tabseed.metrics.divergence_result import Plan
from tabseed.metrics.paired import (
    cost_contrast,
    divergence_contrast,
    margin_contrast,
    margin_draws,
)
from tabseed.metrics.usefulness import costs_of_use
from tabseed.table import Table

N, M = 40, 70


def result(r: np.ndarray) -> DivergenceResult:
    """Return the result of judges whose log ratios (repeats, N + M) are known."""
    ratios = {"plain": {"trees": r, "mlp": 0 * r}}
    estimates = {
        "plain": {name: estimates_from_log_ratio(x, N) for name, x in ratios["plain"].items()}
    }
    return DivergenceResult(estimates, None, (), N, M, Plan(2, len(r), 0), log_ratios=ratios)


def known(seed: int, shared: np.ndarray) -> DivergenceResult:
    """Judges that are right on average; real rows have ``shared`` difficulty."""
    own = np.random.default_rng(seed).normal(size=(2, N + M))
    side = np.where(np.arange(N + M) < N, 1.5, -1.5)
    return result(side + 0.2 * own + np.concatenate([shared, np.zeros(M)]))


def test_a_divergence_contrast_by_hand() -> None:
    hard = np.random.default_rng(0).normal(size=N)
    a, b = known(1, hard), known(2, hard)
    found = divergence_contrast((a, ()), (b, ()), "plain", "js")
    assert found.value == pytest.approx(a.js.value - b.js.value, abs=1e-15)

    def bits(x: DivergenceResult) -> tuple[np.ndarray, np.ndarray]:
        r = x.log_ratios["plain"]["trees"]
        return 0.5 - np.log2(1 + np.exp(-r[:, :N])) / 2, 0.5 - np.log2(1 + np.exp(r[:, N:])) / 2

    (pa_, qa), (pb, qb) = bits(a), bits(b)
    variance = np.var((pa_ - pb).mean(0), ddof=1) / N
    variance += np.var(qa.mean(0), ddof=1) / M + np.var(qb.mean(0), ddof=1) / M
    repeats = pa_.mean(1) - pb.mean(1) + qa.mean(1) - qb.mean(1)
    variance += np.var(repeats, ddof=1) / 2 + 2 * ((1 / N + 1 / M) / 8 / math.log(2)) ** 2
    assert found.error == pytest.approx(math.sqrt(variance), rel=1e-9)
    apart = replace(
        b, log_ratios={"plain": {"trees": known(2, -hard).log_ratios["plain"]["trees"]}}
    )
    assert found.error < 0.8 * divergence_contrast((a, ()), (apart, ()), "plain", "js").error


def test_what_other_rows_give_widens_the_interval() -> None:
    """Halves whose estimates vary more than the rows say replace the variance of their table."""
    hard = np.random.default_rng(0).normal(size=N)
    a, b = known(1, hard), known(2, hard)
    halves = [result(scale * a.log_ratios["plain"]["trees"]) for scale in (0.1, 0.4, 1.0)]
    alone = divergence_contrast((a, ()), (b, ()), "plain", "js")
    wide = divergence_contrast((a, halves), (b, ()), "plain", "js")
    rows = np.log2(1 + np.exp(a.log_ratios["plain"]["trees"][:, N:])).mean(0) / 2
    more = np.var([h.js.value for h in halves], ddof=1) - np.var(rows, ddof=1) / M
    assert more > 0 and wide.value == alone.value
    assert wide.error**2 == pytest.approx(alone.error**2 + more, rel=1e-9)
    same = [result(a.log_ratios["plain"]["trees"])] * 3
    assert divergence_contrast((a, same), (b, same), "plain", "js") == alone


def test_a_result_against_itself_differs_by_nothing_but_could_have() -> None:
    rng = np.random.default_rng(3)
    real, fake = pa.table(mixed(60, rng)), pa.table(mixed(80, rng))
    once, again = judge(real, fake), judge(real, fake)
    for key in ("js", "kl"):
        found = divergence_contrast((once, ()), (again, ()), "plain", key)
        assert found.value == 0 and found.p == 1 and found.ends[0] < 0 < found.ends[1]
        name = once.by()
        assert (
            estimates_from_log_ratio(once.log_ratios["plain"][name], 60)[key]
            == (once.estimates["plain"][name][key])
        )
    assert "log_ratios" not in repr(once) and "log_ratios" not in str(once.to_dict())


def pair_of_columns(n: int, seed: int, shift: float = 0.0) -> Table:
    rng = np.random.default_rng([8, seed])
    x = rng.normal(size=n) + shift
    return Table.from_frame(pa.table({"x": x, "k": rng.choice(["a", "b", "c"], n)}))


def distance(real: tuple[np.ndarray, ...], fake: tuple[np.ndarray, ...]) -> float:
    shares = [[np.mean(k == level) for level in "abc"] for _, k in (real, fake)]
    tv = np.abs(np.subtract(*shares)).sum() / 2
    return float(ks_2samp(real[0], fake[0]).statistic + tv) / 2


def test_margins_against_a_bootstrap_by_hand() -> None:
    """SDs of 400 and 300 draws differ by chance by less than 20 % in all but one case in 1,000."""
    real, fakes = pair_of_columns(50, 0), [pair_of_columns(80, s, 0.4) for s in (1, 2)]
    draws = margin_draws(real, fakes, np.random.SeedSequence(0), 400)
    assert draws.shape == (2, 400)
    tables = [(t.numbers("x"), t.codes("k")) for t in (real, *fakes)]
    tables = [(x, np.array(list("abc"))[k]) for x, k in tables]
    rng = np.random.default_rng(1)
    ours = []
    for _ in range(300):
        rows = [rng.integers(0, len(x), len(x)) for x, _ in tables]
        p, a, b = ((x[i], k[i]) for (x, k), i in zip(tables, rows, strict=True))
        ours.append(distance(p, a) - distance(p, b))
    values = [MarginalDistance(n_bootstrap=2).evaluate(real, t).mean.value for t in fakes]
    assert values == pytest.approx([distance(tables[0], t) for t in tables[1:]], abs=1e-12)
    found = margin_contrast(tuple(values), tuple(draws))
    assert found.value == values[0] - values[1]
    assert found.error == pytest.approx(np.std(ours, ddof=1), rel=0.2)
    # the real rows are the same in each draw: paired, so less than of two independent tables
    assert found.error**2 < 0.95 * sum(d.var(ddof=1) for d in draws)


def test_margins_of_constant_columns_do_not_vary() -> None:
    tables = [
        Table.from_frame(pa.table({"x": np.full(20, v), "k": ["a"] * 20})) for v in (0.5, 1.5)
    ]
    draws = margin_draws(tables[0], tables, np.random.SeedSequence(0), 10)
    assert (draws[0] == 0).all() and (draws[1] == 0.5).all()


def labelled(n: int, seed: int, shuffled: bool = False) -> Table:
    rng = np.random.default_rng([9, seed])
    x = rng.normal(size=(n, 2))
    kind = np.where(3 * x[:, 0] - x[:, 1] + 0.3 * rng.normal(size=n) > 0, "high", "low")
    kind = rng.permutation(kind) if shuffled else kind
    return Table.from_frame(pa.table({"x": x[:, 0], "w": x[:, 1], "kind": kind}))


def test_costs_are_paired_by_held_out_row() -> None:
    real, held = labelled(60, 0), labelled(80, 1)
    fakes = [labelled(60, 2), labelled(60, 2), labelled(60, 3, shuffled=True)]
    stream = np.random.SeedSequence(0)
    good, same, torn = costs_of_use(real, fakes, held, "kind", stream, draws=2)
    assert good.cost.value == pytest.approx(good.rows.mean(), abs=1e-12)
    assert good == same and len(good.redrawn) == 2
    twice = cost_contrast(good, same)
    assert twice.value == 0 and twice.p == 1 and twice.ends[0] < 0 < twice.ends[1]
    found = cost_contrast(torn, good)
    assert found.value == pytest.approx(torn.cost.value - good.cost.value, abs=1e-12)
    variance = np.var(torn.rows - good.rows, ddof=1) / 80
    variance += sum(np.var(c.redrawn, ddof=1) for c in (torn, good))
    assert found.error == pytest.approx(math.sqrt(variance), rel=1e-9)
    assert found.value > 0.1
