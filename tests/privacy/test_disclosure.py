"""Attribute disclosure: outcomes that know no labels, an exact comparison, what is caught."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import fisher_exact

import tabseed as ts
from tabseed.errors import LeakageError, SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.splits import holm
from tabseed.privacy.inference import CLOSEST, EXACT, NEAREST, UNIQUE, Neighbours, by_frequency
from tabseed.privacy.keys import Levels
from tabseed.table import Table


def people(n: int, seed: int) -> pa.Table:
    """Return rows of a population: age and sex tell some of the diagnosis, none of the income."""
    rng = np.random.default_rng([3, seed])
    age = rng.integers(20, 90, n)
    sex = rng.choice(["f", "m"], n)
    risk = 1.5 * (age > 60) + (sex == "m") + rng.normal(size=n)
    income = rng.lognormal(10, 0.5, n).round()
    income[rng.random(n) < 0.1] = np.nan
    return pa.table(
        {
            "age": age,
            "sex": sex,
            "town": rng.choice([f"t{k}" for k in range(8)], n),
            "ill": np.where(risk > 1.5, "yes", np.where(risk < -0.5, "unknown", "no")),
            "income": pa.array(income, from_pandas=True),
        }
    )


TRAIN, OTHERS, FRESH = people(120, 0), people(90, 1), people(400, 2)
SENSITIVE = ["ill", "income"]


def found(train=TRAIN, synthetic=FRESH, holdout=OTHERS, **settings):
    return ts.AttributeDisclosure(SENSITIVE, **settings).evaluate(train, synthetic, holdout)


def by(result, column: str, how: str):
    return next(a for a in result.attacks if (a.column, a.how) == (column, how))


def test_no_outcome_depends_on_which_rows_trained_the_generator() -> None:
    """Rows dealt anew keep their outcomes; so Fisher's test is an exact permutation test."""
    schema = Table.from_frame(TRAIN).schema
    pool = Table.from_frame(pa.concat_tables([TRAIN, OTHERS]), schema=schema)
    synthetic = Table.from_frame(FRESH, schema=schema)
    totals = []
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(pool))
        result = found(pool.take(order[:120]), synthetic, pool.take(order[120:]))
        totals.append(
            [
                (a.column, a.how, a.attacked + a.attacked_others, a.right + a.right_others)
                for a in result.attacks
            ]
        )
    assert totals[0] == totals[1]
    one = found(pool.take(range(120)), synthetic, pool.take(range(120, 210)))
    two = found(pool.take(range(120, 210)), synthetic, pool.take(range(120)))
    for a, b in zip(one.attacks, two.attacks, strict=True):
        assert (a.right, a.attacked, a.n) == (b.right_others, b.attacked_others, b.n_others)


def test_the_excess_is_compared_by_fishers_test_and_holm() -> None:
    result = found(synthetic=ts.SequentialTrees(random_state=0).fit(TRAIN).sample(400))
    tables = [
        [[a.right, a.n - a.right], [a.right_others, a.n_others - a.right_others]]
        for a in result.attacks
    ]
    p = holm(np.array([fisher_exact(t, alternative="greater")[1] for t in tables]))
    assert [a.p for a in result.attacks] == pytest.approx(p, abs=1e-9)
    assert [(a.column, a.how) for a in result.attacks] == [
        ("", UNIQUE), *((c, how) for c in SENSITIVE for how in (EXACT, NEAREST, CLOSEST)),
    ]  # fmt: skip
    for a in result.attacks:
        assert a.excess.value == pytest.approx(a.right / a.n - a.right_others / a.n_others)
        assert a.bounds[0] <= a.excess.low <= a.excess.value <= a.excess.high <= a.bounds[1]
        assert a.right <= a.attacked <= a.n == 120 and a.n_others == 90


