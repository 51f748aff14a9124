"""Associations of pairs of columns against scipy and by hand, their intervals and nulls."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency, kruskal, rankdata, spearmanr

from tabseed.metrics import PairDistance, PairResult


def table(n: int, seed: int, missing: float = 0.0) -> pa.Table:
    """Return numbers and categories with ties that go together, of mixed order."""
    rng = np.random.default_rng([18, seed])
    z = rng.normal(size=n)
    columns: dict[str, Any] = {
        "c": [f"c{k}" for k in np.digitize(z + rng.normal(size=n), [-0.5, 0.5])],
        "x": np.round(z + rng.normal(size=n), 1),
        "d": [f"d{k}" for k in rng.integers(0, 2, n)],
        "y": np.round(np.exp(z) + 0.1 * rng.random(n), 2),
        "few": 0.5 + (z > 1) * 0.7 + (z > 0) * 0.01 * rng.integers(0, 40, n),
    }
    masks = {name: rng.random(n) < missing for name in columns}
    return pa.table({name: pa.array(cells, mask=masks[name]) for name, cells in columns.items()})


def cells(rows: pa.Table, name: str) -> np.ndarray:
    column = rows[name].to_pandas()
    return column.to_numpy()


def by_hand(rows: pa.Table, one: str, two: str) -> float:
    """Return an association by scipy where it can, with ranks over each column's own cells."""
    a, b = cells(rows, one), cells(rows, two)
    both = np.array(
        [u is not None and v is not None and u == u and v == v for u, v in zip(a, b, strict=True)]
    )
    numeric = [x.dtype == float for x in (a, b)]
    ranks = [
        rankdata(x, nan_policy="omit")[both] if is_number else x[both]
        for x, is_number in zip((a, b), numeric, strict=True)
    ]
    n = int(both.sum())
    if all(numeric):
        return float(np.corrcoef(*ranks)[0, 1])
    if any(numeric):
        x, c = ranks if numeric[0] else ranks[::-1]
        groups = [x[c == level].astype(float) for level in set(c)]
        share = sum(len(g) * (g.mean() - x.mean()) ** 2 for g in groups) / (n * np.var(x))
        return max(0.0, 1 - (1 - share) * (n - 1) / (n - len(groups))) ** 0.5
    counts = np.array([[np.sum((ranks[0] == u) & (ranks[1] == v)) for v in set(ranks[1])]
                       for u in set(ranks[0])])  # fmt: skip
    phi = chi2_contingency(counts, correction=False).statistic / n
    r, k = counts.shape
    phi = max(0.0, phi - (r - 1) * (k - 1) / (n - 1))
    return (phi / (min(s - (s - 1) ** 2 / (n - 1) for s in (r, k)) - 1)) ** 0.5


def judged(real: pa.Table, fake: pa.Table, **settings: Any) -> PairResult:
    return PairDistance(**{"permutations": 0, **settings}).evaluate(real, fake)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_associations_agree_with_scipy(missing: float) -> None:
    for n, m in ((40, 90), (300, 57)):
        real, fake = table(n, 0, missing), table(m, 1, missing)
        result = judged(real, fake)
        assert result.pairs == tuple(combinations(real.column_names, 2))
        for at, pair in enumerate(result.pairs):
            assert result.real[at] == pytest.approx(by_hand(real, *pair), abs=1e-9), pair
            assert result.synthetic[at] == pytest.approx(by_hand(fake, *pair), abs=1e-9), pair
        changes = result.synthetic - result.real
        assert result.headline.value == pytest.approx(np.abs(changes).mean())
        found = [result.changes.compared()[pair].value for pair in result.pairs]
        assert found == pytest.approx(changes.tolist())


def test_measures_follow_the_kinds() -> None:
    rows = table(80, 3)
    result = judged(rows, table(80, 4))
    measure = dict(zip(result.pairs, result.measures, strict=True))
    assert measure["x", "y"] == "Spearman correlation"
    assert measure["c", "d"] == "Cramér's V"
    assert measure["c", "x"] == measure["x", "d"] == "correlation ratio"
    at = result.pairs.index(("x", "y"))
    rho = spearmanr(cells(rows, "x"), cells(rows, "y")).statistic
    assert result.real[at] == pytest.approx(rho, abs=1e-12)
    at = result.pairs.index(("c", "x"))
    x, c = cells(rows, "x"), cells(rows, "c")
    h = kruskal(*(x[c == level] for level in set(c))).statistic  # n = 80, 3 levels
    assert result.real[at] == pytest.approx((1 - (1 - h / 79) * 79 / 77) ** 0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("counts", "last"),
    [
        ([60, 40, *[20] * 13], "v11"),  # more than 12 levels
        ([90, 60, 50, 9, 4, 2], "v04"),  # rare ones, together common enough
        ([90, 60, 50, 3, 1], "v02"),  # together still too rare: they join the rarest other
    ],
)
def test_rare_levels_share_one(counts: list[int], last: str) -> None:
    """In two equal tables a level needs 10 of the pooled rows, so 5 in each."""
    rng = np.random.default_rng(0)
    names = np.repeat([f"v{i:02}" for i in range(len(counts))], counts)
    x = rng.normal(size=len(names)) + np.repeat(np.arange(len(counts)) % 2, counts)
    rows = pa.table({"v": names, "x": x})
    merged = np.where(names >= last, "other", names)
    expected = by_hand(pa.table({"v": merged, "x": x}), "v", "x")
    fake = pa.table({"v": names, "x": x}).take(pa.array(rng.permutation(len(names))))
    result = judged(rows, fake)
    assert result.real[0] == result.synthetic[0] == pytest.approx(expected, abs=1e-9)


