"""GaussianCopula against closed forms, other implementations and known laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm, truncnorm

import tabseed as ts
from tabseed.coding.encode import TableEncoder
from tabseed.errors import TabseedError
from tabseed.generators import copula, copula_margins
from tabseed.generators.copula import (
    GaussianCopula,
    latent_correlation,
    shrunk,
    whitener,
)
from tabseed.generators.copula_margins import level_margin, number_margin, refuse_unsound
from tabseed.generators.orthants import normal_within
from tabseed.table import Table

R = np.array([[1.0, 0.8, -0.5, 0.6], [0.8, 1, -0.3, 0.4], [-0.5, -0.3, 1, 0], [0.6, 0.4, 0, 1]])


def latent(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).multivariate_normal(np.zeros(4), R, n)


def block_of(values: np.ndarray) -> tuple[object, np.ndarray]:
    layout = TableEncoder().fit(Table.from_frame(pa.table({"x": values}))).layout_
    return layout.blocks[0], values


# --- the latent law -----------------------------------------------------------------------------


def test_correlation_of_mixed_columns_is_recovered() -> None:
    """Skewed numbers, counts in five values and a rare flag hide the scores, not R.

    Bounds are 6 standard errors, (1 - r^2)/sqrt(n) for numbers and twice that where a column is
    thresholded: a false alarm below 1e-8 for each pair.
    """
    n = 3_000
    z = latent(n)
    table = pa.table(
        {
            "skewed": np.exp(2 * z[:, 0]),
            "cubed": z[:, 1] ** 3,
            "count": np.digitize(z[:, 2], [-1, 0, 0.5, 1.5]),
            "flag": z[:, 3] > 0.8,
        }
    )
    estimate = GaussianCopula(random_state=0).fit(table).correlation_
    error = 6 * (1 - R**2) / np.sqrt(n) * np.where(np.arange(4) < 2, 1, 2)
    error = np.maximum(error, error.T)
    assert (np.abs(estimate - R) < error + 1e-12).all(), estimate - R
    ranks = table.to_pandas().rank().to_numpy()
    naive = np.corrcoef(ranks.T)  # ignoring the thresholds misses by more
    assert abs(naive[0, 3] - R[0, 3]) > error[0, 3]


def test_two_halves_agree_as_often_as_the_arcsine_says() -> None:
    """P(both above their medians) = 1/4 + arcsin(r)/(2 pi); 5 standard errors of both samples."""
    n, m = 4_000, 20_000
    z = latent(n, seed=1)
    synthetic = (
        GaussianCopula(random_state=0)
        .fit(pa.table({"a": z[:, 0] > 0, "b": z[:, 3] > 0}))
        .sample(m, random_state=1)
    )
    both = (synthetic["a"].to_numpy() & synthetic["b"].to_numpy()).mean()
    expected = 0.25 + np.arcsin(R[0, 3]) / (2 * np.pi)
    assert abs(both - expected) < 5 * np.sqrt(expected * (1 - expected) * (1 / n + 1 / m))


def test_shrinkage_by_hand() -> None:
    """S = [[4, 1], [1, 1]] has r = 1/2; c = 1, p = 2, n = 8: lambda = 2/10, R_12 = 0.4."""
    result = shrunk(np.array([[4.0, 1], [1, 1]]), np.array([0, 1]), 8, 1.0)
    assert np.allclose(result, [[1, 0.4], [0.4, 1]], rtol=0, atol=1e-14)


def test_axes_of_a_column_are_independent_and_r_is_positive_definite() -> None:
    """12 axes, 8 rows: identity blocks within columns, no eigenvalue below lambda."""
    z = np.random.default_rng(0).normal(size=(12, 8))
    column = np.repeat([0, 1, 2], [5, 1, 6])
    second = z @ z.T / 8
    result, root = shrunk(second, column, 8, 0.15), whitener(second, column)
    for r in (result, root @ second @ root):
        for j in range(3):
            inside = r[np.ix_(column == j, column == j)]
            assert np.allclose(inside, np.eye(len(inside)), atol=1e-9)
    assert np.linalg.eigvalsh(result)[0] > 1.8 / 9.8 - 1e-9
    assert (root[column[:, None] != column] == 0).all()


def test_known_scores_take_one_exact_step() -> None:
    """If all bounds meet, R is the shrunk correlation of the scores about 0."""
    z = latent(200).T
    result = latent_correlation(z, z, np.arange(4), 0.15, np.random.default_rng(0))
    second = z @ z.T
    r = second / np.sqrt(np.outer(np.diag(second), np.diag(second)))
    lam = 0.6 / 200.6
    assert np.allclose(result, (1 - lam) * r + lam * np.eye(4), atol=1e-12)


def test_normal_within_is_the_truncated_quantile() -> None:
    """It equals scipy's in the body; in the far tails it stays inside and near the inner end."""
    u = np.linspace(0.01, 0.99, 40)
    for a, b in ((-np.inf, np.inf), (-1.0, 2.0), (0.3, np.inf), (4.0, 5.0), (-np.inf, -6.0)):
        numbers = normal_within(np.full(40, a), np.full(40, b), u)
        mirrored = a > 0  # u runs the other way there
        expected = truncnorm.ppf(1 - u if mirrored else u, a, b)
        assert np.allclose(numbers, expected, atol=1e-7), (a, b)
    for a, b in ((30.0, np.inf), (50.0, np.inf), (-np.inf, -50.0), (38.0, 39.0)):
        numbers = normal_within(np.full(40, a), np.full(40, b), u)
        assert ((numbers >= a) & (numbers <= b)).all()
        assert (np.abs(numbers) < max(x for x in (-b, a) if np.isfinite(x)) + 1).all()


