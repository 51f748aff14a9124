"""Membership inference: leaks are found, their absence is not taken for one, answers are plain."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from joblib import parallel_config
from scipy.stats import f as fisher

import tabseed as ts
from tabseed.errors import LeakageError, SchemaError, TabseedError, TooFewRowsError
from tabseed.privacy.bounds import Auc
from tabseed.privacy.membership_result import AttackResult, MembershipResult
from tabseed.testing.tables import example_table

TRAIN, HOLDOUT = example_table(150, 1), example_table(100, 2)
OTHER = example_table(300, 3)
RICH = 4_000


def attack(synthetic: object = OTHER, **options: object) -> MembershipResult:
    settings = {k: options.pop(k) for k in ("permutations", "shadows", "n_jobs") if k in options}
    chosen = {"permutations": 999, **settings}
    return ts.MembershipInference(**chosen).evaluate(TRAIN, synthetic, HOLDOUT, **options)


def attack_named(result: MembershipResult, name: str) -> AttackResult:
    return next(found for found in result.attacks if found.name == name)


def mixture(train: pa.Table, copied: np.ndarray, size: int, seed: int) -> pa.Table:
    """Return rows of which half repeat the training rows ``copied``, the others come anew."""
    rng = np.random.default_rng(seed)
    repeats = train.take(pa.array(rng.choice(copied, size // 2)))
    return pa.concat_tables([repeats, example_table(size - size // 2, 1_000 + seed)])


def memoriser(table: ts.Table, stream: np.random.SeedSequence) -> ts.Table:
    """A generator that draws from a fixed law, but repeats rows with an income above 4,000."""
    arrow = table.to_arrow()
    rich = np.flatnonzero(np.nan_to_num(table.numbers("income")) > RICH)
    new = example_table(200, int(stream.generate_state(1)[0])).select(arrow.column_names)
    whole = pa.concat_tables([new, arrow.take(pa.array(np.repeat(rich, 3)))])
    return ts.Table.from_frame(whole, schema=table.schema)


def from_a_fixed_law(table: ts.Table, stream: np.random.SeedSequence) -> ts.Table:
    rows = example_table(200, int(stream.generate_state(1)[0]))
    return ts.Table.from_frame(rows, schema=table.schema)


@pytest.fixture(scope="module")
def plain() -> MembershipResult:
    """What attacks find in rows that are no generator's."""
    return attack()


def test_rows_that_trained_nothing_are_not_told(plain: MembershipResult) -> None:
    result = plain
    assert not result.leaks and result.p_value > 0.05
    assert "nothing that these rows can show" in result.verdict
    assert f"above {result.detectable:.2f} in 4 of 5 cases" in result.verdict
    assert 0.6 < result.detectable < 0.7 and result.detectable < result.detectable_exposed


def test_a_generator_that_repeats_its_rows_is_caught() -> None:
    copies = ts.Resample().fit(ts.Table.from_frame(TRAIN)).sample(400)
    result = attack(copies)
    assert result.leaks and result.headline.value > 0.95
    assert 0.85 < result.at_least < result.headline.value
    assert result.epsilon.at_least > 2
    assert result.true_positive_rates[0.1].value > 0.9 and 0.01 not in result.true_positive_rates
    assert result.verdict.startswith("An attacker tells training rows from others")


@pytest.mark.parametrize("seed", range(3))
def test_a_generator_that_memorises_half_of_its_rows_is_caught(seed: int) -> None:
    result = attack(mixture(TRAIN, np.arange(0, 150, 2), 300, seed), random_state=seed)
    assert result.leaks
    # the rows listed first are those repeated: 75 of 150 rows are, so that all 10 are by chance
    # has probability 1 in 2,000
    assert all(risk.row % 2 == 0 for risk in result.risks[:10])


def test_a_few_memorised_outliers_are_told_beside_many_held_out_rows() -> None:
    """Four of 60 rows are repeated: by chance the first four are all of the 60 in 1 of 1,500."""
    rng = np.random.default_rng(15)
    train, holdout, other = (
        pa.table(dict(zip("xyz", rng.normal(size=(3, n)), strict=True))) for n in (60, 320, 200)
    )
    far = np.argsort(-sum(train[c].to_numpy() ** 2 for c in "xyz"))[:4]
    synthetic = pa.concat_tables([other, train.take(pa.array(np.repeat(far, 10)))])
    result = ts.MembershipInference(permutations=1_999).evaluate(train, synthetic, holdout)
    assert result.leaks and result.first == 3
    assert {risk.row for risk in result.risks[:4]} == set(far.tolist())
    assert result.kind == "first" and "of the 3 rows that look most like" in result.verdict
    fewer = ts.MembershipInference(permutations=1_999).evaluate(
        train, synthetic, holdout.slice(0, 30)
    )
    assert not fewer.leaks  # 4 of 60 rows beside 30 others: chance does that too
    assert fewer.first > 4 and any("found by its copies" in note for note in fewer.notes)


