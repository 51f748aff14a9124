"""Known parents: the law that they leave, the orders, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import KnowledgeWarning, SchemaError
from tabseed.generators.trees.structure import Structure

N = 400


def chain() -> ts.Table:
    """Smoking causes bad lungs, which cause cough; the town hangs on nothing."""
    rng = np.random.default_rng(11)
    smokes = rng.random(N) < 0.4
    lungs = rng.random(N) < np.where(smokes, 0.7, 0.1)
    cough = rng.random(N) < np.where(lungs, 0.8, 0.1)
    return ts.Table.from_frame(
        pa.table(
            {
                "cough": np.where(cough, "yes", "no"),
                "lungs": np.where(lungs, "bad", "good"),
                "smokes": np.where(smokes, "yes", "no"),
                "town": rng.choice(["a", "b"], N),
            }
        )
    )


PARENTS = {"lungs": ["smokes"], "cough": ["lungs"], "town": [], "smokes": []}


def test_parents_come_first_in_every_order_and_are_all_that_predicts() -> None:
    model = ts.SequentialTrees(n_orders=6, parents=PARENTS, random_state=0).fit(chain())
    names = [block.name for block in model.encoder_.layout_.blocks]
    for order in model.orders_:
        named = [names[j] for j in order]
        assert named.index("smokes") < named.index("lungs") < named.index("cough")
    for j, forest in model.forests_.items():
        assert {names[i] for i in forest.feature if i >= 0} == set(PARENTS[names[j]])
    assert len({tuple(order) for order in model.orders_}) > 1


def test_given_its_parent_a_column_is_independent_of_the_rest() -> None:
    """Cough given lungs does not depend on smoking in 20,000 rows, within 5 standard errors."""
    model = ts.SequentialTrees(parents=PARENTS, random_state=0).fit(chain())
    drawn = model.draw(20_000, random_state=1)
    cough, lungs, smokes = (np.array(drawn.values(n)) for n in ("cough", "lungs", "smokes"))
    for state in ("bad", "good"):
        shares = []
        for s in ("yes", "no"):
            at = (lungs == state) & (smokes == s)
            shares.append((np.mean(cough[at] == "yes"), at.sum()))
        (p, n), (q, m) = shares
        assert abs(p - q) < 5 * np.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    assert np.mean(cough[lungs == "bad"] == "yes") > 0.6  # and depends on its parent


def test_what_has_no_parents_still_has_effects() -> None:
    """Told that nothing causes smoking, and no more, lungs still follow it: 0.6 apart in truth."""
    model = ts.SequentialTrees(parents={"smokes": []}, random_state=0).fit(chain())
    drawn = model.draw(5_000, random_state=1)
    lungs, smokes = (np.array(drawn.values(n)) for n in ("lungs", "smokes"))
    shares = [np.mean(lungs[smokes == s] == "bad") for s in ("yes", "no")]
    assert shares[0] - shares[1] > 0.45


def test_a_model_with_parents_is_saved_and_loaded(tmp_path) -> None:
    model = ts.SequentialTrees(n_orders=2, parents=PARENTS, random_state=0).fit(chain())
    model.save(tmp_path / "m.tabseed")
    loaded = ts.load(tmp_path / "m.tabseed")
    assert loaded.sample(40).equals(model.sample(40)) and loaded.parents == PARENTS


def test_random_orders_keep_what_is_known() -> None:
    after = {3: frozenset({1, 2}), 1: frozenset({0}), 2: frozenset()}
    rng = np.random.default_rng(0)
    orders = {tuple(Structure(after=after).order(range(5), rng)) for _ in range(200)}
    for order in orders:
        assert order.index(0) < order.index(1) < order.index(3) > order.index(2)
    assert len(orders) > 10
    known = Structure(parents=after, after=after, forbidden={4: frozenset({3})})
    assert {tuple(known.order(range(5), rng)) for _ in range(50)} == {(2, 0, 1, 3, 4)}
    assert known.predictors([0, 4, 1, 2], 3) == [1, 2] and known.predictors([0, 4], 2) == []
    assert known.predictors([0, 3], 4) == [0]


def test_an_order_is_kept_and_a_forbidden_edge_is_not_used(tmp_path) -> None:
    known = {"order": ["town", "smokes", "cough"], "forbidden": {"cough": ["town", "lungs"]}}
    model = ts.SequentialTrees(n_orders=8, random_state=0, **known).fit(chain())
    names = [block.name for block in model.encoder_.layout_.blocks]
    for order in model.orders_:
        named = [names[j] for j in order]
        assert named.index("town") < named.index("smokes") < named.index("cough")
    (cough,) = (forest for j, forest in model.forests_.items() if names[j] == "cough")
    assert {names[i] for i in cough.feature if i >= 0} == {"smokes"}
    assert len({[names[j] for j in o].index("lungs") for o in model.orders_}) > 1
    model.save(tmp_path / "m.tabseed")
    assert ts.load(tmp_path / "m.tabseed").sample(40).equals(model.sample(40))


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"parents": {"cough": ["lung"]}}, "no column 'lung' in the table; did you mean 'lungs'"),
        ({"parents": {"cough": "lungs"}}, "is no list of columns"),
        ({"parents": {"cough": ["lungs"], "lungs": ["cough"]}}, "in a circle"),
        ({"parents": {"cough": ["lungs"]}, "order": ["cough", "lungs"]}, "in a circle"),
        ({"parents": {"cough": ["cough"]}}, "its own parent"),
        ({"order": ["cough", "cough"]}, "named twice"),
        (
            {
                "parents": {"cough": ["lungs"]},
                "monotone": {"cough": {"town": 1}},
                "forbidden": {"town": ["cough"]},
            },
            "neither may predict the other",
        ),
        ({"forbidden": {"cough": "lungs"}}, "is no list of columns"),
        (
            {"parents": {"cough": ["lungs"]}, "forbidden": {"cough": ["lungs"]}},
            "'lungs' is also a parent of 'cough'",
        ),
    ],
)
def test_what_is_no_structure_is_refused(known, words: str) -> None:
    with pytest.raises(SchemaError) as error:
        ts.SequentialTrees(n_orders=1, **known).fit(chain())
    assert words in str(error.value) and "\n" not in str(error.value)


# --- directions ---------------------------------------------------------------------------------


def few_people(seed: int, n: int = 60) -> ts.Table:
    """Income rises a little with schooling; so few rows show it badly."""
    rng = np.random.default_rng([19, seed])
    school = rng.integers(8, 19, n)
    age = np.round(rng.normal(45, 12, n))
    income = np.round(20 + 0.8 * school + 0.2 * age + 8 * rng.normal(size=n), 1)
    return ts.Table.from_frame(
        pa.table({"school": school, "age": age, "income": income, "high": income > 42}),
        kinds={"school": "integer", "age": "integer"},
    )


def falls(model: ts.SequentialTrees) -> float:
    """Return by how much the mean income falls, along schooling, in the model's law."""
    drawn = model.draw(60_000, random_state=1)
    school, income = drawn.numbers("school"), drawn.numbers("income")
    means = np.array([income[school == s].mean() for s in range(8, 19)])
    return float(-np.minimum(np.diff(means), 0).sum())


