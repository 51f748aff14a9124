"""Shadow tables: an exact test of single rows, the likelihood ratio, and one table of two."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom, norm

import tabseed as ts
from tabseed.errors import SchemaError
from tabseed.privacy.bounds import Auc
from tabseed.privacy.shadow import Shadows, _one_table


def halves(k: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (k, n): pairs of halves that complement each other."""
    inside = np.zeros((k, n))
    for pair in range(k // 2):
        order = rng.permutation(n)
        inside[2 * pair, order[: n // 2]] = 1
        inside[2 * pair + 1, order[n // 2 :]] = 1
    return inside


def test_where_no_row_matters_alarms_are_as_rare_as_they_say() -> None:
    """400 sets of features that know nothing: more than 34 alarms at 5 % have probability 0.1 %.

    Features of one table go together, as in a real one.
    """
    rng = np.random.default_rng(0)
    alarms, told = 0, 0
    for _ in range(400):
        features = rng.normal(size=(10, 20, 2)) + 2 * rng.normal(size=(10, 1, 2))
        shadows = Shadows(halves(10, 20, rng), features, features[0])
        result, _ = shadows.judged(np.arange(20) < 8, 99, rng)
        alarms += result.p_value <= 0.05
        told += result.n_told > 0
    assert max(alarms, told) <= binom.isf(0.001, 400, 0.05)
    assert alarms >= binom.isf(0.999, 400, 0.05)  # and no rarer


def test_one_row_that_matters_is_told_and_no_other() -> None:
    rng = np.random.default_rng(1)
    inside = halves(24, 40, rng)
    features = rng.normal(size=(24, 40, 2))
    features[:, 3, 1] += 6 * inside[:, 3]
    result, auc = Shadows(inside, features, features[0]).judged(np.arange(40) < 10, 999, rng)
    assert result.n_told == 1 and result.p_value <= 0.01
    assert auc[3] == result.max_auc == 1 and (np.delete(auc, 3) < 0.9).all()
    for row in range(10):
        best = max(Auc.of(features[:, row, f], inside[:, row] > 0).value for f in range(2))
        assert auc[row] == pytest.approx(best)


def test_many_rows_that_matter_a_little_are_told_by_their_mean() -> None:
    rng = np.random.default_rng(2)
    inside = halves(16, 200, rng)
    features = rng.normal(size=(16, 200, 1)) + 0.6 * inside[..., None]
    result, auc = Shadows(inside, features, features[0]).judged(np.arange(200) < 60, 999, rng)
    assert result.p_value <= 0.01 and result.mean_auc.low > 0.5
    assert result.mean_auc.value == pytest.approx(auc.mean())
    # 60 rows of standard error 0.15 each
    assert result.mean_auc.value == pytest.approx(norm.cdf(0.6 / np.sqrt(2)), abs=0.06)


def test_the_smallest_auc_that_so_many_tables_show() -> None:
    rng = np.random.default_rng(3)
    found = []
    for k in (10, 64, 200):
        features = rng.normal(size=(k, 30, 1))
        shadows = Shadows(halves(k, 30, rng), features, features[0])
        found.append(shadows.judged(np.arange(30) < 10, 199, rng)[0].detectable)
    assert found[0] is None and 1 > found[1] > found[2] > 0.5


def test_the_likelihood_ratio_of_normal_features() -> None:
    """With the variance known, log N(f; with) - log N(f; without), up to a factor of 2."""
    rng = np.random.default_rng(4)
    k, n = 2_000, 6
    inside = halves(k, n, rng)
    shift, spread = np.linspace(0, 3, n), np.full(n, 2.0)
    features = (inside * shift + spread * rng.normal(size=(k, n)))[..., None]
    observed = rng.normal(size=(n, 1))
    found = Shadows(inside, features, observed).scores()
    x = observed[:, 0]
    expected = norm.logpdf(x, shift, spread) - norm.logpdf(x, 0, spread)
    assert found / 2 == pytest.approx(expected, abs=0.2)


def test_features_that_never_vary_tell_nothing() -> None:
    rng = np.random.default_rng(5)
    shadows = Shadows(halves(8, 12, rng), np.zeros((8, 12, 2)), np.zeros((12, 2)))
    assert (shadows.scores() == 0).all()
    result, auc = shadows.judged(np.arange(12) < 10, 99, rng)
    assert result.p_value == 1 and (auc == 0.5).all() and result.n_told == 0


def test_two_tables_in_one_know_the_values_of_both() -> None:
    one = pa.table({"c": pa.array(["a", "b", "a"]).dictionary_encode(), "k": [1, 2, 3]})
    other = pa.table({"c": pa.array(["z", "b"]).dictionary_encode(), "k": [2.5, 4.0]})
    train = ts.Table.from_frame(one, kinds={"c": "categorical", "k": "continuous"})
    holdout = ts.Table.from_frame(other, schema=train.schema)
    both = _one_table(train, holdout)
    assert both.values("c") == ["a", "b", "a", "z", "b"]
    assert both.numbers("k").tolist() == [1, 2, 3, 2.5, 4]
    assert set(both.schema["c"].categories) == {"a", "b", "z"}
    odd = pa.table({"c": pa.array(["z", "b"]), "k": pa.array(["1", "2"])})
    kinds = {"c": "categorical", "k": "continuous:point"}
    with pytest.raises(SchemaError, match="stored as different types"):
        _one_table(train, ts.Table.from_frame(odd, kinds=kinds))