def test_a_constant_goes_with_nothing() -> None:
    rng = np.random.default_rng(1)
    n = 40
    x = rng.normal(size=n)
    rows = pa.table(
        {
            "x": x,
            "same": [1.25] * n,
            "none": pa.array([None] * n, pa.float64()),
            "z": x + 0.1 * rng.normal(size=n),
        }
    )
    result = judged(rows, rows.take(pa.array(rng.permutation(n))), permutations=99)
    for pair, change in result.changes.compared().items():
        assert change.value == pytest.approx(0, abs=1e-12)
        if "x" not in pair or "z" not in pair:
            assert result.real[result.pairs.index(pair)] == 0 and change.p == 1
    single = judged(rows.select(["x"]), rows.select(["x"]).slice(3), permutations=99)
    assert single.pairs == () and single.headline.value == 0


def test_intervals_have_the_width_that_theory_gives() -> None:
    """Two independent numbers: the variance of a rank correlation is 1/(n - 1) in each table."""
    rng = np.random.default_rng(2)
    real, fake = (pa.table({f"x{j}": rng.normal(size=n) for j in range(15)}) for n in (150, 400))
    changes = judged(real, fake).changes
    half = (changes.high - changes.low) / 2 / 2.093  # Student's t with 19 degrees
    assert np.mean(half**2) == pytest.approx(1 / 149 + 1 / 399, rel=0.1)
    covered = np.mean((changes.low <= 0) & (changes.high >= 0))
    assert covered > 0.88  # 105 pairs, weakly dependent


def test_a_torn_pair_is_found_and_no_other() -> None:
    """x goes with y, and u with v; in the synthetic rows u is shuffled. Ten draws of 100 + 150.

    Any of the other pairs is called different with probability 5 % or less: more than 3 of 10
    draws would have probability 0.1 %.
    """
    rng = np.random.default_rng(3)

    def draw(n: int, torn: bool) -> pa.Table:
        x, u = rng.normal(size=(2, n))
        kind = [f"k{k}" for k in np.digitize(u + 0.3 * rng.normal(size=n), [-0.5, 0.5])]
        return pa.table(
            {
                "x": x,
                "y": x + 0.5 * rng.normal(size=n),
                "u": rng.permutation(u) if torn else u,
                "v": kind,
                "w": rng.normal(size=n),
            }
        )

    right = wrong = 0
    for _ in range(10):
        result = judged(draw(100, False), draw(150, True), permutations=99)
        differ = {pair for pair, one in result.changes.compared().items() if one.differs}
        right += ("u", "v") in differ
        wrong += bool(differ - {("u", "v")})
    assert right == 10 and wrong <= 3


def test_the_detectable_loss_is_detected() -> None:
    """Of a correlation of 0.8 between normal numbers; rank correlations are 6/pi asin(rho/2).

    With a power of 80 % fewer than 40 of 60 would have probability 0.6 %. Seed fixed.
    """
    rng = np.random.default_rng(4)

    def draw(n: int, rank: float) -> pa.Table:
        rho = 2 * np.sin(np.pi * rank / 6)
        x, e = rng.normal(size=(2, n))
        return pa.table({"x": x, "y": rho * x + np.sqrt(1 - rho**2) * e})

    def change(loss: float):
        result = judged(draw(60, 0.8), draw(90, 0.8 - loss), permutations=99)
        return result.changes.compared()["x", "y"]

    reach = float(np.median([change(0).detectable for _ in range(10)]))
    assert 0.1 < reach < 0.5
    assert sum(change(reach).differs for _ in range(60)) >= 40


def test_rows_beyond_the_most_are_dropped_at_random() -> None:
    result = judged(table(200, 5), table(500, 6), max_rows=100)
    assert (result.n_real, result.n_synthetic) == (100, 100)
    assert result.to_dict()["n_real"] == 100 and len(result.to_dict()["pairs"]) == 10