# --- margins ------------------------------------------------------------------------------------


def test_thresholds_give_the_training_shares() -> None:
    """The thresholds multiply to the counts over n, for split and for other cells."""
    cell = np.repeat([0, 1, 2, 3, 4], [5, 40, 30, 2, 1])
    margin = level_margin(cell, 3)
    assert margin.split.tolist() == [1, 2, 0] and sorted(margin.rest) == [3, 4]
    left = np.concatenate([[1.0], np.cumprod(1 - margin.share)])
    shares = np.zeros(5)
    shares[margin.split] = left[:-1] * margin.share
    shares[margin.rest] = left[-1] * margin.rest_share
    assert np.allclose(shares, np.bincount(cell) / len(cell), rtol=0, atol=1e-15)


def test_levels_are_drawn_with_their_shares() -> None:
    """Each of five levels is within 5 binomial standard errors of its training share."""
    levels = np.repeat(["a", "b", "c", "d", "e"], [5, 40, 30, 2, 1])
    model = GaussianCopula(random_state=0).fit(pa.table({"x": levels}))
    synthetic = model.sample(20_000)["x"].to_pylist()
    for level, share in zip("abcde", np.array([5, 40, 30, 2, 1]) / 78, strict=True):
        estimate = synthetic.count(level) / len(synthetic)
        assert abs(estimate - share) < 5 * np.sqrt(share * (1 - share) / len(synthetic)), level


