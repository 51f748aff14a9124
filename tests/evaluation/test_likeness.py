"""Likeness: the order of tables that theory gives, what is said of few rows, complete numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.evaluation.likeness_report import DIFFERS, NOT_SHOWN, UNTOLD
from tabseed.testing.tables import example_table

QUICK = ts.Likeness(judges=False, permutations=199)


def table(n: int, seed: int, missing: float = 0.0) -> pa.Table:
    """Return three numbers and two categories that go together."""
    rng = np.random.default_rng([41, seed])
    z = rng.normal(size=n)
    columns = {
        "x": z + 0.3 * rng.normal(size=n),
        "y": np.exp(z + 0.5 * rng.normal(size=n)),
        "u": rng.normal(size=n),
        "c": np.array(["low", "mid", "high"])[np.digitize(z + 0.3 * rng.normal(size=n), [-1, 1])],
        "d": rng.choice(["a", "b"], n),
    }
    return pa.table(
        {name: pa.array(cells, mask=rng.random(n) < missing) for name, cells in columns.items()}
    )


def torn(rows: pa.Table, seed: int = 0) -> pa.Table:
    """Shuffle each column on its own."""
    rng = np.random.default_rng(seed)
    return pa.table({name: rows[name].take(pa.array(rng.permutation(len(rows))))
                     for name in rows.column_names})  # fmt: skip


def noise(rows: pa.Table, n: int) -> pa.Table:
    """Draw numbers evenly over their range, and categories with even shares."""
    rng = np.random.default_rng(1)
    columns = {}
    for name in rows.column_names:
        cells = rows[name].to_numpy()
        if cells.dtype == float:
            columns[name] = rng.uniform(cells.min(), cells.max(), n)
        else:
            columns[name] = rng.choice(np.unique(cells), n)
    return pa.table(columns)


@pytest.fixture(scope="module")
def real() -> tuple[pa.Table, pa.Table]:
    return table(150, 0), table(120, 1)


def test_new_real_rows_show_no_difference(real: tuple[pa.Table, pa.Table]) -> None:
    """One draw; false alarms in general: benchmarks/likeness_null.py."""
    report = QUICK.evaluate(real[0], table(200, 2), real[1])
    assert report.differ is False and min(report.p_values.values()) > 0.05
    assert report.verdict.startswith("120 held-out rows show no difference from synthetic rows")
    assert {row["finding"] for row in report.rows()} <= {NOT_SHOWN, UNTOLD}
    assert 0.1 < report.reach["columns"] < 0.4 and 0.1 < report.reach["pairs"] < 0.6


def test_torn_columns_differ_in_pairs_alone(real: tuple[pa.Table, pa.Table]) -> None:
    report = QUICK.evaluate(real[0], torn(table(200, 2)), real[1])
    assert report.differ is True and "pairs of columns" in report.verdict
    worst = report.worst_pairs[0]
    assert {worst["column"], worst["other"]} <= {"x", "y", "c"} and worst["finding"] == DIFFERS
    assert abs(worst["in_synthetic"]) < 0.2 < worst["in_real"]
    assert all(row["finding"] != DIFFERS for row in report.worst_columns)
    lost = {frozenset((row["column"], row["other"])) for row in report.worst_pairs
            if row["finding"] == DIFFERS}  # fmt: skip
    assert lost == {frozenset(pair) for pair in (("x", "y"), ("x", "c"), ("y", "c"))}


def test_the_order_that_theory_gives(real: tuple[pa.Table, pa.Table]) -> None:
    """Another real sample is nearest; torn columns keep margins; even noise keeps nothing."""
    tables = (table(150, 3), torn(table(150, 3)), noise(real[0], 150))
    reports = [QUICK.evaluate(real[0], rows, real[1]) for rows in tables]
    margins = [report.margins.headline.value for report in reports]
    pairs = [report.pairs.headline.value for report in reports]
    coverage = [report.neighbours.headline.value for report in reports]
    strength = [report.test.strength.value for report in reports]
    assert margins[0] == pytest.approx(margins[1]) and margins[1] < margins[2]
    assert pairs[0] < min(pairs[1:]) and strength[0] < strength[1] < strength[2]
    assert coverage[0] > coverage[1] > coverage[2]
    copies = QUICK.evaluate(real[0], real[0], real[1])
    for name in ("margins", "pairs", "neighbours"):
        found, reference = (getattr(copies, key).headline for key in (name, f"{name}_reference"))
        assert found.value == reference.value
    # as whole rows copies are not like new rows: they repeat rows that trained the generator
    assert {name for name, p in copies.p_values.items() if p <= 0.05} == {"test"}


def test_a_shift_is_named_with_its_unit(real: tuple[pa.Table, pa.Table]) -> None:
    fake = table(200, 2)
    fake = fake.set_column(2, "u", pa.array(fake["u"].to_numpy() + 1.5))
    report = QUICK.evaluate(real[0], fake, real[1])
    row = next(row for row in report.rows() if row["measure"] == "Wasserstein distance")
    assert row["column"] == "u" and row["finding"] == DIFFERS and row["unit"] == "as the column"
    assert row["low"] < 1.5 < row["high"] and row["difference"] == pytest.approx(1.5, abs=0.3)
    assert report.worst_columns[0]["column"] == "u"
    assert "most 'u': Kolmogorov-Smirnov distance 0." in report.verdict


def test_few_rows_cannot_tell() -> None:
    report = QUICK.evaluate(table(20, 0), table(40, 2), table(12, 1))
    assert report.differ is None and "cannot be told from 12 held-out rows" in report.verdict
    assert any(row["finding"] == UNTOLD for row in report.worst_columns)
    assert min(report.reach.values()) > 0.3


def test_without_holdout_it_says_what_cannot_be_said(real: tuple[pa.Table, pa.Table]) -> None:
    report = QUICK.evaluate(real[0], table(200, 2))
    assert report.n_holdout is None and report.overlap is None
    assert report.notes[0].startswith("Without held-out rows") and "150 training" in report.verdict
    assert all(row["real"] is None for row in report.rows())


def test_p_values_pay_for_all_looks(real: tuple[pa.Table, pa.Table]) -> None:
    """The adjusted p-value of the worst number of a family is the family's."""
    report = QUICK.evaluate(real[0], torn(table(200, 2, 0.1)), real[1])
    assert report.looks == len(report.p_values) == 6
    for family, p in report.p_values.items():
        of_family = [row["p_adjusted"] for row in report.rows() if row["family"] == family]
        assert min(of_family) == pytest.approx(p)
    assert report.p_values["test"] == min(1.0, 6 * report.test.p_value)