def test_the_likelihood_attack_reaches_its_closed_form() -> None:
    """A normal law fitted by its mean: |x - mean|^2 is (1 -+ 1/n) chi-square for (other) rows.

    So the AUC of the likelihood is P(F < (n + 1)/(n - 1)), F with d and d degrees of freedom. 60
    tables of 12 + 12 rows in 40 columns: the mean's standard error is about 0.012.
    """
    n, d, values = 12, 40, []
    expected = fisher.cdf((n + 1) / (n - 1), d, d)
    for seed in range(60):
        rng = np.random.default_rng([12, seed])
        x, y = rng.normal(size=(2, n, d))
        score = -((np.concatenate([x, y]) - x.mean(axis=0)) ** 2).sum(axis=1)
        values.append(Auc.of(score, np.arange(2 * n) < n).value)
    assert np.mean(values) == pytest.approx(expected, abs=0.04)
    assert expected > 0.69


def test_the_likelihood_of_the_generator_is_an_attack() -> None:
    x = np.random.default_rng(13).normal(size=(90, 30))
    names = [f"x{j}" for j in range(30)]
    train, holdout, synthetic = (
        pa.table(dict(zip(names, rows.T, strict=True))) for rows in np.split(x, 3)
    )
    mean = x[:30].mean(axis=0)

    def log_density(table: ts.Table) -> np.ndarray:
        points = np.column_stack([table.numbers(name) for name in names])
        return -((points - mean) ** 2).sum(axis=1) / 2

    result = ts.MembershipInference(permutations=999).evaluate(
        train, synthetic, holdout, likelihood=log_density
    )
    found = attack_named(result, "likelihood")
    expected = -((x[:60] - mean) ** 2).sum(axis=1)
    assert found.auc.value == pytest.approx(Auc.of(expected, np.arange(60) < 30).value)
    assert {"likelihood", "likelihood ratio"} < {a.name for a in result.attacks}


def test_what_takes_the_model_is_told_apart_from_what_the_rows_show() -> None:
    """A model that knows its rows by heart, whose synthetic rows are of no one."""
    incomes = ts.Table.from_frame(TRAIN).numbers("income")
    result = attack(likelihood=lambda table: np.isin(table.numbers("income"), incomes) * 1.0)
    assert result.leaks and result.strongest.startswith("likelihood")
    assert result.rows_alone.attack.needs == "rows" and result.rows_alone.p_value > 0.05
    assert result.verdict.startswith("An attacker who has the model tells training rows")
    assert "With synthetic rows alone nothing is shown" in result.verdict
    assert attack_named(result, "likelihood").needs == "model"


def test_a_likelihood_is_not_asked_about_values_that_no_training_row_has() -> None:
    """Held-out rows with such values take the middle place: no attack gains by them."""
    rng = np.random.default_rng(14)
    frames = [
        pa.table({"c": rng.choice(levels, 40), "x": rng.normal(size=40)})
        for levels in (["a", "b"], ["a", "b"], ["a", "b", "new"])
    ]
    train, synthetic, holdout = frames
    asked = []

    def constant(table: ts.Table) -> np.ndarray:
        asked.append(len(table))
        assert set(table.values("c")) <= {"a", "b"}
        return np.full(len(table), -np.inf)

    result = ts.MembershipInference(permutations=99).evaluate(
        train, synthetic, holdout, likelihood=constant
    )
    assert asked == [40, sum(value != "new" for value in holdout["c"].to_pylist())]
    assert attack_named(result, "likelihood").auc.value == 0.5


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda t: "x", "no array of numbers"),
        (lambda t: np.zeros(3), "one number"),
        (lambda t: np.full(len(t), np.nan), "no NaN"),
        (lambda t: np.full(len(t), np.inf), "no NaN"),
    ],
)
def test_a_likelihood_that_is_none_is_refused(returned, message) -> None:
    with pytest.raises(TabseedError, match=message) as caught:
        attack(likelihood=returned)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_shadow_tables_find_a_few_memorised_rows_and_nothing_in_a_fixed_law() -> None:
    """Six of 150 rows are repeated: too few for labels, but each refit shows them."""
    frame = ts.Table.from_frame(TRAIN)
    schema = frame.schema.modelled
    frame = frame.select(schema)
    rich = int((np.nan_to_num(frame.numbers("income")) > RICH).sum())
    assert 0 < rich < 11
    memorised = attack(
        memoriser(frame, np.random.SeedSequence(1)), refit=memoriser, shadows=16, n_jobs=1
    )
    assert memorised.leaks and memorised.shadow.p_value <= 0.025
    assert memorised.shadow.n_told >= 1 and memorised.shadow.max_auc == 1
    assert "tells single rows: with and without one" in memorised.verdict
    assert max(r.shadow for r in memorised.risks if r.shadow is not None) == 1
    clean = attack(refit=from_a_fixed_law, shadows=16, n_jobs=1)
    assert not clean.leaks and clean.shadow.p_value > 0.025
    assert clean.shadow.mean_auc.low < 0.5 < clean.shadow.mean_auc.high
    assert "shadow" in {a.name for a in clean.attacks}


