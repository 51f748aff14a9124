"""A comparison end to end: order, ties, equally many rows, hostile names, errors."""

from __future__ import annotations

import json
import re
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from helpers.evaluating import few_refits
from tabseed.errors import LeakageError, SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.splits import holm
from tabseed.evaluation import comparison
from tabseed.evaluation.comparison import Comparison, compare
from tabseed.evaluation.differences import DECISIVE, MEASURES
from tabseed.generators.copula import GaussianCopula
from tabseed.metrics import divergence
from tabseed.metrics.divergence_result import Plan

pytestmark = pytest.mark.slow  # each judges two tables or more

NAMES = ("real", "copula", "shuffled")


@pytest.fixture(scope="module", autouse=True)
def brief():
    with few_refits():
        yield


def rows(n: int, seed: int) -> pa.Table:
    """A copula catches that y grows with x, not that w grows with |x|."""
    rng = np.random.default_rng([200, seed])
    x = rng.normal(size=n)
    y = x + 0.2 * rng.normal(size=n)
    w = np.abs(x) + 0.02 * rng.normal(size=n)
    return pa.table({"x": x, "y": y, "w": w, "far": np.where(np.abs(x) > 0.7, "yes", "no")})


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    order = {name: pa.array(rng.permutation(len(table))) for name in table.column_names}
    return pa.table({name: table[name].take(at) for name, at in order.items()})


@pytest.fixture(scope="module")
def three(brief) -> Comparison:
    train = rows(200, 0)
    copula = GaussianCopula(random_state=0).fit(train).sample(200)
    tables = {"real": rows(200, 1), "copula": copula, "shuffled": shuffled(rows(200, 2), 3)}
    with pytest.MonkeyPatch.context() as patch:  # of two repeats the spread is hardly known
        patch.setattr(divergence, "plan", lambda _: Plan(3, 3, 1))
        patch.setattr(comparison, "HALVES", 6)
        return compare(train, tables, rows(150, 4), n_jobs=1)


def test_another_real_sample_beats_a_copula_and_that_beats_shuffled_columns(three) -> None:
    """All three are told apart by likeness: paired intervals exclude 0."""
    assert three.unbeaten("js") == ["real"]
    for d in three.between("js"):
        assert d.high < 0 and d.p_holm < 0.05 and d.better == d.first
    assert three.verdict.startswith("'real' is nearest to the real rows, beyond chance: 0.")
    assert "less than 'copula'" in three.verdict
    # each column on its own has the law of the real rows, shuffled or not
    (alone,) = (d for d in three.between("margins") if (d.first, d.second) == ("real", "shuffled"))
    assert alone.low < 0 < alone.high and alone.better is None


def test_differences_are_those_of_the_values_and_pairs_are_paid_for(three) -> None:
    for d in three.differences:
        first, second = (three.tables[name].estimates[d.measure] for name in (d.first, d.second))
        assert d.value == pytest.approx(first.value - second.value, abs=1e-12)
        assert d.low <= d.value <= d.high and d.would_show > 0
        assert d.p_holm >= d.p
    assert [d.measure for d in three.differences] == [
        key for key in MEASURES if key != "cost" for _ in range(3)
    ]
    assert [(d.first, d.second) for d in three.between("kl")] == list(combinations(NAMES, 2))
    for family in (DECISIVE, ("margins",)):
        found = [d for d in three.differences if d.measure in family]
        adjusted = holm(np.array([d.p for d in found]))
        assert [d.p_holm for d in found] == pytest.approx(adjusted.tolist())


def test_the_answer_has_every_measure_of_every_table(three) -> None:
    table = three.rows()
    assert len(table) == 6 * (3 + 1 + 3)
    titles = {measure.title for key, measure in MEASURES.items() if key != "cost"}
    assert {row["measure"] for row in table} == titles
    data = json.loads(three.to_json())
    assert set(data["tables"]) == set(NAMES) and len(data["differences"]) == 18
    assert "log_ratios" not in three.to_json()