def test_quantile_function_inverts_the_distribution_function() -> None:
    """At a point mass F jumps by its share, elsewhere F(Q(u)) = u; the ends are 0 and 1."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.exponential(size=300), np.zeros(100), np.full(50, 1.0)])
    margin = number_margin(*block_of(x))
    for mass, share in ((0.0, 100 / 450), (1.0, 50 / 450)):
        at = np.array([mass])
        assert np.isclose((margin.cdf(at) - margin.cdf(at, left=True))[0], share, atol=1e-12)
    u = np.linspace(0.001, 0.999, 500)
    q = np.interp(u, margin.levels, margin.values)
    below, upto = margin.cdf(q, left=True), margin.cdf(q)
    tiny = 1e-9
    assert ((below <= u + tiny) & (u <= upto + tiny)).all()
    free = (q != 0) & (q != 1)
    assert np.allclose(below[free], upto[free]) and free.sum() > 300
    assert margin.cdf(np.array([x.max()]))[0] == 1 and margin.levels[0] == 0


def test_kernels_are_those_of_the_formula() -> None:
    """The density of the formula, reflected by folding the line, is integrated numerically."""
    x = np.sort(np.random.default_rng(2).exponential(size=20))
    low, high = x[0], x[-1]
    span = 20**-0.5
    level = (np.arange(20) + 0.5) / 20
    centre = x
    lo, hi = np.clip(level - span, 0, 1), np.clip(level + span, 0, 1)
    upper, lower = (np.quantile(x, at).clip(x[1], x[-2]) for at in (hi, lo))
    width = span * (upper - lower) / (hi - lo)

    def density(t: float) -> float:
        images = [t, 2 * low - t, 2 * high - t]
        return sum(norm.pdf(s, centre, width).mean() for s in images)

    whole = quad(density, low, high, limit=200)[0]
    at = np.linspace(low, high, 7)
    result = copula_margins._kernel_cdf(x, at, low, high, 0.0)
    expected = [quad(density, low, t, limit=200)[0] / whole for t in at]
    assert np.allclose(result, expected, atol=1e-6)


def test_density_of_few_rows_is_near_the_truth() -> None:
    """KL(truth || margin) of 300 exponential numbers, within their range: below 0.04 nats.

    The mean of 20 samples is 0.02 with a standard error of 0.002. The straight line between
    order statistics, which also keeps range and shares, is Euler's constant 0.58 away (spacings).
    """
    divergences = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = rng.exponential(size=300), rng.exponential(size=2_000)
        y = y[(y > x.min()) & (y < x.max())]
        margin = number_margin(*block_of(x))
        above = np.searchsorted(margin.values, y)
        density = np.diff(margin.levels)[above - 1] / np.diff(margin.values)[above - 1]
        divergences.append(np.mean(-y - np.log(density)))
    assert abs(np.mean(divergences)) < 0.04


def test_heaped_numbers_are_point_masses_and_others_are_not() -> None:
    """A fifth of 2,000 people round their age to tens; the other ages stay smooth."""
    rng = np.random.default_rng(0)
    age = np.round(rng.uniform(20, 70, 2_000))
    heaped = np.where(rng.random(2_000) < 0.2, np.round(age, -1), age)
    for values, expected in ((heaped, {30.0, 40.0, 50.0, 60.0}), (age, set())):
        distinct, counts = np.unique(values, return_counts=True)
        inner = (distinct > 22) & (distinct < 68)
        masses = set(distinct[inner & copula_margins._heaped(distinct, counts, 1.0)])
        assert masses == expected


def test_numbers_keep_grid_share_of_zero_and_skew() -> None:
    """Zeros within 5 standard errors, every number on the grid, and the deciles of the data."""
    rng = np.random.default_rng(4)
    x = np.where(rng.random(500) < 0.6, 0, 5 * np.round(np.exp(rng.normal(4, 1, 500))))
    synthetic = (
        GaussianCopula(random_state=0).fit(pa.table({"x": x})).sample(20_000)["x"].to_numpy()
    )
    share = (x == 0).mean()
    assert abs((synthetic == 0).mean() - share) < 5 * np.sqrt(share * (1 - share) / 20_000)
    assert (synthetic % 5 == 0).all() and synthetic.max() <= x.max()
    level = np.linspace(0.1, 0.9, 9)
    true, estimate = np.quantile(x[x > 0], level), np.quantile(synthetic[synthetic > 0], level)
    assert np.abs(np.log(estimate / true)).max() < 0.2  # standard error of a decile: about 0.1


# --- the generator ------------------------------------------------------------------------------


def test_names_of_levels_have_no_order() -> None:
    """Renaming the levels, which changes their order, gives the same rows with the new names."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    level = np.digitize(x + 0.3 * rng.normal(size=200), [-0.8, 0.2])
    names, others = np.array(["a", "b", "c"]), np.array(["z", "m", "k"])
    first, second = (
        GaussianCopula(random_state=0)
        .fit(pa.table({"x": x, "level": of[level]}))
        .sample(500, random_state=1)
        for of in (names, others)
    )
    renamed = [dict(zip(names, others, strict=True))[v] for v in first["level"].to_pylist()]
    assert renamed == second["level"].to_pylist()
    assert first["x"].equals(second["x"])
    mean = [np.mean(first["x"].to_numpy()[np.array(renamed) == v]) for v in others]
    assert mean[0] < -0.7 < mean[1] < 0.3 < mean[2]