def test_any_number_of_jobs_gives_the_same_answer() -> None:
    def refit(table: ts.Table, stream: np.random.SeedSequence) -> ts.Table:
        return ts.Resample(smoothing=1.0, random_state=stream).fit(table).draw(100)

    with parallel_config("threading"):  # processes take seconds to start
        one, two = (attack(refit=refit, shadows=8, n_jobs=jobs).to_json() for jobs in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (lambda t, s: t.take([0, 1]), "refit drew 2 rows"),
        (lambda t, s: None, "shadow table"),
        (lambda t, s: pa.table({"x": [1.0]}), "shadow table: column"),
    ],
)
def test_a_refit_that_draws_no_table_is_refused(drawn, message) -> None:
    with pytest.raises(TabseedError, match=message) as caught:
        attack(refit=drawn, shadows=8)
    assert "\n" not in str(caught.value)


def test_the_same_seed_gives_the_same_answer_and_leaves_global_randomness_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = (attack(permutations=99, random_state=5).to_json() for _ in range(2))
    assert one == two != attack(permutations=99, random_state=6).to_json()
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_many_rows_are_read_in_part_and_the_answer_says_so() -> None:
    result = ts.MembershipInference(permutations=99, max_rows=60).evaluate(TRAIN, OTHER, HOLDOUT)
    assert result.n_read == (60, 60, 300)
    assert any(note.startswith("60 of 150 training rows were read") for note in result.notes)
    assert all(0 <= risk.row < 150 for risk in result.risks)


def test_progress_ends_where_it_should() -> None:
    seen = []
    attack(progress=lambda done, total, message: seen.append((done, total, message)))
    assert seen[0][2] == "distances"
    done = [d for d, _, _ in seen]
    assert done == sorted(done) and {total for _, total, _ in seen} == {100}


def test_a_table_of_one_constant_column_shows_nothing() -> None:
    tables = [pa.table({"x": [1.0] * n}) for n in (20, 30, 15)]
    kinds = {"x": "continuous"}
    schema = ts.Table.from_frame(tables[0], kinds=kinds).schema
    train, synthetic, holdout = (ts.Table.from_frame(t, schema=schema) for t in tables)
    result = ts.MembershipInference(permutations=99).evaluate(train, synthetic, holdout)
    assert not result.leaks and result.p_value == 1
    assert result.headline.value == 0.5
    json.dumps(result.to_dict(), allow_nan=False)


def test_exposed_rows_of_one_kind_have_no_auc() -> None:
    """Which of equal rows count as exposed is drawn; here all of them are training rows."""
    kinds = {"a": "categorical", "b": "categorical"}
    for seed in (7, 16):
        rng = np.random.default_rng([16, seed])
        tables = [pa.table({c: rng.choice(["u", "v"], n) for c in "ab"}) for n in (60, 50, 10)]
        schema = ts.Table.from_frame(tables[0], kinds=kinds).schema
        train, synthetic, holdout = (ts.Table.from_frame(t, schema=schema) for t in tables)
        result = ts.MembershipInference(permutations=99).evaluate(
            train, synthetic, holdout, random_state=seed
        )
        assert not result.leaks and result.attack.exposed is None
        assert result.scope == "all rows" and result.headline == result.attack.auc
        json.dumps(result.to_dict(), allow_nan=False)


def test_few_rows_cannot_tell() -> None:
    small = example_table(12, 5), example_table(40, 6), example_table(11, 7)
    result = ts.MembershipInference(permutations=999).evaluate(*small)
    assert result.detectable is not None and result.detectable > 0.8
    assert result.true_positive_rates == {}
    assert any("too few for a true-positive rate" in note for note in result.notes)
    assert result.detectable_exposed is None


def test_what_cannot_be_attacked_is_refused_in_one_line() -> None:
    for train, synthetic, holdout, error, text in (
        (TRAIN, OTHER, TRAIN, LeakageError, "holdout repeats"),
        (TRAIN, HOLDOUT, HOLDOUT, LeakageError, "has seen rows"),
        (TRAIN.slice(0, 9), OTHER, HOLDOUT, TooFewRowsError, "the train table has 9 rows"),
        (TRAIN, OTHER.slice(0, 9), HOLDOUT, TooFewRowsError, "the synthetic table has 9 rows"),
        (TRAIN, OTHER.drop_columns(["age"]), HOLDOUT, SchemaError, "synthetic table: column 'age'"),
        (TRAIN.select(["person_id"]), OTHER, HOLDOUT, SchemaError, "no column to attack by"),
    ):
        with pytest.raises(error, match=text) as caught:
            ts.MembershipInference().evaluate(train, synthetic, holdout)
        assert "\n" not in str(caught.value)
    with pytest.raises(TabseedError, match="MembershipInference: permutations=3 is not"):
        attack(permutations=3)
    with pytest.raises(TabseedError, match="refit=3 is not a function"):
        attack(refit=3)


def test_rows_of_attacks_start_with_the_strongest(plain: MembershipResult) -> None:
    result, rows = plain, plain.rows()
    assert rows[0]["name"] == result.strongest and len(rows) == 8
    assert json.loads(result.to_json())["strongest"] == result.strongest
