"""Known margins: closed forms, raking by another algorithm, the dual's gradient, conflicts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import minimize

import tabseed as ts
from tabseed.errors import KnowledgeWarning, SchemaError
from tabseed.generators.margins import Functions, chosen, conflict, effective, read_known

N = 4_000


def people(n: int = N, seed: int = 0) -> ts.Table:
    rng = np.random.default_rng([31, seed])
    old = rng.random(n) < 0.4
    sex = np.where(rng.random(n) < 0.5, "female", "male")
    smoker = np.where(rng.random(n) < np.where(old, 0.3, 0.2), "yes", "no")
    age = np.round(np.where(old, 70, 35) + 8 * rng.normal(size=n), 1)
    region = rng.choice(["north", "south", "west"], n, p=[0.5, 0.3, 0.2])
    age[rng.random(n) < 0.05] = np.nan
    return ts.Table.from_frame(
        pa.table({"sex": sex, "smoker": smoker, "age": pa.array(age, from_pandas=True),
                  "region": region})
    )  # fmt: skip


TABLE = people()


def functions(known) -> Functions:
    return Functions.of(read_known(known, TABLE), TABLE)


def test_one_share_has_a_closed_form() -> None:
    """All rows with the level get the share among them, all others the rest."""
    w = functions({"sex": {"female": 0.8}}).weights(100)
    female = np.array(TABLE.values("sex")) == "female"
    expected = np.where(female, 0.8 / female.sum(), 0.2 / (~female).sum())
    np.testing.assert_allclose(w, expected, rtol=1e-9)


def test_shares_of_levels_are_raking() -> None:
    """Against iterative proportional fitting of the table of cells."""
    known = {"sex": {"female": 0.7, "male": 0.3}, "region": {"north": 0.2, "south": 0.5}}
    w = functions(known).weights(100)
    sex, region = (np.unique(TABLE.values(c), return_inverse=True)[1] for c in ("sex", "region"))
    cells = np.zeros((2, 3))
    np.add.at(cells, (sex, region), 1 / N)
    start = cells.copy()
    for _ in range(2_000):
        cells *= (np.array([0.7, 0.3]) / cells.sum(axis=1))[:, None]
        cells *= np.array([0.2, 0.5, 0.3]) / cells.sum(axis=0)
    np.testing.assert_allclose(w, (cells / start / N)[sex, region], rtol=1e-9)


def test_moments_hold_and_no_nearer_law_has_them() -> None:
    known = {"age": {"mean": 55.0, "sd": 18.0}, "smoker = yes and sex = female": 0.2}
    w = functions(known).weights(100)
    found = functions(known)
    f = np.column_stack([found.f, found.held])
    np.testing.assert_allclose(w @ f / f.std(axis=0), 0, atol=1e-8)  # the dual's gradient
    age = TABLE.numbers("age")
    has = ~np.isnan(age)
    assert w[has].sum() == pytest.approx(has.mean())  # as many gaps as before
    mean = (w[has] @ age[has]) / w[has].sum()
    assert mean == pytest.approx(55.0) and w.sum() == pytest.approx(1)
    sd = np.sqrt((w[has] @ (age[has] - mean) ** 2) / w[has].sum())
    assert sd == pytest.approx(18.0)
    # against another optimiser of the same dual
    z = f / f.std(axis=0)
    other = minimize(
        lambda lam: np.log(np.mean(np.exp(z @ lam))), np.zeros(4), method="BFGS", tol=1e-12
    )
    theirs = np.exp(z @ other.x)
    np.testing.assert_allclose(w, theirs / theirs.sum(), rtol=1e-3)


def test_what_is_known_from_few_counts_as_much_as_these() -> None:
    """Share 0.8 from n other rows against N = 100 learned ones: between both, as pooling gives."""
    female = np.mean(np.array(TABLE.values("sex")) == "female")
    found = []
    for n in (10, 100, 1_000, 10**7):
        se = np.sqrt(female * (1 - female) / n)
        w = functions({"sex": {"female": (0.8, se)}}).weights(100)
        found.append((w * (np.array(TABLE.values("sex")) == "female")).sum())
    pooled = [(100 * female + n * 0.8) / (100 + n) for n in (10, 100, 1_000, 10**7)]
    np.testing.assert_allclose(found, pooled, atol=0.03)  # log-linear, not linear, between both
    assert found[3] == pytest.approx(0.8, abs=1e-3) and np.all(np.diff(found) > 0)


CONFLICTS = {
    "alone": ({"age": {"mean": 300.0}}, "mean 300 of 'age' could hold: there it is"),
    "pair": (
        {"sex": {"female": 0.9}, ("sex", "smoker"): {("male", "yes"): 0.2}},
        "cannot hold together",
    ),
    "three": (
        {"sex = female or smoker = yes": 0.2, "sex": {"female": 0.1}, "smoker": {"yes": 0.15},
         "sex = female and smoker = yes": 0.1},
        "cannot hold together",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFLICTS)
def test_what_cannot_hold_is_named(name: str) -> None:
    known, words = CONFLICTS[name]
    found = functions(known)
    assert found.weights(100) is None
    assert words in conflict(read_known(known, TABLE), found)


REFUSED = {
    "shares above 1": ({"sex": {"female": 0.7, "male": 0.7}}, "add up to 1.4"),
    "no share": ({"sex": {"female": 70}}, "is no share from 0 to 1"),
    "no level": ({"sex": {"femal": 0.7}}, "has no level"),
    "no mean": ({"age": {"sd": 3}}, "a column of numbers has a mean"),
    "no number": ({"age": {"mean": "old"}}, "is no number"),
    "error below 0": ({"age": {"mean": (40, -1)}}, "standard error of -1 is below 0"),
    "no mapping": ({"sex": 0.5}, "is no mapping of levels to shares"),
    "no column": ({"gender = x": 0.5}, "no column 'gender'"),
    "no tuple": ({("sex", "smoker"): {"female": 0.5}}, "is not a tuple of 2 levels"),
    "number as key": ({3: 0.5}, "is no column"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_knowledge_is_refused_in_one_line(name: str) -> None:
    known, words = REFUSED[name]
    with pytest.raises(SchemaError) as error:
        read_known(known, TABLE)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_the_share_of_a_level_that_no_row_has_goes_to_the_others() -> None:
    rows = TABLE.take(np.flatnonzero(np.array(TABLE.values("region")) != "west"))
    shares = {"north": 0.2, "south": 0.5, "west": 0.3}
    for known in (shares, {"north": 0.2, "south": 0.5}):
        with pytest.warns(KnowledgeWarning, match=r"0.3 of the rows have levels"):
            facts = read_known({"region": known}, rows)
        assert [fact.value for fact in facts] == pytest.approx([0.2 / 0.7, 0.5 / 0.7])
    with pytest.warns(KnowledgeWarning, match=r"0.3 of the rows"):
        (fact,) = read_known({"region": {"north": 0.2, "west": 0.3}}, rows)
    assert fact.value == pytest.approx(0.5)  # south is not listed, so its share stays as it is


def test_chosen_rows_have_the_margins_up_to_a_row() -> None:
    found = functions({"sex": {"female": 0.8}, "region": {"north": 0.2, "south": 0.5}})
    w = found.weights(100)
    rows = chosen(w, found.f, 500, np.random.default_rng(0))
    sex, region = (np.array(TABLE.values(c))[rows] for c in ("sex", "region"))
    assert abs((sex == "female").sum() - 400) <= 1
    assert abs((region == "north").sum() - 100) <= 3 and abs((region == "south").sum() - 250) <= 3
    assert effective(w) < N