def test_a_known_direction_makes_falls_smaller() -> None:
    """Over five draws of 60 rows; other columns may still let the mean fall, so not all of it."""
    known = {"income": {"school": 1}}
    without, with_it = (
        np.mean([
            falls(ts.SequentialTrees(monotone=given, random_state=0).fit(few_people(seed)))
            for seed in range(5)
        ])
        for given in (None, known)
    )  # fmt: skip
    assert with_it < 0.8 * without


def test_directions_between_two_levels_and_numbers(tmp_path) -> None:
    known = {"high": {"school": 1, "age": 1}}
    model = ts.SequentialTrees(n_orders=6, monotone=known, random_state=0).fit(few_people(1, 200))
    drawn = model.draw(20_000, random_state=1)
    school, high = drawn.numbers("school"), np.array(drawn.values("high"))
    shares = [high[(school >= low) & (school < low + 4)].mean() for low in (8, 12, 15)]
    assert shares[0] < shares[1] < shares[2]
    model.save(tmp_path / "m.tabseed")
    assert ts.load(tmp_path / "m.tabseed").sample(30).equals(model.sample(30))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_wrong_sign_is_doubted_and_a_right_one_is_not(sign: int) -> None:
    """Twenty tables of 300 rows with a rank correlation near 0.3."""
    doubted = 0
    for seed in range(20):
        rng = np.random.default_rng([23, seed])
        x = rng.normal(size=300)
        y = 0.33 * x + rng.normal(size=300)
        table = ts.Table.from_frame(pa.table({"x": np.round(x, 2), "y": np.round(y, 2)}))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            ts.SequentialTrees(n_orders=1, n_trees=1, monotone={"y": {"x": sign}}).fit(table)
        doubted += any(issubclass(w.category, KnowledgeWarning) for w in said)
    assert doubted == 0 if sign == 1 else doubted >= 18


@pytest.mark.parametrize(
    ("monotone", "words"),
    [
        ({"income": {"school": 2}}, "has 1 or -1, not 2"),
        ({"income": {"income": 1}}, "no direction to itself"),
        ({"income": "school"}, "is no dict of columns"),
        ({"income": {"schol": 1}}, "did you mean 'school'"),
    ],
)
def test_what_is_no_direction_is_refused(monotone, words: str) -> None:
    with pytest.raises(SchemaError) as error:
        ts.SequentialTrees(n_orders=1, monotone=monotone).fit(few_people(0))
    assert words in str(error.value)