def test_axes_that_are_often_unknown_are_recovered() -> None:
    """A number known only where another score is high; a third level seen only without the first.

    Scores of the model's own law: 0.5 and 0.6 with x, independent of each other. Bounds of 0.12
    are 6 standard errors of 4,000 rows (0.02, measured over seeds).
    """
    law = np.array([[1, 0.5, 0.6], [0.5, 1, 0], [0.6, 0, 1]])
    z = np.random.default_rng(0).multivariate_normal(np.zeros(3), law, 4_000)
    number = pa.array(z[:, 2], mask=z[:, 1] < -0.4)
    level = np.where(z[:, 1] < 0, "a", np.where(z[:, 2] < 0.2, "b", "c"))
    for column in (number, pa.array(level)):
        model = GaussianCopula(random_state=0).fit(pa.table({"x": z[:, 0], "y": column}))
        assert np.abs(model.correlation_ - law).max() < 0.12
    model = GaussianCopula(random_state=0).fit(pa.table({"x": z[:, 0], "y": number}))
    synthetic = model.sample(20_000, random_state=1).to_pandas()
    half = multivariate_normal(np.zeros(2), law[:2, :2]).cdf([0.0, -0.4])
    for side, share in (
        (synthetic["x"] < 0, 2 * half),
        (synthetic["x"] >= 0, 2 * (norm.cdf(-0.4) - half)),
    ):
        assert abs(synthetic["y"].isna()[side].mean() - share) < 0.06  # 5 standard errors


def test_many_levels_get_axes_by_their_counts() -> None:
    """Four columns of 150 levels: at most MAX_AXES axes; the other levels have none."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, 151)
    columns = {
        name: rng.choice(150, 4_000, p=weights / weights.sum()).astype(str) for name in "abcd"
    }
    encoder = TableEncoder().fit(Table.from_frame(pa.table(columns)))
    model = GaussianCopula(random_state=0)
    model.encoder_ = encoder
    x = encoder.transform(Table.from_frame(pa.table(columns)))
    margins = model._margins(x, encoder.layout_.cells(x))
    axes = sum(margin.n_axes for margin in margins)
    assert 0.8 * copula.MAX_AXES < axes <= copula.MAX_AXES
    pairs = list(zip(margins, encoder.layout_.cells(x), strict=True))
    rarest = min(np.bincount(cell)[margin.split].min() for margin, cell in pairs)
    assert rarest >= max(np.bincount(cell)[margin.rest].max() for margin, cell in pairs)


def test_more_columns_than_rows() -> None:
    """12 rows of 60 columns of all kinds can be learned and drawn."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {f"n{j}": rng.normal(size=12) for j in range(30)}
        | {f"c{j}": rng.choice(["a", "b", "c"], 12) for j in range(30)}
    )
    model = GaussianCopula(random_state=0).fit(table)
    assert model.sample(50).num_rows == 50
    assert np.linalg.eigvalsh(model.correlation_)[0] > 0