def test_every_number_is_in_the_rows(real: tuple[pa.Table, pa.Table]) -> None:
    report = QUICK.evaluate(real[0], table(90, 2, 0.2), real[1])
    rows = report.rows()
    assert len(report.worst_pairs) == 10
    by_measure: dict[str, int] = {}
    for row in rows:
        by_measure[row["measure"]] = by_measure.get(row["measure"], 0) + 1
    assert by_measure["Kolmogorov-Smirnov distance"] == by_measure["Wasserstein distance"] == 3
    assert by_measure["total variation"] == 2 and by_measure["missing cells"] == 5
    assert by_measure["Spearman correlation"] == 3 and by_measure["correlation ratio"] == 6
    assert all(row["real"] is not None for row in rows if row["family"] != "test")
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["rows"] == rows


def test_broken_rules_are_found() -> None:
    rows = [table(n, seed) for seed, n in enumerate((150, 120, 200))]
    with_sums = [
        r.append_column("sum", pa.array(r["x"].to_numpy() + r["u"].to_numpy())) for r in rows
    ]
    broken = with_sums[2].set_column(5, "sum", pa.array(with_sums[2]["sum"].to_numpy() + 0.1))
    report = QUICK.evaluate(with_sums[0], broken, with_sums[1])
    (row,) = [row for row in report.rows() if row["sort"] == "rule"]
    assert row["finding"] == DIFFERS and (row["in_real"], row["in_synthetic"]) == (0, 1)
    assert "1 of 1 rules" in report.verdict
    kept = QUICK.evaluate(with_sums[0], with_sums[2], with_sums[1])
    assert kept.differ is False and kept.looks == report.looks


def odd(n: int, seed: int) -> pa.Table:
    """57 rows with a third of the cells missing, a constant and an empty column, one class."""
    rows = table(n, seed, 1 / 3)
    rows = rows.append_column("one", pa.array([7.5] * n))
    rows = rows.append_column("class", pa.array(["yes"] * n))
    return rows.append_column("empty", pa.array([None] * n, pa.float64()))


def test_odd_tables_work() -> None:
    schema = ts.Table.from_frame(odd(57, 0), kinds={"empty": "continuous", "one": "continuous"})
    report = QUICK.evaluate(schema, odd(57, 2), odd(57, 1))
    assert report.differ in (False, None)
    constant = [row for row in report.rows() if row["column"] in ("one", "empty")]
    assert constant and {row["finding"] for row in constant} == {NOT_SHOWN}


@pytest.mark.slow
def test_judges_join_with_what_real_rows_get() -> None:
    from helpers.evaluating import few_refits

    with few_refits():
        report = ts.Likeness(permutations=199, n_jobs=1).evaluate(
            table(30, 0), torn(table(30, 2)), table(30, 1)
        )
    measures = {row["measure"]: row for row in report.rows() if row["family"] == "divergence"}
    assert set(measures) == {"Jensen-Shannon divergence", "chi-square divergence, pooled"}
    assert all(row["real"] is not None and row["p"] is None for row in measures.values())
    assert report.divergence is not None and report.divergence_reference is not None


def test_the_seed_decides_everything() -> None:
    def judged(seed: int) -> dict[str, Any]:
        return QUICK.evaluate(
            example_table(30), example_table(40, 2), example_table(30, 1), random_state=seed
        ).to_dict()

    assert judged(3) == judged(3) != judged(4)


def test_progress_ends_at_the_whole() -> None:
    steps: list[tuple[int, int]] = []
    QUICK.evaluate(
        table(30, 0), table(30, 2), table(30, 1), progress=lambda d, t, _: steps.append((d, t))
    )
    done = [d for d, _ in steps]
    assert done == sorted(done) and steps[-1] == (100, 100)


def test_bad_input_is_refused_in_one_line(real: tuple[pa.Table, pa.Table]) -> None:
    with pytest.raises(ts.LeakageError, match="the holdout repeats the training rows"):
        QUICK.evaluate(real[0], table(60, 2), real[0])
    with pytest.raises(ts.TooFewRowsError, match="the holdout table has 9 rows"):
        QUICK.evaluate(real[0], table(60, 2), real[1].slice(0, 9))
    with pytest.raises(ts.SchemaError, match="no column to compare"):
        QUICK.evaluate(pa.table({"id": [f"p{i}" for i in range(99)]}), table(60, 2))
    with pytest.raises(ts.TabseedError, match="permutations=100 is not a whole number"):
        ts.Likeness(permutations=100).evaluate(*real)