def test_outcomes_are_those_of_a_search_through_all_rows() -> None:
    result = found(keys=["age", "sex"], bins=4)
    rows, others, synthetic = (t.to_pylist() for t in (TRAIN, OTHERS, FRESH))
    ages = np.array([row["age"] for row in rows + others])
    ends = np.quantile(ages, [0.25, 0.5, 0.75], method="higher")

    def key(row):
        return int(np.searchsorted(ends, row["age"], side="right")), row["sex"]

    told = {}
    for row in synthetic:
        told.setdefault(key(row), set()).add(row["ill"])
    exact = by(result, "ill", EXACT)
    assert exact.right == sum(told.get(key(row)) == {row["ill"]} for row in rows)
    assert exact.attacked == sum(len(told.get(key(row), ())) == 1 for row in rows)
    low, high = np.quantile(ages, [0.25, 0.75])
    spread = min((high - low) / 1.349, ages.std())

    def guess(row):
        far = np.array(
            [np.hypot((row["age"] - s["age"]) / spread, row["sex"] != s["sex"]) for s in synthetic]
        )
        near = [s["ill"] for s, d in zip(synthetic, far, strict=True) if d <= far.min() + 1e-9]
        counts = {level: near.count(level) for level in near}
        frequent = [s["ill"] for s in synthetic]
        return max(counts, key=lambda level: (counts[level], frequent.count(level)))

    nearest = by(result, "ill", NEAREST)
    assert nearest.right == sum(guess(row) == row["ill"] for row in rows)
    assert nearest.right_others == sum(guess(row) == row["ill"] for row in others)


def test_ties_are_broken_by_the_synthetic_rows_not_by_codes() -> None:
    levels = np.array([4, 2, 2, 7, 4, 9])
    order, rank = by_frequency(levels)
    assert order.tolist() == [4, 2, 7, 9] and rank.tolist() == [0, 1, 1, 2, 0, 3]
    renamed = np.array([9, 7, 7, 1, 9, 3])
    assert (by_frequency(renamed)[1] == rank).all()


def test_a_model_of_other_rows_knows_what_the_population_tells() -> None:
    """A forest that has not seen a row tells the level that its keys fix, and of noise nothing."""
    rng = np.random.default_rng(5)
    a = rng.integers(0, 4, 400)
    table = Table.from_frame(
        pa.table(
            {
                "a": a.astype(str),
                "b": (a % 2).astype(str),
                "noise": rng.integers(0, 2, 400).astype(str),
            }
        )
    )
    known = table.select(type(table.schema)((table.schema["a"],)))
    parts = [known.take(range(250)), known.take(range(250, 400)), known.take(range(50))]
    sensitive = [
        Levels.of(
            [table.take(range(250)), table.take(range(250, 400)), table.take(range(50))], n, 5, None
        )
        for n in ("b", "noise")
    ]
    near = Neighbours.of(parts, sensitive, 1_000, np.random.SeedSequence(0))
    right = [
        np.mean(near.population[j] == np.concatenate(levels.codes[:2]))
        for j, levels in enumerate(sensitive)
    ]
    assert right[0] == 1.0 and 0.4 < right[1] < 0.6  # 5 standard errors: 0.125
    fewer = Neighbours.of(parts, sensitive, 100, np.random.SeedSequence(0))
    assert len(fewer.rows) == 200 and (fewer.rows < 250).sum() == 100
    at = np.searchsorted(near.rows, fewer.rows)
    assert (near.distance[at] == fewer.distance).all()


@pytest.mark.parametrize("generator", [ts.Resample(random_state=0), ts.SMOTE(random_state=0)])
def test_copies_and_mixtures_of_rows_are_caught(generator) -> None:
    result = found(synthetic=generator.fit(TRAIN).sample(300))
    assert result.strongest.disclosed and result.strongest.p < 1e-3
    assert "disclose training rows" in result.verdict and "at least" in result.verdict
    assert result.largest[0] > 0


def test_half_of_the_rows_memorised_are_caught() -> None:
    mixed = pa.concat_tables([TRAIN.slice(0, 60), FRESH.slice(0, 60)])
    assert found(synthetic=mixed).strongest.disclosed


def test_what_the_population_tells_is_no_disclosure() -> None:
    """Ill or not is told right for most people by fresh rows: of training rows and others alike."""
    result = found()
    nearest = by(result, "ill", NEAREST)
    assert nearest.right / nearest.n > 0.4 and nearest.population > 0.4
    assert not any(a.disclosed for a in result.attacks)
    assert "tell no more of 'ill' and 'income' about training rows" in result.verdict
    assert f"{100 * result.detectable:.1f} percentage points" in result.verdict
    assert any("no breach" in note for note in result.notes)