def mixed(n: int, seed: int) -> pa.Table:
    """Return numbers with gaps, heaps and a point mass, and categories, that depend on another."""
    z = latent(n, seed)
    rng = np.random.default_rng(seed)
    number = np.where(rng.random(n) < 0.1, np.nan, np.round(40 + 12 * z[:, 0]))
    return pa.table(
        {
            "age": number,
            "hours": np.where(z[:, 1] > 0.3, 40.0, np.round(35 + 9 * z[:, 1], 1)),
            "visits": np.digitize(z[:, 2], [-1, 0, 0.5, 1.5]),
            "place": np.array(["a", "b", "c", "d"])[np.digitize(z[:, 3], [-0.5, 0.2, 1])],
        }
    )


def test_likelihood_is_the_share_of_drawn_rows() -> None:
    """Cells of two columns at a time: the shares of 40,000 drawn rows, within 5 standard errors.

    A false alarm has a probability below 1e-3 (426 cells).
    """
    table, n = mixed(400, 0), 40_000
    for names in (["age", "place"], ["hours", "visits"], ["visits", "place"], ["age", "hours"]):
        model = GaussianCopula(random_state=0).fit(table.select(names))
        drawn = model.draw(n, random_state=1)
        layout = model.encoder_.layout_
        cells = np.array(layout.cells(model.encoder_.transform(drawn)))
        _, first, count = np.unique(cells, axis=1, return_index=True, return_counts=True)
        share = np.exp(model.log_likelihood(drawn.take(first)))
        error = np.sqrt(share * (1 - share) / n)
        assert (np.abs(count / n - share) < 5 * error + 3 / n).all(), names
        assert 0.98 < share.sum() <= 1 + 1e-3  # the cells that were not drawn have the rest


def test_likelihood_of_independent_columns_is_that_of_their_margins() -> None:
    rng = np.random.default_rng(0)
    table = pa.table({"c": rng.choice(["x", "y", "z"], 300), "k": np.full(300, "one")})
    model = GaussianCopula(random_state=0).fit(table)
    counts = table["c"].to_pandas().value_counts(normalize=True)
    expected = np.log(counts[table["c"].to_pandas()].to_numpy())
    np.testing.assert_allclose(model.log_likelihood(table), expected, atol=1e-9)


def test_likelihood_prefers_the_law_that_was_learned() -> None:
    """Held-out rows are likelier under a copula of their table than under one of shuffled columns,
    and those of the rarest cells have a finite likelihood.
    """
    table, held = mixed(300, 1), mixed(300, 2)
    rng = np.random.default_rng(0)
    shuffled = pa.table({n: table[n].take(rng.permutation(300)) for n in table.column_names})
    held = held.filter(np.isin(held["hours"], table["hours"]))
    scores = [
        GaussianCopula(random_state=0).fit(rows).log_likelihood(held) for rows in (table, shuffled)
    ]
    assert np.isfinite(scores[0]).all()
    assert scores[0].mean() > scores[1].mean() + 0.3


def test_unsound_settings_and_files_are_refused() -> None:
    table = pa.table({"x": np.arange(20) % 7, "c": ["a", "b"] * 10})
    for bad in (0, -1.0, np.nan, np.inf):
        with pytest.raises(TabseedError, match="shrinkage"):
            GaussianCopula(shrinkage=bad).fit(table)
    model = ts.GaussianCopula(random_state=0).fit(table)
    state, arrays = model._state()
    model._restore(state, arrays)
    margin = model.margins_[0]
    for broken in (
        replace(margin, levels=margin.levels[::-1]),
        replace(margin, values=margin.values[:-1]),
        replace(margin, values=margin.values * np.nan),
        replace(margin, split=np.array([99]), share=np.array([0.5])),
    ):
        with pytest.raises(ValueError, match="not sound"):
            refuse_unsound(model.encoder_.layout_.free[0], broken)
    with pytest.raises(ValueError, match="correlation"):
        model._restore(state, arrays | {"correlation": np.eye(3)})
