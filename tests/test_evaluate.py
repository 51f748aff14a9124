"""Evaluation end to end, leakage, and the marginal distances."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tabseed.errors import LeakageError, SchemaError, TooFewRowsError
from tabseed.evaluation.evaluation import evaluate
from tabseed.metrics import METRICS, MarginalDistance, Metric, check_leakage, divergence
from tabseed.metrics.leakage import pooled_codes, row_keys
from tabseed.table import Table

DATA = Path(os.environ.get("TABSEED_DATA", "data"))


def people(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([100, seed])
    z = rng.normal(size=n)
    age = np.round(40 + 12 * z + rng.normal(size=n), 1)
    age[rng.random(n) < 0.1] = np.nan
    return pa.table(
        {
            "person_id": [f"p{seed}-{i}" for i in range(n)],
            "age": age,
            "größe": rng.normal(size=n) + z,
            "job": np.array(["low", "mid", "high"])[np.digitize(z, [-0.5, 0.7])],
        }
    )


@pytest.fixture(scope="module", autouse=True)
def brief():
    """Fewer refits than by default: these tests are about the assembly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(divergence, "plan", lambda _: divergence.Plan(3, 2, 3))
        yield


@pytest.fixture(scope="module")
def good(brief):
    return evaluate(people(150, 0), people(300, 1), people(80, 2), target="job", n_jobs=2)


def test_evaluation_holds_every_number_and_its_reference(good) -> None:
    assert (good.n_train, good.n_synthetic, good.n_holdout) == (150, 300, 80)
    assert good.columns == ("age", "größe", "job")
    assert list(good.left_out) == ["person_id"] and "left out" in good.left_out["person_id"]
    assert good.overlap.n_equal == 0 and good.overlap.n_holdout == 80
    for metric in ("divergence", "marginal"):
        for found in (getattr(good, metric), getattr(good, f"{metric}_reference")):
            assert found.headline.low <= found.headline.value <= found.headline.high
    assert good.divergence.js.low <= 0  # drawn from the same law
    assert set(good.marginal.columns) == set(good.columns)


def test_evaluation_is_json_without_nan(good) -> None:
    found = json.loads(good.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert found == json.loads(json.dumps(good.to_dict()))
    assert found["settings"]["random_state"] == 0
    assert found["settings"]["target"] == "job"
    assert found["metrics"]["divergence"]["headline"]["unit"] == "bits"


def test_verdict_says_what_cannot_be_told(good) -> None:
    limit = good.divergence.smallest_js
    assert f"With 80 holdout rows a JS below {limit:.2g}" in good.verdict
    assert f"{good.divergence.js.value:.3f} bits".replace("-0.000", "0.000") in good.verdict
    assert "training rows" in good.verdict and "twentieth" in good.verdict


def test_a_bad_table_is_told_and_the_verdict_does_not_excuse_it() -> None:
    fake = people(300, 1)
    rng = np.random.default_rng(0)
    torn = pa.table({name: fake[name].take(rng.permutation(300)) for name in fake.column_names})
    torn = torn.set_column(2, "größe", pa.array(rng.normal(size=300) + 3))
    found = evaluate(people(150, 0), torn, people(80, 2), n_jobs=2)
    assert found.divergence.js.low > 0.2
    assert found.marginal.headline.low > found.marginal_reference.headline.high
    assert "cannot be told" not in found.verdict


def test_same_seed_same_evaluation_and_progress_in_order() -> None:
    seen: list[tuple[int, int, str]] = []
    tables = people(40, 0), people(40, 1), people(12, 2)
    one = evaluate(*tables, n_jobs=1, progress=lambda *step: seen.append(step))
    two = evaluate(*(t.to_pandas() for t in tables), n_jobs=1)
    assert one == two  # settings (seconds) take no part
    assert evaluate(*tables, n_jobs=1, random_state=1) != one
    done = [step[0] for step in seen]
    assert done == sorted(done) and done[-1] == seen[-1][1]


def test_errors_name_the_table() -> None:
    train = people(40, 0)
    with pytest.raises(TooFewRowsError, match=r"holdout table has 9 rows; .* at least 10"):
        evaluate(train, people(40, 1), people(9, 2))
    with pytest.raises(SchemaError, match="synthetic table: column 'age' is missing"):
        evaluate(train, people(40, 1).drop_columns("age"), people(20, 2))
    with pytest.raises(SchemaError, match=r"no column 'jobs'.*did you mean 'job'"):
        evaluate(train, people(40, 1), people(20, 2), target="jobs")
    with pytest.raises(LeakageError, match="20 of 20 held-out rows equal a training row"):
        evaluate(train, people(40, 1), train.slice(0, 20))


# --- leakage ------------------------------------------------------------------------------------


def tables(*frames: object) -> list[Table]:
    first = Table.from_frame(frames[0])
    first = first.select(first.schema.modelled)
    return [first, *(Table.from_frame(f, schema=first.schema) for f in frames[1:])]


def test_row_keys_agree_with_comparing_rows() -> None:
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {
                "x": rng.choice([0.5, 1.5, np.nan], n),
                "c": rng.choice(["a", "b", None], n),
                "b": rng.choice([True, False], n),
            }
        )
        for n in (40, 30)
    ]
    left, right = row_keys(tables(*frames))
    rows = [[tuple(map(str, row)) for row in f.itertuples(index=False)] for f in frames]
    expected = [[a == b for b in rows[1]] for a in rows[0]]
    assert (left[:, None] == right[None, :]).tolist() == expected


