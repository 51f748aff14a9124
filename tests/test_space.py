"""Spaces of settings: every value has a coordinate that gives it back."""

from __future__ import annotations

import inspect
import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from tabseed.errors import TabseedError
from tabseed.generators import GENERATORS, generator_class
from tabseed.space import Choice, Dimension, Float, Int, Space
from tabseed.tune.proposal import sobol

COORDINATE = st.floats(0.0, 1.0)


@st.composite
def dimensions(draw: st.DrawFn) -> Dimension:
    kind = draw(st.sampled_from(("Int", "Float", "Choice")))
    if kind == "Choice":
        values = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
        return Choice(tuple(draw(st.lists(values, min_size=2, max_size=6, unique_by=repr))))
    log = draw(st.booleans())
    if kind == "Int":
        low = draw(st.integers(1 if log else -1000, 1000))
        return Int(low, low + draw(st.integers(1, 100_000)), log=log)
    low = draw(st.floats(1e-6 if log else -1e3, 1e3))
    return Float(low, low + draw(st.floats(1e-2, 1e6)), log=log)


@given(dimensions(), COORDINATE)
def test_a_value_has_the_coordinate_that_gives_it(dimension: Dimension, u: float) -> None:
    value = dimension.value(u)
    coordinate = dimension.coordinate(value)
    assert 0 <= coordinate <= 1
    again = dimension.value(coordinate)
    if isinstance(dimension, Float):  # 6 digits are kept
        assert dimension.low <= value <= dimension.high
        assert math.isclose(again, value, rel_tol=1e-5, abs_tol=1e-5 * abs(dimension.high))
    else:
        assert again == value and type(again) is type(value)
        features = dimension.features(np.array([u, coordinate]))
        np.testing.assert_allclose(features[0], features[1], atol=1e-12)


@given(dimensions(), dimensions())
def test_spaces_survive_json(first: Dimension, second: Dimension) -> None:
    space = Space({"a": first, "b": second})
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again.dimensions == space.dimensions


def test_every_whole_number_and_choice_is_as_likely_as_the_others() -> None:
    even = (np.arange(6000) + 0.5) / 6000
    for dimension in (Int(-1, 4), Choice(("a", "b", None, True, 1, 1.5))):
        counts = Counter(repr(dimension.value(u)) for u in even)  # 1 is not True
        assert len(counts) == 6 and set(counts.values()) == {1000}
    shares = Counter(map(Int(1, 3, log=True).value, even))  # k: log of (k + 1/2) / (k - 1/2)
    for k in (1, 2, 3):
        expected = math.log((k + 0.5) / (k - 0.5)) / math.log(7)
        assert shares[k] / 6000 == pytest.approx(expected, abs=1 / 3000)


def test_the_grid_holds_every_point_once() -> None:
    space = Space({"n": Int(1, 3, log=True), "c": Choice((False, "x"))})
    points = [tuple(space.settings(u).values()) for u in space.grid()]
    assert points == [(n, c) for n in (1, 2, 3) for c in (False, "x")]
    assert Space({}).grid().shape == (1, 0) and Space({}).size == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Int(1.5, 2),
        lambda: Int(True, 3),
        lambda: Int(3, 3),
        lambda: Float(0.0, 1.0, log=True),
        lambda: Float(0.0, math.inf),
        lambda: Choice(("a",)),
        lambda: Choice(("a", "a")),
        lambda: Choice(("a", [1])),
        lambda: Choice("ab"),
        lambda: Space({"a": 3}),
        lambda: Space({"a": Int(1, 2)}).point({"a": 3}),
        lambda: Space({"a": Int(1, 2)}).point({"b": 1}),
        lambda: Space({"a": Choice((1, 2))}).point({"a": True}),
    ],
)
def test_unsound_spaces_are_refused(make) -> None:
    with pytest.raises(TabseedError) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_declare_spaces_that_hold_their_defaults(name: str) -> None:
    cls = generator_class(name)
    parameters = inspect.signature(cls.__init__).parameters
    space = Space(cls.search_space)
    assert set(space.dimensions) <= set(parameters)
    space.point({k: parameters[k].default for k in space.dimensions})  # raises where one is out


@pytest.mark.parametrize("name", ["trees", "arf", "copula", "smote"])
def test_sampled_settings_fit(name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    frame = {"x": x, "y": (x + rng.normal(size=40)).round(1), "c": np.where(x > 0, "a", "b")}
    import pyarrow as pa

    table, model = pa.table(frame), generator_class(name)(random_state=0)
    space = Space(model.search_space)
    if name == "arf":
        model.set_params(n_trees=5)
    for u in sobol(len(space), 4, rng):
        tuned = clone(model).set_params(**space.settings(u))
        assert tuned.fit(table).sample(7).num_rows == 7
