"""PrivateMarginals with OpenDP: ledger, law, what is declared, files. A fit takes seconds."""

from __future__ import annotations

import json
import zipfile
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import MissingDependencyError, TabseedError, TooFewRowsError
from tabseed.generators.private.budget import epsilon_of
from tabseed.table.schema import Column, Schema

INSTALLED = find_spec("opendp") is not None and find_spec("mbi") is not None
with_opendp = pytest.mark.skipif(not INSTALLED, reason="needs pip install 'tabseed[private]'")
slow = pytest.mark.slow

PUBLIC = Schema(
    (
        Column("kind", "categorical", "12 distinct of 2000", categories=("a", "b", "never")),
        Column("x", "integer", "looks whole", range=(0, 39), missing=False),
    )
)
N = 2_000


def table(n: int = N) -> pa.Table:
    """Return rows of which the second column follows the first; some cells are not declared."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, n)
    x = np.clip(rng.normal(10 + 20 * kind, 4, n).round(), 0, 39).astype(int)
    levels = np.where(rng.random(n) < 0.05, "secret level", np.array(["a", "b"])[kind])
    return pa.table({"kind": pa.array(levels, mask=rng.random(n) < 0.1), "x": x})


@pytest.fixture(scope="module")
def exact() -> ts.PrivateMarginals:
    """Learn with so much budget that noise hardly matters."""
    if not INSTALLED:
        pytest.skip("needs pip install 'tabseed[private]'")
    return ts.PrivateMarginals(100, 1e-6, PUBLIC, bins=8).fit(table())


@pytest.fixture(scope="module")
def noisy() -> tuple[ts.PrivateMarginals, ts.PrivateMarginals]:
    """Learn twice by MST, with the same seed."""
    if not INSTALLED:
        pytest.skip("needs pip install 'tabseed[private]'")
    one, two = (
        ts.PrivateMarginals(1, 1e-6, PUBLIC, "mst", bins=8, anyway=True, random_state=3)
        for _ in range(2)
    )
    return one.fit(table()), two.fit(table())


@slow
def test_the_ledger_adds_up_to_what_was_asked(exact, noisy) -> None:
    for model in (exact, *noisy):
        spent = [line.rho for line in model.ledger_]
        assert min(spent) >= 0 and sum(spent) == pytest.approx(model.rho_, rel=1e-9)
        assert model.epsilon * (1 - 1e-6) < epsilon_of(sum(spent), model.delta) <= model.epsilon
        counted = "the number of rows" in [line.what for line in model.ledger_]
        assert counted is (not model.anyway)
    first = {line.what: line.rho / exact.rho_ for line in exact.ledger_}
    assert first["the number of rows"] == pytest.approx(0.02)
    assert first["noisy counts of each column"] == pytest.approx(0.49)
    assert first["choosing sets of columns"] == pytest.approx(0.049)


@slow
def test_known_counts_come_out_right_with_a_large_budget(exact) -> None:
    """Each cell of the pair, within 6 sd of its noise; so is the number of rows."""
    real = ts.Table.from_frame(table(), schema=PUBLIC)
    codes = real.codes("kind")
    kind = np.where(codes < 0, 3, codes)
    cells = np.zeros((4, 8))
    np.add.at(cells, (kind, (real.numbers("x") // 5).astype(int)), 1)
    (counts,) = [c for c in exact.tree_.counts if c.ndim == 2]
    pairs = sum(line.rho for line in exact.ledger_ if "counts of" in line.what)
    sd = (1 / (2 * pairs / 8)) ** 0.5  # each of a few counts has at least an eighth of that
    assert np.abs(counts[:, :8] - cells).max() < 6 * sd + 1
    assert counts[:, 8].max() == 0  # x has no missing cells, as declared
    assert abs(exact.n_rows_ - N) < 6 * sd * 32**0.5


@slow
def test_only_what_is_declared_is_drawn_and_all_of_it_can_be(exact, noisy) -> None:
    for model in (exact, *noisy):
        drawn = model.sample(20_000)
        assert set(drawn["kind"].to_pylist()) <= {"a", "b", "never", None}
        assert drawn["kind"].null_count > 0 == drawn["x"].null_count
        x = drawn["x"].to_numpy()
        assert x.min() >= 0 and x.max() <= 39
        for counts in model.tree_.counts:
            assert (counts[:, :8] > 0).all() if counts.ndim == 2 else (counts[:-1] > 0).all()
    x = exact.sample(4_000, conditions={"kind": "b", "x": (5, None)})["x"].to_numpy()
    assert 28 < x.mean() < 32 and x.min() >= 5


@slow
def test_the_seed_decides_draws_and_never_the_noise(noisy) -> None:
    one, two = noisy
    assert not np.array_equal(one.tree_.counts[0], two.tree_.counts[0])
    assert one.sample(50).equals(one.sample(50))
    assert one.sample(50, random_state=1).equals(one.sample(50, random_state=1))
    assert not one.sample(50, random_state=1).equals(one.sample(50, random_state=2))


@slow
def test_a_model_file_draws_the_same_rows_and_holds_only_what_is_public(exact, tmp_path) -> None:
    exact.save(tmp_path / "m.tabseed")
    again = ts.load(tmp_path / "m.tabseed")
    assert again.summary() == exact.summary() and again.ledger_ == exact.ledger_
    assert again.sample(100).equals(exact.sample(100))
    with zipfile.ZipFile(tmp_path / "m.tabseed") as archive:
        texts = {n: archive.read(n).decode() for n in archive.namelist() if n.endswith(".json")}
    config = json.loads(texts["config.json"])
    assert config["n_rows"] == exact.n_rows_
    for text in texts.values():
        assert "secret" not in text and "distinct" not in text and "whole" not in text
    assert config["holds"]["rows"] is False


@slow
def test_the_summary_states_the_guarantee(exact) -> None:
    said = "\n".join(exact.summary())
    assert "epsilon 100, delta 1e-06, for adding or removing one row; by AIM of OpenDP" in said
    assert "2.0% the number of rows, 49.0% noisy counts of each column" in said
    assert "all levels of 1, the range of 1, no missing cells in 1" in said
    assert "a model file holds no training row" in said


@with_opendp
@slow
@pytest.mark.filterwarnings("error")
def test_too_few_rows_are_refused_before_the_table_is_released() -> None:
    with pytest.raises(TooFewRowsError) as caught:
        ts.PrivateMarginals(1, 1e-6, PUBLIC).fit(table(60))
    line = str(caught.value)
    assert "for 5 encoded columns" in line and "--anyway" in line and "cost epsilon" in line
    assert "\n" not in line


@with_opendp
def test_mst_needs_two_columns() -> None:
    model = ts.PrivateMarginals(public=Schema(PUBLIC.columns[:1]), method="mst", anyway=True)
    with pytest.raises(TabseedError, match="two columns"):
        model.fit(table())


@pytest.mark.skipif(INSTALLED, reason="OpenDP is installed")
def test_without_opendp_one_line_says_how_to_install_it() -> None:
    with pytest.raises(MissingDependencyError, match=r'pip install "tabseed\[private\]"'):
        ts.PrivateMarginals(public=PUBLIC).fit(table())


def test_what_no_budget_pays_for_is_refused() -> None:
    model = ts.PrivateMarginals(public=PUBLIC)
    for name in ("encoder", "checkpoint", "watch"):
        value = {"encoder": ts.TableEncoder().fit(ts.Table.from_frame(table()))}.get(name, print)
        with pytest.raises(TabseedError, match=f"takes no {name}"):
            model.fit(table(), **{name: value})
    with pytest.raises(TabseedError, match="epsilon=0"):
        ts.PrivateMarginals(0, public=PUBLIC).fit(table())
    with pytest.raises(TabseedError, match="public="):
        ts.PrivateMarginals(public={"kind": "x"}).fit(table())