def test_unseen_values_share_a_code_across_tables_and_differ_from_missing() -> None:
    first, *rest = tables(
        pa.table({"c": ["a", "b", "a"] * 5}),
        pa.table({"c": ["z", None, "b"]}),
        pa.table({"c": ["y", "z", "a"]}),
    )
    left, right = pooled_codes([first, *rest], "c")[1:]
    assert left[0] == right[1] and right[0] != left[0]
    assert left[1] == -1 and left[2] == 1 and right[2] == 0


@pytest.mark.parametrize("shares", [0.0, 0.1, 0.5, 1.0])
def test_leak_of_continuous_rows(shares: float) -> None:
    """Training rows among the held-out ones: 10 % of 100 and more must raise, none must not."""
    rng = np.random.default_rng(1)
    train, fresh = rng.normal(size=200), rng.normal(size=100)
    k = round(shares * 100)
    holdout = np.concatenate([train[:k], fresh[k:]])
    pair = tables(pa.table({"x": train}), pa.table({"x": holdout}))
    if k:
        with pytest.raises(LeakageError, match=f"{k} of 100"):
            check_leakage(*pair)
    else:
        assert check_leakage(*pair).n_equal == 0


def test_the_same_table_twice_raises_at_any_repetition() -> None:
    rng = np.random.default_rng(2)
    for values in (
        rng.normal(size=10),
        rng.integers(0, 5, 300) + 0.5,
        rng.choice(["yes", "no"], 57),
        rng.zipf(1.5, 500) + 0.5,
    ):
        pair = tables(pa.table({"x": values}), pa.table({"x": values}))
        with pytest.raises(LeakageError):
            check_leakage(*pair)


def test_a_constant_table_leaks_nothing() -> None:
    pair = tables(pa.table({"x": ["a"] * 30}), pa.table({"x": ["a"] * 30}))
    assert check_leakage(*pair).n_expected == 30


def test_honest_splits_of_repetitive_rows_pass() -> None:
    """Zipf laws repeat at every scale. The rule's false alarms are below 1e-6; 100 splits."""
    for seed in range(100):
        rng = np.random.default_rng([3, seed])
        values = rng.zipf(1.2 + rng.random(), 400) % 10_000 + 0.5
        cut = int(rng.integers(40, 360))
        overlap = check_leakage(
            *tables(pa.table({"x": values[:cut]}), pa.table({"x": values[cut:]}))
        )
        assert 0 <= overlap.n_equal <= overlap.n_holdout