def test_few_rows_say_that_they_cannot_tell() -> None:
    result = found(TRAIN.slice(0, 10), FRESH, OTHERS.slice(0, 10))
    assert result.detectable > 0.5
    assert "cannot be told: 10 training and 10 held-out rows are too few" in result.verdict


def test_what_the_keys_fix_is_told_of_all_and_hides_no_other_excess() -> None:
    """An attack that is right about everybody can show no excess; others still can."""
    tables = [
        table.append_column("senior", pa.array(np.array(table["age"]) > 54))
        for table in (TRAIN, FRESH, OTHERS)
    ]
    ask = ts.AttributeDisclosure(["senior", "ill"], ["age", "sex"], cuts={"age": [54.5]})
    result = ask.evaluate(*tables)
    fixed = by(result, "senior", EXACT)
    assert fixed.right == 120 and fixed.right_others == 90
    assert fixed.detectable is None and result.detectable < 0.3
    assert "tell no more" in result.verdict


def test_without_held_out_rows_no_excess_is_told() -> None:
    result = found(holdout=None)
    assert result.n_holdout == 0 and result.largest is None
    assert all(a.p is a.excess is a.detectable is None and a.n_others == 0 for a in result.attacks)
    assert "cannot be told without held-out rows" in result.verdict
    assert by(result, "ill", EXACT).attacked > 0 and result.uniques.n == 120
    assert len(result.rows()) == 7


def test_keys_are_chosen_by_the_synthetic_rows() -> None:
    rng = np.random.default_rng(0)
    wide = [
        table.append_column("noise", pa.array(rng.normal(size=len(table))))
        for table in (TRAIN, OTHERS, FRESH)
    ]
    result = ts.AttributeDisclosure(["ill"], max_keys=2).evaluate(wide[0], wide[2], wide[1])
    assert result.keys == ("age", "sex") and len(result.known) == 5
    assert found(max_keys=9).keys == ("age", "sex", "town")


def test_the_same_seed_gives_the_same_answer() -> None:
    one, two = (found(max_rows=50) for _ in range(2))
    assert one.to_dict() == two.to_dict() and one.attacks[2].n == 50
    assert one.attacks[1].n == 120  # keys are counted in all rows


def test_strange_tables_work() -> None:
    """Constant and all-missing columns, a third of the cells missing, values not seen before."""
    rng = np.random.default_rng(0)

    def table(n, seed):
        frame = people(n, seed).to_pandas()
        frame["same"], frame["none"] = "x", np.nan
        return frame.mask(rng.random(frame.shape) < 1 / 3)

    train, others, fresh = table(57, 0), table(57, 1), table(57, 2)
    train["same"], others["same"], fresh["same"] = "x", "x", "x"
    schema = Table.from_frame(train, kinds={"none": "categorical", "same": "categorical"}).schema
    tables = [Table.from_frame(frame, schema=schema) for frame in (train, fresh, others)]
    result = ts.AttributeDisclosure(["same", "none", "income"]).evaluate(*tables)
    assert by(result, "same", NEAREST).right == 57 and by(result, "none", NEAREST).right == 57
    ts.AttributeDisclosure(["ill"], ["none", "same"]).evaluate(*tables)


def test_bad_columns_are_refused_in_one_line() -> None:
    def refused(match, error=SchemaError, train=TRAIN, holdout=OTHERS, **settings):
        with pytest.raises(error, match=match):
            ts.AttributeDisclosure(**{"sensitive": ["ill"], **settings}).evaluate(
                train, FRESH, holdout
            )

    refused("no column 'Il'", sensitive=["Il"])
    refused("column 'ill' is named as a key and as sensitive", keys=["ill", "age"])
    refused("a column is named twice", sensitive=["ill", "ill"])
    refused("a column is named twice", keys=["age", "age"])
    refused("all columns are sensitive", sensitive=TRAIN.column_names)
    refused("cuts: column 'sex' holds no numbers", cuts={"sex": [1]})
    refused("not a list of finite numbers", TabseedError, cuts={"age": [np.nan]})
    refused("needs at least 10 holdout rows, got 9", TooFewRowsError, holdout=OTHERS.slice(0, 9))
    refused("repeats the training rows", LeakageError, holdout=TRAIN)
