"""Rules between columns: found where rows were made by one, and only there."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from helpers.divergence import judge
from tabseed.metrics.judge_encoder import JudgeEncoder
from tabseed.metrics.rules import check_rules
from tabseed.rules.patterns import Evidence, Order
from tabseed.rules.search import find_rules
from tabseed.table import Table

N = 200
Columns = dict[str, np.ndarray]


def bill(rng: np.random.Generator, n: int = N) -> Columns:
    net = rng.lognormal(4, 0.5, n).round(2)
    tax = (net * rng.choice([0.07, 0.19], n)).round(2)
    return {"net": net, "tax": tax, "gross": (net + tax).round(2)}


def body(rng: np.random.Generator, n: int = N) -> Columns:
    height = rng.normal(1.7, 0.1, n).round(2)
    weight = rng.normal(75, 14, n).round(1)
    return {"weight": weight, "height": height, "bmi": (weight / height**2).round(1)}


def body_cm(rng: np.random.Generator, n: int = N) -> Columns:
    table = body(rng, n)
    return {**table, "height": (table["height"] * 100).round()}


def heat(rng: np.random.Generator, n: int = N) -> Columns:
    celsius = rng.normal(37, 0.8, n).round(1)
    return {"c": celsius, "f": (1.8 * celsius + 32).round(1)}


def score(rng: np.random.Generator, n: int = N) -> Columns:
    items = {f"item{i}": rng.integers(0, 40, n).astype(float) for i in range(5)}
    return {**items, "total": sum(items.values())}


def order(rng: np.random.Generator, n: int = N) -> Columns:
    dia = rng.normal(80, 10, n).round()
    return {"dia": dia, "sys": dia + rng.gamma(2, 10, n).round()}


def stay(rng: np.random.Generator, n: int = N) -> Columns:
    begin = np.datetime64("2024-01-01") + rng.integers(0, 400, n)
    days = rng.integers(0, 90, n)
    return {"in": begin, "out": begin + days, "days": days.astype(float)}


def age(rng: np.random.Generator, n: int = N) -> Columns:
    born = np.datetime64("1940-01-01") + rng.integers(0, 20_000, n)
    seen = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    years = (seen - born).astype(int) // 365.25
    return {"born": born, "seen": seen, "age": years}


def lab(rng: np.random.Generator, n: int = N) -> Columns:
    absent = rng.random(n) < 0.4
    value = np.where(absent, np.nan, rng.normal(5, 1, n).round(2))
    day = (np.datetime64("2024-01-01") + rng.integers(0, 400, n)).astype("datetime64[D]")
    day[absent] = np.datetime64("NaT", "us")
    return {"value": value, "taken": day}


def cost(rng: np.random.Generator, n: int = N) -> Columns:
    price, count = rng.lognormal(2, 0.5, n).round(2), rng.integers(1, 60, n).astype(float)
    return {"price": price, "count": count, "total": (price * count).round(2)}


def pressure(rng: np.random.Generator, n: int = N) -> Columns:
    dia = rng.normal(80, 10, n).round()
    top = rng.normal(130, 15, n).round()
    return {"top": top, "low": dia, "mean": ((top + 2 * dia) / 3).round(1)}


def percent(rng: np.random.Generator, n: int = N) -> Columns:
    part, whole = rng.integers(5, 90, n).astype(float), rng.integers(100, 900, n).astype(float)
    return {"part": part, "whole": whole, "percent": (100 * part / whole).round(1)}


KINDS: dict[str, tuple[Callable[..., Columns], str]] = {
    "sum": (bill, "gross = net + tax"),
    "quotient with a square": (body, "bmi = weight / height ^ 2"),
    "in centimetres": (body_cm, "bmi = 10000 * weight / height ^ 2"),
    "line": (heat, "f = 1.8 * c + 32"),
    "total": (score, "total = item0 + item1 + item2 + item3 + item4"),
    "order": (order, "dia <= sys"),
    "duration": (stay, 'days = out - "in"'),
    "age": (age, "age = (seen - born) / 365.25"),
    "missing": (lab, "value missing <-> taken missing"),
    "weighted sum": (pressure, "mean = 0.3333333333 * top + 0.6666666667 * low"),
    "percent": (percent, "part = 0.01 * whole * percent"),
    "product": (cost, "total = price * count"),
}


def table(columns: Columns) -> Table:
    """Return a table with two columns more, which have nothing to do with the others."""
    n = len(next(iter(columns.values())))
    rng = np.random.default_rng(77)
    more = {"noise": rng.normal(size=n).round(2), "sex": rng.choice(["f", "m"], n)}
    arrays = {k: pa.array(v, from_pandas=True) for k, v in {**columns, **more}.items()}
    kinds = {k: "continuous" for k, v in columns.items() if v.dtype.kind == "f"}
    return Table.from_frame(pa.table(arrays), kinds=kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_by_which_rows_were_made_is_found_alone(kind: str) -> None:
    make, text = KINDS[kind]
    rules = find_rules(table(make(np.random.default_rng(1))))
    assert text in [rule.text for rule in rules]
    assert not any({"noise", "sex"} & set(rule.columns) for rule in rules)


@pytest.mark.parametrize("kind", KINDS)
def test_new_rows_of_the_law_keep_it_and_shuffled_ones_do_not(kind: str) -> None:
    make, text = KINDS[kind]
    rng = np.random.default_rng(2)
    train = table(make(rng))
    fresh, torn = table(make(rng)), table({k: rng.permutation(v) for k, v in make(rng).items()})
    found = {kept.rule: kept for kept in check_rules(find_rules(train), [train, fresh], torn)}
    assert found[text].broken and found[text].n_real_broken <= 0.02 * 2 * N
    assert found[text].share > 0.1
    again = check_rules(find_rules(train), [train], fresh)
    assert not any(kept.broken for kept in again)


def test_few_wrong_cells_do_not_hide_an_equation() -> None:
    columns = bill(np.random.default_rng(3))
    columns["gross"][[5, 50]] *= 10
    (rule,) = find_rules(table(columns))
    assert rule.text == "gross = net + tax"
    assert rule.evidence == Evidence(N, N - 2, rule.evidence.by_chance)
    assert np.flatnonzero(rule.broken(table(columns))).tolist() == [5, 50]


def test_columns_without_rules_have_none() -> None:
    """30 tables of dependent columns, some of few values: a rule has probability 1e-6 each."""
    for seed in range(30):
        rng = np.random.default_rng([4, seed])
        z = rng.normal(size=80)
        few = {f"n{i}": np.round(2 * z + 2 * rng.normal(size=80)) for i in range(4)}
        fine = {f"x{i}": (z + 0.5 * rng.normal(size=80)).round(2) for i in range(4)}
        assert find_rules(table({**few, **fine})) == ()


def test_an_order_that_nothing_could_break_is_no_rule() -> None:
    rng = np.random.default_rng(5)
    apart = {"small": rng.random(N).round(3), "large": 10 + rng.random(N).round(3)}
    assert find_rules(table(apart)) == ()


def test_orders_are_listed_without_what_follows() -> None:
    rng = np.random.default_rng(6)
    a = rng.normal(size=N).round(2)
    b = a + rng.gamma(1, 0.5, N).round(2)
    rules = find_rules(table({"a": a, "b": b, "c": b + rng.gamma(1, 0.5, N).round(2)}))
    assert [rule.text for rule in rules] == ["a <= b", "b <= c"]


def test_broken_rows_by_hand() -> None:
    rule = Order(None, "a", "b")
    frame = Table.from_frame(
        pa.table({"a": [1.5, 2.5, None, 0.5], "b": [2.5, 1.5, 1.5, 0.5]}),
        kinds={"a": "continuous", "b": "continuous"},
    )
    np.testing.assert_array_equal(rule.broken(frame), [0, 1, np.nan, 0])
    (kept,) = check_rules([rule], [frame], frame)
    assert str(kept) == "a <= b holds in 2 of 3 real rows; 1 of 3 synthetic rows break it"
    assert not kept.broken  # real rows break it as often


def test_coded_items_and_their_total() -> None:
    rng = np.random.default_rng(9)
    items = {f"q{i}": rng.integers(1, 6, N) for i in range(4)}
    whole = Table.from_frame(pa.table({**items, "total": sum(items.values())}))
    assert [rule.text for rule in find_rules(whole)] == ["total = q0 + q1 + q2 + q3"]


def test_random_tables_are_searched_without_complaint() -> None:
    """Gaps, constants, columns made of others, all sizes of numbers; warnings are errors here."""
    for seed in range(40):
        rng = np.random.default_rng([10, seed])
        columns: Columns = {"x": rng.normal(size=30)}
        for name in "abcdef":
            other = columns[rng.choice(list(columns))]
            made = [
                other * 1.5 + 2,
                other * columns["x"],
                np.full(30, 7.0),
                10.0 ** rng.uniform(-40, 40, 30),
                rng.integers(0, 3, 30) * 1.0,
            ]
            columns[name] = np.where(
                rng.random(30) < rng.choice([0, 0.5, 0.9]), np.nan, made[rng.integers(5)]
            )
        whole = table(columns)
        rules = find_rules(whole)
        assert not any(kept.broken for kept in check_rules(rules, [whole], whole))
        inputs = JudgeEncoder(rules=rules).encode(whole, whole)
        assert np.isfinite(inputs.mlp).all()


def test_few_rows_and_odd_columns_are_searched_without_complaint() -> None:
    day = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(30)]
    frame = pa.table(
        {
            "none": pa.nulls(30, pa.float64()),
            "constant": np.full(30, 2.0),
            "zero": np.zeros(30),
            "day": day,
            "huge": np.arange(30) * 1e140,
            "negative": -np.arange(30) / 7,
        }
    )
    whole = Table.from_frame(frame, kinds={"none": "continuous", "negative": "continuous"})
    find_rules(whole)
    assert find_rules(whole.take([0, 1, 2])) == ()


@pytest.mark.slow
def test_judges_see_that_a_rule_is_broken() -> None:
    """Columns by themselves and in pairs are right; only the arithmetic is not."""
    rng = np.random.default_rng(7)
    real, fake = bill(rng, 100), bill(rng, 200)
    fake["gross"] = (fake["gross"] * rng.uniform(0.9, 1.1, 200)).round(2)
    tables, views = (table(real), table(fake)), ("plain", "coarse")
    assert judge(*tables, repeats=1).js.value < 0.3
    told = judge(*tables, train=table(bill(rng, 150)), views=views, repeats=1)
    assert told.js.value > 0.8
    assert told.js_coarse.low > 0


@pytest.mark.slow
def test_rules_raise_no_false_alarm() -> None:
    """12 pairs of one law with rules, intervals of 95 %: more than 3 misses: probability 0.002."""
    misses = 0
    for seed in range(12):
        rng = np.random.default_rng([8, seed])
        train, real, fake = (table({**bill(rng, n), **order(rng, n)}) for n in (100, 60, 100))
        js = judge(real, fake, seed, train=train).js
        misses += not js.low <= 0 <= js.high
    assert misses <= 3


def test_numbers_that_divide_by_almost_nothing_keep_no_rule_and_warn_of_none() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = Table.from_frame(
            pa.table({"a": [0.0] * 10 + [5e-324], "b": [1e150] * 5 + [1.0] * 6})
        )
        assert not any(kept.broken for kept in check_rules(find_rules(table), (table,), table))