@pytest.mark.skipif(not DATA.is_dir(), reason="the real tables are not here")
@pytest.mark.parametrize(("name", "n"), [("intrusion", 4_000), ("adult", 4_000), ("penguins", 344)])
def test_honest_splits_of_real_tables_pass_and_leaks_do_not(name: str, n: int) -> None:
    rows = pd.read_parquet(DATA / f"{name}.parquet").sample(n, random_state=0)
    rows = rows.reset_index(drop=True)
    half = n // 2
    train, holdout = tables(rows.iloc[:half], rows.iloc[half:].reset_index(drop=True))
    overlap = check_leakage(train, holdout)
    gap = abs(overlap.n_equal - overlap.n_expected)
    assert gap <= 5 * np.sqrt(half) and (name != "intrusion" or overlap.n_equal > half / 4)
    with pytest.raises(LeakageError):
        check_leakage(train, train)


# --- marginals ----------------------------------------------------------------------------------


def test_kolmogorov_distance_of_two_uniforms() -> None:
    """U(0, 1) against U(0.3, 1.3) has distance 0.3; on even grids of 1,000 up to 1/1,000."""
    grid = (np.arange(1_000) + 0.5) / 1_000
    found = MarginalDistance().evaluate(
        pa.table({"x": grid}), pa.table({"x": grid + 0.3}), random_state=0
    )
    assert found.headline.value == pytest.approx(0.3, abs=2e-3)
    assert found.headline.low < 0.3 < found.headline.high
    assert found.headline.unit == "share" and found.headline.better == "lower"


def test_marginals_by_hand() -> None:
    """Categories: |.5-.2|, |.5-.3|, |0-.5| halved; numbers: the missing tenth is all of it."""
    real = pa.table({"c": ["a"] * 10 + ["b"] * 10, "x": [0.5, 1.5] * 10})
    fake = pa.table(
        {"c": ["a"] * 4 + ["b"] * 6 + [None] * 10, "x": [None] * 2 + [0.5, 1.5] * 9},
    )
    found = MarginalDistance().evaluate(real, fake, random_state=0)
    assert found.columns == pytest.approx({"c": 0.5, "x": 0.1})
    assert found.headline.value == pytest.approx(0.3)


def test_marginal_interval_has_the_bootstrap_width() -> None:
    """One binary column: sd of the difference of shares is sqrt(.25/400 + .21/400) = 0.0339."""
    real = pa.table({"c": ["a"] * 200 + ["b"] * 200})
    fake = pa.table({"c": ["a"] * 280 + ["b"] * 120})
    found = MarginalDistance(n_bootstrap=2_000).evaluate(real, fake, random_state=0)
    half = found.headline.high - found.headline.value
    assert found.headline.value == pytest.approx(0.2)
    assert half == pytest.approx(1.96 * 0.0339, rel=0.08)


def test_resampling_in_chunks_keeps_rows_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two copies of a column have the interval of one: rows, not cells, are resampled."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=60), rng.normal(size=60) + 1
    one = MarginalDistance().evaluate(pa.table({"x": a}), pa.table({"x": b}), random_state=0)
    two = MarginalDistance().evaluate(
        pa.table({"x": a, "y": a}), pa.table({"x": b, "y": b}), random_state=0
    )
    assert one.headline == two.headline


def test_registry_names_metrics_that_declare_themselves() -> None:
    assert set(METRICS) == {"chi2", "divergence", "marginal"}
    for cls in METRICS.values():
        assert issubclass(cls, Metric)
        assert cls.unit and cls.better in ("lower", "higher") and cls.references
        assert "_evaluate" in vars(cls)


def test_metrics_refuse_rows_that_trained_the_generator() -> None:
    rows = people(60, 0)
    for cls in METRICS.values():
        with pytest.raises(LeakageError):
            cls().evaluate(rows, people(60, 1), train=rows, random_state=0)