@pytest.fixture(scope="module")
def twice(brief) -> Comparison:
    """The same rows twice under hostile names, and more of them; without a target."""
    same = rows(90, 1)
    names = ["<script>alert(1)</script>", "a\x1b[31m\nb", "copies"]
    train = rows(80, 0)
    copies = train.take(pa.array(np.arange(120) % 80))
    return compare(train, dict(zip(names, (same, same, copies), strict=True)), rows(40, 4))


def test_the_same_rows_differ_by_exactly_nothing(twice) -> None:
    a, b, _ = twice.tables
    pairs = [d for d in twice.differences if (d.first, d.second) == (a, b)]
    assert len(pairs) == 6
    for d in pairs:
        assert d.value == 0 and d.low < 0 < d.high and d.p == 1 and d.better is None
    assert f"{a!r} and {b!r} hold the same rows." in twice.notes


def test_what_cannot_be_told_reaches_as_far_as_judges_would_miss(twice) -> None:
    a, b, _ = twice.tables
    limit = twice.tables[a].divergence.smallest_js
    assert all(t.divergence.smallest_js == limit for t in twice.tables.values())
    (js,) = (d for d in twice.between("js") if (d.first, d.second) == (a, b))
    assert js.would_show >= limit and js.high >= limit and js.low <= -limit
    assert "held-out rows cannot tell; they would show a difference of" in twice.verdict


def test_a_larger_table_is_judged_by_as_many_rows_but_all_its_copies_are_counted(twice) -> None:
    *_, copies = twice.tables
    assert twice.n_compared == 90
    assert {t.divergence.n_synthetic for t in twice.tables.values()} == {90}
    assert twice.tables[copies].copies.n_equal == twice.tables[copies].n_rows == 120
    assert "90 rows of each table are judged, drawn at random ('copies' has 120)" in twice.notes[0]
    assert "'copies': These synthetic rows are copies: 120 of 120" in twice.verdict
    assert "Likeness by copying is no merit" not in twice.verdict  # no table is called nearest
    a, b, _ = twice.tables
    assert [d.better for d in twice.between("copies")] == [None, a, b]


def test_names_are_text_and_never_markup(twice) -> None:
    page = twice.to_html()
    assert "<script" not in page and "\x1b" not in page and "alert(1)" in page
    assert not re.search(r"""(src|href)\s*=|url\(|@import""", page)


def test_same_seed_same_comparison_for_any_frame_and_order_in_progress() -> None:
    train, held = rows(20, 0), rows(10, 1)
    tables = {"a": rows(24, 2), "b": rows(20, 3)}
    seen: list[tuple[int, int, str]] = []
    one = compare(train, tables, held, progress=lambda *step: seen.append(step))
    frames = {name: table.to_pandas() for name, table in tables.items()}
    two = compare(train.to_pandas(), frames, held.to_pandas(), n_jobs=2)
    assert one == two and one.rows() == two.rows()
    done = [step[0] for step in seen]
    assert done == sorted(done) and done[0] == 0 and done[-1] == seen[-1][1] == 100


def test_errors_name_the_table() -> None:
    train, held = rows(40, 0), rows(20, 1)
    good = rows(40, 2)
    with pytest.raises(TabseedError, match="holds 1 table; a comparison needs at least two"):
        compare(train, {"a": good}, held)
    with pytest.raises(TabseedError, match=r"the name 3 of a synthetic table is not text"):
        compare(train, {"a": good, 3: good}, held)
    with pytest.raises(TooFewRowsError, match=r"synthetic 'b' table has 19 rows; .* at least 20"):
        compare(train, {"a": good, "b": rows(19, 3)}, held)
    with pytest.raises(SchemaError, match=r"synthetic 'b' table: column 'x' is missing"):
        compare(train, {"a": good, "b": good.drop_columns("x")}, held)
    with pytest.raises(SchemaError, match=r"no column 'fat'.*did you mean 'far'"):
        compare(train, {"a": good, "b": good}, held, target="fat")
    with pytest.raises(LeakageError, match="20 of 20 held-out rows equal a training row"):
        compare(train, {"a": good, "b": good}, train.slice(0, 20))
